package mailru_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"libmailru.example/mailru"
)

// platform plays the few methods that the examples need, so that they run anywhere.
func platform() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		switch request.FormValue("method") {
		case "friends.get":
			io.WriteString(answer, `["15410773191172635989"]`)
		case "photos.upload":
			io.WriteString(answer, `{"pid":"7","aid":"_myphoto"}`)
		case "users.getInfo":
			io.WriteString(answer, `[{"uid":15410773191172635989,"nick":"Snail"}]`)
		default:
			io.WriteString(answer, `{"error":{"error_code":2,"error_msg":"Unknown method called"}}`)
		}
	}))
}

// application is the guide's, with options that lead to a platform of the examples' own. A program leaves APIURL away.
func application(platform *httptest.Server) mailru.Config {
	return mailru.Config{
		AppID:      "423004",
		PrivateKey: "7815696ecbf1c96e6894b779456d330e",
		Options:    mailru.Options{Timeout: 5 * time.Second, APIURL: platform.URL + "/platform/api"},
	}
}

func session(platform *httptest.Server) *mailru.Session {
	session, err := application(platform).TokenSession("be6ef89965d58e56dec21acb9b62bdaa", "1324730981306483817")
	if err != nil {
		panic(err)
	}
	return session
}

func Example() {
	platform := platform()
	defer platform.Close()
	app := mailru.Config{
		AppID:      "423004",
		PrivateKey: "7815696ecbf1c96e6894b779456d330e",
		Options:    mailru.Options{APIURL: platform.URL},
	}
	session, err := app.TokenSession("be6ef89965d58e56dec21acb9b62bdaa", "1324730981306483817")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close()
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	answer, err := session.Call(ctx, "friends.get", mailru.Params{"offset": 0})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(answer)
	// Output: ["15410773191172635989"]
}

func ExampleCallAs() {
	platform := platform()
	defer platform.Close()
	session := session(platform)
	defer session.Close()
	type user struct {
		UID  mailru.ID
		Nick string
	}
	users, err := mailru.CallAs[[]user](context.Background(), session, "users.getInfo", nil)
	fmt.Println(users, err)
	// Output: [{15410773191172635989 Snail}] <nil>
}

func ExampleError() {
	platform := platform()
	defer platform.Close()
	session := session(platform)
	defer session.Close()
	_, err := session.Call(context.Background(), "friends.got", nil)
	fmt.Println(err)
	fmt.Println(errors.Is(err, mailru.ErrAPI), errors.Is(err, mailru.Number(2)))
	var failure *mailru.Error
	if errors.As(err, &failure) {
		fmt.Println(failure.Number, failure.Transient)
	}
	// Output:
	// Unknown method called (MAILRU_API_ERROR 2)
	// true true
	// 2 false
}

func ExampleSession_Upload() {
	platform := platform()
	defer platform.Close()
	session := session(platform)
	defer session.Close()
	photo := mailru.File{Field: "img_file", Name: "snail.png", Type: "image/png", Data: []byte("\x89PNG")}
	answer, err := session.Upload(context.Background(), "photos.upload", mailru.Params{"aid": "_myphoto"}, photo)
	fmt.Println(answer, err)
	// Output: {"pid":"7","aid":"_myphoto"} <nil>
}

// A web login: the user is sent to the address, and comes back with a code.
func ExampleConfig_AuthorizeURL() {
	app := mailru.Config{AppID: "423004", SecretKey: "3dad9cbf9baaa0360c0f2ba372d25716"}
	// In a program mailru.NewState(), kept in the user's session.
	state := "QB2HFA6V"
	address, err := app.AuthorizeURL(mailru.Login{RedirectURI: "https://example.org/back", State: state,
		Scope: []string{"photos"}})
	fmt.Println(address, err)
	came, err := mailru.ParseRedirect("https://example.org/back?code=4711&state=QB2HFA6V", state)
	fmt.Println(came.Code, err)
	// app.CodeSession(came.Code, "https://example.org/back") trades the code for tokens.
	_, err = mailru.ParseRedirect("https://example.org/back?code=4712&state=forged", state)
	fmt.Println(errors.Is(err, mailru.ErrOAuth))
	// Output:
	// https://connect.mail.ru/oauth/authorize?client_id=423004&response_type=code&redirect_uri=https%3A%2F%2Fexample.org%2Fback&scope=photos&state=QB2HFA6V <nil>
	// 4711 <nil>
	// true
}

func ExampleVerifyQuery() {
	const query = "app_id=524632&mailiki_price=10&other_price=10000&profit=5000&service_id=10" +
		"&transaction_id=3751&uid=104&sig=961a705e28008186d443fe211608184c"
	payment, err := mailru.VerifyQuery(mailru.Payment, "secretkey", query)
	if err != nil {
		fmt.Println("not the platform's:", err)
		return
	}
	fmt.Println(payment.Params["transaction_id"], payment.Checked)
	// Output: 3751 [sig]
}

// The restart: tokens are stored as they come, and the next start goes on with them.
func ExampleSession_OnToken() {
	platform := platform()
	defer platform.Close()
	app := application(platform)
	stored := mailru.Tokens{AccessToken: "be6ef89965d58e56dec21acb9b62bdaa", RefreshToken: "r", UID: "1324730981306483817"}
	session, err := app.StoredSession(stored)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close()
	err = session.OnToken(func(tokens mailru.Tokens) {
		// json.Marshal(tokens), and into the database with it.
	})
	fmt.Println(stored, err)
	// Output: tokens of "1324730981306483817" until 0001-01-01T00:00:00Z <nil>
}

func ExampleNewTokenSource() {
	// The type of golang.org/x/oauth2.
	type Token struct{ AccessToken, TokenType string }
	platform := platform()
	defer platform.Close()
	session := session(platform)
	defer session.Close()
	source := mailru.NewTokenSource(context.Background(), session, func(tokens mailru.Tokens) *Token {
		return &Token{AccessToken: tokens.AccessToken, TokenType: tokens.TokenType}
	})
	token, err := source.Token()
	fmt.Println(token.AccessToken, err)
	// Output: be6ef89965d58e56dec21acb9b62bdaa <nil>
}

func ExampleSetLogger() {
	platform := platform()
	defer platform.Close()
	session := session(platform)
	defer session.Close()
	options := slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, attribute slog.Attr) slog.Attr {
		switch attribute.Key {
		case "level", "msg", "method", "status":
			return attribute
		}
		return slog.Attr{}
	}}
	if err := mailru.SetLogger(slog.New(slog.NewTextHandler(os.Stdout, &options)), slog.LevelDebug); err != nil {
		fmt.Println(err)
	}
	defer mailru.SetLogger(nil, 0)
	session.Call(context.Background(), "friends.get", nil)
	// Output: level=DEBUG msg="mailru: answer" method=friends.get status=200
}

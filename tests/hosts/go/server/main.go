// A web application: users log in by the platform, each has a session, and all of it stops cleanly. It takes its
// options from MAILRU_OPTIONS, listens on LISTEN, and prints its address. LOGINS is another page for logins than the
// platform's.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"libmailru.example/mailru"
)

// application is the web application.
type application struct {
	config mailru.Config
	// address is where browsers find it.
	address string
	mutex   sync.Mutex
	logins  map[string]login
}

// login is what the application keeps of a browser, by its cookie.
type login struct {
	// state is that of the login that has begun.
	state   string
	session *mailru.Session
}

func (app *application) handler() http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /login", app.login)
	routes.HandleFunc("GET /back", app.back)
	routes.HandleFunc("GET /call/{method}", app.call)
	routes.HandleFunc("POST /photo", app.photo)
	routes.HandleFunc("GET /stats", app.stats)
	return routes
}

func (app *application) redirectURI() string { return app.address + "/back" }

func (app *application) login(answer http.ResponseWriter, request *http.Request) {
	cookie, state := rand.Text(), mailru.NewState()
	address, err := app.config.AuthorizeURL(mailru.Login{RedirectURI: app.redirectURI(), State: state,
		Address: os.Getenv("LOGINS")})
	if err != nil {
		http.Error(answer, err.Error(), http.StatusInternalServerError)
		return
	}
	app.mutex.Lock()
	app.logins[cookie] = login{state: state}
	app.mutex.Unlock()
	http.SetCookie(answer, &http.Cookie{Name: "login", Value: cookie, Path: "/", HttpOnly: true})
	http.Redirect(answer, request, address, http.StatusFound)
}

// of is what is kept of a request's browser.
func (app *application) of(request *http.Request) (string, login) {
	cookie, err := request.Cookie("login")
	if err != nil {
		return "", login{}
	}
	app.mutex.Lock()
	defer app.mutex.Unlock()
	return cookie.Value, app.logins[cookie.Value]
}

func (app *application) back(answer http.ResponseWriter, request *http.Request) {
	cookie, begun := app.of(request)
	came, err := mailru.ParseRedirect(request.URL.String(), begun.state)
	if err != nil {
		http.Error(answer, err.Error(), http.StatusForbidden)
		return
	}
	session, err := app.config.CodeSession(came.Code, app.redirectURI())
	if err == nil {
		_, err = session.Authorize(request.Context())
	}
	if err != nil {
		http.Error(answer, err.Error(), http.StatusBadGateway)
		return
	}
	app.mutex.Lock()
	app.logins[cookie] = login{session: session}
	app.mutex.Unlock()
	fmt.Fprintln(answer, "logged in")
}

func (app *application) call(answer http.ResponseWriter, request *http.Request) {
	_, login := app.of(request)
	if login.session == nil {
		http.Error(answer, "log in first", http.StatusUnauthorized)
		return
	}
	// The browser's departure, and the server's end, end the call.
	told, err := login.session.Call(request.Context(), request.PathValue("method"), nil)
	reply(answer, told, err)
}

func (app *application) photo(answer http.ResponseWriter, request *http.Request) {
	_, login := app.of(request)
	if login.session == nil {
		http.Error(answer, "log in first", http.StatusUnauthorized)
		return
	}
	photo := mailru.File{Field: "img_file", Name: "photo.png", Reader: http.MaxBytesReader(answer, request.Body, 1<<20)}
	told, err := login.session.Upload(request.Context(), "photos.upload", mailru.Params{"aid": "_myphoto"}, photo)
	reply(answer, told, err)
}

func (app *application) stats(answer http.ResponseWriter, request *http.Request) {
	_, login := app.of(request)
	if login.session == nil {
		http.Error(answer, "log in first", http.StatusUnauthorized)
		return
	}
	stats, err := login.session.Stats()
	if err != nil {
		http.Error(answer, err.Error(), http.StatusInternalServerError)
		return
	}
	answer.Write(stats.JSON)
}

func reply(answer http.ResponseWriter, told mailru.Answer, err error) {
	switch {
	case err == nil:
		answer.Header().Set("Content-Type", "application/json")
		answer.Write(told)
	case errors.Is(err, context.Canceled):
		http.Error(answer, "the server stops", http.StatusServiceUnavailable)
	case errors.Is(err, mailru.ErrTimeout):
		http.Error(answer, err.Error(), http.StatusGatewayTimeout)
	default:
		http.Error(answer, err.Error(), http.StatusBadGateway)
	}
}

// serve answers until the context ends; then requests under way have the grace to end by themselves, and are ended after it.
func (app *application) serve(ctx context.Context, listener net.Listener, grace time.Duration) error {
	requests, end := context.WithCancel(context.Background())
	defer end()
	server := &http.Server{Handler: app.handler(), BaseContext: func(net.Listener) context.Context { return requests }}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		time.AfterFunc(grace, end)
		stopping, over := context.WithTimeout(context.Background(), grace+2*time.Second)
		defer over()
		err := server.Shutdown(stopping)
		if errors.Is(err, context.DeadlineExceeded) {
			// A browser's connection without a request: Shutdown waits for those.
			err = server.Close()
		}
		stopped <- err
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	err := <-stopped
	app.mutex.Lock()
	defer app.mutex.Unlock()
	for _, login := range app.logins {
		if login.session != nil {
			login.session.Close()
		}
	}
	return err
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	listener, err := net.Listen("tcp", os.Getenv("LISTEN"))
	if err != nil {
		log.Fatal(err)
	}
	app := newApplication("http://" + listener.Addr().String())
	fmt.Println(app.address)
	if err := app.serve(ctx, listener, 300*time.Millisecond); err != nil {
		log.Fatal(err)
	}
}

func newApplication(address string) *application {
	config := mailru.Config{AppID: "423004", SecretKey: "3dad9cbf9baaa0360c0f2ba372d25716", Circuit: mailru.ServerServer}
	config.Options.JSON = json.RawMessage(os.Getenv("MAILRU_OPTIONS"))
	return &application{config: config, address: address, logins: map[string]login{}}
}

// Package tests tries the Go package against the sandbox, whose options MAILRU_OPTIONS holds. The sandbox's methods:
// sandbox.echo… answers its parameters; whoever starts these tests makes sandbox.echo.slow never answer.
package tests

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"libmailru.example/mailru"
)

const (
	key = "be6ef89965d58e56dec21acb9b62bdaa"
	uid = "1324730981306483817"
)

// app is the guide's application, and its options lead to the sandbox.
func app() mailru.Config {
	return mailru.Config{AppID: "423004", PrivateKey: "7815696ecbf1c96e6894b779456d330e",
		Options: mailru.Options{JSON: json.RawMessage(os.Getenv("MAILRU_OPTIONS"))}}
}

// opened is a session that is closed with the test.
func opened(t *testing.T, session *mailru.Session, err error) *mailru.Session {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	return session
}

func client(t *testing.T) *mailru.Session {
	t.Helper()
	session, err := app().TokenSession(key, uid)
	return opened(t, session, err)
}

func TestThousandsOfGoroutines(t *testing.T) {
	session := client(t)
	calls := 2000
	if testing.Short() {
		calls = 500
	}
	var all sync.WaitGroup
	for number := range calls {
		all.Add(1)
		go func() {
			defer all.Done()
			answer, err := session.Call(context.Background(), "sandbox.echo", mailru.Params{"tag": number})
			if err != nil {
				t.Error(err)
			} else if !strings.Contains(answer.String(), fmt.Sprintf(`"tag":"%d"`, number)) {
				t.Errorf("%d got %s", number, answer)
			}
		}()
	}
	all.Wait()
}

func TestAContextEndsItsCallAlone(t *testing.T) {
	session := client(t)
	ctx, cancel := context.WithCancelCause(context.Background())
	reason := errors.New("the user left")
	var others sync.WaitGroup
	var ended atomic.Bool
	others.Add(1)
	go func() {
		defer others.Done()
		other, stop := context.WithTimeout(context.Background(), 2*time.Second)
		defer stop()
		_, err := session.Call(other, "sandbox.echo.slow", nil)
		if !errors.Is(err, context.DeadlineExceeded) || !ended.Load() {
			t.Errorf("the other call did not run to its own deadline: %v", err)
		}
	}()
	time.AfterFunc(200*time.Millisecond, func() { cancel(reason) })
	_, err := session.Call(ctx, "sandbox.echo.slow", nil)
	ended.Store(true)
	if !errors.Is(err, mailru.ErrCancelled) || !errors.Is(err, reason) || !errors.Is(err, context.Canceled) {
		t.Errorf("not cancelled: %v", err)
	}
	others.Wait()
	// A context that has ended sends nothing: not even what is wrong with the call is looked at.
	for range 50 {
		if _, err = session.Call(ctx, "no method", nil); !errors.Is(err, reason) {
			t.Errorf("called with an ended context: %v", err)
		}
	}
}

// What was seen: Upload, Public and Authorize had no context.
func TestEveryRequestEndsWithItsContext(t *testing.T) {
	session := client(t)
	// Nothing below /slow is answered.
	var options struct {
		Base string `json:"api_url"`
	}
	if err := json.Unmarshal([]byte(os.Getenv("MAILRU_OPTIONS")), &options); err != nil {
		t.Fatal(err)
	}
	silent := app()
	silent.Options.PublicURL = strings.Replace(options.Base, "/platform/api", "/slow", 1)
	silent.Options.TokenURL = silent.Options.PublicURL
	password, err := silent.PasswordSession("demo@mail.ru", "demo")
	opened(t, password, err)
	requests := map[string]func(ctx context.Context) error{
		"upload": func(ctx context.Context) error {
			_, err := session.Upload(ctx, "sandbox.echo.slow", nil, mailru.File{Field: "f", Name: "n", Data: []byte("x")})
			return err
		},
		"public": func(ctx context.Context) error {
			_, err := password.Public(ctx, "mail/demo", nil)
			return err
		},
		"authorize": func(ctx context.Context) error {
			_, err := password.Authorize(ctx)
			return err
		},
	}
	for name, request := range requests {
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(100*time.Millisecond, cancel)
		began := time.Now()
		if err := request(ctx); !errors.Is(err, context.Canceled) || time.Since(began) > time.Second {
			t.Errorf("%s: not cancelled but %v after %s", name, err, time.Since(began))
		}
		ctx, cancel = context.WithTimeout(context.Background(), 100*time.Millisecond)
		if err := request(ctx); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, mailru.ErrTimeout) {
			t.Errorf("%s: no deadline but %v", name, err)
		}
		cancel()
	}
}

func TestADeadlineCountsWhereItComesFirst(t *testing.T) {
	ctx, stop := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer stop()
	_, err := client(t).Call(ctx, "sandbox.echo.slow", nil)
	if !errors.Is(err, mailru.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no deadline: %v", err)
	}
	hasty := app()
	hasty.Options.Timeout = 100 * time.Millisecond
	session, err := hasty.TokenSession(key, uid)
	opened(t, session, err)
	ctx, stop = context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	_, err = session.Call(ctx, "sandbox.echo.slow", nil)
	if !errors.Is(err, mailru.ErrTimeout) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the session's own limit: %v", err)
	}
	var failure *mailru.Error
	if !errors.As(err, &failure) || !failure.Timeout() || !failure.Temporary() || !failure.Sent {
		t.Errorf("%+v", failure)
	}
}

func TestErrorsTellEverything(t *testing.T) {
	session := client(t)
	_, err := session.Call(context.Background(), "no.such.method", nil)
	var failure *mailru.Error
	if !errors.Is(err, mailru.ErrAPI) || !errors.Is(err, mailru.Number(2)) || errors.Is(err, mailru.Number(3)) ||
		!errors.As(err, &failure) || failure.Message == "" || strings.Contains(failure.Message, "{") || !failure.Sent {
		t.Errorf("a platform's error: %v", err)
	}
	_, err = session.Call(context.Background(), "friends.get", mailru.Params{"sig": "x"})
	if !errors.As(err, &failure) || failure.Code != mailru.ErrInvalidArgument || failure.Argument != "sig" ||
		failure.Number != -1 || failure.Sent || failure.Transient {
		t.Errorf("an argument: %+v", failure)
	}
	nowhere := app()
	nowhere.Options = mailru.Options{APIURL: "http://127.0.0.1:1/platform/api", Retries: -1}
	lost, err := nowhere.TokenSession(key, uid)
	opened(t, lost, err)
	_, err = lost.Call(context.Background(), "friends.get", nil)
	if !errors.As(err, &failure) || failure.Code != mailru.ErrNetwork || failure.Sent || !failure.Transient {
		t.Errorf("a network that is not there: %+v", failure)
	}
	if _, err := (mailru.Config{Options: mailru.Options{APIURL: "nonsense"}}).TokenSession("", ""); !errors.As(err, &failure) ||
		failure.Argument != "api_url" {
		t.Errorf("an option: %v", err)
	}
	if _, err := (mailru.Config{AppID: "1", Circuit: mailru.ServerServer}).TokenSession("t", ""); !errors.As(err, &failure) ||
		failure.Argument != "secret_key" {
		t.Errorf("a key that a circuit needs: %v", err)
	}
	if known, err := mailru.Errors(); err != nil || len(known) < 5 || known[0].Advice == "" {
		t.Errorf("%v %v", known, err)
	}
}

// What C would cut at a NUL is refused.
func TestTextsAreWhole(t *testing.T) {
	session := client(t)
	var failure *mailru.Error
	for argument, try := range map[string]func() error{
		"method":      func() error { _, err := session.Call(context.Background(), "friends.get\x00x", nil); return err },
		"params_json": func() error { _, err := session.Sign("friends.get", json.RawMessage("{\"a\":\"\x00\"}")); return err },
		"app_id":      func() error { _, err := mailru.Config{AppID: "1\x002"}.TokenSession("t", "u"); return err },
		"url":         func() error { _, err := mailru.ParseRedirect("http://localhost/?code=1\x00", "s"); return err },
		"secret_key":  func() error { return mailru.Verify("k\x00", mailru.Params{}) },
		"query":       func() error { _, err := mailru.VerifyQuery(mailru.Payment, "k", "a=\x00"); return err },
	} {
		if err := try(); !errors.As(err, &failure) || failure.Code != mailru.ErrInvalidArgument ||
			failure.Argument != argument {
			t.Errorf("%s: %v", argument, err)
		}
	}
	for _, none := range []any{[]int{1}, json.RawMessage(" 7"), "text", func() {}} {
		_, err := session.Call(context.Background(), "friends.get", none)
		if !errors.As(err, &failure) || failure.Argument != "params_json" {
			t.Errorf("%v: %v", none, err)
		}
	}
	// A raw text cannot break out of the request that it stands in.
	_, err := session.Public(context.Background(), "mail/demo", json.RawMessage(`{},"authorize":true`))
	if !errors.Is(err, mailru.ErrInvalidArgument) {
		t.Errorf("%v", err)
	}
}

func TestAnswersKeepTheirDigits(t *testing.T) {
	session := client(t)
	answer, err := session.Call(context.Background(), "sandbox.echo", mailru.Params{"id": uint64(18446744073709551615)})
	if err != nil || !strings.Contains(answer.String(), `"id":"18446744073709551615"`) {
		t.Errorf("%s %v", answer, err)
	}
	friends, err := mailru.CallAs[[]mailru.ID](context.Background(), session, "friends.get", nil)
	if err != nil || len(friends) == 0 || friends[0] != "15410773191172635989" {
		t.Errorf("%s %v", friends, err)
	}
	var told struct{ Number, Text mailru.ID }
	if err := mailru.Answer(`{"number":15410773191172635989,"text":"7"}`).Decode(&told); err != nil ||
		told.Number != "15410773191172635989" || told.Text != "7" {
		t.Errorf("%v %v", told, err)
	}
	value, err := mailru.Answer(`[15410773191172635989]`).Value()
	if err != nil || fmt.Sprint(value) != "[15410773191172635989]" {
		t.Errorf("%v %v", value, err)
	}
}

func TestFilesAndPages(t *testing.T) {
	session := client(t)
	told := make(chan uint64, 1000)
	file := mailru.File{Field: "img_file", Name: "a.png", Type: "image/png", Reader: strings.NewReader("\x89PNG"),
		Progress: func(sent, total uint64) { told <- total - sent }}
	answer, err := session.Upload(context.Background(), "photos.upload", mailru.Params{"aid": "_myphoto"}, file)
	if err != nil || !strings.Contains(answer.String(), "pid") {
		t.Errorf("%s %v", answer, err)
	}
	close(told)
	left := uint64(1)
	for left = range told {
	}
	if left != 0 {
		t.Errorf("%d bytes are left at the end", left)
	}
	answer, err = session.Public(context.Background(), "mail/demo", nil)
	if err != nil || !strings.Contains(answer.String(), uid) {
		t.Errorf("%s %v", answer, err)
	}
	yes := true
	answer, err = session.Do(context.Background(), mailru.Request{Method: "no.such.method", PassError: &yes, Retries: -1,
		Timeout: 5 * time.Second})
	if err != nil || !strings.Contains(answer.String(), `"error_code":2`) {
		t.Errorf("%s %v", answer, err)
	}
	if _, err := session.Do(context.Background(), mailru.Request{}); !errors.Is(err, mailru.ErrInvalidArgument) {
		t.Errorf("no request at all: %v", err)
	}
}

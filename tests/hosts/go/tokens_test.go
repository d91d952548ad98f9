package tests

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"libmailru.example/mailru"
)

func demo(t *testing.T) *mailru.Session {
	t.Helper()
	session, err := app().PasswordSession("demo@mail.ru", "demo")
	return opened(t, session, err)
}

func TestTokenFunctionsAreReplacedAndForgotten(t *testing.T) {
	session := demo(t)
	never := func(mailru.Tokens) { t.Error("a replaced function was told") }
	told := make(chan mailru.Tokens, 2)
	for _, function := range []func(mailru.Tokens){never, func(tokens mailru.Tokens) { told <- tokens }} {
		if err := session.OnToken(function); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := session.Call(context.Background(), "friends.get", nil); err != nil {
		t.Fatal(err)
	}
	if tokens, err := session.Tokens(); err != nil || <-told != tokens || !tokens.Valid() {
		t.Errorf("told of other tokens than %s, %v", tokens, err)
	}
	pages, err := app().PublicSession()
	opened(t, pages, err)
	if err := pages.OnToken(never); !errors.Is(err, mailru.ErrInvalidArgument) {
		t.Errorf("a function for tokens that never come: %v", err)
	}
}

func TestTokensAreHeldBack(t *testing.T) {
	session := demo(t)
	err := session.OnToken(func(mailru.Tokens) {
		if err := session.Hold(); err != nil {
			t.Error(err)
		}
		time.AfterFunc(200*time.Millisecond, func() { session.Proceed() })
	})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := session.Call(context.Background(), "friends.get", nil); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took < 200*time.Millisecond {
		t.Errorf("the tokens were used after %v", took)
	}
	if err := session.Hold(); !errors.Is(err, mailru.ErrInvalidArgument) {
		t.Errorf("nothing to hold: %v", err)
	}
}

// Removing a function waits for it, but not inside of it.
func TestARemovedFunctionHasReturned(t *testing.T) {
	session := demo(t)
	began, over := make(chan struct{}), atomic.Bool{}
	err := session.OnToken(func(mailru.Tokens) {
		close(began)
		time.Sleep(200 * time.Millisecond)
		over.Store(true)
	})
	if err != nil {
		t.Fatal(err)
	}
	go session.Authorize(context.Background())
	<-began
	if err := session.OnToken(nil); err != nil || !over.Load() {
		t.Errorf("removed, and it still runs: %v", err)
	}
	session, within := demo(t), make(chan error, 1)
	err = session.OnToken(func(mailru.Tokens) { within <- session.OnToken(nil) })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := session.Authorize(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-within; err != nil {
		t.Errorf("removed by itself: %v", err)
	}
}

func TestAPanicInAFunctionGoesNoFurther(t *testing.T) {
	var log bytes.Buffer
	if err := mailru.SetLogger(slog.New(slog.NewTextHandler(&log, nil)), slog.LevelError); err != nil {
		t.Fatal(err)
	}
	defer mailru.SetLogger(nil, 0)
	session := demo(t)
	reentered := make(chan error, 1)
	session.OnToken(func(mailru.Tokens) {
		_, err := session.Call(context.Background(), "friends.get", nil)
		reentered <- err
		panic("the disk is full")
	})
	if _, err := session.Call(context.Background(), "friends.get", nil); err != nil {
		t.Error(err)
	}
	if err := <-reentered; !errors.Is(err, mailru.ErrReentered) {
		t.Errorf("a call inside the function: %v", err)
	}
	session.OnToken(nil)
	if !strings.Contains(log.String(), "the disk is full") {
		t.Errorf("the panic is not in the log: %s", &log)
	}
}

func TestTokensAreRestoredAndReplaced(t *testing.T) {
	stored := mailru.Tokens{AccessToken: "old", RefreshToken: "old", UID: uid, ExpiresAt: time.Unix(1, 0)}
	session, err := app().StoredSession(stored)
	opened(t, session, err)
	phases := make(chan bool, 2)
	err = session.OnRenewal(func(begins bool) {
		if begins {
			if err := session.SetTokens(mailru.Tokens{AccessToken: key, RefreshToken: "next"}); err != nil {
				t.Error(err)
			}
		}
		phases <- begins
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := session.Call(context.Background(), "friends.get", nil); err != nil {
		t.Error(err)
	}
	if first, second := <-phases, <-phases; !first || second {
		t.Errorf("phases %v and %v", first, second)
	}
	if err := session.SetTokens(mailru.Tokens{}); !errors.Is(err, mailru.ErrInvalidArgument) {
		t.Errorf("no tokens were accepted: %v", err)
	}
	if _, err := app().StoredSession(mailru.Tokens{}); !errors.Is(err, mailru.ErrInvalidArgument) {
		t.Errorf("a session of no tokens: %v", err)
	}
}

func TestTokensAreStoredAndShowNoSecret(t *testing.T) {
	tokens := mailru.Tokens{AccessToken: "secret-a", RefreshToken: "secret-r", ExpiresIn: time.Hour,
		ExpiresAt: time.Unix(1900000000, 0), UID: "7", TokenType: "bearer", Circuit: mailru.ServerServer}
	text, err := json.Marshal(tokens)
	if err != nil {
		t.Fatal(err)
	}
	var read mailru.Tokens
	if err := json.Unmarshal(text, &read); err != nil || read != tokens {
		t.Errorf("%s became %#v, %v", text, read, err)
	}
	const bare = `{"access_token":null,"refresh_token":"r","expires_in":null,"expires_at":null,"uid":15410773191172635989}`
	if err := json.Unmarshal([]byte(bare), &read); err != nil || read.UID != "15410773191172635989" || read.Valid() {
		t.Errorf("%s became %#v, %v", bare, read, err)
	}
	var log bytes.Buffer
	config := mailru.Config{AppID: "1", PrivateKey: "secret-p", SecretKey: "secret-s"}
	slog.New(slog.NewTextHandler(&log, nil)).Info("made", "tokens", tokens, "config", config)
	fmt.Fprintf(&log, "%v %+v %#v %s %v %+v %#v", tokens, tokens, tokens, tokens, config, config, config)
	if strings.Contains(log.String(), "secret-") {
		t.Errorf("a secret in %s", &log)
	}
}

// The shape of golang.org/x/oauth2, which this module does not need.
type oauth2Token struct {
	AccessToken string
	Expiry      time.Time
}

type oauth2TokenSource interface{ Token() (*oauth2Token, error) }

func TestASessionIsATokenSource(t *testing.T) {
	session := demo(t)
	var source oauth2TokenSource = mailru.NewTokenSource(context.Background(), session,
		func(tokens mailru.Tokens) *oauth2Token { return &oauth2Token{tokens.AccessToken, tokens.ExpiresAt} })
	first, err := source.Token()
	if err != nil || first.AccessToken == "" || time.Until(first.Expiry) < time.Minute {
		t.Fatalf("%v %v", first, err)
	}
	if second, err := source.Token(); err != nil || *second != *first {
		t.Errorf("asked again though the first serves: %v", err)
	}
	session.Close()
	if none, err := source.Token(); none != nil || !errors.Is(err, mailru.ErrInvalidHandle) {
		t.Errorf("%v %v", none, err)
	}
}

func TestTheLogIsSlogs(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if err := mailru.SetLogger(logger, slog.LevelDebug); err != nil {
		t.Fatal(err)
	}
	client(t).Call(context.Background(), "friends.get", nil)
	client(t).Call(context.Background(), "no.such.method", nil)
	if err := mailru.SetLogger(nil, 0); err != nil {
		t.Fatal(err)
	}
	var answered struct {
		Level, Msg, Method string
		Status, Session    int64
	}
	if err := json.Unmarshal([]byte(strings.Split(log.String(), "\n")[0]), &answered); err != nil ||
		answered.Msg != "mailru: answer" || answered.Method != "friends.get" || answered.Status != 200 ||
		answered.Session == 0 {
		t.Errorf("%+v, %v of %s", answered, err, &log)
	}
	length := log.Len()
	client(t).Call(context.Background(), "friends.get", nil)
	if log.Len() != length {
		t.Error("the log was not switched off")
	}
}

// What was seen: a forgotten Close leaked.
func TestAForgottenSessionIsClosed(t *testing.T) {
	made := make(chan struct{})
	sentinel := func() *mailru.Session {
		session, err := app().TokenSession(key, uid)
		if err != nil {
			t.Fatal(err)
		}
		type witness struct{ told *bool }
		mark := &witness{new(bool)}
		// Released with the session, since nothing else has it.
		runtime.AddCleanup(mark, func(made chan struct{}) { close(made) }, made)
		if err := session.OnToken(func(mailru.Tokens) { *mark.told = true }); err != nil {
			t.Fatal(err)
		}
		return session
	}()
	if _, err := sentinel.Call(context.Background(), "friends.get", nil); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		runtime.GC()
		select {
		case <-made:
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Error("a session that nobody has was not freed")
}

// A session that is in use is not collected, even if its last mention is the call itself.
func TestASessionInUseIsNotCollected(t *testing.T) {
	ctx, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	go func() {
		for ctx.Err() == nil {
			runtime.GC()
			time.Sleep(10 * time.Millisecond)
		}
	}()
	session, err := app().TokenSession(key, uid)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := session.Call(ctx, "sandbox.echo.slow", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the call ended by itself: %v", err)
	}
}

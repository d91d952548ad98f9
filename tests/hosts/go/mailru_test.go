package mailru

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
)

// The sandbox's methods: sandbox.echo… answers its parameters; the test that runs these tests makes
// sandbox.echo.slow never answer.
func client(t *testing.T) *Session {
	t.Helper()
	session, err := NewClientSession("423004", "7815696ecbf1c96e6894b779456d330e",
		"be6ef89965d58e56dec21acb9b62bdaa", "1324730981306483817", os.Getenv("MAILRU_OPTIONS"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.Close)
	return session
}

func TestAThousandGoroutines(t *testing.T) {
	session := client(t)
	var all sync.WaitGroup
	for number := 0; number < 1000; number++ {
		all.Add(1)
		go func(number int) {
			defer all.Done()
			answer, err := session.Call(context.Background(), "sandbox.echo", map[string]any{"tag": number})
			if err != nil {
				t.Error(err)
			} else if !strings.Contains(string(answer), fmt.Sprintf(`"tag":"%d"`, number)) {
				t.Errorf("%d got %s", number, answer)
			}
		}(number)
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
	var failure *Error
	if !errors.As(err, &failure) || failure.Code != Cancelled || !errors.Is(err, reason) {
		t.Errorf("not cancelled: %v", err)
	}
	others.Wait()
	// A context that has ended sends nothing: not even what is wrong with the call is looked at.
	for i := 0; i < 50; i++ {
		if _, err = session.Call(ctx, "no method", nil); !errors.Is(err, reason) {
			t.Errorf("called with an ended context: %v", err)
		}
	}
}

func TestADeadlineIsTheContexts(t *testing.T) {
	ctx, stop := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer stop()
	_, err := client(t).Call(ctx, "sandbox.echo.slow", nil)
	var failure *Error
	if !errors.As(err, &failure) || failure.Code != Timeout || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no deadline: %v", err)
	}
}

func TestTokenFunctionsAreReplacedAndForgotten(t *testing.T) {
	session, err := NewPasswordSession("423004", "7815696ecbf1c96e6894b779456d330e", "", "demo@mail.ru", "demo", "",
		os.Getenv("MAILRU_OPTIONS"))
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	never := func(json.RawMessage) { t.Error("a replaced function was told") }
	told := make(chan string, 2)
	for _, function := range []func(json.RawMessage){never, func(tokens json.RawMessage) { told <- string(tokens) }} {
		if err := session.OnToken(function); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := session.Call(context.Background(), "friends.get", nil); err != nil {
		t.Fatal(err)
	}
	if tokens, err := session.Tokens(); err != nil || <-told != string(tokens) {
		t.Errorf("told of other tokens than %s, %v", tokens, err)
	}
}

func TestTokensAreRestoredAndReplaced(t *testing.T) {
	const stored = `{"access_token":"old","refresh_token":"old","uid":"1324730981306483817","expires_at":1}`
	const newer = `{"access_token":"be6ef89965d58e56dec21acb9b62bdaa","refresh_token":"next"}`
	session, err := NewStoredSession("423004", "7815696ecbf1c96e6894b779456d330e", "", json.RawMessage(stored),
		os.Getenv("MAILRU_OPTIONS"))
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	phases := make(chan int, 2)
	err = session.OnRenewal(func(phase int) {
		if phase == 1 {
			if err := session.SetTokens(json.RawMessage(newer)); err != nil {
				t.Error(err)
			}
		}
		phases <- phase
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := session.Call(context.Background(), "friends.get", nil); err != nil {
		t.Error(err)
	}
	if first, second := <-phases, <-phases; first != 1 || second != 0 {
		t.Errorf("phases %d and %d", first, second)
	}
	var failure *Error
	if err := session.SetTokens(json.RawMessage("{}")); !errors.As(err, &failure) || failure.Code != InvalidArgument {
		t.Errorf("no tokens were accepted: %v", err)
	}
	if _, err := NewStoredSession("423004", "", "", nil, ""); !errors.As(err, &failure) || failure.Code != InvalidArgument {
		t.Errorf("a session of no tokens: %v", err)
	}
}

func TestFilesAndPages(t *testing.T) {
	session := client(t)
	answer, err := session.Upload("photos.upload", map[string]any{"aid": "_myphoto"}, "img_file", "a.png", []byte("\x89PNG"))
	if err != nil || !strings.Contains(string(answer), "pid") {
		t.Errorf("%s %v", answer, err)
	}
	answer, err = session.Public("mail/demo", nil)
	if err != nil || !strings.Contains(string(answer), "1324730981306483817") {
		t.Errorf("%s %v", answer, err)
	}
}

func TestParametersKeepTheirDigits(t *testing.T) {
	answer, err := client(t).Call(context.Background(), "sandbox.echo", map[string]any{"id": uint64(18446744073709551615)})
	if err != nil || !strings.Contains(string(answer), `"id":"18446744073709551615"`) {
		t.Errorf("%s %v", answer, err)
	}
}

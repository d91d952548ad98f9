//go:build cgo

package mailru

// #include <mailru.h>
import "C"

import (
	"context"
	"encoding/json"
	"runtime"
	"time"
)

// Session holds an application's keys and a user's tokens. The methods of [Config] make one. All its methods may be
// called by any number of goroutines at once.
type Session struct {
	number C.mailru_session
	// timeout is the session's own limit of a call.
	timeout time.Duration
	cleanup runtime.Cleanup
	// token and renewal are the functions that are told.
	token, renewal told
}

func newSession(number C.mailru_session, timeout time.Duration) *Session {
	session := &Session{number: number, timeout: timeout}
	// A session that nobody closes is freed when nobody has it any more.
	session.cleanup = runtime.AddCleanup(session, func(number C.mailru_session) { C.mailru_session_free(number) }, number)
	return session
}

// Close frees the session (mailru_session_free): calls under way end, later ones are [ErrInvalidHandle]. A request to
// the authorization server that was sent goes on, and its tokens still reach [Session.OnToken]'s function. Closing twice
// is harmless; the error is always nil.
func (session *Session) Close() error {
	session.cleanup.Stop()
	C.mailru_session_free(session.number)
	return nil
}

// Call calls a method of the platform and waits for its answer (mailru_call, mailru_call_within), at most until the
// context ends. params are a [Params], any other value that encoding/json makes an object of, a json.RawMessage, which is
// handed over as it is, or nil.
//
// A parameter's name must come from the program and never from a user: who may choose a name adds uid, and the call is
// made for another user.
func (session *Session) Call(ctx context.Context, method string, params any) (Answer, error) {
	return session.Do(ctx, Request{Method: method, Params: params})
}

// Upload calls a method with a file, such as photos.upload (mailru_upload).
func (session *Session) Upload(ctx context.Context, method string, params any, file File) (Answer, error) {
	return session.Do(ctx, Request{Method: method, Params: params, File: &file})
}

// Public reads a public page, such as "mail/nick" (mailru_public).
func (session *Session) Public(ctx context.Context, path string, params any) (Answer, error) {
	if path == "" {
		return nil, invalid("path", "path is empty; give a page such as mail/nick")
	}
	return session.Do(ctx, Request{Public: path, Params: params})
}

// Authorize gets or renews the tokens (mailru_authorize), which calls do by themselves. A request that was sent goes on
// when the context ends, so that no token is lost.
func (session *Session) Authorize(ctx context.Context) (Tokens, error) {
	answer, err := session.Do(ctx, Request{Authorize: true})
	return tokensOf(answer, err)
}

// Tokens shows the tokens, without network (mailru_tokens).
func (session *Session) Tokens() (Tokens, error) {
	defer runtime.KeepAlive(session)
	var code C.int32_t
	answer, err := outcome(C.mailru_tokens(session.number, &code), code)
	return tokensOf(answer, err)
}

// SetTokens gives the session newer tokens, such as another process stored (mailru_session_set_tokens). Without an
// access token only the refresh token is replaced.
func (session *Session) SetTokens(tokens Tokens) error {
	text, err := json.Marshal(tokens)
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(session)
	var texts texts
	native := texts.given("tokens_json", string(text))
	var failure *C.char
	code := C.mailru_session_set_tokens(session.number, native, &failure)
	return coded(code, failure)
}

// Hold has the function of [Session.OnToken] or [Session.OnRenewal] in which it is called count as running after it has
// returned, until [Session.Proceed] (mailru_session_hold): new tokens are not used before that.
func (session *Session) Hold() error {
	defer runtime.KeepAlive(session)
	return coded(C.mailru_session_hold(session.number, 1), nil)
}

// Proceed ends what [Session.Hold] began.
func (session *Session) Proceed() error {
	defer runtime.KeepAlive(session)
	return coded(C.mailru_session_hold(session.number, 0), nil)
}

// Cancel ends the session's calls under way within 50 ms; later ones work (mailru_session_cancel).
func (session *Session) Cancel() error {
	defer runtime.KeepAlive(session)
	return coded(C.mailru_session_cancel(session.number), nil)
}

// Signed is a call as it would be sent.
type Signed struct {
	// URL is the whole address. Like Params it holds the session key, and in the server-server circuit neither they nor
	// Sig may go to a browser or to a user's program.
	URL string `json:"url"`
	// Sig is the signature.
	Sig string `json:"sig"`
	// Circuit is whose key signed.
	Circuit Circuit `json:"circuit"`
	// Base is the text that was hashed, without the key at its end.
	Base string `json:"base"`
	// Params are all parameters, sig among them.
	Params map[string]string `json:"params"`
	// JSON is the library's text.
	JSON json.RawMessage `json:"-"`
}

// Sign shows a call as it would be sent now, without network (mailru_sign): the answer to every "Incorrect signature".
func (session *Session) Sign(method string, params any) (*Signed, error) {
	text, err := encode("params_json", params)
	if err != nil {
		return nil, err
	}
	defer runtime.KeepAlive(session)
	answer, err := asked(func(texts *texts, code *C.int32_t) func() *C.char {
		method, params := texts.given("method", method), texts.optional("params_json", string(text))
		return func() *C.char { return C.mailru_sign(session.number, method, params, code) }
	})
	if err != nil {
		return nil, err
	}
	signed := &Signed{JSON: answer}
	err = json.Unmarshal(answer, signed)
	return signed, err
}

// Package mailru calls the Mail.ru platform's REST API through libmailru.
//
//	session, err := mailru.NewClientSession(appID, privateKey, accessToken, uid, "")
//	if err != nil {
//		return err
//	}
//	defer session.Close()
//	friends, err := session.Call(ctx, "friends.get", map[string]any{"ext": 1})
//
// A session serves any number of goroutines at once. A call's context ends that call alone. Every error of
// the library is an *Error, for errors.As; where a context ended the call, errors.Is finds the context's
// error in it, too.
//
// A call blocks in C, which takes a thread of the operating system for as long. At most MaxInFlight do so at
// a time; further goroutines wait without one.
package mailru

/*
#cgo pkg-config: mailru
#include <mailru.h>
#include <stdlib.h>

int32_t mailru_go_on_token(mailru_session session, uintptr_t function);
int32_t mailru_go_on_renewal(mailru_session session, uintptr_t function);
*/
import "C"

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/cgo"
	"time"
	"unsafe"
)

// MaxInFlight is how many calls are in the library at a time, over all sessions.
const MaxInFlight = 256

var slots = make(chan struct{}, MaxInFlight)

// Code says what kind a failure is of.
type Code int32

// The codes that programs tell apart most; mailru.h has all.
const (
	InvalidArgument    Code = C.MAILRU_INVALID_ARGUMENT
	InvalidHandle      Code = C.MAILRU_INVALID_HANDLE
	SignatureUndefined Code = C.MAILRU_SIGNATURE_UNDEFINED
	APIError           Code = C.MAILRU_API_ERROR
	OAuthError         Code = C.MAILRU_OAUTH_ERROR
	HTTPError          Code = C.MAILRU_HTTP_ERROR
	NetworkError       Code = C.MAILRU_NETWORK_ERROR
	Timeout            Code = C.MAILRU_TIMEOUT
	Cancelled          Code = C.MAILRU_CANCELLED
)

// String is the code's name, such as "MAILRU_TIMEOUT".
func (code Code) String() string {
	return C.GoString(C.mailru_code_name(C.int32_t(code)))
}

// Error is a failure as the library tells it.
type Error struct {
	Code Code
	// JSON is {"error":{"error_code":N,"error_msg":"...",...}}: the platform's own for an APIError.
	JSON  string
	cause error
}

func (failure *Error) Error() string {
	return fmt.Sprintf("%s: %s", failure.Code, failure.JSON)
}

// Unwrap is the error of the context that ended the call, if one did.
func (failure *Error) Unwrap() error {
	return failure.cause
}

// Session holds an application's keys and a user's tokens.
type Session struct {
	number C.mailru_session
}

// Close frees the session. Calls under way end; closing twice is harmless.
func (session *Session) Close() {
	C.mailru_session_free(session.number)
}

// Call calls a method of the platform and waits for its answer, at most until the context ends.
//
// params becomes JSON by encoding/json; a json.RawMessage is handed over as it is, nil is none. A context
// with a deadline limits the call instead of the session's option timeout_ms.
func (session *Session) Call(ctx context.Context, method string, params any) (json.RawMessage, error) {
	text, err := parameters(params)
	if err != nil {
		return nil, err
	}
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-ctx.Done():
	}
	// Asked here for both: where a place is free and the context has ended, select takes either.
	if ctx.Err() != nil {
		return nil, &Error{Code: ended(ctx), JSON: "{}", cause: context.Cause(ctx)}
	}
	limit, deadline := C.int64_t(0), time.Time{}
	if until, ok := ctx.Deadline(); ok {
		deadline = until
		// Rounded up, so that the deadline has passed when the library gives up; 0 would be no limit.
		limit = C.int64_t(max(time.Until(until), 0)/time.Millisecond + 1)
	}
	var cancel C.mailru_cancel
	if ctx.Done() != nil {
		cancel = C.mailru_cancel_new()
		defer C.mailru_cancel_free(cancel)
		// A passed deadline is the limit's business.
		stop := context.AfterFunc(ctx, func() {
			if errors.Is(ctx.Err(), context.Canceled) {
				C.mailru_cancel_fire(cancel)
			}
		})
		defer stop()
	}
	name, cParams := C.CString(method), optional(text)
	defer C.free(unsafe.Pointer(name))
	defer C.free(unsafe.Pointer(cParams))
	var code C.int32_t
	answer, failure := answered(C.mailru_call_within(session.number, name, cParams, limit, cancel, &code), &code)
	if failure == nil {
		return answer, nil
	}
	switch {
	case failure.Code == Cancelled && ctx.Err() != nil:
		failure.cause = context.Cause(ctx)
	case failure.Code == Timeout && !deadline.IsZero() && !time.Now().Before(deadline):
		failure.cause = context.DeadlineExceeded
	}
	return nil, failure
}

// ended is the code of a call that its context ended before it began.
func ended(ctx context.Context) Code {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return Timeout
	}
	return Cancelled
}

// Sign shows a call as it would be sent, without network.
func (session *Session) Sign(method string, params any) (json.RawMessage, error) {
	text, err := parameters(params)
	if err != nil {
		return nil, err
	}
	name, cParams := C.CString(method), optional(text)
	defer C.free(unsafe.Pointer(name))
	defer C.free(unsafe.Pointer(cParams))
	var code C.int32_t
	return result(C.mailru_sign(session.number, name, cParams, &code), &code)
}

// Upload calls a method with a file, such as photos.upload. Cancel ends it.
func (session *Session) Upload(method string, params any, field, fileName string, data []byte) (json.RawMessage, error) {
	text, err := parameters(params)
	if err != nil {
		return nil, err
	}
	slots <- struct{}{}
	defer func() { <-slots }()
	texts := []*C.char{C.CString(method), optional(text), C.CString(field), C.CString(fileName)}
	defer release(texts)
	file := unsafe.SliceData(data)
	if file == nil {
		// To the library, NULL is a missing file, not an empty one.
		file = new(byte)
	}
	var code C.int32_t
	return result(C.mailru_upload(session.number, texts[0], texts[1], texts[2], texts[3],
		(*C.uint8_t)(file), C.size_t(len(data)), &code), &code)
}

// Public reads a public page, such as "mail/nick".
func (session *Session) Public(path string, params any) (json.RawMessage, error) {
	text, err := parameters(params)
	if err != nil {
		return nil, err
	}
	slots <- struct{}{}
	defer func() { <-slots }()
	texts := []*C.char{C.CString(path), optional(text)}
	defer release(texts)
	var code C.int32_t
	return result(C.mailru_public(session.number, texts[0], texts[1], &code), &code)
}

// Authorize gets or renews the tokens, which calls do by themselves.
func (session *Session) Authorize() (json.RawMessage, error) {
	slots <- struct{}{}
	defer func() { <-slots }()
	var code C.int32_t
	return result(C.mailru_authorize(session.number, &code), &code)
}

// Tokens shows the tokens, without network.
func (session *Session) Tokens() (json.RawMessage, error) {
	var code C.int32_t
	return result(C.mailru_tokens(session.number, &code), &code)
}

// Cancel ends the session's calls under way; later ones work.
func (session *Session) Cancel() {
	C.mailru_session_cancel(session.number)
}

// OnToken has a function told of every new set of tokens, before any of them is used; nil removes it. It is
// called on a thread of the library's.
func (session *Session) OnToken(function func(tokens json.RawMessage)) error {
	var handle cgo.Handle
	if function != nil {
		// Deleted when the library says that it is done with it.
		handle = cgo.NewHandle(function)
	}
	if code := Code(C.mailru_go_on_token(session.number, C.uintptr_t(handle))); code != C.MAILRU_OK {
		return &Error{Code: code, JSON: "{}"}
	}
	return nil
}

// OnRenewal has a function told of each renewal: with 1 before its request, with 0 when it is over; nil removes it. In
// the first, SetTokens gives the session what another process stored meanwhile: if it serves, no request is made.
func (session *Session) OnRenewal(function func(phase int)) error {
	var handle cgo.Handle
	if function != nil {
		handle = cgo.NewHandle(function)
	}
	if code := Code(C.mailru_go_on_renewal(session.number, C.uintptr_t(handle))); code != C.MAILRU_OK {
		return &Error{Code: code, JSON: "{}"}
	}
	return nil
}

// SetTokens gives the session newer tokens, as OnToken's function was told or Tokens showed.
func (session *Session) SetTokens(tokens json.RawMessage) error {
	text := C.CString(string(tokens))
	defer C.free(unsafe.Pointer(text))
	var failure *C.char
	code := C.mailru_session_set_tokens(session.number, text, &failure)
	if code == C.MAILRU_OK {
		return nil
	}
	told := C.GoString(failure)
	C.mailru_string_free(failure)
	return &Error{Code: Code(code), JSON: told}
}

//export goMailruRenewal
func goMailruRenewal(function C.uintptr_t, phase C.int32_t) {
	cgo.Handle(function).Value().(func(int))(int(phase))
}

//export goMailruTokens
func goMailruTokens(function C.uintptr_t, tokens *C.char) {
	cgo.Handle(function).Value().(func(json.RawMessage))(json.RawMessage(C.GoString(tokens)))
}

//export goMailruRelease
func goMailruRelease(function C.uintptr_t) {
	cgo.Handle(function).Delete()
}

// parameters is the JSON of a call's parameters; empty is none.
func parameters(params any) (string, error) {
	switch params := params.(type) {
	case nil:
		return "", nil
	case json.RawMessage:
		return string(params), nil
	}
	text, err := json.Marshal(params)
	return string(text), err
}

// optional is a text for C, NULL for an empty one.
func optional(text string) *C.char {
	if text == "" {
		return nil
	}
	return C.CString(text)
}

func release(texts []*C.char) {
	for _, text := range texts {
		C.free(unsafe.Pointer(text))
	}
}

// answered takes over the library's string and code.
func answered(answer *C.char, code *C.int32_t) (json.RawMessage, *Error) {
	text := C.GoString(answer)
	C.mailru_string_free(answer)
	if *code != C.MAILRU_OK {
		return nil, &Error{Code: Code(*code), JSON: text}
	}
	return json.RawMessage(text), nil
}

// result is answered with an error that is nil when there is none.
func result(answer *C.char, code *C.int32_t) (json.RawMessage, error) {
	text, failure := answered(answer, code)
	if failure != nil {
		return nil, failure
	}
	return text, nil
}

//go:build cgo

package mailru

// #include <mailru.h>
import "C"

import (
	"encoding/json"
	"fmt"
	"time"
)

// Code says what kind of failure it is. It is an error, so that errors.Is finds it in an [*Error].
type Code int32

// The codes of mailru.h.
const (
	ErrInvalidArgument    Code = C.MAILRU_INVALID_ARGUMENT
	ErrInvalidHandle      Code = C.MAILRU_INVALID_HANDLE
	ErrSignatureUndefined Code = C.MAILRU_SIGNATURE_UNDEFINED
	ErrSignatureMismatch  Code = C.MAILRU_SIGNATURE_MISMATCH
	ErrReentered          Code = C.MAILRU_REENTERED
	ErrAPI                Code = C.MAILRU_API_ERROR
	ErrOAuth              Code = C.MAILRU_OAUTH_ERROR
	ErrEmptyResponse      Code = C.MAILRU_EMPTY_RESPONSE
	ErrMalformedResponse  Code = C.MAILRU_MALFORMED_RESPONSE
	ErrResponseTooLarge   Code = C.MAILRU_RESPONSE_TOO_LARGE
	ErrHTTP               Code = C.MAILRU_HTTP_ERROR
	ErrNetwork            Code = C.MAILRU_NETWORK_ERROR
	ErrTimeout            Code = C.MAILRU_TIMEOUT
	ErrTLS                Code = C.MAILRU_TLS_ERROR
	ErrCancelled          Code = C.MAILRU_CANCELLED
	ErrOutOfMemory        Code = C.MAILRU_OUT_OF_MEMORY
	ErrQueueFull          Code = C.MAILRU_QUEUE_FULL
	ErrQueueEmpty         Code = C.MAILRU_QUEUE_EMPTY
	ErrInternal           Code = C.MAILRU_INTERNAL_ERROR
)

// String is the code's name, such as "MAILRU_TIMEOUT" (mailru_code_name).
func (code Code) String() string { return C.GoString(C.mailru_code_name(C.int32_t(code))) }

// Error is String.
func (code Code) Error() string { return code.String() }

// Number is a number of the platform's own, such as 102, for errors.Is. [Errors] tells what the numbers mean.
type Number int64

// Error names the number.
func (number Number) Error() string { return fmt.Sprintf("the platform's error %d", int64(number)) }

// Error is a failure as the library tells it.
type Error struct {
	// Code is the kind of failure.
	Code Code
	// Number is the platform's own with [ErrAPI], else minus the code.
	Number int64
	// Message is the text alone.
	Message string
	// Transient is whether the same call may succeed later. A write may be repeated only where Sent is false, too.
	Transient bool
	// Sent is false only if no byte of the request can have reached a server.
	Sent bool
	// RetryAfter is how long to wait before the next request, if the server said so.
	RetryAfter time.Duration
	// HTTPStatus is the status of the answer, 0 where there was none.
	HTTPStatus int
	// Argument is the argument, option or parameter that was wrong.
	Argument string
	// Field is what an answer lacks.
	Field string
	// OAuth is the authorization server's refusal, as it came.
	OAuth json.RawMessage
	// Platform is an answer whose member error is of an unknown shape.
	Platform json.RawMessage
	// JSON is {"error":{"error_code":N,"error_msg":"...",...}}: the platform's own bytes with [ErrAPI].
	JSON json.RawMessage

	causes []error
}

// Error is the message with the kind of failure; it never holds a secret.
func (failure *Error) Error() string {
	if failure.Code == ErrAPI {
		return fmt.Sprintf("%s (%s %d)", failure.Message, failure.Code, failure.Number)
	}
	return fmt.Sprintf("%s (%s)", failure.Message, failure.Code)
}

// Is is whether the failure is of the kind target, a [Code], or has the platform's [Number] target.
func (failure *Error) Is(target error) bool {
	switch target := target.(type) {
	case Code:
		return failure.Code == target
	case Number:
		return failure.Code == ErrAPI && failure.Number == int64(target)
	}
	return false
}

// Unwrap is what ended the context that ended the call, if one did: its Err and its Cause.
func (failure *Error) Unwrap() []error { return failure.causes }

// Timeout is whether a time limit passed, as net.Error has it.
func (failure *Error) Timeout() bool { return failure.Code == ErrTimeout }

// Temporary is Transient, as net.Error has it.
func (failure *Error) Temporary() bool { return failure.Transient }

// newError reads an error's JSON (mailru_error_number, mailru_error_message, mailru_error_transient).
func newError(code Code, text []byte) *Error {
	if text == nil {
		text, _ = json.Marshal(map[string]any{"error": map[string]any{
			"error_code": -code, "error_msg": code.String(), "transient": false}})
	}
	var told struct {
		Error struct {
			Sent         *bool           `json:"sent"`
			RetryAfterMS int64           `json:"retry_after_ms"`
			HTTPStatus   int             `json:"http_status"`
			Argument     string          `json:"argument"`
			Field        string          `json:"field"`
			OAuth        json.RawMessage `json:"oauth"`
			Platform     json.RawMessage `json:"platform"`
		} `json:"error"`
	}
	failure := &Error{Code: code, JSON: text}
	var texts texts
	native := texts.given("error_json", string(text))
	failure.Number, failure.Transient = errorNumber(native), errorTransient(native)
	var ok bool
	if failure.Message, ok = errorMessage(native); !ok {
		failure.Message = code.String()
	}
	// Where the library does not say, an answer came, or nothing is known, or the request was refused before.
	failure.Sent = code == ErrAPI || code == ErrOAuth || code == ErrInternal
	// The platform's own object may have members of these names that mean something else.
	if failure.Number != -int64(code) || json.Unmarshal(text, &told) != nil {
		return failure
	}
	members := &told.Error
	failure.RetryAfter = time.Duration(members.RetryAfterMS) * time.Millisecond
	failure.HTTPStatus, failure.Argument, failure.Field = members.HTTPStatus, members.Argument, members.Field
	failure.OAuth, failure.Platform = members.OAuth, members.Platform
	if members.Sent != nil {
		failure.Sent = *members.Sent
	}
	return failure
}

// invalid is a refusal of this package's own, in the library's shape.
func invalid(argument, message string) *Error {
	text, _ := json.Marshal(map[string]any{"error": map[string]any{
		"error_code": -ErrInvalidArgument, "error_msg": message, "argument": argument, "transient": false}})
	return newError(ErrInvalidArgument, text)
}

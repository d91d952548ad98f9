//go:build cgo

package mailru

// #include <mailru.h>
import "C"

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"time"
	"unsafe"
)

// Request is any request: exactly one of Method, Public and Authorize says which.
type Request struct {
	// Method is the platform's method to call, with Params and, for an upload, File.
	Method string
	// Public is the path of a public page, with Params.
	Public string
	// Authorize gets or renews the tokens.
	Authorize bool
	// Params are the parameters: an object for encoding/json, or a json.RawMessage as it is.
	Params any
	// File is the file of an upload.
	File *File
	// Timeout, Retries and PassError stand in place of the session's options. As there, 0 is not given, and a negative
	// number of retries is none.
	Timeout   time.Duration
	Retries   int
	PassError *bool
}

// wire is a request as the library takes it.
type wire struct {
	method string
	params []byte
	// json is the request for mailru_request; empty where mailru_call_within serves.
	json []byte
	data []byte
	// limit is what the request asks for itself, 0 for the session's.
	limit time.Duration
	// file is the upload's, for its progress.
	file *File
}

func (request *Request) wire() (*wire, error) {
	params, err := encode("params_json", request.Params)
	if err != nil {
		return nil, err
	}
	if object := bytes.TrimLeft(params, " \t\r\n"); len(object) > 0 && object[0] != '{' {
		// Told here, so that it is told alike of every kind of request.
		return nil, invalid("params_json", "params_json: give an object, such as {\"ext\":1}")
	}
	wire := &wire{method: request.Method, params: params, limit: request.Timeout, file: request.File}
	if request.File != nil {
		if wire.data, err = request.File.content(); err != nil {
			return nil, err
		}
	}
	short := request.File == nil && request.Public == "" && !request.Authorize && request.Retries == 0 &&
		request.PassError == nil
	if !short {
		wire.json, err = request.json(params)
	}
	return wire, err
}

// json is the request as mailru_request takes it.
func (request *Request) json(params []byte) ([]byte, error) {
	type file struct {
		Field string `json:"field"`
		Name  string `json:"name"`
		Type  string `json:"type,omitempty"`
	}
	members := struct {
		Method    *string         `json:"method,omitempty"`
		Public    string          `json:"public,omitempty"`
		Authorize bool            `json:"authorize,omitempty"`
		Params    json.RawMessage `json:"params,omitempty"`
		File      *file           `json:"file,omitempty"`
		Retries   *int            `json:"retries,omitempty"`
		PassError *bool           `json:"pass_error,omitempty"`
	}{Public: request.Public, Authorize: request.Authorize, Params: params, PassError: request.PassError}
	if request.Method != "" || request.Public == "" && !request.Authorize {
		members.Method = &request.Method
	}
	if request.File != nil {
		members.File = &file{request.File.Field, request.File.Name, request.File.Type}
	}
	if request.Retries != 0 {
		retries := max(request.Retries, 0)
		members.Retries = &retries
	}
	return encode("request_json", members)
}

// within is the request with a time limit, as the queue takes it.
func (wire *wire) within(limit int64) []byte {
	text := wire.json
	if text == nil {
		text, _ = (&Request{Method: wire.method}).json(wire.params)
	}
	if limit == 0 {
		return text
	}
	// Before the brace at the end: a request has a member already.
	member, _ := json.Marshal(struct {
		Limit int64 `json:"timeout_ms"`
	}{limit})
	return append(append(bytes.TrimSuffix(bytes.Clone(text), []byte("}")), ','), member[1:]...)
}

// Do performs any request (mailru_request): what the short functions leave out.
func (session *Session) Do(ctx context.Context, request Request) (Answer, error) {
	wire, err := request.wire()
	if err != nil {
		return nil, err
	}
	// A session that is collected is freed, which would end this very call.
	defer runtime.KeepAlive(session)
	// Nothing is sent, and not even what is wrong with the request is looked at.
	if ctx.Err() != nil {
		return nil, ended(ctx)
	}
	limit, deadline := session.limit(ctx, wire)
	var cancel C.mailru_cancel
	if ctx.Done() != nil || wire.file != nil && wire.file.Progress != nil {
		cancel = C.mailru_cancel_new()
		defer C.mailru_cancel_free(cancel)
		defer wire.file.watch(cancel)()
		// A passed deadline is the limit's business.
		stop := context.AfterFunc(ctx, func() {
			if errors.Is(ctx.Err(), context.Canceled) {
				C.mailru_cancel_fire(cancel)
			}
		})
		defer stop()
	}
	answer, err := session.send(wire, milliseconds(limit), cancel)
	var failure *Error
	if errors.As(err, &failure) {
		switch {
		case failure.Code == ErrCancelled && ctx.Err() != nil:
			failure.causes = causes(ctx)
		case failure.Code == ErrTimeout && !deadline.IsZero() && !time.Now().Before(deadline):
			// The timer of the context may be late.
			failure.causes = append(causes(ctx), context.DeadlineExceeded)
		}
	}
	return answer, err
}

// limit is the time limit that a call hands over, 0 for the session's own, and the context's deadline if it is that.
func (session *Session) limit(ctx context.Context, wire *wire) (time.Duration, time.Time) {
	own := wire.limit
	if own <= 0 {
		own = session.timeout
	}
	deadline, ok := ctx.Deadline()
	left := time.Until(deadline)
	if !ok || left >= own {
		return max(wire.limit, 0), time.Time{}
	}
	// A millisecond more, so that the deadline has passed when the library gives up; 0 would be no limit.
	return max(left, 0) + time.Millisecond, deadline
}

// causes are a context's errors: the general one and the caller's own.
func causes(ctx context.Context) []error {
	if ctx.Err() == nil {
		return nil
	}
	return []error{ctx.Err(), context.Cause(ctx)}
}

// ended is the failure of a call whose context had ended before.
func ended(ctx context.Context) error {
	code := ErrCancelled
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		code = ErrTimeout
	}
	text, _ := json.Marshal(map[string]any{"error": map[string]any{"error_code": -code, "transient": code == ErrTimeout,
		"error_msg": "the context ended before the call: " + ctx.Err().Error(), "sent": false}})
	failure := newError(code, text)
	failure.causes = causes(ctx)
	return failure
}

// send performs a request on a thread of its own, or on the queue's where many are in flight.
func (session *Session) send(wire *wire, limit int64, cancel C.mailru_cancel) (Answer, error) {
	select {
	case direct <- struct{}{}:
		defer func() { <-direct }()
	default:
		return shared.perform(session.number, wire, limit, cancel)
	}
	var texts texts
	var code C.int32_t
	if wire.json == nil {
		method, params := texts.given("method", wire.method), texts.optional("params_json", string(wire.params))
		if texts.err != nil {
			return nil, texts.err
		}
		return outcome(C.mailru_call_within(session.number, method, params, C.int64_t(limit), cancel, &code), code)
	}
	request := texts.given("request_json", string(wire.within(limit)))
	if texts.err != nil {
		return nil, texts.err
	}
	answer := C.mailru_request(session.number, request, (*C.uint8_t)(unsafe.SliceData(wire.data)),
		C.size_t(len(wire.data)), cancel, &code)
	return outcome(answer, code)
}

// watch tells an upload's progress until the function that it returns is called (mailru_cancel_progress).
func (file *File) watch(cancel C.mailru_cancel) func() {
	if file == nil || file.Progress == nil {
		return func() {}
	}
	tell := func() {
		var sent, total C.uint64_t
		if C.mailru_cancel_progress(cancel, &sent, &total) == C.MAILRU_OK && total > 0 {
			file.Progress(uint64(sent), uint64(total))
		}
	}
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ticks := time.NewTicker(50 * time.Millisecond)
		defer ticks.Stop()
		for {
			select {
			case <-ticks.C:
				tell()
			case <-over:
				tell()
				return
			}
		}
	}()
	return func() {
		close(over)
		<-done
	}
}

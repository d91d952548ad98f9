//go:build cgo

package mailru

/*
#include <mailru.h>

int32_t mailru_go_on_token(mailru_session session, uintptr_t function);
int32_t mailru_go_on_renewal(mailru_session session, uintptr_t function);
int32_t mailru_go_set_log(uintptr_t function, int32_t level);
uintptr_t mailru_go_thread(void);
*/
import "C"

import (
	"encoding/json"
	"log/slog"
	"runtime"
	"runtime/cgo"
	"runtime/debug"
	"sync"
)

// OnToken has a function told of every new set of tokens, before any of them is used: the place to store them
// (mailru_session_on_token). It replaces the function set before; nil removes it. When OnToken returns, the former
// function has returned, too, and is not called again; only inside the function itself is it not waited for.
//
// The function runs on a thread of the library's. [Session.Tokens] may be called in it; a call that needs the token is
// [ErrReentered], and one on another goroutine waits for the function: do not wait for that. A panic in it is logged, by
// [SetLogger]'s logger or slog's default, and goes no further. It may be called after [Session.Close], for a request
// that was under way.
func (session *Session) OnToken(function func(Tokens)) error {
	defer runtime.KeepAlive(session)
	return session.token.set(function, function == nil, func(handle C.uintptr_t) C.int32_t {
		return C.mailru_go_on_token(session.number, handle)
	})
}

// OnRenewal has a function told around each renewal, so that processes that share tokens in a database renew one at a
// time (mailru_session_on_renewal): with true before its request, where it takes a lock of its own, loads the stored
// tokens and gives them to [Session.SetTokens] (if they serve, no request is made), and with false when it is over, always
// and after OnToken's function. nil removes it. All else is as for OnToken.
func (session *Session) OnRenewal(function func(begins bool)) error {
	defer runtime.KeepAlive(session)
	return session.renewal.set(function, function == nil, func(handle C.uintptr_t) C.int32_t {
		return C.mailru_go_on_renewal(session.number, handle)
	})
}

// told is the function that is told of something at present.
type told struct {
	mutex  sync.Mutex
	former *callback
}

// callback is a function that was given to the library.
type callback struct {
	function any
	// released is closed when the library is done with it.
	released chan struct{}
	mutex    sync.Mutex
	// thread is the one that runs the function, if running is set: a goroutine stays on it meanwhile.
	thread  C.uintptr_t
	running bool
}

func (told *told) set(function any, none bool, set func(handle C.uintptr_t) C.int32_t) error {
	former, err := told.replace(function, none, set)
	if former != nil && !former.runsHere() {
		<-former.released
	}
	return err
}

// replace has another function told, and returns the one that was told before.
func (told *told) replace(function any, none bool, set func(handle C.uintptr_t) C.int32_t) (*callback, error) {
	told.mutex.Lock()
	defer told.mutex.Unlock()
	var made *callback
	var handle cgo.Handle
	if !none {
		made = &callback{function: function, released: make(chan struct{})}
		// Deleted when the library says that it is done with it, also where it refuses it.
		handle = cgo.NewHandle(made)
	}
	if err := coded(set(C.uintptr_t(handle)), nil); err != nil {
		return nil, err
	}
	former := told.former
	told.former = made
	return former, nil
}

// runsHere is whether the function is what calls this.
func (callback *callback) runsHere() bool {
	thread := C.mailru_go_thread()
	callback.mutex.Lock()
	defer callback.mutex.Unlock()
	return callback.running && callback.thread == thread
}

// run calls the function on behalf of the library. A panic must not cross the library's frames.
func (callback *callback) run(call func()) {
	thread := C.mailru_go_thread()
	callback.mutex.Lock()
	callback.thread, callback.running = thread, true
	callback.mutex.Unlock()
	defer func() {
		callback.mutex.Lock()
		callback.running = false
		callback.mutex.Unlock()
		if panicked := recover(); panicked != nil {
			logger().Error("mailru: a panic in a function that was given to the library", slog.Any("panic", panicked),
				slog.String("stack", string(debug.Stack())))
		}
	}()
	call()
}

//export goMailruTokens
func goMailruTokens(handle C.uintptr_t, text *C.char) {
	callback := cgo.Handle(handle).Value().(*callback)
	callback.run(func() {
		var tokens Tokens
		if err := json.Unmarshal([]byte(C.GoString(text)), &tokens); err != nil {
			panic(err)
		}
		callback.function.(func(Tokens))(tokens)
	})
}

//export goMailruRenewal
func goMailruRenewal(handle C.uintptr_t, phase C.int32_t) {
	callback := cgo.Handle(handle).Value().(*callback)
	callback.run(func() { callback.function.(func(bool))(phase == 1) })
}

//export goMailruRelease
func goMailruRelease(handle C.uintptr_t) {
	released := cgo.Handle(handle)
	if callback, ok := released.Value().(*callback); ok {
		close(callback.released)
	}
	released.Delete()
}

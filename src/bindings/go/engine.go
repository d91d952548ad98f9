//go:build cgo

package mailru

// #include <mailru.h>
import "C"

import (
	"sync"
	"unsafe"
)

// direct has a place for each call that blocks a thread of its own. A few do, since then they use several cores; a
// thread for each of thousands would cost more than it brings.
var direct = make(chan struct{}, 32)

// submitting has a place for each submission that is being made: a C call that takes long has a thread of its own, and
// thousands of goroutines may submit at once.
var submitting = make(chan struct{}, 4)

// shared is where the other calls are in flight.
var shared = engine{waiting: map[C.uint64_t]chan completion{}}

type completion struct {
	answer []byte
	err    error
}

// engine is a queue of the library's, and the goroutines that wait for its completions.
type engine struct {
	mutex   sync.Mutex
	queue   C.mailru_queue
	waiting map[C.uint64_t]chan completion
	newest  C.uint64_t
	// accepted counts the submissions that were not handed out. A completion may come before its submission has returned:
	// then this is below 0 for a moment.
	accepted int
	running  bool
}

// perform has the queue perform a request, and waits for it.
func (engine *engine) perform(session C.mailru_session, wire *wire, limit int64, cancel C.mailru_cancel) ([]byte, error) {
	var texts texts
	request := texts.given("request_json", string(wire.within(limit)))
	if texts.err != nil {
		return nil, texts.err
	}
	completed := make(chan completion, 1)
	queue, tag, err := engine.register(completed)
	if err != nil {
		return nil, err
	}
	var failure *C.char
	submitting <- struct{}{}
	code := C.mailru_queue_request(queue, session, request, (*C.uint8_t)(unsafe.SliceData(wire.data)),
		C.size_t(len(wire.data)), cancel, tag, &failure)
	<-submitting
	if err := coded(code, failure); err != nil {
		engine.mutex.Lock()
		delete(engine.waiting, tag)
		engine.mutex.Unlock()
		return nil, err
	}
	engine.mutex.Lock()
	engine.accepted++
	if engine.accepted > 0 && !engine.running {
		engine.running = true
		go engine.distribute()
	}
	engine.mutex.Unlock()
	over := <-completed
	return over.answer, over.err
}

// register makes the queue, if there is none yet, and takes a tag.
func (engine *engine) register(completed chan completion) (C.mailru_queue, C.uint64_t, error) {
	engine.mutex.Lock()
	defer engine.mutex.Unlock()
	if engine.queue == 0 {
		queue, err := newQueue(1<<16, 1<<20)
		if err != nil {
			return 0, 0, err
		}
		engine.queue = queue
	}
	engine.newest++
	engine.waiting[engine.newest] = completed
	return engine.queue, engine.newest, nil
}

// distribute hands completions to those who wait for them, until nothing is in flight: so that an idle program has
// neither a goroutine nor a blocked thread for it.
func (engine *engine) distribute() {
	for {
		engine.mutex.Lock()
		if engine.accepted <= 0 {
			engine.running = false
			engine.mutex.Unlock()
			return
		}
		queue := engine.queue
		engine.mutex.Unlock()
		tag, answer, err := next(queue, -1)
		engine.mutex.Lock()
		completed := engine.waiting[tag]
		delete(engine.waiting, tag)
		engine.accepted--
		engine.mutex.Unlock()
		if completed != nil {
			completed <- completion{answer, err}
		}
	}
}

// newQueue makes a queue (mailru_queue_new).
func newQueue(inFlight, capacity uint32) (C.mailru_queue, error) {
	var failure *C.char
	queue := C.mailru_queue_new(C.uint32_t(inFlight), C.uint32_t(capacity), &failure)
	if queue == 0 {
		return 0, refusal(failure)
	}
	return queue, nil
}

// next takes a queue's next completion (mailru_queue_next).
func next(queue C.mailru_queue, milliseconds int32) (C.uint64_t, []byte, error) {
	var tag C.uint64_t
	var code C.int32_t
	answer, err := outcome(C.mailru_queue_next(queue, C.int32_t(milliseconds), &tag, &code), code)
	return tag, answer, err
}

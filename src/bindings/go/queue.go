//go:build cgo

package mailru

// #include <mailru.h>
import "C"

import (
	"context"
	"errors"
	"runtime"
	"unsafe"
)

// Queue performs many requests for few goroutines, which take the answers in the order of completion. Most programs do
// without one: a goroutine in [Session.Call] costs no more.
type Queue struct {
	number  C.mailru_queue
	cleanup runtime.Cleanup
}

// Completion is a request that a queue performed.
type Completion struct {
	// Tag is what the submission was given.
	Tag    uint64
	Answer Answer
	// Err is the request's failure, nil for success.
	Err error
}

// NewQueue makes a queue (mailru_queue_new) of at most inFlight requests in flight and capacity submissions that are not
// handed out yet; 0 for the defaults, 64 and 1024.
func NewQueue(inFlight, capacity uint32) (*Queue, error) {
	number, err := newQueue(inFlight, capacity)
	if err != nil {
		return nil, err
	}
	queue := &Queue{number: number}
	queue.cleanup = runtime.AddCleanup(queue, func(number C.mailru_queue) { C.mailru_queue_free(number) }, number)
	return queue, nil
}

// Close frees the queue (mailru_queue_free): its requests under way end, nothing more is handed out, and Next returns
// [ErrInvalidHandle].
func (queue *Queue) Close() error {
	queue.cleanup.Stop()
	C.mailru_queue_free(queue.number)
	return nil
}

// Submit hands a request over and returns at once (mailru_queue_submit, mailru_queue_request). tag comes back with its
// completion. The time limit of the request counts from here, if it has one. A file is copied; its Progress is not told.
func (queue *Queue) Submit(session *Session, request Request, tag uint64) error {
	wire, err := request.wire()
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(queue)
	defer runtime.KeepAlive(session)
	var texts texts
	var failure *C.char
	if wire.json == nil && wire.limit == 0 {
		method, params := texts.given("method", wire.method), texts.optional("params_json", string(wire.params))
		if texts.err != nil {
			return texts.err
		}
		code := C.mailru_queue_submit(queue.number, session.number, method, params, C.uint64_t(tag), &failure)
		return coded(code, failure)
	}
	native := texts.given("request_json", string(wire.within(max(milliseconds(wire.limit), 0))))
	if texts.err != nil {
		return texts.err
	}
	code := C.mailru_queue_request(queue.number, session.number, native, (*C.uint8_t)(unsafe.SliceData(wire.data)),
		C.size_t(len(wire.data)), 0, C.uint64_t(tag), &failure)
	return coded(code, failure)
}

// Next waits for the next completion (mailru_queue_next), at most until the context ends; an error is that of the
// waiting, while the request's own is in the completion. It takes a thread meanwhile.
func (queue *Queue) Next(ctx context.Context) (*Completion, error) {
	defer runtime.KeepAlive(queue)
	for {
		if ctx.Err() != nil {
			return nil, ended(ctx)
		}
		// A context that can end is looked at now and then: the library's wait cannot be interrupted.
		wait := int32(-1)
		if ctx.Done() != nil {
			wait = 50
		}
		completion, err := queue.take(wait)
		if completion != nil || !errors.Is(err, ErrQueueEmpty) {
			return completion, err
		}
	}
}

// Poll takes a completion if there is one, and else returns [ErrQueueEmpty].
func (queue *Queue) Poll() (*Completion, error) {
	defer runtime.KeepAlive(queue)
	return queue.take(0)
}

func (queue *Queue) take(wait int32) (*Completion, error) {
	tag, answer, err := next(queue.number, wait)
	// No request in a queue ends with these.
	if errors.Is(err, ErrQueueEmpty) || errors.Is(err, ErrInvalidHandle) {
		return nil, err
	}
	return &Completion{uint64(tag), answer, err}, nil
}

// Cancel completes what bears this tag as [ErrCancelled] (mailru_queue_cancel).
func (queue *Queue) Cancel(tag uint64) error {
	defer runtime.KeepAlive(queue)
	return coded(C.mailru_queue_cancel(queue.number, C.uint64_t(tag)), nil)
}

// Descriptor is readable while a completion waits (mailru_queue_fd), for a program with a poller of its own. It belongs to
// the queue, and is -1 where there is none, as on Windows.
func (queue *Queue) Descriptor() int {
	defer runtime.KeepAlive(queue)
	return int(C.mailru_queue_fd(queue.number))
}

//go:build cgo

package mailru

/*
#include <mailru.h>
#include <string.h>
*/
import "C"

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"time"
	"unsafe"
)

// texts are the arguments of one call into C. A NUL, at which C would cut a text, is an error that names the argument.
type texts struct {
	err error
}

// given is a text for C, also where it is empty. It is Go's memory, which stays in its place while C uses it: a copy of
// C's would be two more calls into C.
func (texts *texts) given(name, text string) *C.char {
	if at := strings.IndexByte(text, 0); at >= 0 && texts.err == nil {
		texts.err = invalid(name, fmt.Sprintf("%s: there is a NUL at byte %d; texts have none", name, at))
	}
	terminated := make([]byte, len(text)+1)
	copy(terminated, text)
	return (*C.char)(unsafe.Pointer(unsafe.SliceData(terminated)))
}

// optional is a text for C, NULL for an empty one.
func (texts *texts) optional(name, text string) *C.char {
	if text == "" {
		return nil
	}
	return texts.given(name, text)
}

// taken copies a string of the library's and releases it.
func taken(text *C.char) []byte {
	if text == nil {
		return nil
	}
	defer C.mailru_string_free(text)
	return bytes.Clone(unsafe.Slice((*byte)(unsafe.Pointer(text)), C.strlen(text)))
}

// outcome is what a function answered: the JSON of success, or its failure.
func outcome(answer *C.char, code C.int32_t) ([]byte, error) {
	text := taken(answer)
	if code != C.MAILRU_OK {
		return nil, newError(Code(code), text)
	}
	return text, nil
}

// coded is the failure of a function that answers with a code and, at most, an error's JSON.
func coded(code C.int32_t, failure *C.char) error {
	text := taken(failure)
	if code == C.MAILRU_OK {
		return nil
	}
	return newError(Code(code), text)
}

// asked runs a function without a session that takes texts. Their names are those of mailru.h.
func asked(function func(texts *texts, code *C.int32_t) func() *C.char) ([]byte, error) {
	var texts texts
	var code C.int32_t
	call := function(&texts, &code)
	if texts.err != nil {
		return nil, texts.err
	}
	return outcome(call(), code)
}

// milliseconds rounds up, so that a limit never becomes none.
func milliseconds(limit time.Duration) int64 {
	switch {
	case limit < 0:
		return -1
	case limit > math.MaxInt64-time.Millisecond:
		return int64(limit / time.Millisecond)
	}
	return int64((limit + time.Millisecond - 1) / time.Millisecond)
}

// errorNumber is the number in an error's JSON (mailru_error_number).
func errorNumber(text *C.char) int64 { return int64(C.mailru_error_number(text)) }

// errorMessage is the text of an error (mailru_error_message).
func errorMessage(text *C.char) (string, bool) {
	var code C.int32_t
	message := string(taken(C.mailru_error_message(text, &code)))
	return message, code == C.MAILRU_OK
}

// errorTransient is whether the same call may succeed later (mailru_error_transient).
func errorTransient(text *C.char) bool { return C.mailru_error_transient(text) == 1 }

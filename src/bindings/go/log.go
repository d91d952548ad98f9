//go:build cgo

package mailru

/*
#include <mailru.h>

int32_t mailru_go_set_log(uintptr_t function, int32_t level);
*/
import "C"

import (
	"context"
	"encoding/json"
	"log/slog"
	"runtime/cgo"
	"strconv"
	"strings"
	"sync/atomic"
)

// current is the logger of the whole process, if one was set.
var current atomic.Pointer[slog.Logger]

func logger() *slog.Logger {
	if logger := current.Load(); logger != nil {
		return logger
	}
	return slog.Default()
}

// SetLogger has the library's log told to a logger, for the whole process (mailru_set_log): an event is the message, and
// what the library says of it are attributes, such as session, method, attempt, ms and status. Lines up to level are
// told: [slog.LevelError] for the fewest, [slog.LevelDebug] for all. nil switches the log off, as it is by default. There
// is never a secret in it.
//
// The logger's handler runs on whichever thread a line comes from. What it does itself by way of the library is not
// logged.
func SetLogger(logger *slog.Logger, level slog.Level) error {
	if logger == nil {
		current.Store(nil)
		return coded(C.mailru_go_set_log(0, 0), nil)
	}
	number := 1
	for number < len(levels)-1 && levels[number] > level {
		number++
	}
	current.Store(logger)
	return coded(C.mailru_go_set_log(C.uintptr_t(cgo.NewHandle(logger)), C.int32_t(number)), nil)
}

// levels are slog's, by the library's numbers.
var levels = [...]slog.Level{1: slog.LevelError, 2: slog.LevelWarn, 3: slog.LevelInfo, 4: slog.LevelDebug}

//export goMailruLog
func goMailruLog(handle C.uintptr_t, level C.int32_t, line *C.char) {
	logger := cgo.Handle(handle).Value().(*slog.Logger)
	// A handler's panic must not cross the library's frames, and there is nothing left to log it with.
	defer func() { _ = recover() }()
	at := slog.LevelError
	if level > 0 && int(level) < len(levels) {
		at = levels[level]
	}
	if ctx := context.Background(); logger.Enabled(ctx, at) {
		event, attributes := fields(C.GoString(line))
		logger.LogAttrs(ctx, at, event, attributes...)
	}
}

// fields reads a line in the form `event=answer session=1048741 text="as in \"JSON\""`.
func fields(line string) (event string, attributes []slog.Attr) {
	for rest := line; rest != ""; {
		name, value, ok := strings.Cut(rest, "=")
		if !ok {
			return line, nil
		}
		attribute := slog.String(name, "")
		if strings.HasPrefix(value, `"`) {
			decoder := json.NewDecoder(strings.NewReader(value))
			var text string
			if decoder.Decode(&text) != nil {
				return line, nil
			}
			attribute.Value = slog.StringValue(text)
			rest = strings.TrimPrefix(value[decoder.InputOffset():], " ")
		} else {
			value, rest, _ = strings.Cut(value, " ")
			attribute.Value = slog.StringValue(value)
			if number, err := strconv.ParseInt(value, 10, 64); err == nil {
				attribute.Value = slog.Int64Value(number)
			}
		}
		if name == "event" && event == "" {
			event = attribute.Value.String()
		} else {
			attributes = append(attributes, attribute)
		}
	}
	return "mailru: " + event, attributes
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"libmailru.example/mailru"
)

// actions are those that need a session.
var actions = map[string]func(run run) (mailru.Answer, error){
	"call": func(run run) (mailru.Answer, error) { return run.Call(run.ctx, run.method, run.params()) },
	"sign": func(run run) (mailru.Answer, error) {
		signed, err := run.Sign(run.method, run.params())
		if err != nil {
			return nil, err
		}
		return mailru.Answer(signed.JSON), nil
	},
	"together": together,
	"crowd":    together,
	"deadline": func(run run) (mailru.Answer, error) {
		ctx, stop := context.WithTimeout(run.ctx, 300*time.Millisecond)
		defer stop()
		answer, err := run.Call(ctx, run.method, run.params())
		return answer, expect(errors.Is(err, context.DeadlineExceeded), "the deadline's error", err)
	},
	"cancel": func(run run) (mailru.Answer, error) {
		return cancelled(run, func(ctx context.Context) (mailru.Answer, error) {
			return run.Call(ctx, run.method, run.params())
		})
	},
	"stale": func(run run) (mailru.Answer, error) {
		run.Close()
		return run.Call(run.ctx, run.method, run.params())
	},
	"renewal": renewal,
	"request": func(run run) (mailru.Answer, error) {
		return run.Do(run.ctx, mailru.Request{Method: run.method, Params: run.params()})
	},
	"queued": func(run run) (mailru.Answer, error) { return queued(run, false) },
	"queue-cancel": func(run run) (mailru.Answer, error) {
		return queued(run, true)
	},
	"session-cancel": func(run run) (mailru.Answer, error) {
		time.AfterFunc(200*time.Millisecond, func() { run.Cancel() })
		answer, err := run.Call(run.ctx, run.method, run.params())
		if _, err := run.Call(run.ctx, "sandbox.echo", nil); err != nil {
			return nil, err
		}
		return answer, err
	},
	"upload": func(run run) (mailru.Answer, error) {
		var sent, total uint64
		file := snail()
		file.Progress = func(now, all uint64) { sent, total = now, all }
		answer, err := run.Upload(run.ctx, run.method, run.params(), file)
		if sent != total || total <= 100000 {
			return nil, fmt.Errorf("%d of %d bytes were sent", sent, total)
		}
		return answer, err
	},
	"upload-cancel": func(run run) (mailru.Answer, error) {
		return cancelled(run, func(ctx context.Context) (mailru.Answer, error) {
			return run.Upload(ctx, run.method, run.params(), snail())
		})
	},
	"public": func(run run) (mailru.Answer, error) { return run.Public(run.ctx, run.method, run.params()) },
	"rate": func(run run) (answer mailru.Answer, err error) {
		calls, err := strconv.Atoi(run.parameters)
		for ; calls > 0 && err == nil; calls-- {
			answer, err = run.Call(run.ctx, run.method, nil)
		}
		return answer, err
	},
	"error": func(run run) (mailru.Answer, error) {
		_, err := run.Call(run.ctx, run.method, nil)
		var failure *mailru.Error
		ok := errors.As(err, &failure) && errors.Is(err, mailru.ErrAPI) && errors.Is(err, mailru.Number(2)) &&
			failure.Number == 2 && failure.Message != "" && !failure.Transient && failure.Sent
		return nil, expect(ok, "the members", err)
	},
	"log": logged,
	"stats": func(run run) (mailru.Answer, error) {
		for range 2 {
			if _, err := run.Call(run.ctx, run.method, nil); err != nil {
				return nil, err
			}
		}
		stats, err := run.Stats()
		if err != nil || stats.Calls != 2 || stats.Latency.Calls != 2 {
			return nil, fmt.Errorf("%+v: %w", stats, err)
		}
		return mailru.Answer(stats.JSON), nil
	},
	"token-file": func(run run) (mailru.Answer, error) {
		if _, err := run.Call(run.ctx, run.method, nil); err != nil {
			return nil, err
		}
		run.Close()
		return restarted(run.testCase, mailru.Tokens{})
	},
}

// expect is the failure of a call, or that an expectation of it does not hold.
func expect(holds bool, what string, err error) error {
	if !holds {
		return fmt.Errorf("not %s: %v", what, err)
	}
	return err
}

func snail() mailru.File {
	return mailru.File{Field: "img_file", Name: "snail.jpg", Data: make([]byte, 100000)}
}

func cancelled(run run, call func(ctx context.Context) (mailru.Answer, error)) (mailru.Answer, error) {
	ctx, cancel := context.WithCancel(run.ctx)
	time.AfterFunc(200*time.Millisecond, cancel)
	answer, err := call(ctx)
	if !errors.Is(err, context.Canceled) {
		return nil, fmt.Errorf("not the context's error: %v", err)
	}
	if _, err := run.Call(run.ctx, "sandbox.echo", nil); err != nil {
		return nil, err
	}
	return answer, err
}

func together(run run) (mailru.Answer, error) {
	calls, err := strconv.Atoi(run.parameters)
	if err != nil {
		return nil, err
	}
	outcomes := make(chan error, calls)
	for tag := range calls {
		go func() {
			answer, err := run.Call(run.ctx, run.method, mailru.Params{"tag": tag})
			if err == nil && !strings.Contains(answer.String(), fmt.Sprintf(`"tag":"%d"`, tag)) {
				err = fmt.Errorf("%d got %s", tag, answer)
			}
			outcomes <- err
		}()
	}
	for ; calls > 0; calls-- {
		err = errors.Join(err, <-outcomes)
	}
	return nil, err
}

func queued(run run, cancel bool) (mailru.Answer, error) {
	queue, err := mailru.NewQueue(0, 0)
	if err != nil {
		return nil, err
	}
	defer queue.Close()
	if err := queue.Submit(run.Session, mailru.Request{Method: run.method, Params: run.params()}, 7); err != nil {
		return nil, err
	}
	if cancel {
		time.AfterFunc(200*time.Millisecond, func() { queue.Cancel(7) })
	}
	done, err := queue.Next(run.ctx)
	if err != nil || done.Tag != 7 {
		return nil, fmt.Errorf("%+v: %w", done, err)
	}
	return done.Answer, done.Err
}

func renewal(run run) (mailru.Answer, error) {
	told, phases := make(chan mailru.Tokens, 3), make(chan bool, 3)
	if err := run.OnToken(func(tokens mailru.Tokens) { told <- tokens }); err != nil {
		return nil, err
	}
	if err := run.OnRenewal(func(begins bool) { phases <- begins }); err != nil {
		return nil, err
	}
	if _, err := run.Call(run.ctx, "sandbox.echo", nil); err != nil {
		return nil, err
	}
	answer, err := run.Call(run.ctx, run.method, nil)
	if err != nil {
		return nil, err
	}
	// The end of the renewal is told after its tokens; a removed function has returned.
	if err := errors.Join(run.OnToken(nil), run.OnRenewal(nil)); err != nil {
		return nil, err
	}
	tokens, err := run.Tokens()
	if err == nil && (len(told) != 2 || <-told == tokens || <-told != tokens) {
		err = errors.New("not told of both sets of tokens")
	}
	if err == nil && (len(phases) != 2 || !<-phases || <-phases) {
		err = errors.New("not told of the renewal")
	}
	return answer, err
}

func logged(run run) (mailru.Answer, error) {
	var log bytes.Buffer
	handler := slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})
	if err := mailru.SetLogger(slog.New(handler), slog.LevelDebug); err != nil {
		return nil, err
	}
	answer, err := run.Call(run.ctx, run.method, nil)
	if err := mailru.SetLogger(nil, 0); err != nil {
		return nil, err
	}
	found := false
	for _, line := range strings.Split(log.String(), "\n") {
		found = found || strings.Contains(line, `msg="mailru: answer"`) && strings.Contains(line, "method="+run.method)
	}
	if !found || strings.Contains(log.String(), sessionKey) {
		return nil, fmt.Errorf("the log is %s", &log)
	}
	return answer, err
}

package tests

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"libmailru.example/mailru"
)

// Calls, cancellations, deadlines, closing and the garbage collector at random: each call has its own answer, or ends as
// it may, and all of them end.
func TestCallsAndWhatEndsThemAtRandom(t *testing.T) {
	end := time.Now().Add(3 * time.Second)
	go func() {
		for time.Now().Before(end) {
			runtime.GC()
			time.Sleep(20 * time.Millisecond)
		}
	}()
	var all sync.WaitGroup
	for worker := range 100 {
		all.Add(1)
		go func() {
			defer all.Done()
			for round := 0; time.Now().Before(end); round++ {
				tag := worker*1000000 + round
				if err := tryAtRandom(tag); err != nil {
					t.Errorf("%d: %v", tag, err)
				}
			}
		}()
	}
	ended := make(chan struct{})
	go func() {
		all.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(60 * time.Second):
		t.Fatal("calls hang")
	}
}

func tryAtRandom(tag int) error {
	session, err := app().TokenSession(key, uid)
	if err != nil {
		return err
	}
	// Else it is left to the garbage collector.
	if tag%2 == 0 {
		defer session.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+rand.IntN(200))*time.Millisecond)
	defer cancel()
	method := "sandbox.echo"
	switch rand.IntN(6) {
	case 0:
		time.AfterFunc(time.Duration(rand.IntN(5))*time.Millisecond, cancel)
	case 1:
		time.AfterFunc(time.Duration(rand.IntN(5))*time.Millisecond, func() { session.Close() })
	case 2:
		time.AfterFunc(time.Duration(rand.IntN(5))*time.Millisecond, func() { session.Cancel() })
	case 3:
		method = "sandbox.echo.slow"
	}
	answer, err := session.Call(ctx, method, mailru.Params{"tag": tag})
	switch {
	case err == nil:
		if !strings.Contains(answer.String(), fmt.Sprintf(`"tag":"%d"`, tag)) {
			return fmt.Errorf("another call's answer: %s", answer)
		}
		return nil
	case errors.Is(err, mailru.ErrCancelled), errors.Is(err, mailru.ErrTimeout), errors.Is(err, mailru.ErrInvalidHandle):
		return nil
	default:
		return err
	}
}

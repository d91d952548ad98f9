// The cases of cases.tsv in Go.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"mailru"
)

type testCase struct {
	name, action, circuit, options, method, parameters, code, contains string
}

func (test testCase) session() (*mailru.Session, error) {
	const appID, privateKey, key = "423004", "7815696ecbf1c96e6894b779456d330e", "be6ef89965d58e56dec21acb9b62bdaa"
	switch test.circuit {
	case "client":
		return mailru.NewClientSession(appID, privateKey, key, "1324730981306483817", test.options)
	case "server":
		return mailru.NewServerSession(appID, "3dad9cbf9baaa0360c0f2ba372d25716", key, test.options)
	default:
		return mailru.NewPasswordSession(appID, privateKey, "", "demo@mail.ru", "demo", "", test.options)
	}
}

func (test testCase) act() (json.RawMessage, error) {
	session, err := test.session()
	if err != nil {
		return nil, err
	}
	defer session.Close()
	ctx := context.Background()
	var parameters any
	if test.parameters != "-" {
		parameters = json.RawMessage(test.parameters)
	}
	switch test.action {
	case "call":
		return session.Call(ctx, test.method, parameters)
	case "sign":
		return session.Sign(test.method, parameters)
	case "together", "crowd":
		return together(ctx, session, test)
	case "deadline":
		ctx, stop := context.WithTimeout(ctx, 300*time.Millisecond)
		defer stop()
		answer, err := session.Call(ctx, test.method, parameters)
		if !errors.Is(err, context.DeadlineExceeded) {
			return nil, fmt.Errorf("not the deadline's error: %v", err)
		}
		return answer, err
	case "cancel":
		ctx, cancel := context.WithCancel(ctx)
		time.AfterFunc(200*time.Millisecond, cancel)
		answer, err := session.Call(ctx, test.method, parameters)
		if !errors.Is(err, context.Canceled) {
			return nil, fmt.Errorf("not the context's error: %v", err)
		}
		if _, err := session.Call(context.Background(), "sandbox.echo", nil); err != nil {
			return nil, err
		}
		return answer, err
	case "stale":
		session.Close()
		return session.Call(ctx, test.method, parameters)
	case "renewal":
		return renewal(ctx, session, test)
	default:
		return nil, errors.New("unknown action")
	}
}

func together(ctx context.Context, session *mailru.Session, test testCase) (json.RawMessage, error) {
	calls, err := strconv.Atoi(test.parameters)
	if err != nil {
		return nil, err
	}
	outcomes := make(chan error, calls)
	for tag := 0; tag < calls; tag++ {
		go func(tag int) {
			answer, err := session.Call(ctx, test.method, map[string]int{"tag": tag})
			if err == nil && !strings.Contains(string(answer), fmt.Sprintf(`"tag":"%d"`, tag)) {
				err = fmt.Errorf("%d got %s", tag, answer)
			}
			outcomes <- err
		}(tag)
	}
	for ; calls > 0; calls-- {
		err = errors.Join(err, <-outcomes)
	}
	return nil, err
}

func renewal(ctx context.Context, session *mailru.Session, test testCase) (json.RawMessage, error) {
	told := make(chan string, 3)
	err := session.OnToken(func(tokens json.RawMessage) { told <- string(tokens) })
	if err != nil {
		return nil, err
	}
	if _, err := session.Call(ctx, "sandbox.echo", nil); err != nil {
		return nil, err
	}
	answer, err := session.Call(ctx, test.method, nil)
	if err != nil {
		return nil, err
	}
	tokens, err := session.Tokens()
	if err == nil && (len(told) != 2 || <-told == string(tokens) || <-told != string(tokens)) {
		err = errors.New("not told of both sets of tokens")
	}
	return answer, err
}

func (test testCase) verdict() string {
	answer, err := test.act()
	code, text := "MAILRU_OK", string(answer)
	var failure *mailru.Error
	if errors.As(err, &failure) {
		code, text = failure.Code.String(), failure.JSON
	} else if err != nil {
		return fmt.Sprintf("FAIL %s %v", test.name, err)
	}
	if code != test.code || test.contains != "-" && !strings.Contains(text, test.contains) {
		return fmt.Sprintf("FAIL %s %s %s", test.name, code, text)
	}
	return "ok " + test.name
}

func main() {
	text, err := os.ReadFile(os.Getenv("MAILRU_CASES"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		column := strings.Split(line, "\t")
		test := testCase{column[0], column[1], column[2], column[3], column[4], column[5], column[6], column[7]}
		fmt.Println(test.verdict())
	}
}

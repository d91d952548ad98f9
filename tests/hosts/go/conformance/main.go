// The cases of cases.tsv in Go.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"libmailru.example/mailru"
)

const (
	privateKey = "7815696ecbf1c96e6894b779456d330e"
	secretKey  = "3dad9cbf9baaa0360c0f2ba372d25716"
	sessionKey = "be6ef89965d58e56dec21acb9b62bdaa"
	redirect   = "https://example.org/login"
	state      = "case-state"
)

type testCase struct {
	name, action, circuit, options, method, parameters, code, contains string
}

// config is the guide's application with the keys of a circuit.
func (test testCase) config(circuit mailru.Circuit) mailru.Config {
	config := mailru.Config{AppID: "423004", PrivateKey: privateKey, SecretKey: secretKey, Circuit: circuit}
	if test.options != "-" {
		config.Options.JSON = json.RawMessage(test.options)
	}
	return config
}

func (test testCase) session() (*mailru.Session, error) {
	switch test.circuit {
	case "client":
		return test.config(mailru.ClientServer).TokenSession(sessionKey, "1324730981306483817")
	case "server":
		return test.config(mailru.ServerServer).TokenSession(sessionKey, "")
	default:
		return test.config(mailru.ClientServer).PasswordSession("demo@mail.ru", "demo")
	}
}

// params are the case's parameters, nil for none.
func (test testCase) params() any {
	if test.parameters == "-" {
		return nil
	}
	return json.RawMessage(test.parameters)
}

// A run is a case with its session.
type run struct {
	testCase
	*mailru.Session
	ctx context.Context
}

func (test testCase) act() (string, error) {
	if test.circuit == "-" {
		action, ok := alone[test.action]
		if !ok {
			return "", errors.New("unknown action")
		}
		return action(test)
	}
	action, ok := actions[test.action]
	if !ok {
		return "", errors.New("unknown action")
	}
	session, err := test.session()
	if err != nil {
		return "", err
	}
	defer session.Close()
	answer, err := action(run{test, session, context.Background()})
	return answer.String(), err
}

func (test testCase) verdict() string {
	text, err := test.act()
	code := "MAILRU_OK"
	var failure *mailru.Error
	if errors.As(err, &failure) {
		code, text = failure.Code.String(), string(failure.JSON)
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

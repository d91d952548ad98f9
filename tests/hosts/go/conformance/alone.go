package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"libmailru.example/mailru"
)

// alone are the actions without a session.
var alone = map[string]func(test testCase) (string, error){
	"methods": func(testCase) (string, error) { return listed(mailru.Methods()) },
	"errors":  func(testCase) (string, error) { return listed(mailru.Errors()) },
	"verify": func(test testCase) (string, error) {
		verified, err := mailru.VerifyQuery(mailru.Kind(test.method), secretKey, test.parameters)
		if err != nil {
			return "", err
		}
		return string(verified.JSON), nil
	},
	"payment": func(test testCase) (string, error) {
		return `{"verified":true}`, mailru.Verify(secretKey, test.params())
	},
	"launch": func(test testCase) (string, error) {
		return `{"verified":true}`, mailru.VerifyLaunch(secretKey, test.params())
	},
	"redirect": func(test testCase) (string, error) {
		redirect, err := mailru.ParseRedirect(test.parameters, state)
		return redirect.Code, err
	},
	"login": login,
}

// listed is a catalogue as JSON again.
func listed[T any](items []T, err error) (string, error) {
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(items)
	return string(text), err
}

func login(test testCase) (string, error) {
	ctx, config := context.Background(), test.config(mailru.ClientServer)
	address, err := config.AuthorizeURL(mailru.Login{RedirectURI: redirect, State: state})
	if err != nil {
		return "", err
	}
	if parsed, err := url.Parse(address); err != nil || parsed.Query().Get("state") != state {
		return "", fmt.Errorf("the address is %s", address)
	}
	came, err := mailru.ParseRedirect(test.parameters, state)
	if err != nil {
		return "", err
	}
	session, err := config.CodeSession(came.Code, redirect)
	if err != nil {
		return "", err
	}
	defer session.Close()
	tokens, err := session.Authorize(ctx)
	if err != nil {
		return "", err
	}
	if shown, err := session.Tokens(); err != nil || shown != tokens || tokens.Circuit != mailru.ClientServer {
		return "", errors.New("other tokens are shown than came")
	}
	session.Close()
	// Stored as JSON, as a program would.
	stored, err := json.Marshal(tokens)
	if err != nil {
		return "", err
	}
	var read mailru.Tokens
	if err := json.Unmarshal(stored, &read); err != nil {
		return "", err
	}
	answer, err := restarted(test, read)
	return answer.String(), err
}

// restarted makes the case's call with stored tokens, or with those of the token file.
func restarted(test testCase, tokens mailru.Tokens) (mailru.Answer, error) {
	session, err := test.config(mailru.ClientServer).StoredSession(tokens)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	if tokens != (mailru.Tokens{}) {
		if err := session.SetTokens(tokens); err != nil {
			return nil, err
		}
	}
	return session.Call(context.Background(), test.method, nil)
}

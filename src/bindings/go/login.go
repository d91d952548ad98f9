//go:build cgo

package mailru

// #include <mailru.h>
import "C"

import (
	"crypto/rand"
	"encoding/json"
	"strings"
)

// Login is what an address asks a user for.
type Login struct {
	// RedirectURI is where the browser is sent afterwards.
	RedirectURI string
	// ResponseType is "code" for sites and servers, "token" for desktop programs; empty is "code".
	ResponseType string
	// Scope is the privileges that are asked for.
	Scope []string
	// State comes back with the redirect, to tell that it belongs to this login: [NewState] makes one. Keep it in the
	// user's session until the redirect comes.
	State string
	// Address is the page for logins of another authorization server than the platform's, such as a test's.
	Address string
}

// NewState is a state that nobody guesses.
func NewState() string { return rand.Text() }

// AuthorizeURL is the address at which a user lets the application in (mailru_authorize_url,
// mailru_authorize_url_at).
func (config Config) AuthorizeURL(login Login) (string, error) {
	answer, err := asked(func(texts *texts, code *C.int32_t) func() *C.char {
		app, redirect := texts.given("app_id", config.AppID), texts.given("redirect_uri", login.RedirectURI)
		kind := texts.optional("response_type", login.ResponseType)
		scope, state := texts.optional("scope", strings.Join(login.Scope, " ")), texts.optional("state", login.State)
		if login.Address == "" {
			return func() *C.char { return C.mailru_authorize_url(app, redirect, kind, scope, state, code) }
		}
		address := texts.given("address", login.Address)
		return func() *C.char { return C.mailru_authorize_url_at(address, app, redirect, kind, scope, state, code) }
	})
	var told struct {
		URL string `json:"url"`
	}
	if err == nil {
		err = json.Unmarshal(answer, &told)
	}
	return told.URL, err
}

// Redirect is what the browser brought back: a code for [Config.CodeSession], or the tokens themselves.
type Redirect struct {
	Code   string
	Tokens *Tokens
}

// ParseRedirect reads the address to which the browser was sent (mailru_parse_redirect). state is the one of this
// user's login; another one, or none, is [ErrOAuth]: somebody else's login was put into this user's browser.
func ParseRedirect(url, state string) (Redirect, error) {
	return parseRedirect(url, &state)
}

// ParseRedirectUnchecked is ParseRedirect without a state, and so without protection against forged logins: for programs
// that read the redirect from a browser window of their own.
func ParseRedirectUnchecked(url string) (Redirect, error) {
	return parseRedirect(url, nil)
}

func parseRedirect(url string, state *string) (Redirect, error) {
	answer, err := asked(func(texts *texts, code *C.int32_t) func() *C.char {
		address := texts.given("url", url)
		var expected *C.char
		if state != nil {
			expected = texts.given("expected_state", *state)
		}
		return func() *C.char { return C.mailru_parse_redirect(address, expected, code) }
	})
	if err != nil {
		return Redirect{}, err
	}
	var told struct {
		Code *string `json:"code"`
	}
	if err := json.Unmarshal(answer, &told); err != nil {
		return Redirect{}, err
	}
	if told.Code != nil {
		return Redirect{Code: *told.Code}, nil
	}
	tokens, err := tokensOf(answer, nil)
	return Redirect{Tokens: &tokens}, err
}

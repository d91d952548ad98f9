//go:build cgo

package mailru

// #include <mailru.h>
import "C"

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
)

// Config is an application as it is registered at the platform. Its methods make sessions; none touches the network.
// Printed or logged, it shows no secret.
type Config struct {
	AppID string
	// PrivateKey signs calls of one user, SecretKey those of the application's server.
	PrivateKey, SecretKey string
	// Circuit is which of the two signs; by default it is inferred at each call.
	Circuit Circuit
	// Options are the settings of the sessions.
	Options Options
}

// String shows the application's id.
func (config Config) String() string { return fmt.Sprintf("application %q", config.AppID) }

// GoString is String.
func (config Config) GoString() string { return config.String() }

// LogValue is what log/slog shows: no secret.
func (config Config) LogValue() slog.Value { return slog.StringValue(config.AppID) }

// PublicSession is for public pages only (mailru_public_session_new).
func (config Config) PublicSession() (*Session, error) {
	return config.open(func(_ []*C.char, options *C.char, failure **C.char) C.mailru_session {
		return C.mailru_public_session_new(options, failure)
	})
}

// TokenSession has an access token already (mailru_token_session_new, mailru_client_session_new,
// mailru_server_session_new). uid is the user's id; it is not used in the server-server circuit, where it may be empty.
func (config Config) TokenSession(accessToken, uid string) (*Session, error) {
	switch config.Circuit {
	case ClientServer:
		return config.open(func(text []*C.char, options *C.char, failure **C.char) C.mailru_session {
			return C.mailru_client_session_new(text[0], text[1], text[2], text[3], options, failure)
		}, "app_id", config.AppID, "private_key", config.PrivateKey, "access_token", accessToken, "uid", uid)
	case ServerServer:
		return config.open(func(text []*C.char, options *C.char, failure **C.char) C.mailru_session {
			return C.mailru_server_session_new(text[0], text[1], text[2], options, failure)
		}, "app_id", config.AppID, "secret_key", config.SecretKey, "access_token", accessToken)
	}
	return config.open(func(text []*C.char, options *C.char, failure **C.char) C.mailru_session {
		return C.mailru_token_session_new(text[0], text[1], text[2], text[3], text[4], options, failure)
	}, "app_id", config.AppID, "private_key", config.PrivateKey, "secret_key", config.SecretKey,
		"access_token", accessToken, "uid", uid)
}

// CodeSession trades the code of a redirect for tokens at its first call (mailru_code_session_new,
// mailru_code_client_session_new, mailru_code_server_session_new). redirectURI is the one of [Config.AuthorizeURL].
func (config Config) CodeSession(code, redirectURI string) (*Session, error) {
	switch config.Circuit {
	case ClientServer:
		return config.open(func(text []*C.char, options *C.char, failure **C.char) C.mailru_session {
			return C.mailru_code_client_session_new(text[0], text[1], text[2], text[3], options, failure)
		}, "app_id", config.AppID, "private_key", config.PrivateKey, "code", code, "redirect_uri", redirectURI)
	case ServerServer:
		return config.open(func(text []*C.char, options *C.char, failure **C.char) C.mailru_session {
			return C.mailru_code_server_session_new(text[0], text[1], text[2], text[3], options, failure)
		}, "app_id", config.AppID, "secret_key", config.SecretKey, "code", code, "redirect_uri", redirectURI)
	}
	return config.open(func(text []*C.char, options *C.char, failure **C.char) C.mailru_session {
		return C.mailru_code_session_new(text[0], text[1], text[2], text[3], text[4], options, failure)
	}, "app_id", config.AppID, "private_key", config.PrivateKey, "secret_key", config.SecretKey, "code", code,
		"redirect_uri", redirectURI)
}

// PasswordSession gets tokens by e-mail and password at its first call (mailru_password_session_new,
// mailru_password_client_session_new, mailru_password_server_session_new). Without a scope it is the full one. The
// platform allows it to approved native applications.
func (config Config) PasswordSession(email, password string, scope ...string) (*Session, error) {
	scopes := strings.Join(scope, " ")
	switch config.Circuit {
	case ClientServer:
		return config.open(func(text []*C.char, options *C.char, failure **C.char) C.mailru_session {
			return C.mailru_password_client_session_new(text[0], text[1], text[2], text[3], text[4], options, failure)
		}, "app_id", config.AppID, "private_key", config.PrivateKey, "email", email, "password", password,
			"scope", scopes)
	case ServerServer:
		return config.open(func(text []*C.char, options *C.char, failure **C.char) C.mailru_session {
			return C.mailru_password_server_session_new(text[0], text[1], text[2], text[3], text[4], options, failure)
		}, "app_id", config.AppID, "secret_key", config.SecretKey, "email", email, "password", password,
			"scope", scopes)
	}
	return config.open(func(text []*C.char, options *C.char, failure **C.char) C.mailru_session {
		return C.mailru_password_session_new(text[0], text[1], text[2], text[3], text[4], text[5], options, failure)
	}, "app_id", config.AppID, "private_key", config.PrivateKey, "secret_key", config.SecretKey, "email", email,
		"password", password, "scope", scopes)
}

// RefreshSession gets tokens by a refresh token at its first call (mailru_refresh_session_new,
// mailru_refresh_client_session_new, mailru_refresh_server_session_new).
func (config Config) RefreshSession(refreshToken string) (*Session, error) {
	switch config.Circuit {
	case ClientServer:
		return config.open(func(text []*C.char, options *C.char, failure **C.char) C.mailru_session {
			return C.mailru_refresh_client_session_new(text[0], text[1], text[2], options, failure)
		}, "app_id", config.AppID, "private_key", config.PrivateKey, "refresh_token", refreshToken)
	case ServerServer:
		return config.open(func(text []*C.char, options *C.char, failure **C.char) C.mailru_session {
			return C.mailru_refresh_server_session_new(text[0], text[1], text[2], options, failure)
		}, "app_id", config.AppID, "secret_key", config.SecretKey, "refresh_token", refreshToken)
	}
	return config.open(func(text []*C.char, options *C.char, failure **C.char) C.mailru_session {
		return C.mailru_refresh_session_new(text[0], text[1], text[2], text[3], options, failure)
	}, "app_id", config.AppID, "private_key", config.PrivateKey, "secret_key", config.SecretKey,
		"refresh_token", refreshToken)
}

// StoredSession goes on with stored tokens, those that [Session.OnToken]'s function was told or [Session.Tokens] showed:
// the restart (mailru_stored_session_new). They may be empty where Options.TokenFile names a file that holds some.
func (config Config) StoredSession(tokens Tokens) (*Session, error) {
	text := ""
	if tokens != (Tokens{}) {
		stored, err := json.Marshal(tokens)
		if err != nil {
			return nil, err
		}
		text = string(stored)
	}
	// There is no constructor for one circuit alone: without the other's key there is nothing to choose.
	switch config.Circuit {
	case ClientServer:
		config.SecretKey = ""
	case ServerServer:
		config.PrivateKey = ""
	}
	return config.open(func(text []*C.char, options *C.char, failure **C.char) C.mailru_session {
		return C.mailru_stored_session_new(text[0], text[1], text[2], text[3], options, failure)
	}, "app_id", config.AppID, "private_key", config.PrivateKey, "secret_key", config.SecretKey, "tokens_json", text)
}

type constructor = func(text []*C.char, options *C.char, failure **C.char) C.mailru_session

// open runs a constructor with its texts: names and values in turn.
func (config *Config) open(construct constructor, arguments ...string) (*Session, error) {
	if found, wanted := abiVersion(); found != wanted {
		return nil, invalid("libmailru", fmt.Sprintf("the library that was loaded has the binary interface %d, and this "+
			"program was built for %d; build it anew, or install the library it was built with", found, wanted))
	}
	switch config.Circuit {
	case Inferred, ClientServer, ServerServer:
	default:
		return nil, invalid("circuit", fmt.Sprintf("Config.Circuit: %q is none; give mailru.ClientServer, "+
			"mailru.ServerServer, or nothing", config.Circuit))
	}
	json, timeout, err := config.Options.encode()
	if err != nil {
		return nil, err
	}
	var texts texts
	options := texts.optional("options_json", json)
	var values []*C.char
	for at := 0; at < len(arguments); at += 2 {
		values = append(values, texts.given(arguments[at], arguments[at+1]))
	}
	if texts.err != nil {
		return nil, texts.err
	}
	var failure *C.char
	number := construct(values, options, &failure)
	if number == 0 {
		return nil, refusal(failure)
	}
	return newSession(number, timeout), nil
}

// refusal is why there is no handle: the error's number is minus the code.
func refusal(failure *C.char) error {
	text := taken(failure)
	told := newError(ErrInternal, text)
	return newError(Code(-told.Number), text)
}

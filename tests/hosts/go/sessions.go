package mailru

// #include <mailru.h>
import "C"

import (
	"encoding/json"
	"fmt"
)

// The constructors of mailru.h. options is a JSON object, or empty; an argument that is empty is not given.

// NewPublicSession is for public pages only.
func NewPublicSession(options string) (*Session, error) {
	return open(options, func(_ []*C.char, options *C.char, failure **C.char) C.mailru_session {
		return C.mailru_public_session_new(options, failure)
	})
}

// NewTokenSession has an access token; the circuit is as its keys and uid allow.
func NewTokenSession(appID, privateKey, secretKey, accessToken, uid, options string) (*Session, error) {
	return open(options, func(text []*C.char, options *C.char, failure **C.char) C.mailru_session {
		return C.mailru_token_session_new(text[0], text[1], text[2], text[3], text[4], options, failure)
	}, appID, privateKey, secretKey, accessToken, uid)
}

// NewClientSession has an access token, and signs client-server.
func NewClientSession(appID, privateKey, accessToken, uid, options string) (*Session, error) {
	return open(options, func(text []*C.char, options *C.char, failure **C.char) C.mailru_session {
		return C.mailru_client_session_new(text[0], text[1], text[2], text[3], options, failure)
	}, appID, privateKey, accessToken, uid)
}

// NewServerSession has an access token, and signs server-server.
func NewServerSession(appID, secretKey, accessToken, options string) (*Session, error) {
	return open(options, func(text []*C.char, options *C.char, failure **C.char) C.mailru_session {
		return C.mailru_server_session_new(text[0], text[1], text[2], options, failure)
	}, appID, secretKey, accessToken)
}

// NewCodeSession trades the code of a redirect for tokens.
func NewCodeSession(appID, privateKey, secretKey, code, redirectURI, options string) (*Session, error) {
	return open(options, func(text []*C.char, options *C.char, failure **C.char) C.mailru_session {
		return C.mailru_code_session_new(text[0], text[1], text[2], text[3], text[4], options, failure)
	}, appID, privateKey, secretKey, code, redirectURI)
}

// NewPasswordSession gets tokens by e-mail and password.
func NewPasswordSession(appID, privateKey, secretKey, email, password, scope, options string) (*Session, error) {
	return open(options, func(text []*C.char, options *C.char, failure **C.char) C.mailru_session {
		return C.mailru_password_session_new(text[0], text[1], text[2], text[3], text[4], text[5], options, failure)
	}, appID, privateKey, secretKey, email, password, scope)
}

// NewRefreshSession gets tokens by a stored refresh token.
func NewRefreshSession(appID, privateKey, secretKey, refreshToken, options string) (*Session, error) {
	return open(options, func(text []*C.char, options *C.char, failure **C.char) C.mailru_session {
		return C.mailru_refresh_session_new(text[0], text[1], text[2], text[3], options, failure)
	}, appID, privateKey, secretKey, refreshToken)
}

// NewStoredSession goes on with tokens that were stored: what OnToken's function was told or Tokens showed. It is nil
// where the option token_file names a file that holds them.
func NewStoredSession(appID, privateKey, secretKey string, tokens json.RawMessage, options string) (*Session, error) {
	return open(options, func(text []*C.char, options *C.char, failure **C.char) C.mailru_session {
		return C.mailru_stored_session_new(text[0], text[1], text[2], text[3], options, failure)
	}, appID, privateKey, secretKey, string(tokens))
}

type constructor = func(texts []*C.char, options *C.char, failure **C.char) C.mailru_session

// open runs a constructor with its texts as C's.
func open(options string, construct constructor, texts ...string) (*Session, error) {
	cOptions := optional(options)
	cTexts := []*C.char{cOptions}
	for _, text := range texts {
		cTexts = append(cTexts, C.CString(text))
	}
	defer release(cTexts)
	var failure *C.char
	number := construct(cTexts[1:], cOptions, &failure)
	if number != 0 {
		return &Session{number}, nil
	}
	text := C.GoString(failure)
	C.mailru_string_free(failure)
	var told struct {
		Error struct {
			Code int32 `json:"error_code"`
		} `json:"error"`
	}
	if err := json.Unmarshal([]byte(text), &told); err != nil {
		return nil, fmt.Errorf("libmailru's error is no JSON: %w", err)
	}
	// A constructor's error has the code with a minus.
	return nil, &Error{Code: Code(-told.Error.Code), JSON: text}
}

//go:build cgo

package mailru

// #include <mailru.h>
import "C"

import (
	"encoding/json"
	"time"
)

// Kind is what a query string should be.
type Kind string

// The kinds that [VerifyQuery] checks.
const (
	// Payment is a payment callback.
	Payment Kind = "payment"
	// Launch is an embedded application's launch.
	Launch Kind = "launch"
	// Cookie is the value of the JavaScript library's cookie mrc.
	Cookie Kind = "cookie"
	// LaunchByKey is a launch of early applications, without sig: it proves app_id and vid, and never expires.
	LaunchByKey Kind = "launch_by_key"
)

// Verified is what a query string vouches for.
type Verified struct {
	// Params are the parameters that were checked. Use these and nothing else of the query; compare app_id with your own;
	// grant a transaction_id once.
	Params map[string]string
	// Checked names the proofs: "sig", "authentication_key".
	Checked []string
	// ExpiresAt is zero where there is no end.
	ExpiresAt time.Time
	// Expired is whether it has passed: refuse that, since until then a launch or a cookie can be replayed.
	Expired bool
	// JSON is the library's text.
	JSON json.RawMessage
}

// VerifyQuery checks a query string as it came (mailru_verify_query): what follows the "?" of the address. A forged
// one is [ErrSignatureMismatch].
func VerifyQuery(kind Kind, secretKey, query string) (*Verified, error) {
	answer, err := asked(func(texts *texts, code *C.int32_t) func() *C.char {
		kind, key := texts.given("kind", string(kind)), texts.given("secret_key", secretKey)
		query := texts.given("query", query)
		return func() *C.char { return C.mailru_verify_query(kind, key, query, code) }
	})
	if err != nil {
		return nil, err
	}
	var told struct {
		Params    map[string]string `json:"params"`
		Checked   []string          `json:"checked"`
		ExpiresAt *int64            `json:"expires_at"`
		Expired   bool              `json:"expired"`
	}
	if err := json.Unmarshal(answer, &told); err != nil {
		return nil, err
	}
	verified := &Verified{Params: told.Params, Checked: told.Checked, Expired: told.Expired, JSON: answer}
	if told.ExpiresAt != nil {
		verified.ExpiresAt = time.Unix(*told.ExpiresAt, 0)
	}
	return verified, nil
}

// Verify checks a payment callback whose parameters were decoded already (mailru_verify): nil, or what is wrong with it,
// [ErrSignatureMismatch] where it is forged. [VerifyQuery] is safer.
func Verify(secretKey string, params any) error {
	return verify(secretKey, params, func(key, params *C.char, code *C.int32_t) *C.char {
		return C.mailru_verify(key, params, code)
	})
}

// VerifyLaunch checks launch parameters that were decoded already (mailru_verify_launch), as Verify does.
func VerifyLaunch(secretKey string, params any) error {
	return verify(secretKey, params, func(key, params *C.char, code *C.int32_t) *C.char {
		return C.mailru_verify_launch(key, params, code)
	})
}

func verify(secretKey string, params any, check func(key, params *C.char, code *C.int32_t) *C.char) error {
	text, err := encode("params_json", params)
	if err != nil {
		return err
	}
	_, err = asked(func(texts *texts, code *C.int32_t) func() *C.char {
		key, params := texts.given("secret_key", secretKey), texts.optional("params_json", string(text))
		return func() *C.char { return check(key, params, code) }
	})
	return err
}

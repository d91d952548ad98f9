//go:build cgo

package mailru

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"time"
)

// Circuit is which key signs calls.
type Circuit string

// The circuits of the platform.
const (
	// Inferred is client-server where the session has PrivateKey and a user's id, else server-server.
	Inferred Circuit = ""
	// ClientServer signs with PrivateKey for one user.
	ClientServer Circuit = "client-server"
	// ServerServer signs with SecretKey, which never leaves the application's server.
	ServerServer Circuit = "server-server"
)

// Tokens are what the authorization server gave. What is not known is empty. json.Marshal makes of them the JSON that
// the library stores and takes, and json.Unmarshal reads it; printed or logged, they show no secret.
type Tokens struct {
	AccessToken  string
	RefreshToken string
	// ExpiresIn is the access token's whole life as it was given.
	ExpiresIn time.Duration
	// ExpiresAt is its end.
	ExpiresAt time.Time
	// UID is the user's id.
	UID       string
	TokenType string
	Circuit   Circuit
}

// Valid is whether there is an access token that has not expired.
func (tokens Tokens) Valid() bool {
	return tokens.AccessToken != "" && (tokens.ExpiresAt.IsZero() || time.Now().Before(tokens.ExpiresAt))
}

// tokensJSON is the library's shape.
type tokensJSON struct {
	AccessToken  *string      `json:"access_token"`
	RefreshToken *string      `json:"refresh_token"`
	ExpiresIn    *json.Number `json:"expires_in"`
	ExpiresAt    *json.Number `json:"expires_at"`
	UID          *ID          `json:"uid"`
	TokenType    *string      `json:"token_type"`
	Circuit      *string      `json:"circuit"`
}

// MarshalJSON is the JSON that the library takes: null where something is not known.
func (tokens Tokens) MarshalJSON() ([]byte, error) {
	text := func(text string) *string {
		if text == "" {
			return nil
		}
		return &text
	}
	number := func(number int64, known bool) *json.Number {
		if !known {
			return nil
		}
		text := json.Number(fmt.Sprint(number))
		return &text
	}
	return json.Marshal(tokensJSON{text(tokens.AccessToken), text(tokens.RefreshToken),
		number(int64(tokens.ExpiresIn/time.Second), tokens.ExpiresIn != 0),
		number(tokens.ExpiresAt.Unix(), !tokens.ExpiresAt.IsZero()),
		(*ID)(text(tokens.UID)), text(tokens.TokenType), text(string(tokens.Circuit))})
}

// UnmarshalJSON reads the library's JSON.
func (tokens *Tokens) UnmarshalJSON(text []byte) error {
	var told tokensJSON
	if err := json.Unmarshal(text, &told); err != nil {
		return err
	}
	*tokens = Tokens{AccessToken: value(told.AccessToken), RefreshToken: value(told.RefreshToken),
		UID: string(value(told.UID)), TokenType: value(told.TokenType), Circuit: Circuit(value(told.Circuit))}
	if told.ExpiresIn != nil {
		seconds, err := told.ExpiresIn.Int64()
		if err != nil {
			return fmt.Errorf("expires_in: %w", err)
		}
		tokens.ExpiresIn = time.Duration(seconds) * time.Second
	}
	if told.ExpiresAt != nil {
		seconds, err := told.ExpiresAt.Int64()
		if err != nil {
			return fmt.Errorf("expires_at: %w", err)
		}
		tokens.ExpiresAt = time.Unix(seconds, 0)
	}
	return nil
}

func value[T any](pointer *T) T {
	if pointer == nil {
		var none T
		return none
	}
	return *pointer
}

// String shows whose the tokens are and how long they serve, and no secret.
func (tokens Tokens) String() string {
	return fmt.Sprintf("tokens of %q until %s", tokens.UID, tokens.ExpiresAt.Format(time.RFC3339))
}

// GoString is String.
func (tokens Tokens) GoString() string { return tokens.String() }

// LogValue is what log/slog shows: no secret.
func (tokens Tokens) LogValue() slog.Value {
	return slog.GroupValue(slog.String("uid", tokens.UID), slog.Time("expires_at", tokens.ExpiresAt))
}

func tokensOf(answer []byte, err error) (Tokens, error) {
	var tokens Tokens
	if err == nil {
		err = json.Unmarshal(answer, &tokens)
	}
	return tokens, err
}

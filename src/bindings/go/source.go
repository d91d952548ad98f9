//go:build cgo

package mailru

import "context"

// TokenSource gives a session's tokens to what takes a token source, in the type that it takes.
type TokenSource[T any] struct {
	ctx     context.Context
	session *Session
	convert func(Tokens) T
}

// NewTokenSource makes a token source of the shape of golang.org/x/oauth2, without a need for that module:
//
//	oauth2.NewClient(ctx, mailru.NewTokenSource(ctx, session, func(tokens mailru.Tokens) *oauth2.Token {
//		return &oauth2.Token{AccessToken: tokens.AccessToken, RefreshToken: tokens.RefreshToken,
//			TokenType: tokens.TokenType, Expiry: tokens.ExpiresAt}
//	}))
//
// The session goes on to get and renew the tokens itself, and tells [Session.OnToken]'s function of them.
func NewTokenSource[T any](ctx context.Context, session *Session, convert func(Tokens) T) TokenSource[T] {
	return TokenSource[T]{ctx, session, convert}
}

// Token is the session's tokens; they are got or renewed first if they are not valid.
func (source TokenSource[T]) Token() (T, error) {
	tokens, err := source.session.Tokens()
	if err == nil && !tokens.Valid() {
		tokens, err = source.session.Authorize(source.ctx)
	}
	if err != nil {
		var none T
		return none, err
	}
	return source.convert(tokens), nil
}

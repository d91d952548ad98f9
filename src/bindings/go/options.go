//go:build cgo

package mailru

import (
	"encoding/json"
	"fmt"
	"time"
)

// Options are a session's settings. The zero value of each is the library's default; where zero itself is wanted, a
// negative number says so. Time limits are rounded up to milliseconds.
type Options struct {
	// PassError hands over any JSON body as an answer, errors of the platform, too.
	PassError bool
	// APIURL is where signed calls go, PublicURL where public pages are, TokenURL where grants and renewals go.
	APIURL, PublicURL, TokenURL string
	// ClientSecret is what grants send as client_secret; SecretKey, else PrivateKey, if it is empty.
	ClientSecret string
	// RefreshToken and ExpiresIn let a session of [Config.TokenSession] renew its token.
	RefreshToken string
	ExpiresIn    time.Duration
	// TokenFile is a file in which processes share tokens.
	TokenFile string
	// NoAutoRefresh leaves the renewal of tokens to [Session.Authorize].
	NoAutoRefresh bool
	// Timeout is the limit of a whole call, 30 s, ConnectTimeout that of making a connection, 10 s.
	Timeout, ConnectTimeout time.Duration
	// Retries is how often a request is repeated at most, 2; RetryDelay is the first pause, 200 ms.
	Retries    int
	RetryDelay time.Duration
	// MaxResponseBytes is the largest answer, 16 MiB.
	MaxResponseBytes int64
	// GetLimit is the longest request line sent as GET, 4096 bytes.
	GetLimit int
	// MaxIdleConnections is how many connections are kept for later calls, 16.
	MaxIdleConnections int
	// UserAgent is the User-Agent header.
	UserAgent string
	// Proxy is http://... or socks5://..., or "env".
	Proxy string
	// TLSRoots is whom to trust: "webpki" or "system". CAFile is a PEM file of those to trust instead.
	TLSRoots, CAFile string
	// MaxCallsPerSecond has calls of all sessions with this AppID wait their turn; 0 for no limit.
	MaxCallsPerSecond float64
	// AllowHTTP allows plain http to other machines.
	AllowHTTP bool
	// JSON is an object of options as mailru.h names them; those above go before it.
	JSON json.RawMessage
}

// encode is the options as the library takes them, and the limit of a call that they set.
func (options *Options) encode() (string, time.Duration, error) {
	members := map[string]any{}
	if len(options.JSON) > 0 {
		var given map[string]json.RawMessage
		if err := json.Unmarshal(options.JSON, &given); err != nil {
			return "", 0, invalid("options_json", "Options.JSON: "+err.Error())
		}
		for name, value := range given {
			members[name] = value
		}
	}
	for name, text := range map[string]string{"api_url": options.APIURL, "public_url": options.PublicURL,
		"token_url": options.TokenURL, "client_secret": options.ClientSecret, "refresh_token": options.RefreshToken,
		"token_file": options.TokenFile, "user_agent": options.UserAgent, "proxy": options.Proxy,
		"tls_roots": options.TLSRoots, "ca_file": options.CAFile} {
		if text != "" {
			members[name] = text
		}
	}
	numbers := map[string]int64{"timeout_ms": milliseconds(options.Timeout),
		"connect_timeout_ms": milliseconds(options.ConnectTimeout), "retries": int64(options.Retries),
		"retry_delay_ms": milliseconds(options.RetryDelay), "max_response_bytes": options.MaxResponseBytes,
		"get_limit": int64(options.GetLimit), "max_idle_connections": int64(options.MaxIdleConnections),
		"expires_in": int64((options.ExpiresIn + time.Second - 1) / time.Second)}
	for name, number := range numbers {
		if number != 0 {
			members[name] = max(number, 0)
		}
	}
	if options.MaxCallsPerSecond != 0 {
		members["max_calls_per_second"] = options.MaxCallsPerSecond
	}
	for name, flag := range map[string]bool{"pass_error": options.PassError, "allow_http": options.AllowHTTP} {
		if flag {
			members[name] = true
		}
	}
	if options.NoAutoRefresh {
		members["auto_refresh"] = false
	}
	if len(members) == 0 {
		return "", defaultTimeout, nil
	}
	text, err := json.Marshal(members)
	if err != nil {
		return "", 0, invalid("options_json", "Options: "+err.Error())
	}
	return string(text), timeoutOf(members["timeout_ms"]), nil
}

const defaultTimeout = 30 * time.Second

// timeoutOf is a limit in milliseconds; the default where it is none, which the library tells.
func timeoutOf(value any) time.Duration {
	number, err := json.Number(fmt.Sprintf("%s", text(value))).Int64()
	if err != nil || number <= 0 {
		return defaultTimeout
	}
	return time.Duration(number) * time.Millisecond
}

func text(value any) string {
	if raw, ok := value.(json.RawMessage); ok {
		return string(raw)
	}
	return fmt.Sprint(value)
}

//go:build cgo

package mailru

// #include <mailru.h>
import "C"

import (
	"encoding/json"
	"runtime"
	"time"
)

// Stats is what a session has done since it was made; numbers only grow, but for InFlight.
type Stats struct {
	// Calls are requests of the session that began, InFlight those of them that are not over.
	Calls    uint64 `json:"calls"`
	InFlight uint64 `json:"in_flight"`
	// Failures are how many of them ended with which code, by its name.
	Failures map[string]uint64 `json:"failures"`
	Latency  Latency           `json:"latency"`
	// Attempts are HTTP requests that were tried, Retries those of them that repeated one that failed.
	Attempts uint64 `json:"attempts"`
	Retries  uint64 `json:"retries"`
	// Grants are sets of tokens for a code or a password, Renewals those for a refresh token, TokenFailures requests for
	// tokens that brought none.
	Grants        uint64 `json:"grants"`
	Renewals      uint64 `json:"renewals"`
	TokenFailures uint64 `json:"token_failures"`
	// ConnectionsOpened are attempts that made a new connection, ConnectionsReused those that used a kept one.
	ConnectionsOpened uint64 `json:"connections_opened"`
	ConnectionsReused uint64 `json:"connections_reused"`
	BytesOut          uint64 `json:"bytes_out"`
	BytesIn           uint64 `json:"bytes_in"`
	// JSON is the library's text.
	JSON json.RawMessage `json:"-"`
}

// Latency is how long the calls that are over took.
type Latency struct {
	Calls uint64  `json:"calls"`
	SumMS float64 `json:"sum_ms"`
	// Buckets each count the calls that took so long or less.
	Buckets []Bucket `json:"buckets"`
}

// Bucket counts the calls that took LeMS milliseconds or less; nil is no bound.
type Bucket struct {
	LeMS  *float64 `json:"le_ms"`
	Calls uint64   `json:"calls"`
}

// Sum is how long all of them took together.
func (latency Latency) Sum() time.Duration {
	return time.Duration(latency.SumMS * float64(time.Millisecond))
}

// Stats tells what the session has done, at once, for a program's monitoring (mailru_stats).
func (session *Session) Stats() (*Stats, error) {
	defer runtime.KeepAlive(session)
	var code C.int32_t
	answer, err := outcome(C.mailru_stats(session.number, &code), code)
	if err != nil {
		return nil, err
	}
	stats := &Stats{JSON: answer}
	err = json.Unmarshal(answer, stats)
	return stats, err
}

package mesh

import "time"

// RetryPolicy says what may be tried again (App Mesh 2.8, Envoy 3.6).
type RetryPolicy struct {
	// MaxRetries is how many attempts may follow the first.
	MaxRetries int
	// PerTryTimeout bounds each attempt including the first; 0 is no bound.
	PerTryTimeout time.Duration
	// On holds the conditions that are not status codes.
	On RetryOn
	// StatusCodes are the response codes to retry, ascending.
	StatusCodes []int
	// GRPCStatus has bit n set when grpc-status n in the response headers (a
	// response of trailers only) is retried; one in trailers never is.
	GRPCStatus uint32
	// Explicit is true for a policy that a document gives: it is obeyed for
	// all methods. The default policy replays a non-idempotent request only
	// when nothing of it was written or the peer refused it.
	Explicit bool
	// BackoffBase and BackoffMax bound the full-jitter back-off; App Mesh
	// leaves Envoy's 25 ms and 250 ms.
	BackoffBase time.Duration
	BackoffMax  time.Duration
	Origin      Origin
}

// RetryOn is a set of retry conditions.
type RetryOn uint8

// The conditions, named as in Envoy's retry_on.
const (
	RetryConnectFailure RetryOn = 1 << iota
	// RetryRefusedStream: the peer says it has not processed the request
	// (REFUSED_STREAM, or a GOAWAY below its stream).
	RetryRefusedStream
	// RetryReset: no response at all; it includes the other two.
	RetryReset
)

// DefaultRetry is the policy App Mesh gives a route that has none: two
// retries on connect failure, refused stream, reset, gRPC UNAVAILABLE and
// status 503.
func DefaultRetry() *RetryPolicy {
	return &RetryPolicy{
		MaxRetries:  2,
		On:          RetryConnectFailure | RetryRefusedStream | RetryReset,
		StatusCodes: []int{503},
		GRPCStatus:  1 << 14,
		BackoffBase: 25 * time.Millisecond,
		BackoffMax:  250 * time.Millisecond,
		Origin:      Default("App Mesh retries twice"),
	}
}

package l7

import (
	"net/netip"
	"sync/atomic"
	"time"
)

// Handler answers an exchange: it fills ex.Response and returns nil, or
// returns an error that says by its type (see Failure) what to answer. It
// blocks until the head of the response is there.
type Handler func(ex *Exchange) error

// Stage wraps a handler: what stands before next is the request's way down,
// what stands after it the response's way up.
type Stage func(next Handler) Handler

// Chain wraps last in the stages; the first of the list is outermost.
func Chain(last Handler, stages ...Stage) Handler {
	for i := len(stages) - 1; i >= 0; i-- {
		last = stages[i](last)
	}
	return last
}

// Exchange is one request and its response. It belongs to the goroutine that
// serves it, but for Gone, and is reused for the next on its connection.
type Exchange struct {
	Request  Request
	Response Response

	// Downstream is the peer; Local is the address it wanted to reach.
	Downstream, Local netip.AddrPort

	// Start is when the request's first bytes were read; RequestEnd when its
	// last were, 0 while they are still coming. Both on the sock clock.
	Start, RequestEnd time.Duration

	Flags   Flags
	Details string
	// TransportFailure tells why an upstream connection failed, for the log.
	TransportFailure string

	// Route, Cluster and Upstream say where the exchange went; Attempts how
	// often it was tried.
	Route, Cluster string
	Upstream       netip.AddrPort
	Attempts       int
	// UpstreamTime is from the end of the request to the response's head;
	// negative when there was none.
	UpstreamTime time.Duration

	BytesReceived, BytesSent uint64

	// Gone is set (by another goroutine) when the downstream peer has left;
	// everything that waits for an upstream watches it.
	Gone atomic.Bool

	// Scratch is memory for values that live as long as the exchange.
	Scratch []byte

	// Done is called once when the response was written, or cannot be: it
	// gives the upstream connection back. Nil when there is nothing to do.
	// complete says that the response's body was read to its end.
	Done func(complete bool)
}

// Reset makes the exchange ready for the next request; memory is kept.
func (ex *Exchange) Reset() {
	ex.Request = Request{Header: ex.Request.Header}
	ex.Request.Header.Reset()
	ex.Response = Response{Header: ex.Response.Header}
	ex.Response.Header.Reset()
	ex.Start, ex.RequestEnd = 0, 0
	ex.Flags, ex.Details, ex.TransportFailure = Flags{}, "", ""
	ex.Route, ex.Cluster, ex.Upstream, ex.Attempts = "", "", netip.AddrPort{}, 0
	ex.UpstreamTime = -1
	ex.BytesReceived, ex.BytesSent = 0, 0
	ex.Gone.Store(false)
	ex.Scratch = ex.Scratch[:0]
	ex.Done = nil
}

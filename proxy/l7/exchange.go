package l7

import (
	"errors"
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
// serves it and is reused for the next on its connection.
type Exchange struct {
	Request  Request
	Response Response

	// Downstream is the peer; Local is the address it wanted to reach.
	Downstream, Local netip.AddrPort

	// Start is when the request's first bytes were read, which who reads it
	// sets; RequestEnd when its last were, 0 while they are still coming. Both
	// on the sock clock.
	Start, RequestEnd time.Duration

	// Clock is the latest reading of the sock clock. Reading it costs 60 ns, so
	// what follows within microseconds takes this one; it is read anew after
	// every wait.
	Clock time.Duration

	Flags   Flags
	Details string
	// TransportFailure tells why an upstream connection failed, for the log.
	TransportFailure string

	// Route, Cluster and Upstream say where the exchange went; Attempts how
	// often it was tried.
	Route, Cluster string
	Upstream       netip.AddrPort
	Attempts       int
	// UpstreamVersion is the protocol spoken with Upstream.
	UpstreamVersion Version
	// UpstreamTime is from the end of the request to the response's head;
	// negative when there was none.
	UpstreamTime time.Duration

	BytesReceived, BytesSent uint64

	// Peer is the downstream connection, for whoever waits on its behalf.
	Peer *Peer

	// Scratch is memory for values that live as long as the exchange.
	Scratch []byte

	// Informed is set once a 1xx was passed on: no retry after that.
	Informed bool

	// Informer passes an informational response (1xx) on to the client. Nil when
	// the client takes none.
	Informer Informer

	// Lease is what the response's body is read from; whoever called the
	// handler ends it when the body was written, or cannot be. Nil when there
	// is nothing to end.
	Lease Lease
}

// Peer is a downstream connection as those see it who wait on its behalf. Once
// the client has gone it stays gone.
type Peer struct {
	gone   atomic.Bool
	waiter atomic.Pointer[Waiter]
}

// Waiter can be woken to look at Peer.Gone again.
type Waiter struct{ Wake func() }

// Gone is raised when the client has left; everything that waits for an
// upstream watches it.
func (p *Peer) Gone() *atomic.Bool { return &p.gone }

// Wait says whom to wake when the client leaves; nil for nobody. A waiter that
// has passed on to somebody else may still be woken: it just looks again.
func (p *Peer) Wait(w *Waiter) { p.waiter.Store(w) }

// Reset makes the peer one that is there, for the next exchange. Nobody may know
// it any more.
func (p *Peer) Reset() {
	p.gone.Store(false)
	p.waiter.Store(nil)
}

// Leave raises Gone and wakes who waits. Any goroutine may call it.
func (p *Peer) Leave() {
	p.gone.Store(true)
	if w := p.waiter.Load(); w != nil {
		w.Wake()
	}
}

// ErrInform says that an informational response could not be passed on.
var ErrInform = errors.New("writing an informational response downstream")

// Informer writes informational responses (1xx) downstream.
type Informer interface {
	// Inform writes ex.Response, which is informational; it may block.
	Inform(ex *Exchange) error
}

// Lease is an upstream connection lent to an exchange.
type Lease interface {
	// End gives it back. complete says that the response was read and passed
	// on to its end; otherwise the connection is closed.
	End(complete bool)
}

// End ends the lease, if there is one. Calling it again does nothing.
func (ex *Exchange) End(complete bool) {
	if lease := ex.Lease; lease != nil {
		ex.Lease = nil
		lease.End(complete)
	}
}

// Reset makes the exchange ready for the next request; memory is kept.
func (ex *Exchange) Reset() {
	ex.Request = Request{Header: ex.Request.Header, Version: HTTP11}
	ex.Request.Header.Reset()
	ex.Response = Response{Header: ex.Response.Header}
	ex.Response.Header.Reset()
	ex.Start, ex.RequestEnd, ex.Clock = 0, 0, 0
	ex.Flags, ex.Details, ex.TransportFailure = Flags{}, "", ""
	ex.Route, ex.Cluster, ex.Upstream, ex.Attempts = "", "", netip.AddrPort{}, 0
	ex.UpstreamTime, ex.UpstreamVersion = -1, HTTP11
	ex.BytesReceived, ex.BytesSent = 0, 0
	ex.Scratch = ex.Scratch[:0]
	ex.Informed, ex.Informer, ex.Lease = false, nil, nil
}

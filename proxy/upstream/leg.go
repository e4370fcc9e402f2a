package upstream

import (
	"net/netip"
	"time"

	"github.com/outrider-mesh/outrider/proxy/l7"
)

// leg is one request under way: on an HTTP/1.1 connection of its own (conn), or
// on a stream of an HTTP/2 connection (stream). It has more methods than an
// interface should, for it is the whole of what an attempt does with either.
type leg interface {
	// lend ties the leg to who waits for it: when the client leaves, what waits
	// is woken and fails.
	lend(ex *l7.Exchange)
	// reused tells that the connection was idle before, after other requests:
	// its peer may have closed it at the moment the request was written.
	reused() bool
	// remote is the peer.
	remote() netip.AddrPort

	// Send sends the request and waits for the first news of its answer;
	// ReadResponse reads the answer's head. BodyBroke tells, after either
	// failed, that it was the request's body that broke off.
	Send(r *l7.Outgoing) (wrote bool, err error)
	ReadResponse(ex *l7.Exchange) error
	BodyBroke() bool

	// ReadBy, WriteBy and Wake are sock.Conn's, for this request alone. Started
	// bounds the reading of the whole response's body, Silence each read of it.
	ReadBy(t time.Duration)
	WriteBy(t time.Duration)
	Wake()
	Started(by time.Duration)
	Silence(idle time.Duration)

	// finish ends the leg's use: what can take another request goes back to its
	// pool, all else is closed or reset. It gives the bytes of the request's
	// body that a second goroutine has sent; until it returns that goroutine may
	// still look at the exchange and at the leg.
	finish(ex *l7.Exchange, complete bool) (pumped uint64)
}

var (
	_ leg = (*conn)(nil)
	_ leg = (*stream)(nil)
)

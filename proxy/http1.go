package proxy

import (
	"errors"
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/proxy/l7/h1"
)

// http1 is a connection of HTTP/1 at work: one exchange after the other, on the
// connection's own goroutine.
type http1 struct {
	*httpConn
	codec *h1.Server
	found found
	// clock is the last exchange's latest reading of the clock.
	clock  time.Duration
	linger bool // the client may still be sending: see h1.Server.Linger
}

func newHTTP1(h *httpConn) *http1 {
	one := &http1{httpConn: h, codec: h1.NewServer(h.sock), found: found{chain: h.chain, routing: h.routing}}
	one.codec.Idle = streamIdle
	if len(h.early) > 0 {
		one.codec.Prefill(h.early)
	}
	return one
}

// release gives all memory back.
func (h *http1) release() { h.codec.Release() }

// take takes what has come away from the codec, for another one.
func (h *http1) take() []byte {
	early := append([]byte(nil), h.codec.Early()...)
	h.codec.Release()
	return early
}

// arrived waits for the connection's first bytes and tells whether they came.
func (h *http1) arrived() bool {
	h.sock.WatchRead(&h.last)
	return h.awaited(true)
}

// serve serves one request after the other; the first one's first bytes are
// here.
func (h *http1) serve() {
	h.stats.Counter(cxHTTP1Total).Inc()
	h.stats.Gauge(cxHTTP1Active).Inc()
	for h.exchange() && h.awaited(false) {
	}
	if h.linger {
		h.codec.Linger()
	}
	h.stats.Gauge(cxHTTP1Active).Dec()
}

// awaited waits for a request and tells whether one has begun.
func (h *http1) awaited(first bool) bool {
	err := h.await(first)
	if errors.Is(err, sock.ErrTimeout) {
		h.stats.Counter(cxIdleTimeout).Inc()
	}
	return err == nil
}

// firstChance is how long a connection that was accepted while the server ends
// may take for its one request.
const firstChance = time.Second

// await waits for a request. When the server ends, one that has not come is not
// waited for, but for a connection's first; one that has come is served.
func (h *http1) await(first bool) error {
	if h.clock == 0 {
		h.clock = sock.Now()
	}
	err := h.codec.Await(h.clock + connIdle)
	if errors.Is(err, sock.ErrCanceled) && (first || h.sock.Quiet() == sock.ErrStale) {
		h.sock.WatchRead(nil)
		err = h.codec.Await(sock.Now() + firstChance)
	}
	// From here on the request is under way, also if the server ends before its
	// head is complete.
	h.sock.WatchRead(nil)
	return err
}

// exchange serves one request and tells whether another may follow.
func (h *http1) exchange() bool {
	e := begin(h.httpConn, h.codec, &h.found)
	e.Peer, e.Start = &h.peer, sock.Now()
	h.server.accepted.Store(int64(e.Start))
	h.conn.begun.Store(int64(e.Start))
	h.stats.Counter(rqHTTP1Total).Inc()

	keep := h.answer(e)

	e.finish()
	if e.Flags.Has(l7.FlagDownstreamTermination) {
		h.stats.Counter(cxDestroyActiveRq).Inc()
		h.stats.Counter(cxDestroyRemoteActiveRq).Inc()
	}
	h.clock = e.Clock
	h.conn.begun.Store(0)
	e.release()
	return keep
}

// answer reads the request, has it answered and writes the response.
func (h *http1) answer(e *exchange) (keep bool) {
	if err := h.codec.ReadRequest(&e.Exchange); err != nil {
		return h.reject(e, err)
	}
	ch := e.chain()
	switch {
	case ch != nil && e.Request.IsConnect():
		return h.connect(e, ch)
	case ch == nil && (e.Request.IsConnect() || e.Request.Absolute):
		return h.forwardProxy(e)
	case !e.handle(ch):
		return false
	}
	return h.respond(e)
}

// respond writes the response.
func (h *http1) respond(e *exchange) (keep bool) {
	if h.server.closing() || h.last.Load() {
		if !e.Response.Close {
			h.stats.Counter(cxDrainClose).Inc()
		}
		e.Response.Close = true
	}
	if e.Response.Upgraded {
		return h.upgrade(e)
	}
	if e.RequestEnd == 0 && e.unfinished() {
		// A response while the request is still coming: what is left of it is
		// not waited for, so no other can follow.
		e.Response.Close = true
	}
	switch bodyErr, err := e.write(); {
	case bodyErr != nil:
		h.sock.Reset()
		return false
	case err != nil:
		return false
	case h.codec.Keep():
		h.sock.WatchRead(&h.last)
		return true
	}
	e.early()
	h.linger = true
	return false
}

// rejection answers a request that broke the protocol.
func rejection(bad *h1.Error) *l7.Failure {
	return &l7.Failure{Status: bad.Status, Flag: l7.FlagDownstreamProtocolError,
		Details: bad.Details, Body: bad.Text, Close: true, Cause: bad}
}

// reject answers a request that could not be read, if there is somebody to
// answer.
func (h *http1) reject(e *exchange, err error) (keep bool) {
	var bad *h1.Error
	switch {
	case errors.As(err, &bad):
		if bad.Status == 431 {
			h.stats.Counter(rqTooLarge).Inc()
		}
		h.server.Log.Debug("bad request", component("http"), "peer", h.sock.Remote(), "error", err)
		if bad.Status == 0 {
			e.Flags.Set(l7.FlagDownstreamProtocolError)
			e.Details = bad.Details
			return false
		}
		e.reply(rejection(bad))
	case errors.Is(err, sock.ErrTimeout):
		h.stats.Counter(rqIdleTimeout).Inc()
		e.reply(&l7.Failure{Status: 408, Flag: l7.FlagStreamIdleTimeout,
			Details: "stream_idle_timeout", Body: "stream timeout", Close: true})
	default:
		h.stats.Counter(rqRxReset).Inc()
		e.Flags.Set(l7.FlagDownstreamTermination)
		return false
	}
	e.Response.Close = true
	h.codec.WriteResponse(&e.Exchange)
	h.linger = true
	return false
}

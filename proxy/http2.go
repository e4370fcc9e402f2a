package proxy

import (
	"errors"
	"sync/atomic"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/proxy/l7/h2"
)

// http2 is a connection of HTTP/2 at work. Its goroutine reads; each stream is
// served on one of the crew's.
type http2 struct {
	*httpConn
	codec *h2.Server
	// drained is set once the client was told to take its requests elsewhere.
	drained atomic.Bool
	// logged is set once the access log knows of the breach that ended the
	// connection.
	logged atomic.Bool
	// cut is set when the client closed the connection with streams under way.
	cut atomic.Bool
}

// serveHTTP2 serves a connection that has begun with the preface, which is
// among what was read of it.
func (h *httpConn) serveHTTP2(early []byte) {
	two := &http2{httpConn: h}
	two.codec = h2.NewServer(h.sock, h.server.HTTP2, two.stream)
	two.codec.Prefill(early)
	h.stats.Counter(cxHTTP2Total).Inc()
	h.stats.Gauge(cxHTTP2Active).Inc()
	h.sock.WatchRead(&h.last) // a server that drains shuts the connection down
	h.conn.http2.Store(two)
	two.over(two.codec.Run())
	h.conn.http2.Store(nil)
	h.sock.WatchRead(nil)
	h.stats.Gauge(cxHTTP2Active).Dec()
}

// stream serves one request.
func (h *http2) stream(st *h2.ServerStream) {
	e := begin(h.httpConn, st, nil)
	// Streams share no chain that was found: each begins with the connection's.
	e.last = &e.own
	e.own.chain, e.own.routing = h.chain, h.routing
	h.stats.Counter(rqHTTP2Total).Inc()

	h.answer(e, st)

	e.finish()
	e.release()
}

// answer reads the request, has it answered and writes the response.
func (h *http2) answer(e *exchange, st *h2.ServerStream) {
	err := st.ReadRequest(&e.Exchange)
	h.server.accepted.Store(int64(e.Start))
	if err != nil {
		h.reject(e, err)
		return
	}
	switch ch := e.chain(); {
	case e.Request.IsConnect():
		e.reply(errNoTunnel)
	case !e.handle(ch):
		h.blame(e, st.Err())
		return
	}
	h.respond(e, st)
}

// errNoTunnel answers CONNECT. A stream carries one exchange and no tunnel here:
// extended CONNECT (RFC 8441) is not offered in our SETTINGS, and a plain CONNECT
// is refused as on the ingress port (Envoy: no upgrade that this listener
// allows). An HTTP/1 connection tunnels.
var errNoTunnel = &l7.Failure{Status: 403, Details: "upgrade_failed"}

// respond writes the response.
func (h *http2) respond(e *exchange, st *h2.ServerStream) {
	if (h.server.closing() || h.last.Load()) && h.draining() {
		h.codec.Shutdown()
	}
	switch bodyErr, err := e.write(); {
	case bodyErr != nil:
		st.Reset()
		h.stats.Counter(rqTxReset).Inc()
	case errors.Is(err, sock.ErrTimeout): // it takes nothing (Envoy: stream_flush_timeout)
		st.Reset()
		h.stats.Counter(rqTxReset).Inc()
		h.stats.Counter(rqIdleTimeout).Inc()
		e.Flags = l7.Flags{}
		e.Flags.Set(l7.FlagStreamIdleTimeout)
		e.Details = "stream_idle_timeout"
	case err != nil:
		h.stats.Counter(rqRxReset).Inc()
		h.blame(e, err)
	case e.early() && !e.Peer.Gone().Load():
		h.stats.Counter(rqTxReset).Inc() // by the engine, NO_ERROR (RFC 9113 8.1)
	}
}

// draining tells, the first time, that the client is to be told to take its next
// requests to another connection; streams under way go on. Envoy tells it with
// its next response (Envoy 2.11). Here a connection that has none for long, or
// long ones alone, is told too: at once when the server begins to drain, with its
// first response when it was made later.
func (h *http2) draining() bool {
	if h.drained.Load() || h.drained.Swap(true) {
		return false
	}
	h.stats.Counter(cxDrainClose).Inc()
	return true
}

// drain tells the client so from another goroutine: the connection's reader does
// it (see h2.Server.Run), which has greeted the client by then.
func (h *http2) drain() {
	if h.draining() {
		h.hurry()
	}
}

// reject counts a request that could not be read. The stream has been reset, or
// the client has left: there is nobody to answer.
func (h *http2) reject(e *exchange, err error) {
	e.Request.Version = l7.HTTP2
	h.stats.Counter(rqRxReset).Inc()
	h.blame(e, err)
	h.server.Log.Debug("bad request", component("http"), "peer", h.sock.Remote(), "error", err)
}

// blame says why, and when, a stream ended before its response did: the client
// reset it, broke the protocol, or has gone; or we had no memory for its body.
func (h *http2) blame(e *exchange, err error) {
	e.Clock = sock.Now()
	var bad *h2.Error
	switch {
	case errors.Is(err, h2.ErrMemory):
		e.Flags = l7.Flags{}
		e.Flags.Set(l7.FlagUpstreamOverflow)
		e.Details = h2.ErrMemory.(*h2.Error).Details
	case !errors.As(err, &bad):
		e.Flags.Set(l7.FlagDownstreamTermination)
		e.Details = "downstream_remote_disconnect"
		h.cut.Store(true)
	case bad.Remote:
		e.Flags.Set(l7.FlagDownstreamTermination)
		e.Details = "http2.remote_reset"
	default:
		e.Flags = l7.Flags{}
		e.Flags.Set(l7.FlagDownstreamProtocolError)
		e.Details = bad.Details
		h.logged.Store(h.logged.Load() || bad.Conn)
	}
}

// over counts how the connection ended. A breach that cut no stream gets a line
// of its own in the access log, without a request: Envoy writes none, but then
// nobody learns who it was.
func (h *http2) over(err error) {
	if h.cut.Load() {
		h.stats.Counter(cxDestroyActiveRq).Inc()
		h.stats.Counter(cxDestroyRemoteActiveRq).Inc()
	}
	var bad *h2.Error
	switch {
	case errors.Is(err, sock.ErrTimeout):
		h.stats.Counter(cxIdleTimeout).Inc()
	case errors.As(err, &bad) && !bad.Remote:
		h.stats.Counter(cxProtocolError).Inc()
		if bad.Details == "too_many_premature_resets" { // Envoy 11.3
			h.stats.Counter(rqTooManyPrematureResets).Inc()
		}
		h.server.Log.Debug("connection broke the protocol", component("http"), "peer", h.sock.Remote(), "error", err)
		if !h.logged.Load() {
			h.logBreach(bad.Details)
		}
	}
}

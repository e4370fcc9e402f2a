package proxy

import (
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/stat"
	"github.com/outrider-mesh/outrider/proxy/filter"
	"github.com/outrider-mesh/outrider/proxy/l4"
	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/proxy/l7/h1"
)

// Envoy's defaults for a connection manager.
const (
	// connIdle is how long a connection may wait for a request.
	connIdle = time.Hour
	// streamIdle bounds silence within an exchange.
	streamIdle = 5 * time.Minute
	// listenerFiltersTimeout bounds the wait for a client's first bytes where
	// they decide where the connection goes.
	listenerFiltersTimeout = 15 * time.Second
)

// httpConn is an HTTP connection at work.
type httpConn struct {
	*conn
	codec *h1.Server
	// local is where the client wanted to go.
	local netip.AddrPort
	// find finds the chain of a request; chain is what it found last, in
	// routing.
	find    func(h *httpConn, ex *l7.Exchange) *chain
	chain   *chain
	routing *Routing
	stats   *stat.Group
	named   []byte // the authority that chain was found by
	early   []byte // what was read from the connection before
	// clock is the last exchange's latest reading of the clock.
	clock  time.Duration
	linger bool // the client may still be sending: see h1.Server.Linger
}

func (c *conn) serveHTTP(h httpConn) {
	h.codec = h1.NewServer(c.sock)
	h.codec.Idle = streamIdle
	if len(h.early) > 0 {
		h.codec.Prefill(h.early)
	}
	h.stats = h.group()
	h.stats.Counter(cxTotal).Inc()
	h.stats.Counter(cxHTTP1Total).Inc()
	h.stats.Gauge(cxActive).Inc()
	h.stats.Gauge(cxHTTP1Active).Inc()
	h.run()
	h.codec.Release()
	rx, tx := c.sock.Traffic()
	h.stats.Counter(cxRxBytes).Add(rx)
	h.stats.Counter(cxTxBytes).Add(tx)
	h.stats.Gauge(cxActive).Dec()
	h.stats.Gauge(cxHTTP1Active).Dec()
	h.stats.Counter(cxDestroy).Inc()
	h.stats.Histogram(cxLength).Observe(uint64((sock.Now() - c.born) / time.Microsecond))
}

// group is the cells of the connection: its chain's, or those of its port when
// each request finds its own.
func (h *httpConn) group() *stat.Group {
	if h.chain != nil {
		return h.chain.stats
	}
	return h.server.Stats.Group("http."+h.listener.bind.Direction.String()+".", &httpLayout)
}

// run serves one request after the other.
func (h *httpConn) run() {
	h.sock.WatchRead(&h.last)
	for first := true; ; first = false {
		if err := h.await(first); err != nil {
			if errors.Is(err, sock.ErrTimeout) {
				h.stats.Counter(cxIdleTimeout).Inc()
			}
			return
		}
		if first && h.isTLS() {
			h.servePassThrough()
			return
		}
		if !h.exchange() {
			if h.linger {
				h.codec.Linger()
			}
			return
		}
	}
}

// firstChance is how long a connection that was accepted while the server ends
// may take for its one request.
const firstChance = time.Second

// await waits for a request. When the server ends, one that has not come is not
// waited for, but for a connection's first; one that has come is served.
func (h *httpConn) await(first bool) error {
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

// isTLS tells whether the first bytes are a TLS record, where HTTP is expected.
func (h *httpConn) isTLS() bool {
	b := h.codec.Early()
	return len(b) > 0 && b[0] == 0x16
}

// servePassThrough serves TLS on a port of HTTP backends: it passes to
// *.amazonaws.com and is closed otherwise.
func (h *httpConn) servePassThrough() {
	h.sock.WatchRead(nil)
	early := append([]byte(nil), h.codec.Early()...)
	h.codec.Release()
	aws := h.server.Routing().aws
	early, name := l4.ReadServerName(h.sock, early, listenerFiltersTimeout)
	if h.listener.bind.Direction == mesh.Ingress || aws == nil || !l4.IsAWS(name) || h.local == h.sock.Local() {
		h.refuse(h.local, "TLS where HTTP is served")
		return
	}
	s := l4.Session{Down: h.sock, Local: h.local, ServerName: name, Cluster: aws.Name(), Early: early, Idle: passIdle}
	stream, err := aws.ConnectTo(h.local)
	h.relay(&s, stream, err)
}

// exchanges are reused: an idle connection holds none.
var exchanges = sync.Pool{New: func() any {
	ex := &l7.Exchange{Scratch: make([]byte, 0, 128)}
	ex.Request.Header.Fields = make([]l7.Field, 0, 24)
	ex.Response.Header.Fields = make([]l7.Field, 0, 24)
	return ex
}}

// exchange serves one request and tells whether another may follow.
func (h *httpConn) exchange() bool {
	ex := exchanges.Get().(*l7.Exchange)
	ex.Reset()
	ex.Peer, ex.Downstream, ex.Local = &h.peer, h.sock.Remote(), h.local
	ex.Start = sock.Now()
	h.begun.Store(int64(ex.Start))
	h.server.accepted.Store(int64(ex.Start))
	h.server.exchanges.Add(1)
	h.stats.Counter(rqTotal).Inc()
	h.stats.Counter(rqHTTP1Total).Inc()
	h.stats.Gauge(rqActive).Inc()

	keep := h.answer(ex)

	h.finish(ex)
	h.clock = ex.Clock
	h.begun.Store(0)
	h.server.exchanges.Add(-1)
	h.stats.Gauge(rqActive).Dec()
	ex.Peer = nil
	exchanges.Put(ex)
	return keep
}

// answer reads the request, has it answered and writes the response.
func (h *httpConn) answer(ex *l7.Exchange) (keep bool) {
	if err := h.codec.ReadRequest(ex); err != nil {
		return h.reject(ex, err)
	}
	ch := h.find(h, ex)
	switch {
	case ch != nil && ex.Request.IsConnect():
		return h.connect(ex, ch)
	case ch != nil:
		if err := ch.handle(ex); err != nil {
			h.stats.Counter(rqRxReset).Inc()
			return false // the client has left
		}
	case ex.Request.IsConnect(), ex.Request.Absolute:
		return h.forwardProxy(ex)
	default:
		h.stats.Counter(noRoute).Inc()
		h.reply(ex, errNoRoute)
	}
	return h.respond(ex)
}

// respond writes the response.
func (h *httpConn) respond(ex *l7.Exchange) (keep bool) {
	if h.server.closing() || h.last.Load() {
		if !ex.Response.Close {
			h.stats.Counter(cxDrainClose).Inc()
		}
		ex.Response.Close = true
	}
	if ex.Response.Upgraded {
		return h.upgrade(ex)
	}
	if ex.RequestEnd == 0 && h.unfinished(ex) {
		// A response while the request is still coming: what is left of it is
		// not waited for, so no other can follow.
		ex.Response.Close = true
	}
	bodyErr, err := h.codec.WriteResponse(ex)
	ex.Clock = sock.Now()
	ex.End(bodyErr == nil && err == nil)
	switch {
	case bodyErr != nil:
		h.broken(ex, bodyErr)
		return false
	case err != nil:
		ex.Flags.Set(l7.FlagDownstreamTermination)
		return false
	case h.codec.Keep():
		h.sock.WatchRead(&h.last)
		return true
	}
	if _, ended := l7.Whole(ex.Request.Body); !ended {
		h.stats.Counter(rqResponseBeforeRqComplete).Inc()
	}
	h.linger = true
	return false
}

// unfinished tells whether some of the request's body has not come yet. While a
// lease is held the body belongs to the upstream's side.
func (h *httpConn) unfinished(ex *l7.Exchange) bool {
	if ex.Lease != nil {
		return true
	}
	_, ended := l7.Whole(ex.Request.Body)
	return !ended
}

// broken resets a connection whose response broke off, so that the client does
// not take what it got for the whole.
func (h *httpConn) broken(ex *l7.Exchange, err error) {
	switch {
	case h.peer.Gone().Load():
		ex.Flags.Set(l7.FlagDownstreamTermination)
	case ex.Flags.Has(l7.FlagRequestTimeout):
	case errors.Is(err, sock.ErrTimeout):
		ex.Flags.Set(l7.FlagStreamIdleTimeout)
	default:
		ex.Flags.Set(l7.FlagConnectionTermination)
	}
	h.sock.Reset()
}

// reject answers a request that could not be read, if there is somebody to
// answer.
func (h *httpConn) reject(ex *l7.Exchange, err error) (keep bool) {
	var bad *h1.Error
	switch {
	case errors.As(err, &bad):
		h.stats.Counter(cxProtocolError).Inc()
		if bad.Status == 431 {
			h.stats.Counter(rqTooLarge).Inc()
		}
		h.server.Log.Debug("bad request", component("http"), "peer", h.sock.Remote(), "error", err)
		h.reply(ex, &l7.Failure{Status: bad.Status, Flag: l7.FlagDownstreamProtocolError,
			Details: bad.Details, Body: bad.Text, Close: true, Cause: err})
	case errors.Is(err, sock.ErrTimeout):
		h.stats.Counter(rqIdleTimeout).Inc()
		h.reply(ex, &l7.Failure{Status: 408, Flag: l7.FlagStreamIdleTimeout,
			Details: "stream_idle_timeout", Body: "stream timeout", Close: true})
	default:
		h.stats.Counter(rqRxReset).Inc()
		ex.Flags.Set(l7.FlagDownstreamTermination)
		return false
	}
	ex.Response.Close = true
	h.codec.WriteResponse(ex)
	h.linger = true
	return false
}

// reply fills the response with a failure, with the headers that every
// response gets.
func (h *httpConn) reply(ex *l7.Exchange, f *l7.Failure) {
	replyHeaders(func(ex *l7.Exchange) error {
		filter.Reply(ex, f)
		return nil
	})(ex)
}

var replyHeaders = filter.ResponseHeaders(time.Now)

// finish counts and logs an exchange that is over.
func (h *httpConn) finish(ex *l7.Exchange) {
	ex.End(false)
	status := 0
	if h.codec.Responded() {
		status = ex.Response.Status
		h.stats.Counter(rqCompleted).Inc()
		if class := status/100 - 1; class >= 0 && class < 5 {
			h.stats.Counter(rq1xx + class).Inc()
		}
	}
	if ex.Flags.Has(l7.FlagDownstreamTermination) {
		h.stats.Counter(cxDestroyActiveRq).Inc()
		h.stats.Counter(cxDestroyRemoteActiveRq).Inc()
	}
	h.stats.Histogram(rqTime).Observe(uint64((ex.Clock - ex.Start) / time.Microsecond))
	h.logExchange(ex, status)
}

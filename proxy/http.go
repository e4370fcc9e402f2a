package proxy

import (
	"net/netip"
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/stat"
	"github.com/outrider-mesh/outrider/proxy/l4"
	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/proxy/sniff"
)

// Envoy's defaults for a connection manager.
const (
	// connIdle is how long a connection may be without a request.
	connIdle = time.Hour
	// streamIdle bounds silence within an exchange.
	streamIdle = 5 * time.Minute
	// listenerFiltersTimeout bounds the wait for a client's first bytes where
	// they decide where the connection goes.
	listenerFiltersTimeout = 15 * time.Second
)

// httpConn is an HTTP connection. It does not change while it serves: on
// HTTP/2 many exchanges read it at once.
type httpConn struct {
	*conn
	// local is where the client wanted to go.
	local netip.AddrPort
	// find finds the chain of a request; chain is that of the connection, if it
	// has one, as it was in routing.
	find    func(h *httpConn, last *found, ex *l7.Exchange) *chain
	chain   *chain
	routing *Routing
	stats   *stat.Group
	early   []byte // what was read from the connection before
}

// found is the chain of the last request and what it was found by.
type found struct {
	chain   *chain
	routing *Routing
	named   []byte // the authority that it was found by
}

func (c *conn) serveHTTP(h httpConn) { c.apart(&h) }

func (h *httpConn) serve() {
	h.stats = h.group()
	h.stats.Counter(cxTotal).Inc()
	h.stats.Gauge(cxActive).Inc()
	h.run()
	rx, tx := h.sock.Traffic()
	h.stats.Counter(cxRxBytes).Add(rx)
	h.stats.Counter(cxTxBytes).Add(tx)
	h.stats.Gauge(cxActive).Dec()
	h.stats.Counter(cxDestroy).Inc()
	h.stats.Histogram(cxLength).Observe(uint64((sock.Now() - h.born) / time.Microsecond))
}

// group is the cells of the connection: its chain's, or those of its port when
// each request finds its own.
func (h *httpConn) group() *stat.Group {
	if h.chain != nil {
		return h.chain.stats
	}
	return h.server.Stats.Group("http."+h.listener.bind.Direction.String()+".", &httpLayout)
}

// run waits for the client's first bytes, which decide the codec on every
// listener, whatever its protocol is called (Envoy: codec_type AUTO).
func (h *httpConn) run() {
	one := newHTTP1(h)
	defer one.release()
	if !one.arrived() {
		return
	}
	switch first := one.codec.Early(); {
	case first[0] == tlsHandshake:
		h.servePassThrough(one.take())
	case first[0] == 'P' && h.isHTTP2(one):
		h.serveHTTP2(one.take())
	default:
		one.serve()
	}
}

// tlsHandshake is how TLS begins, and HTTP does not.
const tlsHandshake = 0x16

// isHTTP2 tells whether the connection begins with the preface of HTTP/2 (RFC
// 9113 3.4, prior knowledge), which may come byte by byte. What does not come
// to its end in time is left to HTTP/1, to say what is wrong with it.
func (h *httpConn) isHTTP2(one *http1) bool {
	if yes, more := sniffPreface(one.codec.Early()); !more {
		return yes
	}
	var b sock.Buffer
	defer b.Release()
	b.Append(one.take())
	h.sock.ReadBy(sock.Now() + listenerFiltersTimeout)
	for {
		yes, more := sniffPreface(b.Bytes())
		if more {
			_, err := h.sock.Fill(&b)
			more = err == nil
		}
		if !more {
			one.codec.Prefill(b.Bytes())
			return yes
		}
	}
}

// sniffPreface asks for more bytes only where they can still become the
// preface: a request of HTTP/1 is not held up.
func sniffPreface(b []byte) (yes, more bool) {
	const begins = "PRI "
	if n := min(len(b), len(begins)); string(b[:n]) != begins[:n] {
		return false, false
	}
	p, more := sniff.Detect(b)
	return p == sniff.HTTP2, more
}

// servePassThrough serves TLS on a port of HTTP backends, where a connection that
// nothing redirected says nothing of where it would pass to.
func (h *httpConn) servePassThrough(early []byte) {
	early, name := l4.ReadServerName(h.sock, early, listenerFiltersTimeout)
	w := h.server.Routing().wayOfTLS(h.listener.bind.Direction, name)
	if w.end != endsPassed || h.local == h.sock.Local() {
		h.refuse(h.local, tlsOnHTTP)
		return
	}
	s := l4.Session{Down: h.sock, Local: h.local, ServerName: name, Cluster: w.cluster.Name(), Early: early, Idle: passIdle,
		Witness: h.server.witness()}
	stream, err := w.cluster.ConnectTo(h.local)
	h.relay(&s, stream, err)
}

package upstream

import (
	"context"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/stat"
)

// Endpoint is one member of a cluster, with its connections and its cells.
type Endpoint struct {
	cluster *Cluster
	// dial is where new connections go. It changes only for the one endpoint
	// of a LOGICAL_DNS cluster.
	dial  atomic.Pointer[netip.AddrPort]
	pool  pool         // of HTTP/1.1 connections
	mux   mux          // of HTTP/2 ones
	open  atomic.Int64 // places for connections that it holds, idle ones included
	Cells Cells
}

// Cells count what one endpoint did (Envoy: the eight host stats).
type Cells struct {
	CxActive      stat.Gauge
	CxConnectFail stat.Counter
	CxTotal       stat.Counter
	RqActive      stat.Gauge
	RqError       stat.Counter
	RqSuccess     stat.Counter
	RqTimeout     stat.Counter
	RqTotal       stat.Counter
}

func newEndpoint(c *Cluster, addr netip.AddrPort) *Endpoint {
	e := &Endpoint{cluster: c}
	e.dial.Store(&addr)
	e.pool.endpoint, e.mux.endpoint = e, e
	return e
}

// Addr is where new connections go.
func (e *Endpoint) Addr() netip.AddrPort { return *e.dial.Load() }

// reserve takes a place for one connection within the cluster's limit, and
// tells whether there was one. An endpoint without a connection always gets one,
// however full the cluster is (Envoy 4.3). free gives it back.
func (e *Endpoint) reserve() bool {
	connections := &e.cluster.breaker.Connections
	switch {
	case connections.TryAcquire():
		e.open.Add(1)
	case e.open.CompareAndSwap(0, 1):
		connections.Acquire()
	default:
		return false
	}
	e.cluster.gauge()
	return true
}

// free gives a place back: who has waited longest gets it.
func (e *Endpoint) free() {
	e.open.Add(-1)
	e.cluster.breaker.Connections.Release()
	e.cluster.gauge()
	e.pool.vacant()
	e.mux.vacant()
}

// retire closes its idle connections; busy ones are closed when they are idle.
func (e *Endpoint) retire() {
	e.pool.retire()
	e.mux.retire()
}

// connect opens a connection, within timeout and the cluster's own. Its place in
// the limits is taken already; a failure gives it back, and is counted.
func (e *Endpoint) connect(ctx context.Context, timeout time.Duration) (*sock.Conn, outcome) {
	stats := e.cluster.stats
	start := sock.Now()
	sc, err := e.cluster.manager.dial(ctx, e.Addr(), timeout)
	if err == nil {
		stats.Histogram(cxConnectTime).Observe(micros(sock.Now() - start))
		return sc, outcome{}
	}
	e.free()
	stats.Counter(cxConnectFail).Inc()
	e.Cells.CxConnectFail.Inc()
	o := outcome{reset: connectReset(err), err: err}
	if o.reset == connectTimedOut {
		stats.Counter(cxConnectTimeout).Inc()
	}
	return nil, o
}

// connected counts a connection that was opened, of the version that the
// counter says.
func (e *Endpoint) connected(version int) {
	stats := e.cluster.stats
	stats.Counter(cxTotal).Inc()
	stats.Counter(version).Inc()
	stats.Gauge(cxActive).Inc()
	e.Cells.CxTotal.Inc()
	e.Cells.CxActive.Inc()
}

// disconnected counts one that was closed, and gives its place back.
func (e *Endpoint) disconnected(why *stat.Counter, born time.Duration) {
	stats := e.cluster.stats
	stats.Counter(cxDestroy).Inc()
	why.Inc()
	stats.Gauge(cxActive).Dec()
	stats.Histogram(cxLength).Observe(micros(sock.Now() - born))
	e.Cells.CxActive.Dec()
	e.free()
}

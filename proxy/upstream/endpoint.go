package upstream

import (
	"net/netip"
	"sync/atomic"

	"github.com/outrider-mesh/outrider/internal/stat"
)

// Endpoint is one member of a cluster, with its connections and its cells.
type Endpoint struct {
	cluster *Cluster
	// dial is where new connections go. It changes only for the one endpoint
	// of a LOGICAL_DNS cluster.
	dial  atomic.Pointer[netip.AddrPort]
	pool  pool
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
	e.pool.endpoint = e
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
}

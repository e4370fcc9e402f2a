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
	open  atomic.Int64 // connections, idle ones included
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

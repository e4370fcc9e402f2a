package upstream

import (
	"context"
	"net/netip"
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// Stream is a connection to a cluster that carries bytes, not requests: a TCP
// chain's, a tunnel's. Its owner closes it.
type Stream struct {
	Conn     *sock.Conn
	cluster  *Cluster
	endpoint *Endpoint // nil for an address the app chose
	born     time.Duration
}

// Connect opens a connection to an endpoint of the cluster. With the limit of
// connections reached it fails at once (Envoy: TCP does not queue). An error is
// a *l7.Failure, whose flag is for the log.
func (c *Cluster) Connect() (*Stream, error) {
	if spec := c.Spec(); spec.Refuse != "" {
		return nil, refused(spec)
	}
	var p picking
	e := c.pick(&p, c.manager.draw())
	if e == nil {
		return nil, outcome{reset: noEndpoint}.failure(false)
	}
	s, err := c.connect(e.Addr(), e)
	if err == nil {
		e.Cells.CxTotal.Inc()
		e.Cells.CxActive.Inc()
	} else {
		e.Cells.CxConnectFail.Inc()
	}
	return s, err
}

// ConnectTo opens a connection to an address the app chose (Envoy:
// ORIGINAL_DST).
func (c *Cluster) ConnectTo(addr netip.AddrPort) (*Stream, error) { return c.connect(addr, nil) }

func (c *Cluster) connect(addr netip.AddrPort, e *Endpoint) (*Stream, error) {
	if !c.breaker.Connections.TryAcquire() {
		c.stats.Counter(cxOverflow).Inc()
		return nil, outcome{reset: overflowed}.failure(false)
	}
	start := sock.Now()
	sc, err := c.manager.dial(context.Background(), addr, c.Spec().ConnectTimeout)
	if err != nil {
		c.breaker.Connections.Release()
		c.stats.Counter(cxConnectFail).Inc()
		o := outcome{reset: connectReset(err), err: err}
		if o.reset == connectTimedOut {
			c.stats.Counter(cxConnectTimeout).Inc()
		}
		f := o.failure(false)
		f.Flag = l7.FlagConnectionFailure
		return nil, f
	}
	c.stats.Counter(cxTotal).Inc()
	c.stats.Gauge(cxActive).Inc()
	c.gauge()
	c.stats.Histogram(cxConnectTime).Observe(micros(sock.Now() - start))
	return &Stream{Conn: sc, cluster: c, endpoint: e, born: start}, nil
}

// Close closes the connection and counts what it carried. It must not be
// called while anybody reads or writes.
func (s *Stream) Close() {
	s.Conn.Close()
	stats := s.cluster.stats
	rx, tx := s.Conn.Traffic()
	stats.Counter(cxRxBytes).Add(rx)
	stats.Counter(cxTxBytes).Add(tx)
	stats.Counter(cxDestroy).Inc()
	stats.Gauge(cxActive).Dec()
	stats.Histogram(cxLength).Observe(micros(sock.Now() - s.born))
	s.cluster.breaker.Connections.Release()
	s.cluster.gauge()
	if s.endpoint != nil {
		s.endpoint.Cells.CxActive.Dec()
	}
}

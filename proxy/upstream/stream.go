package upstream

import (
	"context"
	"errors"
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

// connectAttempts is Envoy's default of max_connect_attempts, which App Mesh
// did not send.
const connectAttempts = 1

// Connect opens a connection to an endpoint of the cluster, in one attempt.
// With the limit of connections reached it fails at once (Envoy: TCP does not
// queue). An error is a *l7.Failure; StreamFlags says what the log is told.
func (c *Cluster) Connect() (*Stream, error) { return c.ConnectWithin(connectAttempts) }

// ConnectWithin is Connect in up to that many attempts (Envoy:
// max_connect_attempts), at least one. Each picks an endpoint anew, one that was
// not tried before if there is one, and has the whole connect timeout; the next
// follows at once. Without an endpoint, or with the limit reached, no other is
// made.
func (c *Cluster) ConnectWithin(attempts int) (*Stream, error) {
	if f := refused(c.Spec()); f != nil {
		return nil, f
	}
	var p picking
	for {
		e := c.pick(&p, c.manager.draw())
		if e == nil {
			return nil, outcome{reset: noEndpoint}.failure(false)
		}
		s, err := c.connect(e.Addr(), e)
		if err == nil || !wasTried(err) {
			return s, err
		}
		if attempts--; attempts <= 0 {
			c.stats.Counter(cxConnectAttemptsExceeded).Inc()
			return nil, err
		}
	}
}

// ConnectTo opens a connection to an address the app chose (Envoy:
// ORIGINAL_DST), in one attempt: there is no other address.
func (c *Cluster) ConnectTo(addr netip.AddrPort) (*Stream, error) {
	s, err := c.connect(addr, nil)
	if err != nil && wasTried(err) {
		c.stats.Counter(cxConnectAttemptsExceeded).Inc()
	}
	return s, err
}

// wasTried tells an attempt that reached nobody from one that was not made.
func wasTried(err error) bool {
	var f *l7.Failure
	return errors.As(err, &f) && f.Flag == l7.FlagConnectionFailure
}

// StreamFlags are the access log's flags of a connection that could not be
// opened, by Connect's error. A failed attempt is always the last of those
// allowed, so UF comes with URX (Envoy: it looks whether one more is allowed).
func StreamFlags(err error) (flags l7.Flags) {
	var f *l7.Failure
	if !errors.As(err, &f) || f.Flag == 0 {
		return flags
	}
	flags.Set(f.Flag)
	if f.Flag == l7.FlagConnectionFailure && f.Cause != nil {
		flags.Set(l7.FlagRetryLimitExceeded)
	}
	return flags
}

func (c *Cluster) connect(addr netip.AddrPort, e *Endpoint) (*Stream, error) {
	if !c.breaker.Connections.TryAcquire() {
		c.stats.Counter(cxOverflow).Inc()
		return nil, outcome{reset: overflowed}.failure(false)
	}
	start := sock.Now()
	sc, err := c.manager.dial(context.Background(), addr, c.Spec().ConnectTimeout)
	if err != nil {
		c.breaker.Connections.Release()
		return nil, c.connectFailed(err, e)
	}
	c.stats.Counter(cxTotal).Inc()
	c.stats.Gauge(cxActive).Inc()
	c.gauge()
	c.stats.Histogram(cxConnectTime).Observe(micros(sock.Now() - start))
	if e != nil {
		e.Cells.CxTotal.Inc()
		e.Cells.CxActive.Inc()
	}
	return &Stream{Conn: sc, cluster: c, endpoint: e, born: start}, nil
}

// connectFailed counts an attempt that reached nobody.
func (c *Cluster) connectFailed(err error, e *Endpoint) *l7.Failure {
	c.stats.Counter(cxConnectFail).Inc()
	if e != nil {
		e.Cells.CxConnectFail.Inc()
	}
	o := outcome{reset: connectReset(err), err: err}
	if o.reset == connectTimedOut {
		c.stats.Counter(cxConnectTimeout).Inc()
	}
	return o.failure(false)
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

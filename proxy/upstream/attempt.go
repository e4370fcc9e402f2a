package upstream

import (
	"context"
	"errors"
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// attempt makes one attempt: endpoint, connection, request, response head.
func (f *forwarding) attempt() outcome {
	if f.endpoint = f.fixed; f.endpoint == nil {
		f.endpoint = f.cluster.pick(&f.picking, f.cluster.manager.draw())
	}
	if f.endpoint == nil {
		return outcome{reset: noEndpoint}
	}
	f.ex.Attempts++
	f.ex.Upstream = f.endpoint.Addr()
	f.expect(f.ex.Clock)
	for {
		if o := f.lease(); o.reset != answered {
			return o
		}
		o := f.send()
		if errors.Is(o.err, sock.ErrStale) && f.conn.used {
			// Nothing was written: this was no attempt yet.
			f.drop(false)
			continue
		}
		f.cluster.stats.Counter(rqTotal).Inc()
		f.endpoint.Cells.RqTotal.Inc()
		if o.reset != answered {
			f.failed(o)
		}
		return o
	}
}

// lease takes an idle connection of the endpoint, or opens one.
func (f *forwarding) lease() outcome {
	e := f.endpoint
	c := e.pool.take()
	if c == nil {
		var o outcome
		if c, o = f.open(e); o.reset != answered {
			return o
		}
	}
	f.conn = c
	if f.debug() {
		f.log("endpoint", "address", c.Conn().Remote(), "reused", c.used)
	}
	e.Cells.RqActive.Inc()
	c.lend(f.ex)
	f.ex.Upstream = c.Conn().Remote()
	return outcome{}
}

// open opens a connection, within the cluster's limits: a request waits where
// they are reached, and is refused where too many wait. Each endpoint may
// always have one connection (Envoy 4.3).
func (f *forwarding) open(e *Endpoint) (*conn, outcome) {
	b, stats := &f.cluster.breaker, f.cluster.stats
	if !b.PendingRequests.TryAcquire() {
		stats.Counter(rqPendingOverflow).Inc()
		return nil, outcome{reset: overflowed}
	}
	stats.Counter(rqPendingTotal).Inc()
	f.cluster.gauge()
	defer func() {
		b.PendingRequests.Release()
		f.cluster.gauge()
	}()
	if !e.reserve() {
		stats.Counter(cxOverflow).Inc()
		c, ok := e.pool.wait(f.ex, f.deadline())
		f.ex.Clock = sock.Now()
		switch {
		case c != nil:
			return c, outcome{}
		case !ok && f.gone():
			return nil, outcome{reset: clientGone}
		case !ok:
			stats.Counter(rqTimeout).Inc()
			return nil, outcome{reset: timedOut}
		}
	}
	c, o := f.dial(e)
	f.ex.Clock = sock.Now()
	return c, o
}

// dial opens a connection whose place in the limits is taken already.
func (f *forwarding) dial(e *Endpoint) (*conn, outcome) {
	stats := f.cluster.stats
	start := sock.Now()
	timeout := f.cluster.Spec().ConnectTimeout
	if by := f.deadline(); by > 0 {
		timeout = min(timeout, max(by-start, time.Millisecond))
	}
	sc, err := f.cluster.manager.dial(context.Background(), e.Addr(), timeout)
	if err == nil {
		stats.Histogram(cxConnectTime).Observe(micros(sock.Now() - start))
		return newConn(e, sc, f.cluster.manager.crew), outcome{}
	}
	e.free()
	stats.Counter(cxConnectFail).Inc()
	e.Cells.CxConnectFail.Inc()
	o := outcome{reset: connectReset(err), err: err}
	if o.reset == connectTimedOut {
		stats.Counter(cxConnectTimeout).Inc()
		if f.overdue() {
			o.reset = timedOut
			stats.Counter(rqTimeout).Inc()
		}
	}
	stats.Counter(rqPendingFailureEject).Inc()
	e.Cells.RqError.Inc()
	return nil, o
}

// send sends the request and reads the response's head.
func (f *forwarding) send() outcome {
	c, ex := f.conn, f.ex
	f.request = l7.Outgoing{Head: &ex.Request, Whole: f.whole, Idle: f.route.Idle.Value}
	if f.live {
		f.request.Body, f.request.Whole = &f.replay, nil
	}
	f.headSeen.Store(false)
	c.Conn().WriteBy(0)
	if f.request.Idle > 0 {
		c.Conn().WriteBy(ex.Clock + f.request.Idle)
	}
	c.Conn().ReadBy(f.waitBy(ex.Clock))
	wrote, err := c.Send(&f.request)
	if err == nil {
		err = c.ReadResponse(ex)
	}
	if err != nil {
		return f.judge(err, wrote)
	}
	f.headSeen.Store(true)
	c.used = true
	ex.Clock = sock.Now()
	if end := time.Duration(f.requestEnd.Load()); end > 0 {
		ex.UpstreamTime = ex.Clock - end
	}
	return outcome{wrote: true}
}

// judge turns an error into an outcome.
func (f *forwarding) judge(err error, wrote bool) outcome {
	o := outcome{reset: terminated, err: err, wrote: wrote, reused: f.conn.used}
	switch {
	case f.gone(), isCanceled(err):
		o.reset = clientGone
	case f.conn.BodyBroke():
		o.reset = clientBroke
	case errors.Is(err, l7.ErrInform):
		o.reset = downstreamFailed
	case isTimeout(err):
		o.reset = f.whichTimeout()
	case isBroken(err):
		o.reset = protocolBroken
	}
	return o
}

// whichTimeout tells which of the deadlines has passed.
func (f *forwarding) whichTimeout() reset {
	now := sock.Now()
	switch by := f.deadline(); {
	case by > 0 && now >= by:
		return timedOut
	case f.tryBy.Load() > 0 && now >= time.Duration(f.tryBy.Load()):
		return tryTimedOut
	}
	return idledOut
}

// failed counts how an attempt failed.
func (f *forwarding) failed(o outcome) {
	stats, cells := f.cluster.stats, &f.endpoint.Cells
	cells.RqError.Inc()
	switch o.reset {
	case timedOut:
		stats.Counter(rqTimeout).Inc()
		cells.RqTimeout.Inc()
	case tryTimedOut:
		stats.Counter(rqPerTryTimeout).Inc()
		cells.RqTimeout.Inc()
	case terminated:
		stats.Counter(rqRxReset).Inc()
		stats.Counter(cxDestroyWithActiveRq).Inc()
	case protocolBroken:
		stats.Counter(cxProtocolError).Inc()
		stats.Counter(rqRxReset).Inc()
	case clientGone, idledOut:
		stats.Counter(rqTxReset).Inc()
	}
}

// giveBack gives the connection of an attempt back that will be followed by
// another. A response that is here as a whole is thrown away and the
// connection kept.
func (f *forwarding) giveBack(o outcome) {
	if o.reset == answered {
		f.endpoint.Cells.RqError.Inc()
		_, whole := l7.Whole(f.ex.Response.Body)
		f.drop(whole)
		return
	}
	f.drop(false)
}

// drop ends the use of the connection, if there is one: back to the pool when
// it can take another request, else closed.
func (f *forwarding) drop(complete bool) {
	c := f.conn
	if c == nil {
		return
	}
	// First of all: until Finish returns, the goroutine that passes the body on
	// may still look at the exchange and at the connection.
	reusable, pumped := c.Finish(complete)
	f.conn = nil
	c.unlend(f.ex)
	if pumped > f.ex.BytesReceived {
		f.ex.BytesReceived = pumped
	}
	c.account()
	f.endpoint.Cells.RqActive.Dec()
	if reusable {
		c.idleSince = f.ex.Clock
		f.endpoint.pool.put(c)
	} else {
		c.close(f.cluster.stats.Counter(cxDestroyLocal))
	}
}

var _ l7.Lease = (*forwarding)(nil)

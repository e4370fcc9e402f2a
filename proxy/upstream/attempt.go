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
	for stale := 1; ; stale++ {
		if o := f.lease(); o.reset != answered {
			return o
		}
		o := f.send()
		if errors.Is(o.err, sock.ErrStale) && (f.leg.reused() || f.multiplexed && stale < mostStale) {
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

// mostStale bounds how often a request meets an HTTP/2 connection that is new
// and takes no streams.
const mostStale = 3

// lease takes a leg to the endpoint: an idle connection or a stream, or opens
// one.
func (f *forwarding) lease() outcome {
	e, o := f.endpoint, outcome{}
	if f.multiplexed {
		o = f.leaseStream(e)
	} else {
		o = f.leaseConn(e)
	}
	if o.reset != answered {
		return o
	}
	e.Cells.RqActive.Inc()
	f.leg.lend(f.ex)
	f.ex.Upstream = f.leg.remote()
	if f.debug() {
		f.log("endpoint", "address", f.ex.Upstream, "reused", f.leg.reused())
	}
	return outcome{}
}

func (f *forwarding) leaseConn(e *Endpoint) outcome {
	f.ex.UpstreamVersion = l7.HTTP11
	c := e.pool.take()
	if c == nil {
		var o outcome
		if c, o = f.open(e); o.reset != answered {
			return o
		}
	}
	f.leg = c
	return outcome{}
}

func (f *forwarding) leaseStream(e *Endpoint) outcome {
	f.ex.UpstreamVersion = l7.HTTP2
	p, ok := e.mux.take()
	if !ok {
		var o outcome
		if p, o = f.openStream(e); o.reset != answered {
			return o
		}
	}
	f.stream.use(p)
	f.leg = &f.stream
	return outcome{}
}

// open opens a connection, within the cluster's limits: a request waits where
// they are reached, and is refused where too many wait. Each endpoint may
// always have one connection (Envoy 4.3).
func (f *forwarding) open(e *Endpoint) (*conn, outcome) {
	if o := f.pend(); o.reset != answered {
		return nil, o
	}
	defer f.unpend()
	if !e.reserve() {
		f.cluster.stats.Counter(cxOverflow).Inc()
		c, ok := e.pool.wait(f.ex, f.deadline())
		f.ex.Clock = sock.Now()
		if c != nil {
			return c, outcome{}
		}
		if !ok {
			return nil, f.waitedInVain()
		}
	}
	c, o := f.dial(e)
	f.ex.Clock = sock.Now()
	return c, o
}

// openStream waits for a place on an HTTP/2 connection, of which one more is
// opened within the same limits.
func (f *forwarding) openStream(e *Endpoint) (place, outcome) {
	if o := f.pend(); o.reset != answered {
		return place{}, o
	}
	defer f.unpend()
	stats := f.cluster.stats
	p, ok := e.mux.wait(f.ex, f.deadline(), stats.Counter(cxOverflow).Inc)
	f.ex.Clock = sock.Now()
	switch {
	case !ok:
		return p, f.waitedInVain()
	case p.stream == nil:
		stats.Counter(rqPendingFailureEject).Inc()
		e.Cells.RqError.Inc()
		return p, p.failed
	}
	return p, outcome{}
}

// pend takes a place among those that wait for a connection; unpend gives it
// back.
func (f *forwarding) pend() outcome {
	stats := f.cluster.stats
	if !f.cluster.breaker.PendingRequests.TryAcquire() {
		stats.Counter(rqPendingOverflow).Inc()
		return outcome{reset: overflowed}
	}
	stats.Counter(rqPendingTotal).Inc()
	f.cluster.gauge()
	return outcome{}
}

func (f *forwarding) unpend() {
	f.cluster.breaker.PendingRequests.Release()
	f.cluster.gauge()
}

// waitedInVain tells why a wait for a connection has ended without one.
func (f *forwarding) waitedInVain() outcome {
	if f.gone() {
		return outcome{reset: clientGone}
	}
	f.cluster.stats.Counter(rqTimeout).Inc()
	return outcome{reset: timedOut}
}

// dial opens a connection whose place in the limits is taken already.
func (f *forwarding) dial(e *Endpoint) (*conn, outcome) {
	stats := f.cluster.stats
	timeout := f.cluster.Spec().ConnectTimeout
	if by := f.deadline(); by > 0 {
		timeout = min(timeout, max(by-sock.Now(), time.Millisecond))
	}
	sc, o := e.connect(context.Background(), timeout)
	if o.reset == answered {
		return newConn(e, sc, f.cluster.manager.crew), outcome{}
	}
	if o.reset == connectTimedOut && f.overdue() {
		o.reset = timedOut
		stats.Counter(rqTimeout).Inc()
	}
	stats.Counter(rqPendingFailureEject).Inc()
	e.Cells.RqError.Inc()
	return nil, o
}

// send sends the request and reads the response's head.
func (f *forwarding) send() outcome {
	leg, ex := f.leg, f.ex
	f.request = l7.Outgoing{Head: &ex.Request, Whole: f.whole, Idle: f.route.Idle.Value}
	if f.live {
		f.request.Body, f.request.Whole = &f.replay, nil
	}
	f.headSeen.Store(false)
	writeBy := time.Duration(0)
	if f.request.Idle > 0 {
		writeBy = ex.Clock + f.request.Idle
	}
	leg.WriteBy(writeBy)
	leg.ReadBy(f.waitBy(ex.Clock))
	wrote, err := leg.Send(&f.request)
	if err == nil {
		err = leg.ReadResponse(ex)
	}
	if err != nil {
		return f.judge(err, wrote)
	}
	f.headSeen.Store(true)
	ex.Clock = sock.Now()
	if end := time.Duration(f.requestEnd.Load()); end > 0 {
		ex.UpstreamTime = ex.Clock - end
	}
	return outcome{wrote: true}
}

// judge turns an error into an outcome.
func (f *forwarding) judge(err error, wrote bool) outcome {
	o := outcome{reset: terminated, err: err, wrote: wrote, reused: f.leg.reused()}
	switch {
	case f.gone(), isCanceled(err):
		o.reset = clientGone
	case f.leg.BodyBroke():
		o.reset = clientBroke
	case errors.Is(err, l7.ErrInform):
		o.reset = downstreamFailed
	case isTimeout(err):
		o.reset = f.whichTimeout()
	default:
		o.reset = resetBy(err)
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
		if !f.multiplexed || f.stream.cutFirst() {
			stats.Counter(cxDestroyWithActiveRq).Inc()
		}
	case refusedStream, remoteReset:
		stats.Counter(rqRxReset).Inc()
	case protocolBroken:
		if !f.multiplexed { // there the connection says so: muxConn.Run
			stats.Counter(cxProtocolError).Inc()
		}
		stats.Counter(rqRxReset).Inc()
	case clientGone, idledOut, localReset, overflowed:
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

// drop ends the use of the leg, if there is one.
func (f *forwarding) drop(complete bool) {
	if f.leg == nil {
		return
	}
	pumped := f.leg.finish(f.ex, complete)
	f.leg = nil
	if pumped > f.ex.BytesReceived {
		f.ex.BytesReceived = pumped
	}
	f.endpoint.Cells.RqActive.Dec()
}

var _ l7.Lease = (*forwarding)(nil)

package upstream

import (
	"context"
	"io"
	"log/slog"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/resilience"
)

// Forward answers ex from the cluster as the route says, and returns when the
// response's head is there; the body is read through ex.Response.Body until
// ex.End. An error is a *l7.Failure.
func (c *Cluster) Forward(ex *l7.Exchange, route *mesh.Route) error {
	return c.forward(ex, route, nil)
}

// ForwardTo is Forward to an address that the app chose (Envoy: ORIGINAL_DST).
func (c *Cluster) ForwardTo(ex *l7.Exchange, addr netip.AddrPort, route *mesh.Route) error {
	return c.forward(ex, route, c.chosen.endpoint(c, addr))
}

func (c *Cluster) forward(ex *l7.Exchange, route *mesh.Route, fixed *Endpoint) error {
	spec := c.Spec()
	if f := refused(spec); f != nil {
		c.failGRPC(&ex.Request)
		return f
	}
	if !c.breaker.Requests.TryAcquire() {
		c.stats.Counter(rqPendingOverflow).Inc()
		c.failGRPC(&ex.Request)
		return outcome{reset: overflowed}.failure(false)
	}
	f := forwardings.Get().(*forwarding)
	f.multiplexed = spec.Protocol.Multiplexed()
	f.begin(c, ex, route, fixed)
	if err := f.run(); err != nil {
		f.finish(false)
		return err
	}
	ex.Lease = f
	return nil
}

// refused answers for a cluster whose documents ask for what is not there yet;
// nil for all others.
func refused(spec *mesh.Cluster) *l7.Failure {
	if spec.Refuse == "" {
		return nil
	}
	return &l7.Failure{Status: 503, Flag: l7.FlagConnectionFailure, Details: "cluster_refused",
		Body: "cluster " + spec.Name + " is not served: " + spec.Refuse}
}

// forwarding is one exchange under way upstream: the state of its attempts and
// then the lease of its response. It is reused.
type forwarding struct {
	cluster *Cluster
	ex      *l7.Exchange
	route   *mesh.Route

	gate     *Gate     // of which it holds a place, or nil
	fixed    *Endpoint // the only one to ask; nil: the picker's choice
	endpoint *Endpoint
	// multiplexed says that endpoints are spoken to in HTTP/2; leg is the attempt
	// under way, which is stream then.
	multiplexed bool
	leg         leg
	stream      stream
	picking     picking

	whole   []byte
	live    bool // the body was not here yet: replay reads it
	replay  replay
	request l7.Outgoing

	requestEnd atomic.Int64 // when the request had come as a whole; 0 not yet
	tryBy      atomic.Int64 // when the attempt's own timeout ends; 0 is none
	headSeen   atomic.Bool  // the attempt's response has begun
	permit     resilience.RetryPermit
	backoff    resilience.Backoff
	retries    int
	retried    bool
	uploading  atomic.Bool // it holds a place among the cluster's uploads
	gaveUp     bool        // a retry was wanted and not to be had
	staleOnce  bool
	refusals   int           // times it was sent again that it was not processed
	timeoutAt  int           // the field x-envoy-expected-rq-timeout-ms, or -1
	timeout    time.Duration // for the whole response; 0 is none
	grpc       *grpcCells    // nil: no gRPC
	// What End still has to know of the response, whose head may be gone by then.
	grpcHead grpcStatus
	body     l7.Body
}

var forwardings = sync.Pool{New: func() any {
	f := &forwarding{}
	f.replay.last = f.requestEnded
	f.stream.make()
	return f
}}

func (f *forwarding) begin(c *Cluster, ex *l7.Exchange, route *mesh.Route, fixed *Endpoint) {
	f.cluster, f.ex, f.route, f.fixed = c, ex, route, fixed
	f.retries, f.retried, f.gaveUp, f.staleOnce, f.refusals, f.timeoutAt = 0, false, false, false, 0, -1
	f.backoff = resilience.Backoff{}
	if p := route.Retry; p != nil {
		f.backoff = resilience.Backoff{Base: p.BackoffBase, Max: p.BackoffMax}
	}
	f.timeout, f.grpc = route.Timeout.Value, nil
	if isGRPC(&ex.Request) {
		f.beginGRPC()
	}
	if f.multiplexed {
		dropUpgrade(&ex.Request)
	}
	ex.Cluster = c.name
	c.stats.Gauge(rqActive).Inc()
	whole, ok := l7.Whole(ex.Request.Body)
	f.whole, f.live = whole, !ok
	if ok {
		if ex.RequestEnd == 0 {
			ex.RequestEnd = ex.Clock
		}
		ex.BytesReceived += uint64(len(whole))
		f.requestEnd.Store(int64(ex.RequestEnd))
		return
	}
	f.requestEnd.Store(0)
	most := int64(0)
	if route.Retry != nil || f.multiplexed { // its peer may refuse the stream
		most = c.manager.settings.ReplayMost
	}
	l7.SetIdle(ex.Request.Body, route.Idle.Value)
	f.replay.begin(ex.Request.Body, &c.manager.replay, most)
}

// dropUpgrade makes a request that asks for an upgrade one that does not. HTTP/2
// has no Upgrade (RFC 9113 8.6), and App Mesh lists http2 and grpc apart from
// websockets: Envoy would ask by extended CONNECT, which it must be told to
// allow, and App Mesh never did. A server may ignore an upgrade, so the request
// is sent without, and its answer is the one to a plain request.
func dropUpgrade(req *l7.Request) {
	if req.Upgrade {
		req.Upgrade = false
		req.Header.Remove(l7.NameUpgrade)
	}
}

// run makes attempts until one is to be passed on.
func (f *forwarding) run() error {
	if f.live && !f.beginUpload() {
		return f.conclude(outcome{reset: overflowed})
	}
	if f.live && f.ex.Request.Continue != nil {
		if err := f.ex.Request.Continue(); err != nil {
			return outcome{reset: downstreamFailed, err: err}.failure(false)
		}
	}
	for {
		o, again := f.again(f.attempt())
		if !again {
			return f.conclude(o)
		}
	}
}

// again decides whether an attempt is followed by another, and then waits
// until it is time; the attempt's connection has been given back. Otherwise it
// gives the outcome to conclude with.
func (f *forwarding) again(o outcome) (outcome, bool) {
	policy := f.route.Retry
	beside := f.beside(o)
	wanted := policy != nil && retriable(policy, o, f.ex) &&
		(policy.Explicit || f.cluster.manager.settings.RetryUnsafe || safe(o, f.ex))
	if !beside && !wanted || f.ex.Informed || f.overdue() || f.callerOverdue() {
		return o, false
	}
	f.gaveUp = true
	stats := f.cluster.stats
	switch {
	case f.live && f.replay.broken.Load():
		stats.Counter(retryAbandoned).Inc()
		return o, false
	case beside:
		stats.Counter(rqStaleReplay).Inc()
	case f.retries >= policy.MaxRetries:
		stats.Counter(rqRetryLimitExceeded).Inc()
		f.ex.Flags.Set(l7.FlagRetryLimitExceeded)
		return o, false
	case !f.permit.Acquire(f.cluster.budget, uint64(max(stats.Gauge(rqActive).Value(), 0))):
		stats.Counter(rqRetryOverflow).Inc()
		f.ex.Flags.Set(l7.FlagUpstreamOverflow)
		return o, false
	}
	if f.debug() {
		f.log("retry", "after", o.describe(f.ex), "beside the policy", beside, "retries", f.retries)
	}
	f.gaveUp = false
	f.giveBack(o)
	f.ex.Response.Header.Reset()
	if f.live && !f.replay.rewind() {
		stats.Counter(retryAbandoned).Inc()
		return outcome{reset: tooLarge}, false
	}
	switch {
	case beside && o.reset != refusedStream:
		f.staleOnce = true
	case beside:
		if f.refusals++; f.refusals > 1 {
			f.sleep(f.backoff.Next(f.cluster.manager.draw()))
		}
	default:
		f.retries++
		f.retried = true
		stats.Counter(rqRetry).Inc()
		stats.Counter(rqRetryBackoff).Inc()
		f.sleep(f.backoff.Next(f.cluster.manager.draw()))
	}
	f.ex.Clock = sock.Now()
	if f.gone() {
		return outcome{reset: clientGone}, false
	}
	return o, true
}

// sleep waits for a back-off, which is too short to watch the client meanwhile.
func (f *forwarding) sleep(d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	<-timer.C
}

// conclude passes the last attempt on, or says why there is nothing to pass on.
func (f *forwarding) conclude(o outcome) error {
	ex, stats := f.ex, f.cluster.stats
	if o.reset == answered {
		stats.Counter(rqCompleted).Inc()
		stats.Codes().Inc(ex.Response.Status)
		if f.retried && !f.gaveUp {
			stats.Counter(rqRetrySuccess).Inc()
		}
		f.body = ex.Response.Body
		if f.live {
			f.replay.enough()
		}
		if f.grpc != nil {
			f.grpcHead = grpcStatusOf(&ex.Response.Header)
		}
		ex.Details = ViaUpstream
		ex.RequestEnd = time.Duration(f.requestEnd.Load())
		f.bound()
		return nil
	}
	if f.grpc != nil {
		f.grpc.count(false)
	}
	if o.reset == clientBroke {
		f.drop(false) // nobody else reads the body any more
		_, o.err = ex.Request.Body.Buffered()
	}
	failure := o.failure(f.retried)
	if f.callerOverdue() {
		failure.GRPCStatus = l7.DeadlineExceeded
	}
	if f.debug() {
		f.log("failed", "answer", failure.Error())
	}
	if o.reset == connectFailed {
		ex.TransportFailure = transportFailure(o)
	}
	switch o.reset {
	case clientGone, clientBroke, downstreamFailed:
		stats.Counter(rqCancelled).Inc()
	default:
		stats.Counter(rqCompleted).Inc()
		stats.Codes().Inc(failure.Status)
	}
	return failure
}

// deadline is when the route's timeout ends: it begins when the request has
// come as a whole (Envoy 3.5) and covers all attempts and back-offs. 0 is none.
func (f *forwarding) deadline() time.Duration {
	end := time.Duration(f.requestEnd.Load())
	if end == 0 || f.timeout == 0 {
		return 0
	}
	return end + f.timeout
}

func (f *forwarding) overdue() bool {
	by := f.deadline()
	return by > 0 && sock.Now() >= by
}

// waitBy is how long to wait for the response's head: the route's timeout, the
// attempt's, or the idle timeout, whichever ends first. While the request is
// still coming there is none; requestEnded sets it then.
func (f *forwarding) waitBy(now time.Duration) time.Duration {
	f.tryBy.Store(0)
	if f.requestEnd.Load() == 0 {
		return 0
	}
	by := f.deadline()
	if f.route.Idle.Value > 0 {
		by = earlier(by, now+f.route.Idle.Value)
	}
	if p := f.route.Retry; p != nil && p.PerTryTimeout > 0 && !f.headSeen.Load() {
		if t := now + p.PerTryTimeout; by == 0 || t < by {
			f.tryBy.Store(int64(t))
			by = t
		}
	}
	return by
}

func earlier(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// requestEnded is called by the goroutine that passes the body on, when it has
// read the last byte and before it sends it: the timers begin, and no answer to
// the whole request can be here yet.
func (f *forwarding) requestEnded() {
	f.endUpload()
	now := sock.Now()
	if !f.requestEnd.CompareAndSwap(0, int64(now)) {
		return // the body is being sent again: send has set the timers
	}
	f.leg.Started(f.deadline())
	f.leg.ReadBy(f.waitBy(now))
	f.leg.Wake()
}

// bound sets the deadlines of the response's body.
func (f *forwarding) bound() {
	f.leg.Silence(f.route.Idle.Value)
	if by := f.deadline(); by > 0 {
		f.leg.Started(by)
	}
}

// expect tells the upstream how long we wait (Envoy:
// x-envoy-expected-rq-timeout-ms): the attempt's timeout if there is one, else
// the route's, at most what is left of it, at least 1.
func (f *forwarding) expect(now time.Duration) {
	if f.fixed != nil {
		return // somebody else's server: nothing is added to what the app says
	}
	limit := f.timeout
	if by := f.deadline(); by > 0 {
		limit = by - now
	}
	if p := f.route.Retry; p != nil && p.PerTryTimeout > 0 && (limit == 0 || p.PerTryTimeout < limit) {
		limit = p.PerTryTimeout
	}
	if limit == 0 {
		return
	}
	ex := f.ex
	at := len(ex.Scratch)
	// Rounded: what a few microseconds took must not show as a millisecond.
	ms := max(int64((limit+time.Millisecond/2)/time.Millisecond), 1)
	ex.Scratch = strconv.AppendInt(ex.Scratch, ms, 10)
	value := ex.Scratch[at:]
	if f.timeoutAt < 0 {
		f.timeoutAt = len(ex.Request.Header.Fields)
		ex.Request.Header.Add(l7.NameXEnvoy, expectedTimeout, value)
	} else {
		ex.Request.Header.Fields[f.timeoutAt].Value = value
	}
}

var expectedTimeout = []byte("x-envoy-expected-rq-timeout-ms")

// debug tells whether decisions are logged; log logs one.
func (f *forwarding) debug() bool {
	return f.cluster.manager.settings.Log.Enabled(context.Background(), slog.LevelDebug)
}

func (f *forwarding) log(decision string, args ...any) {
	args = append(args, "cluster", f.cluster.name, "attempt", f.ex.Attempts,
		"method", string(f.ex.Request.Method), "target", string(f.ex.Request.Target))
	f.cluster.manager.settings.Log.Debug(decision, args...)
}

func (f *forwarding) gone() bool { return f.ex.Peer != nil && f.ex.Peer.Gone().Load() }

// Hijack gives the connection of an upgraded response, the bytes that came
// behind its head, and how long the route lets it be silent (0: for ever). The
// lease must be ended when the tunnel is over.
func (f *forwarding) Hijack() (c *sock.Conn, early []byte, idle time.Duration) {
	h1 := f.leg.(*conn) // no other leg is ever upgraded
	return h1.Conn(), h1.Early(), f.route.Idle.Value
}

// ViaUpstream is l7.Exchange.Details of a response that an upstream began. If it
// broke off there, the end of the lease puts the reason in its place.
const ViaUpstream = "via_upstream"

// End ends the lease of the response (l7.Lease).
func (f *forwarding) End(complete bool) {
	stats := f.cluster.stats
	if f.grpc != nil {
		f.grpc.count(complete && f.grpcSucceeded())
	}
	switch {
	case complete:
		f.endpoint.Cells.RqSuccess.Inc()
	case f.gone():
		stats.Counter(rqCancelled).Inc()
	case f.overdue() && !f.ex.Response.Upgraded:
		f.ex.Flags.Set(l7.FlagRequestTimeout)
		f.ex.Details = "response_timeout"
		stats.Counter(rqTimeout).Inc()
		f.endpoint.Cells.RqTimeout.Inc()
	case !f.ex.Response.Upgraded && f.leg.BodyBroke():
		f.requestBroke()
	case !f.ex.Response.Upgraded:
		f.brokeOff()
	}
	end := time.Duration(f.requestEnd.Load())
	if end == 0 {
		end = f.ex.Start
	}
	stats.Histogram(rqTime).Observe(micros(f.ex.Clock - end))
	f.finish(complete)
}

// requestBroke says that it was the client's request that broke off, while its
// response was already passed on.
func (f *forwarding) requestBroke() {
	f.drop(false) // nobody else reads the body any more
	_, err := f.ex.Request.Body.Buffered()
	failure := brokenBody(err)
	f.ex.Flags.Set(failure.Flag)
	f.ex.Details = failure.Details
	f.cluster.stats.Counter(rqCancelled).Inc()
}

// brokeOff counts a response whose body the upstream did not bring to its end,
// and says by flag and details how (Envoy: late upstream reset). When it was the client that took no more,
// the body knows of no error.
func (f *forwarding) brokeOff() {
	_, err := f.body.Buffered()
	if err == nil || err == io.EOF || isTimeout(err) || isCanceled(err) {
		return
	}
	o := outcome{reset: resetBy(err), err: err}
	f.ex.Flags.Set(resetFlags[o.reset])
	f.ex.Details = "upstream_reset_after_response_started{" + resetTexts[o.reset].details + "}"
	f.failed(o)
}

// finish gives everything back: connection, permits, memory.
func (f *forwarding) finish(complete bool) {
	f.drop(complete)
	f.permit.Release()
	if f.live {
		f.endUpload()
		f.replay.end()
	}
	f.cluster.stats.Gauge(rqActive).Dec()
	f.cluster.breaker.Requests.Release()
	if f.gate != nil {
		f.gate.leave()
	}
	f.picking.reset()
	f.request = l7.Outgoing{}
	f.cluster, f.ex, f.route, f.gate, f.fixed, f.endpoint, f.whole, f.grpc, f.body = nil, nil, nil, nil, nil, nil, nil, nil, nil
	forwardings.Put(f)
}

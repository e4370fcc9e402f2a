package proxy

import (
	"errors"
	"sync"
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/filter"
	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/proxy/upstream"
)

// exchange is one request and its response at work: what serves them, whatever
// codec carries them. A connection of HTTP/1 has one at a time, one of HTTP/2
// many, each on a goroutine of its own. They are reused: an idle connection
// holds none.
type exchange struct {
	l7.Exchange
	on    *httpConn // shared with the connection's other exchanges
	codec codec
	last  *found
	own   found // where HTTP/2 keeps what it found
	kept  kept
}

// codec carries an exchange: a connection of HTTP/1, a stream of HTTP/2.
type codec interface {
	WriteResponse(ex *l7.Exchange) (bodyErr, err error)
	Responded() bool
}

var exchanges = sync.Pool{New: func() any {
	e := &exchange{}
	e.Scratch = make([]byte, 0, 128)
	e.Request.Header.Fields = make([]l7.Field, 0, 24)
	e.Response.Header.Fields = make([]l7.Field, 0, 24)
	return e
}}

// begin counts a request that has begun to come. When that was the caller or the
// codec says, in Start. finish and release must follow.
func begin(h *httpConn, c codec, last *found) *exchange {
	e := exchanges.Get().(*exchange)
	e.Reset()
	e.on, e.codec, e.last = h, c, last
	e.Downstream, e.Local = h.sock.Remote(), h.local
	h.server.exchanges.Add(1)
	h.stats.Counter(rqTotal).Inc()
	h.stats.Gauge(rqActive).Inc()
	return e
}

// chain finds the chain of the request in the routing of this moment, which
// the exchange keeps; nil when there is none.
func (e *exchange) chain() *chain { return e.on.find(e.on, e.last, &e.Exchange) }

// handle has the request answered by its chain, and tells whether there is
// somebody to pass the response on to.
func (e *exchange) handle(ch *chain) bool {
	if ch == nil {
		e.on.stats.Counter(noRoute).Inc()
		e.reply(errNoRoute)
		return true
	}
	if err := ch.handle(&e.Exchange); err != nil {
		e.Clock = sock.Now()
		e.on.stats.Counter(rqRxReset).Inc()
		return false // the client has left
	}
	return true
}

// reply fills the response with a failure, with the headers that every
// response gets.
func (e *exchange) reply(f *l7.Failure) {
	replyHeaders(func(ex *l7.Exchange) error {
		filter.Reply(ex, f)
		return nil
	})(&e.Exchange)
}

var replyHeaders = filter.ResponseHeaders(time.Now)

// unfinished tells whether some of the request's body has not come yet. While a
// lease is held the body belongs to the upstream's side.
func (e *exchange) unfinished() bool {
	if e.Lease != nil {
		return true
	}
	_, ended := l7.Whole(e.Request.Body)
	return !ended
}

// write writes the response; the errors are those of the codec. After bodyErr
// the caller must reset, so that the client does not take what it got for the
// whole.
func (e *exchange) write() (bodyErr, err error) {
	bodyErr, err = e.codec.WriteResponse(&e.Exchange)
	e.Clock = sock.Now()
	e.end(bodyErr == nil && err == nil)
	switch {
	case bodyErr != nil:
		e.broken(bodyErr)
	case err != nil:
		e.left()
	}
	return bodyErr, err
}

// broken says why a response broke off, where the end of its lease has not:
// what is wrong with an upstream is known there.
func (e *exchange) broken(err error) {
	switch {
	case e.Peer != nil && e.Peer.Gone().Load():
		e.left()
	case e.Details != upstream.ViaUpstream:
	case errors.Is(err, sock.ErrTimeout):
		e.Flags.Set(l7.FlagStreamIdleTimeout)
		e.Details = "stream_idle_timeout"
	default:
		e.left()
	}
}

// left says that the client took no more of its response.
func (e *exchange) left() {
	e.Flags.Set(l7.FlagDownstreamTermination)
	e.Details = "downstream_remote_disconnect"
}

// end ends the lease of the response. The access log is still going to look at
// its head and trailer, which lie in memory that the lease gives back.
func (e *exchange) end(complete bool) {
	switch {
	case e.Lease == nil:
		return
	case e.on.server.Routing().log == nil:
		e.Response.Header.Reset()
	default:
		e.kept.keep(&e.Response, complete)
	}
	e.End(complete)
}

// early counts, and tells, that the response came before the request had ended.
func (e *exchange) early() bool {
	ended := l7.Ended(e.Request.Body)
	if !ended {
		_, ended = l7.Whole(e.Request.Body)
	}
	if !ended {
		e.on.stats.Counter(rqResponseBeforeRqComplete).Inc()
	}
	return !ended
}

// finish counts and logs an exchange that is over.
func (e *exchange) finish() {
	e.end(false)
	stats := e.on.stats
	status := 0
	if e.codec.Responded() {
		status = e.Response.Status
		stats.Counter(rqCompleted).Inc()
		if class := status/100 - 1; class >= 0 && class < 5 {
			stats.Counter(rq1xx + class).Inc()
		}
	}
	if e.Flags.Has(l7.FlagDownstreamProtocolError) && e.Request.Version != l7.HTTP2 { // there the connection says so
		stats.Counter(cxProtocolError).Inc()
	}
	stats.Histogram(rqTime).Observe(uint64((e.Clock - e.Start) / time.Microsecond))
	e.log(status)
}

// release forgets the exchange; nothing of it may be used any more.
func (e *exchange) release() {
	e.on.server.exchanges.Add(-1)
	e.on.stats.Gauge(rqActive).Dec()
	e.on, e.codec, e.last, e.Peer = nil, nil, nil, nil
	e.own.chain, e.own.routing = nil, nil
	e.kept.reset()
	if cap(e.Scratch) > keptMost { // a rare giant's
		e.Scratch = nil
	}
	exchanges.Put(e)
}

package upstream

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"syscall"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/proxy/l7/h1"
	"github.com/outrider-mesh/outrider/proxy/l7/h2"
)

// reset is how an attempt ended without a response (Envoy 3.9).
type reset uint8

const (
	answered         reset = iota // there is a response
	connectFailed                 // refused, unreachable
	connectTimedOut               // connect timeout
	terminated                    // the peer closed before a whole response head
	protocolBroken                // what came is no HTTP
	remoteReset                   // the peer reset the stream
	refusedStream                 // the same, and has not processed the request
	timedOut                      // the route's timeout
	tryTimedOut                   // the per-try timeout
	idledOut                      // silence for the idle timeout
	overflowed                    // a limit of the cluster, or of the process's memory
	noEndpoint                    // nobody to ask
	clientGone                    // the downstream peer left
	clientBroke                   // its request's body broke off
	downstreamFailed              // its connection could not be written to
	tooLarge                      // the body outgrew what is kept while a retry was due
	localReset                    // we reset the stream: its response's head is over our limits
)

// resetText is Envoy's text of the reason, and its form in the details.
var resetTexts = [...]struct{ reason, details string }{
	connectFailed:   {"remote connection failure", "remote_connection_failure"},
	connectTimedOut: {"connection timeout", "connection_timeout"},
	terminated:      {"connection termination", "connection_termination"},
	protocolBroken:  {"protocol error", "protocol_error"},
	remoteReset:     {"remote reset", "remote_reset"},
	refusedStream:   {"remote refused stream reset", "remote_refused_stream_reset"},
	tryTimedOut:     {"local reset", "local_reset"},
	overflowed:      {"overflow", "overflow"},
	localReset:      {"local reset", "local_reset"},
}

var resetFlags = [...]l7.Flag{
	connectFailed:   l7.FlagConnectionFailure,
	connectTimedOut: l7.FlagConnectionFailure,
	terminated:      l7.FlagConnectionTermination,
	protocolBroken:  l7.FlagUpstreamProtocolError,
	remoteReset:     l7.FlagRemoteReset,
	refusedStream:   l7.FlagRemoteReset,
	timedOut:        l7.FlagRequestTimeout,
	tryTimedOut:     l7.FlagRequestTimeout,
	idledOut:        l7.FlagStreamIdleTimeout,
	overflowed:      l7.FlagUpstreamOverflow,
	localReset:      l7.FlagLocalReset,
	noEndpoint:      l7.FlagNoHealthyUpstream,
	clientGone:      l7.FlagDownstreamTermination,
}

// outcome is how one attempt ended.
type outcome struct {
	reset reset
	err   error
	// wrote tells that part of the request may have reached the peer; reused
	// that its connection had carried another one before.
	wrote, reused bool
}

// describe is the outcome in a word or two, for the log.
func (o outcome) describe(ex *l7.Exchange) string {
	if o.reset == answered {
		return "status " + strconv.Itoa(ex.Response.Status)
	}
	return o.failure(false).Error()
}

// failure is what the client is told, by Envoy's table (2.3).
func (o outcome) failure(retried bool) *l7.Failure {
	f := &l7.Failure{Status: 503, Cause: o.err}
	if int(o.reset) < len(resetFlags) {
		f.Flag = resetFlags[o.reset]
	}
	switch o.reset {
	case timedOut, tryTimedOut:
		f.Status, f.Body, f.Details = 504, "upstream request timeout", "response_timeout"
		if o.reset == tryTimedOut {
			f.Details = "upstream_per_try_timeout"
		}
	case idledOut:
		f.Status, f.Body, f.Details = 504, "stream timeout", "stream_idle_timeout"
	case noEndpoint:
		f.Body, f.Details = "no healthy upstream", "no_healthy_upstream"
	case tooLarge:
		f.Status, f.Body = 507, "exceeded request buffer limit while retrying upstream"
		f.Details, f.Close = "request_payload_exceeded_retry_buffer_limit", true
	case clientBroke:
		return brokenBody(o.err)
	case clientGone, downstreamFailed:
		f.Status, f.Details, f.Close = 0, "downstream_remote_disconnect", true
	default:
		text := resetTexts[o.reset]
		f.Body = "upstream connect error or disconnect/reset before headers. "
		if retried {
			f.Body += "retried and the latest "
		}
		f.Body += "reset reason: " + text.reason
		f.Details = "upstream_reset_before_response_started{" + text.details
		if why := transportFailure(o); why != "" {
			f.Body += ", transport failure reason: " + why
			f.Details += "|" + underscored(why)
		}
		f.Details += "}"
		if o.reset == protocolBroken {
			f.Status = 502
		}
		f.Overloaded = o.reset == overflowed
	}
	return f
}

// brokenBody is the answer to a request whose body broke off: none when the
// client has left, else what was wrong with it.
func brokenBody(err error) *l7.Failure {
	var bad *h1.Error
	var breach *h2.Error
	switch {
	case errors.Is(err, h2.ErrMemory):
		// As below, but the client has broken nothing.
		return &l7.Failure{Flag: l7.FlagUpstreamOverflow, Details: h2.ErrMemory.(*h2.Error).Details, Close: true, Cause: err}
	case errors.As(err, &breach) && !breach.Remote && breach.Code != h2.Cancel:
		// The stream has been reset already: there is nobody to answer.
		return &l7.Failure{Flag: l7.FlagDownstreamProtocolError, Details: breach.Details, Close: true, Cause: err}
	case errors.As(err, &bad):
		return &l7.Failure{Status: bad.Status, Flag: l7.FlagDownstreamProtocolError,
			Details: bad.Details, Body: bad.Text, Close: true, Cause: err}
	case isTimeout(err):
		return &l7.Failure{Status: 408, Flag: l7.FlagStreamIdleTimeout,
			Details: "stream_idle_timeout", Body: "stream timeout", Close: true, Cause: err}
	}
	return outcome{reset: clientGone, err: err}.failure(false)
}

// transportFailure is Envoy's text of why a connection could not be opened.
func transportFailure(o outcome) string {
	var errno syscall.Errno
	if o.reset != connectFailed || !errors.As(o.err, &errno) {
		return ""
	}
	text := []byte(errno.Error())
	if len(text) > 0 && 'a' <= text[0] && text[0] <= 'z' {
		text[0] -= 'a' - 'A' // as the C library spells it
	}
	return "delayed connect error: " + string(text)
}

func underscored(s string) string {
	b := []byte(s)
	for i := range b {
		if b[i] == ' ' {
			b[i] = '_'
		}
	}
	return string(b)
}

// connectReset tells a timeout from a refusal.
func connectReset(err error) reset {
	var ne net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.As(err, &ne) && ne.Timeout() {
		return connectTimedOut
	}
	return connectFailed
}

// resetBy tells what an error of the upstream connection means.
//
// A response's head over our limits (100 fields, 60 KiB) is a breach in HTTP/1,
// 502 UPE; in HTTP/2 it is ours to reset the stream, 503 (Envoy 2.7), and what we
// reset is LR (Envoy 3.9).
func resetBy(err error) reset {
	var bad *h1.Error
	var breach *h2.Error
	switch {
	case errors.As(err, &bad):
		return protocolBroken
	case errors.Is(err, h2.ErrRefused):
		return refusedStream
	case errors.Is(err, h2.ErrMemory):
		return overflowed
	case errors.As(err, &breach) && overLimits(breach):
		return localReset
	case errors.As(err, &breach) && !breach.Remote:
		return protocolBroken
	case errors.As(err, &breach) && !breach.Conn:
		return remoteReset
	}
	return terminated
}

// overLimits tells that a response's head, or its trailers, were larger than we
// take: of a stream, or so much that the connection was ended.
func overLimits(e *h2.Error) bool {
	return !e.Remote && e.Code == h2.EnhanceYourCalm && (!e.Conn || e.Details == "http2.header_overflow")
}

// isTimeout tells that a deadline of ours has passed.
func isTimeout(err error) bool { return errors.Is(err, sock.ErrTimeout) }

// isCanceled tells that the client has left.
func isCanceled(err error) bool { return errors.Is(err, sock.ErrCanceled) }

package proxy

import (
	"net/netip"
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/stat"
	"github.com/outrider-mesh/outrider/proxy/l4"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// logExchange tells the access log, if there is one, of an exchange that is
// over. status is 0 when no response was sent.
func (h *httpConn) logExchange(ex *l7.Exchange, status int) {
	log := h.server.Routing().log
	if log == nil {
		return
	}
	req := &ex.Request
	r := stat.Record{
		Start:            sock.Wall(ex.Start),
		Duration:         ex.Clock - ex.Start,
		Protocol:         req.Version.String(),
		Method:           req.Method,
		Path:             req.Target,
		Authority:        req.Authority,
		Code:             status,
		Flags:            ex.Flags.String(),
		Details:          ex.Details,
		TransportFailure: ex.TransportFailure,
		BytesReceived:    ex.BytesReceived,
		BytesSent:        ex.BytesSent,
		UpstreamTime:     ex.UpstreamTime,
		Route:            ex.Route,
		Cluster:          ex.Cluster,
		Upstream:         ex.Upstream,
		Downstream:       ex.Downstream,
		Local:            ex.Local,
		Attempts:         ex.Attempts,
		Request:          &req.Header,
	}
	if ex.Upstream.IsValid() {
		r.UpstreamProtocol = ex.Response.Version.String()
	}
	if status != 0 {
		r.Response = &ex.Response.Header
	}
	log.Log(&r)
}

var protocols = [...]string{"HTTP/1.0", "HTTP/1.1"}

// logStream tells the access log of a TCP connection that is over. err is why
// no upstream could be reached, nil when one was.
func (c *conn) logStream(s *l4.Session, start time.Duration, err error) {
	log := c.server.Routing().log
	if log == nil {
		return
	}
	r := stat.Record{
		Start:         sock.Wall(start),
		Duration:      sock.Now() - start,
		BytesReceived: s.Received,
		BytesSent:     s.Sent,
		UpstreamTime:  -1,
		Cluster:       s.Cluster,
		Upstream:      s.Upstream,
		Downstream:    c.sock.Remote(),
		Local:         s.Local,
		ServerName:    s.ServerName,
	}
	if f, ok := err.(*l7.Failure); ok {
		r.Flags, r.Details = f.Flag.String(), f.Details
		if f.Cause != nil {
			r.TransportFailure = f.Cause.Error()
		}
	}
	log.Log(&r)
}

// logRefused tells the access log of a connection that no chain took.
func (c *conn) logRefused(dst netip.AddrPort) {
	log := c.server.Routing().log
	if log == nil {
		return
	}
	log.Log(&stat.Record{
		Start:        sock.Wall(c.born),
		Duration:     sock.Now() - c.born,
		Flags:        l7.FlagNoRoute.String(),
		UpstreamTime: -1,
		Downstream:   c.sock.Remote(),
		Local:        dst,
	})
}

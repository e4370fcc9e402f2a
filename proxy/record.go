package proxy

import (
	"net/netip"
	"slices"
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/stat"
	"github.com/outrider-mesh/outrider/proxy/l4"
	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/proxy/upstream"
)

// log tells the access log, if there is one, of an exchange that is over.
// status is 0 when no response was sent.
func (e *exchange) log(status int) {
	log := e.on.server.Routing().log
	if log == nil {
		return
	}
	req := &e.Request
	r := stat.Record{
		Start:            sock.Wall(e.Start),
		Duration:         e.Clock - e.Start,
		Protocol:         req.Version.String(),
		Method:           req.Method,
		Path:             req.Target,
		Authority:        req.Authority,
		Code:             status,
		Flags:            e.Flags.String(),
		Details:          e.Details,
		TransportFailure: e.TransportFailure,
		BytesReceived:    e.BytesReceived,
		BytesSent:        e.BytesSent,
		UpstreamTime:     e.UpstreamTime,
		Route:            e.Route,
		Cluster:          e.Cluster,
		Upstream:         e.Upstream,
		Downstream:       e.Downstream,
		Direct:           e.on.sock.Remote(),
		Local:            e.Local,
		Attempts:         e.Attempts,
		Request:          &req.Header,
	}
	if e.RequestEnd > 0 {
		r.RequestDuration = e.RequestEnd - e.Start
	}
	if e.Upstream.IsValid() {
		r.UpstreamProtocol = e.UpstreamVersion.String()
	}
	if status != 0 {
		r.Response = &e.Response.Header
	}
	if len(e.kept.trailer.Fields) > 0 {
		r.Trailer = &e.kept.trailer
	}
	log.Log(&r)
}

// kept is what the access log is told of a response whose memory has been given
// back. It is reused.
type kept struct {
	memory  []byte
	trailer l7.Header
}

// keptMost is how much memory is kept for the next response.
const keptMost = 4 << 10

// keep moves the head, and after the whole body the trailer, to memory of our
// own.
func (k *kept) keep(resp *l7.Response, whole bool) {
	if whole {
		if t := resp.Body.Trailer(); t != nil {
			k.trailer.Fields = append(k.trailer.Fields, t.Fields...)
		}
	}
	size := 0
	for _, h := range [...]*l7.Header{&resp.Header, &k.trailer} {
		for i := range h.Fields {
			size += len(h.Fields[i].Name) + len(h.Fields[i].Value)
		}
	}
	k.memory = slices.Grow(k.memory, size) // once: what was moved stays
	for _, h := range [...]*l7.Header{&resp.Header, &k.trailer} {
		for i := range h.Fields {
			if f := &h.Fields[i]; f.Name != nil {
				f.Name, f.Value = k.move(f.Name), k.move(f.Value)
			}
		}
	}
}

func (k *kept) move(p []byte) []byte {
	at := len(k.memory)
	k.memory = append(k.memory, p...)
	return k.memory[at:]
}

func (k *kept) reset() {
	k.memory = k.memory[:0]
	if cap(k.memory) > keptMost {
		k.memory = nil
	}
	clear(k.trailer.Fields)
	k.trailer.Reset()
}

// logBreach tells the access log of a connection that its client ended by
// breaking the protocol, outside of any request.
func (h *httpConn) logBreach(details string) {
	log := h.server.Routing().log
	if log == nil {
		return
	}
	log.Log(&stat.Record{
		Start:        sock.Wall(h.born),
		Duration:     sock.Now() - h.born,
		Protocol:     l7.HTTP2.String(),
		Flags:        l7.FlagDownstreamProtocolError.String(),
		Details:      details,
		UpstreamTime: -1,
		Downstream:   h.sock.Remote(),
		Local:        h.local,
	})
}

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
		Sniffed:       s.Sniffed,
	}
	if f, ok := err.(*l7.Failure); ok {
		flags := upstream.StreamFlags(err)
		r.Flags, r.Details = flags.String(), f.Details
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

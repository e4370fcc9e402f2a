package l4

import (
	"net/netip"
	"strings"
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/relay"
	"github.com/outrider-mesh/outrider/proxy/sniff"
	"github.com/outrider-mesh/outrider/proxy/upstream"
)

// Session is one downstream connection whose bytes are passed on.
type Session struct {
	Down *sock.Conn
	// Early has been read from Down already, Late from the upstream.
	Early, Late []byte
	// Idle closes both when no byte has come from either; 0 is never.
	Idle time.Duration
	// Splicing moves long streams inside the kernel; nil: none is.
	Splicing *relay.Splicing
	// Stats counts what Relay passes on; nil: nobody does.
	Stats *Stats
	// Witness, if there is one, says what was Sniffed.
	Witness *sniff.Witness

	// What the access log is told.
	Local          netip.AddrPort
	Upstream       netip.AddrPort
	Cluster        string
	ServerName     string
	Sniffed        string // see sniff.Protocol
	Received, Sent uint64
	End            relay.End
}

// Relay passes bytes both ways until both sides have ended, and closes the
// stream.
func (s *Session) Relay(stream *upstream.Stream) {
	s.relay(stream.Conn, s.Stats)
	stream.Close()
}

// RelayConn is Relay for a connection that belongs to somebody else, who counts
// it and still has to close it.
func (s *Session) RelayConn(up *sock.Conn) { s.relay(up, nil) }

func (s *Session) relay(conn *sock.Conn, stats *Stats) {
	s.Upstream = conn.Remote()
	down, up := relay.Side{Conn: s.Down, Early: s.Early}, relay.Side{Conn: conn, Early: s.Late}
	if s.Witness != nil {
		down.First, up.First = s.Witness.Client, s.Witness.Server
	}
	stats.began(&down, &up)
	r := s.Splicing.Run(down, up, s.Idle)
	stats.ended(r.End)
	s.Received, s.Sent, s.End = r.Up, r.Down, r.End
	if s.Witness != nil {
		s.hear(s.Witness)
	}
}

// hear takes over the verdict of a witness that has seen all.
func (s *Session) hear(w *sniff.Witness) {
	w.End()
	p, name := w.Verdict()
	if s.Sniffed = p.String(); name != "" {
		s.ServerName = name
	}
}

// IsAWS tells the names that App Mesh lets through to AWS's own services,
// under DROP_ALL too. name is in lower case.
func IsAWS(name string) bool { return strings.HasSuffix(name, ".amazonaws.com") }

// ServerName waits for the first bytes of a connection and reads the server
// name of a TLS ClientHello, without consuming it. ok is false when the client
// speaks something else, or nothing within timeout.
func ServerName(c *sock.Conn, timeout time.Duration) (name string, ok bool) {
	c.ReadBy(sock.Now() + timeout)
	defer c.ReadBy(0)
	buf := make([]byte, 1<<10)
	for least := 1; ; {
		n, err := c.Peek(buf, least)
		name, complete, bad := sniff.ServerName(buf[:n])
		switch {
		case bad != nil:
			return "", false
		case complete:
			return name, true
		case err != nil || n == maxHello:
			return "", false
		}
		if least = n + 1; n == len(buf) {
			buf = make([]byte, min(4*len(buf), maxHello))
		}
	}
}

// maxHello bounds a ClientHello (Envoy: 16 KiB).
const maxHello = 16<<10 + 64

// ReadServerName is ServerName for a connection whose first bytes, early, were
// read already. It reads on, and gives all that was read.
func ReadServerName(c *sock.Conn, early []byte, timeout time.Duration) (read []byte, name string) {
	c.ReadBy(sock.Now() + timeout)
	defer c.ReadBy(0)
	for {
		name, complete, err := sniff.ServerName(early)
		if complete || err != nil || len(early) >= maxHello {
			return early, name
		}
		var buf [512]byte
		n, readErr := c.Read(buf[:])
		early = append(early, buf[:n]...)
		if readErr != nil {
			return early, ""
		}
	}
}

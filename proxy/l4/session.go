package l4

import (
	"net/netip"
	"slices"
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
	// Stats counts what a stream passes on; nil: nobody does.
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

	relay *relay.Relay
}

// Begin makes a relay between the connection and the stream. Its Run passes bytes
// both ways until both sides have ended; it may take for ever, on little stack.
// Then Finish is to be called.
func (s *Session) Begin(stream *upstream.Stream) *relay.Relay {
	s.begin(stream.Conn, s.Stats)
	return s.relay
}

// Finish closes the stream, and takes down what passed.
func (s *Session) Finish(stream *upstream.Stream) {
	s.finish(s.Stats)
	stream.Close()
}

// RelayConn is Begin, Run and Finish for a connection that belongs to somebody
// else, who counts it and still has to close it.
func (s *Session) RelayConn(up *sock.Conn) {
	s.begin(up, nil)
	s.relay.Run()
	s.finish(nil)
}

func (s *Session) begin(conn *sock.Conn, stats *Stats) {
	s.Upstream = conn.Remote()
	down, up := relay.Side{Conn: s.Down, Early: s.Early}, relay.Side{Conn: conn, Early: s.Late}
	if s.Witness != nil {
		down.First, up.First = s.Witness.Client, s.Witness.Server
	}
	s.Early, s.Late = nil, nil
	stats.began(&down, &up)
	s.relay = s.Splicing.Begin(down, up, s.Idle)
}

func (s *Session) finish(stats *Stats) {
	r := s.relay.Result()
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
// name of a TLS ClientHello. ok is false when the client speaks something else,
// or says too little within timeout. What is there at once is looked at and not
// consumed; if that is a hello in part, the rest is read, and early is all of it:
// it has to reach the other side first. (The kernel acknowledges late what is
// only looked at, so that a client that writes its hello piece by piece would
// wait for its congestion window.)
func ServerName(c *sock.Conn, timeout time.Duration) (early []byte, name string, ok bool) {
	c.ReadBy(sock.Now() + timeout)
	defer c.ReadBy(0)
	buf := make([]byte, 2<<10) // most hellos fit
	n, err := c.Peek(buf, 1)
	name, missing, bad := sniff.ServerNameSoFar(buf[:n])
	if missing == 0 || err != nil {
		return nil, name, missing == 0 && bad == nil
	}
	return readHello(c, nil)
}

// ReadServerName is ServerName for a connection whose first bytes, early, were
// read already. It reads on, and gives all that was read.
func ReadServerName(c *sock.Conn, early []byte, timeout time.Duration) (read []byte, name string) {
	c.ReadBy(sock.Now() + timeout)
	defer c.ReadBy(0)
	read, name, _ = readHello(c, early)
	return read, name
}

// readHello appends to early until it is a hello or cannot become one, which
// takes less than sniff.MaxHello bytes and one piece.
func readHello(c *sock.Conn, early []byte) (read []byte, name string, ok bool) {
	for {
		name, missing, bad := sniff.ServerNameSoFar(early)
		if missing == 0 || bad != nil {
			return early, name, bad == nil
		}
		for need := len(early) + missing; len(early) < need; {
			early = slices.Grow(early, max(need-len(early), 512))
			n, err := c.Read(early[len(early):cap(early)])
			if early = early[:len(early)+n]; err != nil {
				return early, "", false
			}
		}
	}
}

package proxy

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/stat"
	"github.com/outrider-mesh/outrider/proxy/l4"
	"github.com/outrider-mesh/outrider/proxy/relay"
	"github.com/outrider-mesh/outrider/proxy/upstream"
)

// streams is what a server's connections share that carry bytes, not requests.
type streams struct {
	stats    [2]*l4.Stats // by mesh.Direction
	splicing *relay.Splicing
	sniffs   *stat.Group // see verdict.go
}

func newStreams(stats *stat.Set) streams {
	return streams{
		stats: [...]*l4.Stats{
			mesh.Ingress: l4.NewStats(stats, mesh.Ingress.String()),
			mesh.Egress:  l4.NewStats(stats, mesh.Egress.String()),
		},
		splicing: relay.NewSplicing(stats),
		sniffs:   stats.Group("sniff.", &sniffLayout),
	}
}

// serveTCP relays bytes to one of the chain's clusters.
func (c *conn) serveTCP(ch *chain, dst netip.AddrPort) {
	s, cluster := c.session(ch, dst)
	stream, err := connect(cluster)
	c.passOn(&s, stream, err)
}

// session is one of a TCP chain, and the cluster it goes to, or nil.
func (c *conn) session(ch *chain, dst netip.AddrPort) (l4.Session, *upstream.Cluster) {
	s := l4.Session{Down: c.sock, Local: dst, Idle: ch.spec.IdleTimeout.Value}
	cluster := ch.targets.Pick(rand.Uint64())
	if cluster != nil {
		s.Cluster = cluster.Name()
	}
	return s, cluster
}

func connect(cluster *upstream.Cluster) (*upstream.Stream, error) {
	if cluster == nil {
		return nil, errNoWeight
	}
	return cluster.Connect()
}

// relay passes bytes both ways from now on, if the stream could be opened, and
// tells the access log of it.
func (c *conn) relay(s *l4.Session, stream *upstream.Stream, err error) {
	st := c.begin(sock.Now(), s, stream, err)
	if st.relay != nil {
		st.relay.Run()
	}
	st.end()
}

// passOn is relay for a connection that carries nothing else.
func (c *conn) passOn(s *l4.Session, stream *upstream.Stream, err error) {
	st := c.begin(c.born, s, stream, err)
	if st.relay == nil {
		st.end()
		return
	}
	c.apart(st)
}

// streaming is a stream at work.
type streaming struct {
	conn    *conn
	start   time.Duration
	session *l4.Session
	stream  *upstream.Stream
	relay   *relay.Relay // nil: there is no stream
	err     error        // why
}

// begin counts a session that begins.
func (c *conn) begin(start time.Duration, s *l4.Session, stream *upstream.Stream, err error) *streaming {
	c.server.exchanges.Add(1) // a stream is something under way: a drain waits for it
	streams := &c.server.streams
	s.Stats, s.Splicing = streams.stats[c.listener.bind.Direction], streams.splicing
	st := &streaming{conn: c, start: start, session: s, stream: stream, err: err}
	switch {
	case err == nil:
		st.relay = s.Begin(stream)
	case err == errNoWeight:
		s.Stats.NoRoute()
	default:
		c.server.Log.Debug("connecting upstream failed", component("tcp"), "cluster", s.Cluster, "error", err)
		s.Stats.Failed()
	}
	return st
}

// serve relays, on a small stack.
func (st *streaming) serve() {
	st.relay.Run()
	st.end()
}

// end tells what passed.
func (st *streaming) end() {
	if st.relay != nil {
		st.session.Finish(st.stream)
	}
	st.conn.logStream(st.session, st.start, st.err)
	st.conn.server.exchanges.Add(-1)
}

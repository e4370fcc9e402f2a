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
	c.relayFrom(c.born, &s, stream, err)
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
	c.relayFrom(sock.Now(), s, stream, err)
}

// relayFrom is relay for a session that began at start.
func (c *conn) relayFrom(start time.Duration, s *l4.Session, stream *upstream.Stream, err error) {
	c.server.exchanges.Add(1) // a stream is something under way: a drain waits for it
	defer c.server.exchanges.Add(-1)
	streams := &c.server.streams
	s.Stats, s.Splicing = streams.stats[c.listener.bind.Direction], streams.splicing
	switch {
	case err == nil:
		s.Relay(stream)
	case err == errNoWeight:
		s.Stats.NoRoute()
	default:
		c.server.Log.Debug("connecting upstream failed", component("tcp"), "cluster", s.Cluster, "error", err)
		s.Stats.Failed()
	}
	c.logStream(s, start, err)
}

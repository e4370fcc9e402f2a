package upstream

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/stat"
	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/proxy/l7/h2"
	"github.com/outrider-mesh/outrider/resilience"
)

// Settings are what holds for all clusters, beyond what documents say.
type Settings struct {
	// RetryPercent and RetryLeast are the retry budget: a share of a cluster's
	// requests, and how many in any case. Percent 0: no budget.
	RetryPercent, RetryLeast uint32
	// RetryUnsafe lets the default policy replay non-idempotent requests that
	// may have been processed, as App Mesh did.
	RetryUnsafe bool
	// ReplayMost is how many bytes of a request's body are kept for a retry;
	// ReplayBudget how many for all exchanges together.
	ReplayMost, ReplayBudget int64
	// HTTP2 bounds what the peers of HTTP/2 connections may ask; the zero value
	// is h2's defaults. StreamBudget bounds what all of them buffer beyond their
	// initial windows; nil: windows do not grow.
	HTTP2        h2.Limits
	StreamBudget *h2.Budget
	// MaxRequestsPerConnection closes a connection after so many requests, 1
	// after each (Envoy: max_requests_per_connection); 0 is no bound.
	MaxRequestsPerConnection uint32
	// MaxUnfinishedUploads bounds, for each cluster, the requests under way whose
	// body has not come as a whole; 0 is no bound.
	MaxUnfinishedUploads uint32
	// GRPCTimeout says what a request's grpc-timeout does.
	GRPCTimeout GRPCTimeout
	// Draw gives random bits for picks and back-offs; nil: a good source.
	Draw func() uint64
	// Log gets a line for each attempt and retry, at debug. It must be there.
	Log *slog.Logger
}

// Manager keeps all clusters of the process. They outlive snapshots: Sync
// carries over those that the next one names too.
type Manager struct {
	settings Settings
	stats    *stat.Set
	crew     *l7.Crew
	sweeper  sweeper
	replay   replayBudget
	own      atomic.Pointer[[]netip.AddrPort]
	quit     chan struct{}
	done     sync.WaitGroup
	// dialing ends with Close: the connections that no request opens itself.
	dialing     context.Context
	stopDialing context.CancelFunc

	mu       sync.Mutex
	clusters map[string]*Cluster
}

// NewManager makes a manager; Close ends its goroutine.
func NewManager(settings Settings, stats *stat.Set) *Manager {
	if settings.Draw == nil {
		settings.Draw = rand.Uint64
	}
	m := &Manager{
		settings: settings,
		stats:    stats,
		crew:     l7.NewCrew(),
		quit:     make(chan struct{}),
		clusters: make(map[string]*Cluster),
	}
	m.dialing, m.stopDialing = context.WithCancel(context.Background())
	m.replay.left.Store(settings.ReplayBudget)
	m.done.Go(func() { m.sweeper.run(m.quit) })
	return m
}

// Sync makes a cluster of each spec, carries over those that exist, and gives
// the clusters in the order of specs. Clusters no longer named are retired by
// the function it gives back, which is to be called once nothing routes to
// them any more. A long list is worked off in pieces, so that traffic goes on.
func (m *Manager) Sync(specs []*mesh.Cluster) (clusters []*Cluster, retire func()) {
	var yield sock.Yielder
	defer yield.Close()
	m.mu.Lock()
	defer m.mu.Unlock()
	named := make(map[string]bool, len(specs))
	for i, spec := range specs {
		if i%16 == 15 {
			yield.Yield()
		}
		named[spec.Name] = true
		c := m.clusters[spec.Name]
		if c == nil {
			c = m.newCluster(spec)
			m.clusters[spec.Name] = c
		}
		c.apply(spec)
		clusters = append(clusters, c)
	}
	var old []*Cluster
	for name, c := range m.clusters {
		if !named[name] {
			delete(m.clusters, name)
			old = append(old, c)
		}
	}
	return clusters, func() {
		var yield sock.Yielder
		defer yield.Close()
		for i, c := range old {
			if i%16 == 15 {
				yield.Yield()
			}
			c.retire()
		}
	}
}

func (m *Manager) newCluster(spec *mesh.Cluster) *Cluster {
	c := &Cluster{
		manager: m,
		name:    spec.Name,
		stats:   m.stats.Group("cluster."+spec.Name+".", &clusterLayout),
		budget:  resilience.NewRetryBudget(m.settings.RetryPercent, m.settings.RetryLeast),
	}
	c.uploads.SetMax(m.settings.MaxUnfinishedUploads)
	c.grpc.begin(m.stats, spec.Name)
	c.spec.Store(spec)
	c.members.Store(nobody)
	return c
}

// Cluster gives a cluster by name, or nil.
func (m *Manager) Cluster(name string) *Cluster {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.clusters[name]
}

// Update sets the endpoints of a cluster by name, if there is such a cluster.
func (m *Manager) Update(name string, addrs []netip.AddrPort) {
	if c := m.Cluster(name); c != nil {
		c.Update(addrs)
	}
}

// http2 is what the HTTP/2 connections of a cluster share.
func (m *Manager) http2(cluster string) *h2.Config {
	cells := m.stats.Group("cluster."+cluster+".", &clusterLayout)
	return &h2.Config{
		Limits:   m.settings.HTTP2,
		Budget:   m.settings.StreamBudget,
		Crew:     m.crew,
		Stats:    m.stats.Group("cluster."+cluster+".http2.", &h2.Layout),
		Received: cells.Counter(cxRxBytes),
		Sent:     cells.Counter(cxTxBytes),
	}
}

// Close closes all idle connections and waits for the manager's goroutine.
// Exchanges under way may still finish; those that wait for an HTTP/2
// connection to be opened fail.
func (m *Manager) Close() {
	m.stopDialing()
	close(m.quit)
	m.done.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.clusters {
		c.retire()
	}
	m.crew.Close()
}

// draw gives random bits, for choices that need no secret.
func (m *Manager) draw() uint64 { return m.settings.Draw() }

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

package discovery

import (
	"context"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/stat"
)

// Options are what a Watcher is made of. The zero value is ready.
type Options struct {
	// Resolver looks names up; nil is a Resolver with the system's files.
	Resolver resolver
	// Refresh is the time between two lookups; 0 is 5 s.
	Refresh time.Duration
	// EmptyKeep is how long endpoints outlive their name; 0 is 60 s, less
	// than 0 not at all.
	EmptyKeep time.Duration
	// Endpoints is the path of a file of static endpoints; empty is none.
	Endpoints string
	// Rand draws from [0, 1) to spread lookups over time; nil draws by chance.
	// It is never called twice at once.
	Rand func() float64
	// Stats is where Cells are counted; nil counts them nowhere to be seen.
	Stats *stat.Set
	// Report, if set, is told when the lookups of a host begin to fail, fail
	// in another way, or work again (nil); and what is wrong with the
	// endpoints file (nil once it is right again), under its path. It is
	// called with the lock of the Watcher held: it may log, not call back.
	Report func(host string, err error)
}

// resolver is what a Watcher needs of a Resolver.
type resolver interface {
	Resolve(ctx context.Context, host string, preference mesh.IPPreference) (Answer, error)
}

// maxOpen bounds how many lookups are open at once.
const maxOpen = 128

// Watch is a cluster and who wants to know its endpoints.
type Watch struct {
	Cluster *mesh.Cluster
	// Update gets the whole set whenever it has changed: sorted, or the one
	// address of LOGICAL_DNS. The slice is shared and never written to again.
	// It is called with the Watcher's lock held, so never twice at once, and
	// not after the Sync or Close that ended the watch: it must neither block
	// nor call the Watcher.
	Update func(addrs []netip.AddrPort)
}

// Watcher keeps the endpoints of clusters up to date. New makes one; Close
// ends it.
type Watcher struct {
	options Options
	ctx     context.Context
	cancel  context.CancelFunc
	open    chan struct{} // holds a token for each open lookup
	running sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	clusters map[string]*watched
	lookups  map[hostKey]*lookup
	static   endpointsFile
	poll     *time.Timer
}

// watched is one cluster. Guarded by Watcher.mu.
type watched struct {
	members
	update   func([]netip.AddrPort)
	cells    *stat.Group
	resolved chan struct{} // closed once looked up, well or badly
	lookup   *lookup       // nil when no name is looked up
}

// New starts a Watcher without clusters. The error is about the endpoints
// file, by file and line; with one, nothing was started.
func New(options Options) (*Watcher, error) {
	if options.Resolver == nil {
		options.Resolver = new(Resolver)
	}
	if options.Refresh == 0 {
		options.Refresh = 5 * time.Second
	}
	if options.EmptyKeep == 0 {
		options.EmptyKeep = time.Minute
	}
	if options.Rand == nil {
		options.Rand = rand.Float64
	}
	if options.Stats == nil {
		options.Stats = new(stat.Set)
	}
	w := &Watcher{
		options:  options,
		open:     make(chan struct{}, maxOpen),
		clusters: make(map[string]*watched),
		lookups:  make(map[hostKey]*lookup),
	}
	if options.Endpoints != "" {
		if err := w.static.load(options.Endpoints); err != nil {
			return nil, err
		}
	}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	if options.Endpoints != "" {
		w.mu.Lock()
		w.pollLater()
		w.mu.Unlock()
	}
	return w, nil
}

// Sync makes these clusters, by name, the ones that are watched. A cluster
// whose discovery is unchanged goes on undisturbed; one that is new starts at
// once; one that is missing ends. Of several watches of one name the first
// counts. Before Sync returns every Update is told the set that is known; one
// that has never been looked up and has no endpoints is told nothing. Sync
// does not wait for lookups.
func (w *Watcher) Sync(watches []Watch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	next := make(map[string]*watched, len(watches))
	for _, watch := range watches {
		name := watch.Cluster.Name
		if next[name] == nil {
			next[name] = w.adopt(w.clusters[name], watch)
		}
	}
	for name, c := range w.clusters {
		if next[name] != c {
			w.leave(c)
		}
	}
	w.clusters = next
	for _, name := range slices.Sorted(maps.Keys(next)) {
		if c := next[name]; len(c.current) > 0 || c.settled() {
			c.update(c.current)
		}
	}
	w.start()
}

// adopt carries a cluster over, or makes it, keeping the endpoints that the
// name had before until others are known.
func (w *Watcher) adopt(old *watched, watch Watch) *watched {
	d := watch.Cluster.Discovery
	if d.Kind == mesh.None {
		d.Host = watch.Cluster.Node // an endpoints file may still know it
	}
	if old != nil && sameDiscovery(old.discovery, d) {
		old.update = watch.Update
		return old
	}
	c := &watched{
		members:  members{discovery: d, keep: max(0, w.options.EmptyKeep)},
		update:   watch.Update,
		cells:    w.options.Stats.Group("cluster."+watch.Cluster.Name+".", Cells),
		resolved: make(chan struct{}),
	}
	if old != nil {
		c.current = old.current
	}
	w.place(c)
	return c
}

func sameDiscovery(a, b mesh.Discovery) bool {
	return a.Kind == b.Kind && a.Host == b.Host && a.Port == b.Port && a.Preference == b.Preference &&
		slices.Equal(a.Addrs, b.Addrs)
}

// place decides where a cluster's endpoints come from: what the documents
// list, the endpoints file, a literal address, or a lookup. It does not call
// Update.
func (w *Watcher) place(c *watched) {
	d := c.discovery
	known := func(set []netip.AddrPort) {
		c.current, c.gone = set, time.Time{}
		c.settle()
	}
	if addrs, ok := w.static.of(d); ok && d.Kind != mesh.Static && d.Kind != mesh.OriginalDst {
		known(addrs)
		return
	}
	switch d.Kind {
	case mesh.LogicalDNS, mesh.StrictDNS, mesh.CloudMap:
		if addr, err := netip.ParseAddr(d.Host); err == nil {
			known([]netip.AddrPort{netip.AddrPortFrom(addr.Unmap(), d.Port)})
			return
		}
		w.join(c)
	case mesh.Static:
		known(slices.Clone(d.Addrs))
	default:
		known(nil)
	}
}

// settle marks the cluster as looked up.
func (c *watched) settle() {
	if !c.settled() {
		close(c.resolved)
	}
}

func (c *watched) settled() bool {
	select {
	case <-c.resolved:
		return true
	default:
		return false
	}
}

// Resolved gives a channel that is closed once the cluster was looked up, well
// or badly, or needs no looking up. That of an unknown cluster is closed.
func (w *Watcher) Resolved(cluster string) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.clusters[cluster]; c != nil {
		return c.resolved
	}
	done := make(chan struct{})
	close(done)
	return done
}

// Await blocks until every watched cluster is Resolved, or until ctx ends, and
// gives the names of those that are not, in order.
func (w *Watcher) Await(ctx context.Context) []string {
	w.mu.Lock()
	waiting := make(map[string]chan struct{}, len(w.clusters))
	for name, c := range w.clusters {
		waiting[name] = c.resolved
	}
	w.mu.Unlock()
	var late []string
	for name, resolved := range waiting {
		select {
		case <-resolved:
			continue
		default:
		}
		select {
		case <-resolved:
		case <-ctx.Done():
			late = append(late, name)
		}
	}
	slices.Sort(late)
	return late
}

// Close ends all lookups and waits for them; no Update is called afterwards.
func (w *Watcher) Close() {
	w.mu.Lock()
	w.closed = true
	for _, c := range w.clusters {
		w.leave(c)
	}
	w.clusters = nil
	if w.poll != nil && w.poll.Stop() {
		w.running.Done()
	}
	w.mu.Unlock()
	w.cancel()
	w.running.Wait()
}

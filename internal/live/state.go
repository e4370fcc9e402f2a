package live

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/stat"
	"github.com/outrider-mesh/outrider/proxy"
	"github.com/outrider-mesh/outrider/proxy/filter"
	"github.com/outrider-mesh/outrider/proxy/upstream"
)

// names finds the endpoints of clusters over time.
type names interface {
	// Sync sets which clusters are watched: update is called with the name
	// and all endpoints of one whenever they changed.
	Sync(clusters []*mesh.Cluster, update func(cluster string, addrs []netip.AddrPort))
	// Await waits until every cluster was looked up once, well or badly, or
	// ctx ends; it gives those that were not.
	Await(ctx context.Context) (unresolved []string)
}

// AccessLog is an open access log.
type AccessLog interface {
	proxy.AccessLog
	io.Closer
}

// State is what is in force. Apply may be called by one goroutine at a time.
type State struct {
	Server   *proxy.Server
	Upstream *upstream.Manager
	Names    names
	Stats    *stat.Set
	// RouterLog gets a line for each routing decision, at debug.
	RouterLog *slog.Logger
	// Forwarded says what is done about x-forwarded-for on the way in.
	Forwarded filter.Forwarded
	// OpenLog opens the access log that the documents ask for.
	OpenLog func(*mesh.AccessLog) (AccessLog, error)
	// Ports are the addresses that a snapshot's listeners are bound to; nil where
	// the server's do not depend on snapshots.
	Ports func(*mesh.Snapshot) []proxy.Bind
	// WarmTime is how long a swap waits for the names of clusters that are
	// new; at the first Apply nothing is waited for.
	WarmTime time.Duration

	mu      sync.Mutex
	log     AccessLog
	logSpec *mesh.AccessLog
	current atomic.Pointer[applied]
}

type applied struct {
	snapshot *mesh.Snapshot
	since    time.Time
}

// Current is the snapshot in force and when it came; nil before the first.
func (s *State) Current() (*mesh.Snapshot, time.Time) {
	if a := s.current.Load(); a != nil {
		return a.snapshot, a.since
	}
	return nil, time.Time{}
}

// Apply puts a snapshot in force: it decides every request that is read from
// then on, and cuts nothing that is under way. New clusters are looked up
// before anything is sent to them; clusters that are no longer named go after
// nothing is sent to them any more. Ports that are new are bound first, those
// that are gone are closed after. With an error everything stays as it was.
func (s *State) Apply(ctx context.Context, snap *mesh.Snapshot) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := proxy.Check(snap); err != nil {
		return fmt.Errorf("compiling routes: %w", err)
	}
	ports, err := s.bind(snap)
	if err != nil {
		return err
	}
	log, err := s.openLog(snap.AccessLog)
	if err != nil {
		ports.Undo()
		return err
	}
	old, _ := s.Current()
	clusters, retire := s.Upstream.Sync(snap.Clusters)
	byName := make(map[string]*upstream.Cluster, len(clusters))
	for _, c := range clusters {
		byName[c.Name()] = c
	}
	if old != nil {
		s.Names.Sync(union(snap.Clusters, old.Clusters), s.Upstream.Update)
		warm, cancel := context.WithTimeout(ctx, s.WarmTime)
		s.Names.Await(warm)
		cancel()
	}
	resolve := func(c *mesh.Cluster) *upstream.Cluster { return byName[c.Name] }
	routing, err := proxy.Compile(snap, proxy.Parts{
		Resolve: resolve, Forwarded: s.Forwarded, Access: plain(log), Log: s.RouterLog, Stats: s.Stats,
	})
	if err != nil {
		ports.Undo()
		return fmt.Errorf("compiling routes: %w", err)
	}
	s.Upstream.Own(ports.Addrs()) // nothing may dial them
	ports.Swap(routing)
	s.current.Store(&applied{snap, time.Now()})
	s.Names.Sync(snap.Clusters, s.Upstream.Update)
	retire()
	s.swapLog(log, snap.AccessLog)
	return nil
}

// bind binds the ports that are new.
func (s *State) bind(snap *mesh.Snapshot) (ports, error) {
	if s.Ports == nil {
		return samePorts{s.Server}, nil
	}
	return s.Server.Rebind(s.Ports(snap))
}

// ports is a change of the server's listeners, with that of its routing.
type ports interface {
	Addrs() []netip.AddrPort
	Swap(*proxy.Routing)
	Undo()
}

// samePorts changes the routing alone.
type samePorts struct{ *proxy.Server }

func (p samePorts) Addrs() []netip.AddrPort {
	return append(p.Server.Addrs(mesh.Ingress), p.Server.Addrs(mesh.Egress)...)
}

func (samePorts) Undo() {}

// plain keeps a nil log nil when it becomes another interface.
func plain(log AccessLog) proxy.AccessLog {
	if log == nil {
		return nil
	}
	return log
}

// openLog gives the log in force if the documents still ask for the same.
func (s *State) openLog(spec *mesh.AccessLog) (AccessLog, error) {
	if spec == nil {
		return nil, nil
	}
	if s.log != nil && sameLog(spec, s.logSpec) {
		return s.log, nil
	}
	return s.OpenLog(spec)
}

func sameLog(a, b *mesh.AccessLog) bool {
	return a.Path == b.Path && a.Text == b.Text && reflect.DeepEqual(a.JSON, b.JSON)
}

// swapLog closes the log that is no longer used. Exchanges that end at this
// moment may still be told to it; their lines are dropped.
func (s *State) swapLog(log AccessLog, spec *mesh.AccessLog) {
	old := s.log
	s.log, s.logSpec = log, spec
	if old != nil && old != log {
		old.Close()
	}
}

// ReopenLogs opens the access log's file anew, after it was rotated.
func (s *State) ReopenLogs() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.log.(interface{ Reopen() error }); ok {
		return r.Reopen()
	}
	return nil
}

// Close closes the access log. Nothing may be served any more.
func (s *State) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.log != nil {
		err = s.log.Close()
	}
	s.log = nil
	return err
}

// union is the new clusters, and the old ones whose names are not among them.
func union(next, old []*mesh.Cluster) []*mesh.Cluster {
	named := make(map[string]bool, len(next))
	for _, c := range next {
		named[c.Name] = true
	}
	all := append([]*mesh.Cluster(nil), next...)
	for _, c := range old {
		if !named[c.Name] {
			all = append(all, c)
		}
	}
	return all
}

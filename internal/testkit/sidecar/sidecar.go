package sidecar

import (
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outrider-mesh/outrider/internal/live"
	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/stat"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/proxy"
	"github.com/outrider-mesh/outrider/proxy/upstream"
)

// Sidecar is a running sidecar.
type Sidecar struct {
	Ingress, Egress netip.AddrPort

	Server  *proxy.Server
	Manager *upstream.Manager
	State   *live.State
	Stats   *stat.Set
	Names   *Names
	// Records is the access log opened last.
	Records *Records

	t    testing.TB
	stop sync.Once
}

// Settings are the defaults of the process.
func Settings() upstream.Settings {
	return upstream.Settings{
		RetryPercent: 20, RetryLeast: 3,
		ReplayMost: 64 << 10, ReplayBudget: 64 << 20,
		Log: slog.New(slog.DiscardHandler),
	}
}

// Start starts a sidecar with default settings; it ends with the test.
func Start(t testing.TB, snap *mesh.Snapshot) *Sidecar {
	t.Helper()
	return StartWith(t, snap, Settings(), &Names{})
}

// StartWith starts a sidecar; it ends with the test.
func StartWith(t testing.TB, snap *mesh.Snapshot, settings upstream.Settings, names *Names) *Sidecar {
	t.Helper()
	s := assemble(t, settings, names)
	any := netip.MustParseAddrPort("127.0.0.1:0")
	if err := s.Server.Listen([]proxy.Bind{{Direction: mesh.Ingress, Addr: any}, {Direction: mesh.Egress, Addr: any}}); err != nil {
		t.Fatal(err)
	}
	s.Ingress, s.Egress = s.Server.Addrs(mesh.Ingress)[0], s.Server.Addrs(mesh.Egress)[0]
	s.Apply(snap)
	s.Server.Serve()
	return s
}

// assemble puts the parts together; nothing is bound yet.
func assemble(t testing.TB, settings upstream.Settings, names *Names) *Sidecar {
	s := &Sidecar{t: t, Stats: new(stat.Set), Names: names}
	s.Server = proxy.NewServer(slog.New(slog.DiscardHandler), s.Stats)
	s.Manager = upstream.NewManager(settings, s.Stats)
	s.State = &live.State{
		Server: s.Server, Upstream: s.Manager, Names: s.Names, Stats: s.Stats,
		RouterLog: slog.New(slog.DiscardHandler),
		OpenLog: func(*mesh.AccessLog) (live.AccessLog, error) {
			s.Records = &Records{c: make(chan Record, mostRecords)}
			return s.Records, nil
		},
	}
	t.Cleanup(s.Stop)
	return s
}

// Apply puts another snapshot in force.
func (s *Sidecar) Apply(snap *mesh.Snapshot) {
	s.t.Helper()
	if err := s.State.Apply(s.t.Context(), snap); err != nil {
		s.t.Fatal(err)
	}
}

// Stop ends the sidecar as internal/app does, without patience.
func (s *Sidecar) Stop() {
	s.stop.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		s.Server.Stop(ctx)
		s.Manager.Close()
		s.State.Close()
	})
}

// Get makes a GET request through the egress port, on a connection of its own.
func (s *Sidecar) Get(host, path string, fields ...string) testkit.Response {
	s.t.Helper()
	return testkit.Get(s.t, s.Egress, host, path, fields...)
}

// Count is a counter by its whole name; 0 when there is none.
func (s *Sidecar) Count(name string) uint64 {
	if g, i := s.find(name, func(l *stat.Layout) []string { return l.Counters }); g != nil {
		return g.Counter(i).Value()
	}
	return 0
}

// Gauge is a gauge by its whole name.
func (s *Sidecar) Gauge(name string) int64 {
	if g, i := s.find(name, func(l *stat.Layout) []string { return l.Gauges }); g != nil {
		return g.Gauge(i).Value()
	}
	return 0
}

func (s *Sidecar) find(name string, names func(*stat.Layout) []string) (*stat.Group, int) {
	for _, g := range s.Stats.Groups() {
		rest, ok := strings.CutPrefix(name, g.Prefix())
		if !ok {
			continue
		}
		for i, n := range names(g.Layout()) {
			if n == rest {
				return g, i
			}
		}
	}
	s.t.Errorf("no cell is called %q", name)
	return nil, 0
}

// Counts fails the test unless each counter, by its whole name, comes to have
// its value.
func (s *Sidecar) Counts(want map[string]uint64) {
	s.t.Helper()
	for name, n := range want {
		var got uint64
		testkit.Eventually(s.t, name, func() bool { got = s.Count(name); return got >= n })
		if got != n {
			s.t.Errorf("%s = %d, want %d", name, got, n)
		}
	}
}

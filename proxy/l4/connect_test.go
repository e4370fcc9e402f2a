package l4

import (
	"io"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/stat"
	"github.com/outrider-mesh/outrider/proxy/relay"
	"github.com/outrider-mesh/outrider/proxy/upstream"
)

// cluster is one with these endpoints, picked in turn.
func cluster(t *testing.T, set *stat.Set, spec mesh.Cluster, addrs ...netip.AddrPort) *upstream.Cluster {
	t.Helper()
	m := upstream.NewManager(upstream.Settings{Draw: func() uint64 { return 0 }, Log: slog.New(slog.DiscardHandler)}, set)
	t.Cleanup(m.Close)
	spec.Name, spec.ConnectTimeout = "c", 10*time.Second
	spec.Discovery = mesh.Discovery{Kind: mesh.Static, Addrs: addrs}
	clusters, _ := m.Sync([]*mesh.Cluster{&spec})
	return clusters[0]
}

// alive is an address where somebody listens, dead one where nobody does.
func alive(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := sock.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return netip.MustParseAddrPort(l.Addr().String())
}

func dead(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := sock.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return netip.MustParseAddrPort(l.Addr().String())
}

func values(set *stat.Set) map[string]int64 {
	all := make(map[string]int64)
	set.Each(func(c *stat.Cell) { all[string(c.AppendName(nil))] = c.Value })
	return all
}

func TestAConnectIsOneAttemptUnlessMoreAreAllowed(t *testing.T) {
	a, b := dead(t), dead(t)
	for _, c := range []struct {
		what     string
		attempts int
		addrs    []netip.AddrPort
		limits   mesh.Limits
		flags    string // empty: connected
		want     map[string]int64
	}{
		{"App Mesh's one attempt", 1, []netip.AddrPort{a, b}, mesh.Limits{}, "UF,URX",
			map[string]int64{"upstream_cx_connect_fail": 1, "upstream_cx_connect_attempts_exceeded": 1, "upstream_cx_total": 0}},
		{"none is one", 0, []netip.AddrPort{a, b}, mesh.Limits{}, "UF,URX",
			map[string]int64{"upstream_cx_connect_fail": 1, "upstream_cx_connect_attempts_exceeded": 1}},
		{"each goes to an endpoint not tried before", 3, []netip.AddrPort{a, b, alive(t)}, mesh.Limits{}, "",
			map[string]int64{"upstream_cx_connect_attempts_exceeded": 0, "upstream_cx_total": 1}},
		{"all fail", 3, []netip.AddrPort{a, b}, mesh.Limits{}, "UF,URX",
			map[string]int64{"upstream_cx_connect_fail": 3, "upstream_cx_connect_attempts_exceeded": 1}},
		{"nobody to ask", 3, nil, mesh.Limits{}, "UH",
			map[string]int64{"upstream_cx_none_healthy": 1, "upstream_cx_connect_attempts_exceeded": 0}},
	} {
		t.Run(c.what, func(t *testing.T) {
			var set stat.Set
			s, err := cluster(t, &set, mesh.Cluster{Limits: c.limits}, c.addrs...).ConnectWithin(c.attempts)
			if err == nil {
				s.Close()
			}
			flags := upstream.StreamFlags(err)
			if got := flags.String(); got != c.flags && !(c.flags == "" && err == nil) {
				t.Errorf("flags %q, want %q (%v)", got, c.flags, err)
			}
			all := values(&set)
			for name, want := range c.want {
				if got := all["cluster.c."+name]; got != want {
					t.Errorf("%s = %d, want %d", name, got, want)
				}
			}
		})
	}
}

func TestWithTheLimitReachedAConnectFailsAtOnce(t *testing.T) {
	var set stat.Set
	c := cluster(t, &set, mesh.Cluster{Limits: mesh.Limits{MaxConnections: 1}}, alive(t))
	first, err := c.Connect()
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.ConnectWithin(3)
	flags := upstream.StreamFlags(err)
	if got := flags.String(); got != "UO" {
		t.Errorf("flags %q, want UO (%v)", got, err)
	}
	if all := values(&set); all["cluster.c.upstream_cx_overflow"] != 1 || all["cluster.c.upstream_cx_connect_attempts_exceeded"] != 0 {
		t.Errorf("%v", all)
	}
	first.Close()
	if again, err := c.Connect(); err != nil {
		t.Errorf("after the first was closed: %v", err)
	} else {
		again.Close()
	}
}

func TestTheCellsOfTCPConnections(t *testing.T) {
	var set stat.Set
	stats := NewStats(&set, "ingress")
	stats.NoRoute()
	stats.Failed()
	(*Stats)(nil).NoRoute()

	synctest.Test(t, func(t *testing.T) {
		client, down := net.Pipe()
		server, up := net.Pipe()
		s := Session{Down: sock.New(down), Stats: stats, Idle: time.Minute}
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.begin(sock.New(up), stats)
			s.relay.Run()
			s.finish(stats)
		}()
		client.Write([]byte("question"))
		io.ReadFull(server, make([]byte, 8))
		server.Write([]byte("answer"))
		io.ReadAll(client) // until the silence is long enough
		<-done
		if s.End != relay.Idle {
			t.Errorf("ended by %v", s.End)
		}
	})
	all := values(&set)
	for name, want := range map[string]int64{"downstream_cx_total": 3, "downstream_cx_no_route": 1,
		"downstream_cx_rx_bytes_total": 8, "downstream_cx_tx_bytes_total": 6, "idle_timeout": 1} {
		if got := all["tcp.ingress."+name]; got != want {
			t.Errorf("%s = %d, want %d", name, got, want)
		}
	}
}

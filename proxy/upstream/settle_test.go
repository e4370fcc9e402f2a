package upstream_test

import (
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/testkit"
)

// strict answers once so many requests are under way on all connections, and
// refuses what exceeds most on one. Its settings come when say lets them.
func strict(t *testing.T, say <-chan struct{}, most uint32, all int64) (p *h2peer, arrived, refused *atomic.Int64) {
	arrived, refused = new(atomic.Int64), new(atomic.Int64)
	together := make(chan struct{})
	p = newLateH2Peer(t, say, func(c *h2conn) {
		var open []*h2request
		done := make(chan struct{})
		requests := make(chan *h2request, 1000)
		go func() {
			defer close(done)
			<-together
			for r := range requests {
				c.reply(r.id, 200, "")
			}
		}()
		defer func() { close(requests); <-done }()
		for r := c.next(); r != nil; r = c.next() {
			if open = append(open, r); len(open) > int(most) {
				refused.Add(1)
				c.WriteRSTStream(r.id, http2.ErrCodeRefusedStream)
				continue
			}
			requests <- r
			if arrived.Add(1) == all {
				close(together)
			}
		}
	}, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: most})
	t.Cleanup(func() {
		if arrived.Load() < all {
			close(together)
		}
	})
	return p, arrived, refused
}

// Many requests meet a cluster without connections. Nobody knows what its peer
// takes until it has said so: until then it gets one request, and one connection.
func TestABurstOpensAsManyConnectionsAsThePeersStreamsNeed(t *testing.T) {
	for _, tt := range []struct {
		most  uint32
		burst int
		conns int64
	}{
		{1000, 200, 1},
		{100, 200, 2},
		{20, 200, 10},
	} {
		t.Run(fmt.Sprintf("%d requests, %d streams", tt.burst, tt.most), func(t *testing.T) {
			say := make(chan struct{})
			peer, arrived, refused := strict(t, say, tt.most, int64(tt.burst))
			s := startH2(t, peer.Addr, func(r *mesh.Route) { r.Retry = nil })
			var clients []*testkit.Client
			for range tt.burst {
				c := testkit.Dial(t, s.Egress)
				c.Request("POST", "svc", "/", "x")
				clients = append(clients, c)
			}
			testkit.Eventually(t, "all but one wait", func() bool { return waiting(s) == int64(tt.burst-1) })
			if n := peer.conns.Load(); n != 1 || arrived.Load() > 1 {
				t.Errorf("%d connections, %d requests before the settings", n, arrived.Load())
			}
			close(say)
			for _, c := range clients {
				if got := c.Receive("POST"); got.Status != 200 {
					t.Fatalf("got %d %q", got.Status, got.Body)
				}
			}
			if n := peer.conns.Load(); n != tt.conns || refused.Load() > 0 {
				t.Errorf("%d connections, want %d; %d streams refused", n, tt.conns, refused.Load())
			}
			s.Counts(map[string]uint64{"cluster.c.upstream_rq_stale_replay": 0, "cluster.c.upstream_cx_overflow": 0})
		})
	}
}

// A peer that takes no streams: who waits is told at once, and nothing is kept
// open.
func TestAPeerThatTakesNoStreamsIsNotAskedForEver(t *testing.T) {
	say := make(chan struct{})
	peer, _, _ := strict(t, say, 0, 1)
	s := startH2(t, peer.Addr, func(r *mesh.Route) { r.Retry = nil })
	const requests = 30
	var clients []*testkit.Client
	for range requests {
		c := testkit.Dial(t, s.Egress)
		c.Request("POST", "svc", "/", "x")
		clients = append(clients, c)
	}
	testkit.Eventually(t, "all but one wait", func() bool { return waiting(s) == requests-1 })
	close(say)
	overflowed := 0
	for _, c := range clients {
		got := c.Receive("POST")
		if got.Status != 503 {
			t.Errorf("got %d %q", got.Status, got.Body)
		}
		if got.Body == resetText+"overflow" {
			overflowed++
		}
	}
	if overflowed != requests-1 {
		t.Errorf("%d were told of an overflow", overflowed)
	}
	flags := make(map[string]int)
	for range requests {
		flags[s.Records.Next(t).Flags]++
	}
	if flags["UO"] != requests-1 {
		t.Errorf("flags %v", flags)
	}
	if n := peer.conns.Load(); n > 4 { // the one that was refused is tried again
		t.Errorf("%d connections", n)
	}
	testkit.Eventually(t, "none is left", func() bool { return s.Gauge("cluster.c.upstream_cx_active") == 0 })
}

// A peer that ends new connections before it has said anything fails all who
// wait, with what is wrong.
func TestAConnectionThatEndsBeforeItsSettingsFailsAllThatWait(t *testing.T) {
	gate := make(chan struct{})
	conns := new(atomic.Int64)
	s := startH2(t, testkit.NewTCP(t, func(c *net.TCPConn) {
		conns.Add(1)
		<-gate
		io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")
		io.Copy(io.Discard, c)
	}), func(r *mesh.Route) { r.Retry = nil })
	var clients []*testkit.Client
	for range 10 {
		c := testkit.Dial(t, s.Egress)
		c.Request("POST", "svc", "/", "x")
		clients = append(clients, c)
	}
	testkit.Eventually(t, "all but one wait", func() bool { return waiting(s) == 9 })
	close(gate)
	for _, c := range clients {
		if got := c.Receive("POST"); got.Status != 502 || got.Body != resetText+"protocol error" {
			t.Errorf("got %d %q", got.Status, got.Body)
		}
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
	testkit.Eventually(t, "none is left", func() bool { return s.Gauge("cluster.c.upstream_cx_active") == 0 })
	s.Counts(map[string]uint64{"cluster.c.upstream_cx_protocol_error": 1, "cluster.c.upstream_rq_rx_reset": 1})
}

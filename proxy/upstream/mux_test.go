package upstream_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/internal/testkit/sidecar"
)

// h2gated is a peer that announces each request and answers when the gate has a
// token for it, on every connection.
func h2gated(t *testing.T, settings ...http2.Setting) (addr *h2peer, arrived chan string, gate chan struct{}) {
	arrived, gate = make(chan string, 100), make(chan struct{}, 100)
	p := newH2Peer(t, func(c *h2conn) {
		open := make(chan *h2request, 100)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for r := range open {
				<-gate
				c.reply(r.id, 200, r.fields[":path"])
			}
		}()
		for r := c.next(); r != nil; r = c.next() {
			arrived <- r.fields[":path"]
			open <- r
		}
		close(open)
		<-done
	}, settings...)
	t.Cleanup(func() { close(gate) })
	return p, arrived, gate
}

func TestRequestsShareOneConnection(t *testing.T) {
	arrived, gate := make(chan struct{}, 20), make(chan struct{})
	addr, conns := serveH2(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		arrived <- struct{}{}
		<-gate
		fmt.Fprintf(w, "%s %s %s %s %d %q", r.Proto, r.Method, r.Host, r.URL, r.ContentLength, body)
	})
	s := startH2(t, addr, nil)
	var clients []*testkit.Client
	for i := range 10 {
		c := testkit.Dial(t, s.Egress)
		c.Request("POST", "svc", fmt.Sprintf("/%d?q", i), "hello")
		clients = append(clients, c)
	}
	for range 10 {
		testkit.Wait(t, "a request", arrived)
	}
	close(gate)
	for i, c := range clients {
		want := fmt.Sprintf(`HTTP/2.0 POST svc /%d?q 5 "hello"`, i)
		if got := c.Receive("POST"); got.Status != 200 || got.Body != want {
			t.Errorf("got %d %q, want %q", got.Status, got.Body, want)
		}
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
	s.Counts(map[string]uint64{
		"cluster.c.upstream_cx_total": 1, "cluster.c.upstream_cx_http2_total": 1, "cluster.c.upstream_cx_http1_total": 0,
		"cluster.c.upstream_rq_total": 10, "cluster.c.upstream_rq_completed": 10,
	})
	testkit.Eventually(t, "nothing active", func() bool { return s.Gauge("cluster.c.upstream_rq_active") == 0 })
}

func TestConnectionsAreOpenedOnlyWhenTheOthersAreFull(t *testing.T) {
	peer, arrived, gate := h2gated(t, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 2})
	s := startH2(t, peer.Addr, nil)
	testkit.Dial(t, s.Egress).Request("GET", "svc", "/first", "") // its answer brings the settings
	testkit.Wait(t, "the first request", arrived)
	gate <- struct{}{}
	testkit.Eventually(t, "it is over", func() bool { return s.Gauge("cluster.c.upstream_rq_active") == 0 })
	var clients []*testkit.Client
	for range 5 {
		c := testkit.Dial(t, s.Egress)
		c.Request("GET", "svc", "/", "")
		clients = append(clients, c)
		testkit.Wait(t, "a request", arrived)
	}
	if n := peer.conns.Load(); n != 3 {
		t.Errorf("%d connections for 5 streams of 2 each", n)
	}
	for _, c := range clients {
		gate <- struct{}{}
		gate <- struct{}{}
		gate <- struct{}{}
		if got := c.Receive("GET"); got.Status != 200 {
			t.Errorf("got %d", got.Status)
		}
	}
}

// oneStream is a cluster of one connection that takes one stream at a time, and
// has it.
func oneStream(t *testing.T, limits mesh.Limits, change func(*h2setup)) (*sidecar.Sidecar, *testkit.Client, chan string, chan struct{}) {
	t.Helper()
	peer, arrived, gate := h2gated(t, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
	limits.MaxConnections = 1
	s := startH2With(t, peer.Addr, func(s *h2setup) {
		s.cluster.Limits = limits
		if change != nil {
			change(s)
		}
	})
	c := testkit.Dial(t, s.Egress)
	c.Request("GET", "svc", "/first", "")
	testkit.Wait(t, "the first request", arrived)
	gate <- struct{}{}
	c.Receive("GET")
	c.Request("GET", "svc", "/second", "")
	testkit.Wait(t, "the second request", arrived)
	return s, c, arrived, gate
}

func TestRequestsBeyondTheStreamsOfAllConnectionsWaitInOrder(t *testing.T) {
	s, first, arrived, gate := oneStream(t, mesh.Limits{}, nil)
	clients := []*testkit.Client{first}
	for i := range 3 {
		c := testkit.Dial(t, s.Egress)
		c.Request("GET", "svc", fmt.Sprintf("/%d", i), "")
		clients = append(clients, c)
		testkit.Eventually(t, "one more waits", func() bool { return waiting(s) == int64(i+1) })
	}
	for i, c := range clients {
		gate <- struct{}{}
		if got := c.Receive("GET"); got.Status != 200 {
			t.Errorf("got %d", got.Status)
		}
		if i < 3 {
			if next := testkit.Wait(t, "the next in line", arrived); next != fmt.Sprintf("/%d", i) {
				t.Errorf("next came %s", next)
			}
		}
	}
	s.Counts(map[string]uint64{"cluster.c.upstream_cx_overflow": 3, "cluster.c.upstream_cx_total": 1})
}

func TestMoreThanMaxPendingStreamsOverflow(t *testing.T) {
	s, first, _, gate := oneStream(t, mesh.Limits{MaxPendingRequests: 1}, nil)
	second := testkit.Dial(t, s.Egress)
	second.Request("GET", "svc", "/", "")
	testkit.Eventually(t, "one waits", func() bool { return waiting(s) == 1 })
	if got := s.Get("svc", "/"); got.Status != 503 || got.Body != resetText+"overflow" {
		t.Errorf("got %d %q", got.Status, got.Body)
	}
	gate <- struct{}{}
	gate <- struct{}{}
	first.Receive("GET")
	second.Receive("GET")
}

func TestAClientThatLeavesNoLongerWaitsForAStream(t *testing.T) {
	s, first, _, gate := oneStream(t, mesh.Limits{}, nil)
	second := testkit.Dial(t, s.Egress)
	second.Request("GET", "svc", "/", "")
	testkit.Eventually(t, "one waits", func() bool { return waiting(s) == 1 })
	second.Close()
	testkit.Eventually(t, "nobody waits", func() bool { return waiting(s) == 0 })
	gate <- struct{}{}
	if got := first.Receive("GET"); got.Status != 200 {
		t.Errorf("got %d", got.Status)
	}
	gate <- struct{}{}
	if got := first.Do("GET", "svc", "/after", ""); got.Body != "/after" {
		t.Errorf("got %q", got.Body)
	}
}

func TestTheRouteTimeoutEndsAWaitForAStream(t *testing.T) {
	s, first, _, gate := oneStream(t, mesh.Limits{}, func(s *h2setup) {
		s.route.Timeout.Value = short
		s.route.Retry = nil
	})
	_ = first // it times out, too
	if got := s.Get("svc", "/"); got.Status != 504 || got.Body != "upstream request timeout" {
		t.Errorf("got %d %q", got.Status, got.Body)
	}
	gate <- struct{}{}
}

// A connect failure fails every request that waits (Envoy 4.2).
func TestAConnectFailureFailsAllThatWait(t *testing.T) {
	s := startH2With(t, testkit.Full(t), func(s *h2setup) {
		s.cluster.ConnectTimeout = short
		s.route.Retry = nil
	})
	var clients []*testkit.Client
	for i := range 3 {
		c := testkit.Dial(t, s.Egress)
		c.Request("POST", "svc", "/", "x")
		clients = append(clients, c)
		_ = i
	}
	for _, c := range clients {
		if got := c.Receive("POST"); got.Status != 503 || got.Body != resetText+"connection timeout" {
			t.Errorf("got %d %q", got.Status, got.Body)
		}
		if r := s.Records.Next(t); r.Flags != "UF" {
			t.Errorf("flags %q", r.Flags)
		}
	}
	s.Counts(map[string]uint64{"cluster.c.upstream_rq_pending_failure_eject": 3})
	testkit.Eventually(t, "no place is held", func() bool {
		return s.Manager.Cluster("c").Breaker().Connections.InUse() == 0
	})
}

func TestMoreStreamsByNewSettingsServeThoseThatWait(t *testing.T) {
	arrived, raise := make(chan string, 10), make(chan struct{})
	peer := newH2Peer(t, func(c *h2conn) {
		r := c.must()
		c.reply(r.id, 200, "first")
		held := c.must()
		arrived <- held.fields[":path"]
		<-raise
		c.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 2})
		r = c.must()
		c.reply(r.id, 200, "by new settings")
		c.reply(held.id, 200, "held")
		c.drain()
	}, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
	s := startH2With(t, peer.Addr, func(s *h2setup) { s.cluster.Limits.MaxConnections = 1 })
	a, b := testkit.Dial(t, s.Egress), testkit.Dial(t, s.Egress)
	a.Do("GET", "svc", "/first", "")
	a.Request("GET", "svc", "/held", "")
	testkit.Wait(t, "the held request", arrived)
	b.Request("GET", "svc", "/waits", "")
	testkit.Eventually(t, "one waits", func() bool { return waiting(s) == 1 })
	close(raise)
	if got := b.Receive("GET"); got.Body != "by new settings" {
		t.Errorf("got %d %q", got.Status, got.Body)
	}
	if got := a.Receive("GET"); got.Body != "held" {
		t.Errorf("got %d %q", got.Status, got.Body)
	}
}

func TestAConnectionTakesNoMoreRequestsThanTheSettingSays(t *testing.T) {
	for _, protocol := range []mesh.Protocol{mesh.HTTP, mesh.HTTP2} {
		t.Run(protocol.String(), func(t *testing.T) {
			addr, seen := testkit.NewApp(t).Addr, func() int64 { return 3 }
			if protocol == mesh.HTTP2 {
				h2addr, conns := serveH2(t, func(http.ResponseWriter, *http.Request) {})
				addr, seen = h2addr, conns.Load
			}
			s := startH2With(t, addr, func(s *h2setup) {
				s.cluster.Protocol = protocol
				s.settings.MaxRequestsPerConnection = 2
			})
			c := testkit.Dial(t, s.Egress)
			for range 5 {
				if got := c.Do("GET", "svc", "/", ""); got.Status != 200 {
					t.Errorf("got %d", got.Status)
				}
			}
			if n := seen(); n != 3 {
				t.Errorf("%d connections for 5 requests of 2 each", n)
			}
			s.Counts(map[string]uint64{"cluster.c.upstream_cx_max_requests": 2, "cluster.c.upstream_cx_total": 3, "cluster.c.upstream_cx_destroy_local": 2})
		})
	}
}

func TestTheConnectionsOfAnEndpointThatGoesEndWithTheirStreams(t *testing.T) {
	peer, arrived, gate := h2gated(t)
	s := startH2With(t, peer.Addr, func(s *h2setup) {
		s.cluster.Discovery = mesh.Discovery{Kind: mesh.StrictDNS, Host: "c.local"}
		s.names.Set("c", peer.Addr)
	})
	c := testkit.Dial(t, s.Egress)
	c.Request("GET", "svc", "/x", "")
	testkit.Wait(t, "the request", arrived)
	s.Names.Set("c")
	gate <- struct{}{}
	if got := c.Receive("GET"); got.Status != 200 || got.Body != "/x" {
		t.Errorf("got %d %q", got.Status, got.Body)
	}
	testkit.Eventually(t, "its connection closed", func() bool { return s.Gauge("cluster.c.upstream_cx_active") == 0 })
	s.Counts(map[string]uint64{"cluster.c.upstream_cx_destroy_local": 1})
	if s.Count("cluster.c.upstream_cx_rx_bytes_total") == 0 || s.Count("cluster.c.upstream_cx_tx_bytes_total") == 0 {
		t.Error("its bytes were not counted")
	}
}

// One upload that its upstream does not take holds up no other stream.
func TestAStalledUploadStallsNoNeighbour(t *testing.T) {
	stalled := make(chan struct{})
	peer := newH2Peer(t, func(c *h2conn) {
		var first *h2request
		n := 0
		c.data = func(f *http2.DataFrame) {
			if n += len(f.Data()); f.StreamEnded() {
				c.reply(first.id, 200, fmt.Sprint(n))
			}
		}
		first = c.must()
		close(stalled)
		second := c.must()
		c.reply(second.id, 200, "second")
		c.WriteWindowUpdate(first.id, 1<<20)
		c.WriteWindowUpdate(0, 1<<20)
		c.drain()
	}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	s := startH2(t, peer.Addr, nil)
	a := testkit.Dial(t, s.Egress)
	a.Request("POST", "svc", "/", strings.Repeat("x", 200<<10))
	testkit.Wait(t, "the upload", stalled)
	if got := s.Get("svc", "/"); got.Body != "second" {
		t.Errorf("got %d %q", got.Status, got.Body)
	}
	if got := a.Receive("POST"); got.Body != fmt.Sprint(200<<10) {
		t.Errorf("got %d %q", got.Status, got.Body)
	}
}

// Connections come and go by GOAWAY, by their number of requests and by the
// streams they take, under load: every request is answered, and nothing is left.
func TestNoRequestIsLostWhileConnectionsComeAndGo(t *testing.T) {
	peer := newH2Peer(t, func(c *h2conn) {
		last := uint32(0)
		for n := 1; ; n++ {
			r := c.next()
			if r == nil {
				return
			}
			if last > 0 && r.id > last {
				continue // it was told
			}
			if n == 5 && c.number%2 == 0 {
				last = r.id
				c.WriteGoAway(last, http2.ErrCodeNo, nil)
			}
			c.reply(r.id, 200, r.fields[":path"])
		}
	}, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 3})
	s := startH2With(t, peer.Addr, func(s *h2setup) {
		s.settings.MaxRequestsPerConnection = 7
		s.settings.RetryPercent, s.settings.RetryLeast = 100, 100
		s.route.Retry = policy(10, mesh.RetryRefusedStream)
	})
	var clients sync.WaitGroup
	for i := range 16 {
		c := testkit.Dial(t, s.Egress)
		clients.Go(func() {
			for j := range 25 {
				path := fmt.Sprintf("/%d/%d", i, j)
				if got := c.Do("POST", "svc", path, "body"); got.Status != 200 || got.Body != path {
					t.Errorf("%s got %d %q", path, got.Status, got.Body)
				}
			}
		})
	}
	clients.Wait()
	testkit.Eventually(t, "nothing is under way", func() bool {
		return s.Gauge("cluster.c.upstream_rq_active") == 0 && s.Gauge("cluster.c.upstream_rq_pending_active") == 0
	})
	if n := s.Manager.Cluster("c").Breaker().PendingRequests.InUse(); n != 0 {
		t.Errorf("%d wait", n)
	}
	if total, open := s.Count("cluster.c.upstream_cx_total"), s.Manager.Cluster("c").Breaker().Connections.InUse(); total < 400/7 || open > 8 {
		t.Errorf("%d connections were opened, %d are", total, open)
	}
}

func TestBytesOfHTTP2ConnectionsAreCountedWhileTheyLive(t *testing.T) {
	peer, _ := scripted(t, ok)
	s := startH2(t, peer.Addr, nil)
	s.Get("svc", "/")
	if rx, tx := s.Count("cluster.c.upstream_cx_rx_bytes_total"), s.Count("cluster.c.upstream_cx_tx_bytes_total"); rx == 0 || tx == 0 ||
		s.Gauge("cluster.c.upstream_cx_active") != 1 {
		t.Errorf("%d bytes received, %d sent", rx, tx)
	}
}

// Nobody waits for a connection that was used up before it had said what it takes.
func TestRequestsThatWaitForAConnectionOfOneRequestGetOthers(t *testing.T) {
	say := make(chan struct{})
	defer close(say)
	peer := newLateH2Peer(t, say, func(c *h2conn) { c.drain() })
	s := startH2With(t, peer.Addr, func(s *h2setup) { s.settings.MaxRequestsPerConnection = 1 })
	var clients []*testkit.Client
	for range 5 {
		c := testkit.Dial(t, s.Egress)
		c.Request("GET", "svc", "/", "")
		clients = append(clients, c)
	}
	testkit.Eventually(t, "each has a connection", func() bool { return peer.conns.Load() == 5 && waiting(s) == 0 })
	for _, c := range clients {
		c.Close()
	}
	testkit.Eventually(t, "none is left", func() bool { return s.Gauge("cluster.c.upstream_rq_active") == 0 })
}

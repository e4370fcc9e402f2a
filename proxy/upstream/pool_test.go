package upstream_test

import (
	"net/netip"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/internal/testkit/sidecar"
)

func TestAConnectionIsKeptAndTheOneUsedLastIsUsedNext(t *testing.T) {
	app, arrived, gate := gated(t)
	s := limited(t, app, mesh.Limits{})
	a, b := testkit.Dial(t, s.Egress), testkit.Dial(t, s.Egress)
	a.Request("GET", "svc", "/a", "")
	testkit.Wait(t, "a", arrived)
	b.Request("GET", "svc", "/b", "")
	testkit.Wait(t, "b", arrived)
	// Which of the two ends last does not matter, but that it is used alone.
	gate <- struct{}{}
	gate <- struct{}{}
	a.Receive("GET")
	b.Receive("GET")
	idle := func() bool { return s.Gauge("cluster.c.upstream_rq_active") == 0 }
	testkit.Eventually(t, "both idle", idle)
	for range 5 {
		gate <- struct{}{}
		a.Do("GET", "svc", "/", "")
		testkit.Eventually(t, "idle again", idle)
	}
	seen := app.Seen()
	for _, r := range seen[3:] {
		if r.Conn != seen[2].Conn {
			t.Errorf("connection %d, then %d", seen[2].Conn, r.Conn)
		}
	}
	if app.Conns() != 2 {
		t.Errorf("%d connections", app.Conns())
	}
}

// A connection whose close or stray bytes have come is never used again.
func TestAConnectionThatIsNotQuietIsNeverUsed(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
	for what, first := range map[string]testkit.Step{
		"closed after the answer":         testkit.RawClose(ok),
		"a second answer in one segment":  testkit.Raw(ok + "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison"),
		"stray bytes in one segment":      testkit.Raw(ok + "x"),
		"a 408 that nobody asked for":     testkit.RawClose(ok + "HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n"),
		"a body behind 204":               testkit.Raw("HTTP/1.1 204 No Content\r\n\r\npoison"),
		"connection: close in the answer": testkit.Raw("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"),
		"an answer in HTTP/1.0":           testkit.Raw("HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok"),
	} {
		for _, method := range []string{"GET", "POST"} {
			t.Run(what+"/"+method, func(t *testing.T) {
				did := make(chan struct{}, 1)
				app := testkit.NewApp(t, func(c *testkit.Call) {
					first(c)
					did <- struct{}{}
				}, testkit.Text("second"))
				route := sidecar.Route(sidecar.Cluster("c", app.Addr))
				route.Retry = nil
				s := start(t, route)
				c := testkit.Dial(t, s.Egress)
				c.Do(method, "svc", "/1", "")
				testkit.Wait(t, "all that the app does", did) // on loopback it has then arrived
				if got := c.Do(method, "svc", "/2", ""); got.Status != 200 || got.Body != "second" {
					t.Errorf("the second request got %d %q", got.Status, got.Body)
				}
				if app.Conns() != 2 {
					t.Errorf("%d connections, want 2", app.Conns())
				}
			})
		}
	}
}

func TestStrayBytesThatComeLaterCloseAnIdleConnection(t *testing.T) {
	poison := make(chan struct{})
	app := testkit.NewApp(t, func(c *testkit.Call) {
		c.Reply(200, "first")
		<-poison
		c.Write("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison")
		poison <- struct{}{}
		c.Hang()
	}, testkit.Text("second"))
	s := startApp(t, app, func(r *mesh.Route) { r.Retry = nil })
	c := testkit.Dial(t, s.Egress)
	if got := c.Do("GET", "svc", "/", ""); got.Body != "first" {
		t.Errorf("got %q", got.Body)
	}
	poison <- struct{}{}
	<-poison
	if got := c.Do("POST", "svc", "/", "x"); got.Body != "second" {
		t.Errorf("got %q", got.Body)
	}
}

// The server closes a kept connection at the moment a request is written on
// it: the lease saw nothing, the answer is a close.
func TestAStaleConnectionIsReplacedOnceWhereThatIsSafe(t *testing.T) {
	stale := func(c *testkit.Call) {
		if c.Number == 1 {
			c.Reply(200, "first")
			return
		}
		c.Close()
	}
	for _, tt := range []struct {
		method string
		status int
		calls  int
	}{{"GET", 200, 3}, {"PUT", 200, 3}, {"POST", 503, 2}} {
		t.Run(tt.method, func(t *testing.T) {
			app := testkit.NewApp(t, stale, stale, testkit.Text("fresh"))
			s := startApp(t, app, func(r *mesh.Route) { r.Retry = nil })
			c := testkit.Dial(t, s.Egress)
			c.Do("GET", "svc", "/", "")
			if got := c.Do(tt.method, "svc", "/", ""); got.Status != tt.status || app.Calls() != tt.calls {
				t.Errorf("got %d after %d calls, want %d after %d", got.Status, app.Calls(), tt.status, tt.calls)
			}
			if tt.status == 200 {
				s.Counts(map[string]uint64{"cluster.c.upstream_rq_stale_replay": 1, "cluster.c.upstream_rq_retry": 0})
			}
		})
	}
}

func TestAFreshConnectionThatIsClosedIsNotStale(t *testing.T) {
	app := testkit.NewApp(t, testkit.CloseAtOnce, testkit.Status(200))
	s := startApp(t, app, func(r *mesh.Route) { r.Retry = nil })
	if got := s.Get("svc", "/"); got.Status != 503 || app.Calls() != 1 {
		t.Errorf("got %d after %d calls", got.Status, app.Calls())
	}
}

func TestEndpointsThatStayKeepTheirConnections(t *testing.T) {
	a, b := testkit.NewApp(t, testkit.Text("a")), testkit.NewApp(t, testkit.Text("b"))
	names := &sidecar.Names{}
	names.Set("c", a.Addr)
	route := sidecar.Route(sidecar.Named("c", mesh.StrictDNS))
	s := sidecar.StartWith(t, sidecar.Mesh(sidecar.Backend("svc", 8080, route)), sidecar.Settings(), names)
	// One client connection: its exchanges end before the next begins.
	client := testkit.Dial(t, s.Egress)
	get := func() testkit.Response { return client.Do("GET", "svc", "/", "") }
	get()
	names.Set("c", a.Addr, b.Addr)
	for range 6 {
		get()
	}
	if a.Conns() != 1 || b.Conns() != 1 || a.Calls() != 4 || b.Calls() != 3 {
		t.Errorf("a: %d over %d, b: %d over %d", a.Calls(), a.Conns(), b.Calls(), b.Conns())
	}
	testkit.Eventually(t, "both idle", func() bool { return s.Gauge("cluster.c.upstream_cx_active") == 2 })
	names.Set("c", b.Addr)
	testkit.Eventually(t, "the connection to a closed", func() bool { return s.Gauge("cluster.c.upstream_cx_active") == 1 })
	for range 3 {
		if got := get(); got.Body != "b" {
			t.Errorf("got %q after a has gone", got.Body)
		}
	}
	names.Set("c")
	if got := get(); got.Status != 503 || got.Body != "no healthy upstream" {
		t.Errorf("got %d %q without endpoints", got.Status, got.Body)
	}
}

func TestAnEndpointThatGoesFinishesWhatItHas(t *testing.T) {
	app, arrived, gate := gated(t)
	names := &sidecar.Names{}
	names.Set("c", app.Addr)
	route := sidecar.Route(sidecar.Named("c", mesh.StrictDNS))
	s := sidecar.StartWith(t, sidecar.Mesh(sidecar.Backend("svc", 8080, route)), sidecar.Settings(), names)
	c := testkit.Dial(t, s.Egress)
	c.Request("GET", "svc", "/x", "")
	testkit.Wait(t, "the request", arrived)
	names.Set("c")
	gate <- struct{}{}
	if got := c.Receive("GET"); got.Status != 200 || got.Body != "/x" {
		t.Errorf("got %d %q", got.Status, got.Body)
	}
	testkit.Eventually(t, "its connection closed", func() bool { return s.Gauge("cluster.c.upstream_cx_active") == 0 })
}

// LOGICAL_DNS: one endpoint; new connections go to the latest first address,
// those there are stay in use (App Mesh 2.9).
func TestALogicalEndpointMovesForNewConnectionsOnly(t *testing.T) {
	a, b := testkit.NewApp(t, testkit.Text("a")), testkit.NewApp(t, testkit.Text("b"))
	names := &sidecar.Names{}
	names.Set("c", a.Addr)
	route := sidecar.Route(sidecar.Named("c", mesh.LogicalDNS))
	s := sidecar.StartWith(t, sidecar.Mesh(sidecar.Backend("svc", 8080, route)), sidecar.Settings(), names)
	client := testkit.Dial(t, s.Egress)
	client.Do("GET", "svc", "/", "")
	names.Set("c", b.Addr)
	if got := client.Do("GET", "svc", "/", ""); got.Body != "a" {
		t.Errorf("the kept connection answered %q", got.Body)
	}
	a.Close()
	testkit.Eventually(t, "new connections to b", func() bool { return s.Get("svc", "/").Body == "b" })
	if n := len(s.Manager.Cluster("c").Members().Endpoints); n != 1 {
		t.Errorf("%d endpoints", n)
	}
}

func TestMembershipIsCountedWhenItChanges(t *testing.T) {
	at := func(port uint16) netip.AddrPort {
		return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)
	}
	snap := sidecar.Mesh(sidecar.Backend("svc", 8080, sidecar.Route(sidecar.Cluster("c", at(1), at(2)))))
	s := sidecar.Start(t, snap)
	s.Apply(snap)
	s.Apply(snap)
	if n := s.Count("cluster.c.membership_change"); n != 1 {
		t.Errorf("membership_change = %d after the same twice more, want 1", n)
	}
	if n := s.Gauge("cluster.c.membership_total"); n != 2 {
		t.Errorf("membership_total = %d", n)
	}
}

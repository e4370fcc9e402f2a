package upstream_test

import (
	"fmt"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/internal/testkit/sidecar"
)

// limited starts a sidecar whose one cluster, "c", has the limits.
func limited(t *testing.T, app *testkit.App, limits mesh.Limits) *sidecar.Sidecar {
	t.Helper()
	cluster := sidecar.Cluster("c", app.Addr)
	cluster.Limits = limits
	return start(t, sidecar.Route(cluster))
}

// gated is an app that announces each request and answers when the gate has a
// token for it.
func gated(t *testing.T) (app *testkit.App, arrived chan string, gate chan struct{}) {
	arrived, gate = make(chan string, 100), make(chan struct{}, 100)
	app = testkit.NewApp(t, func(c *testkit.Call) {
		arrived <- c.Target
		<-gate
		c.Reply(200, c.Target)
	})
	t.Cleanup(func() { close(gate) })
	return app, arrived, gate
}

// waiting tells how many requests wait for a connection of cluster c.
func waiting(s *sidecar.Sidecar) int64 {
	return s.Manager.Cluster("c").Breaker().PendingRequests.InUse()
}

func TestRequestsBeyondMaxConnectionsWaitAndAreServedInOrder(t *testing.T) {
	app, arrived, gate := gated(t)
	s := limited(t, app, mesh.Limits{MaxConnections: 1})
	var clients []*testkit.Client
	for i := range 5 {
		c := testkit.Dial(t, s.Egress)
		c.Request("GET", "svc", fmt.Sprintf("/%d", i), "")
		clients = append(clients, c)
		if i == 0 {
			testkit.Wait(t, "the first request", arrived)
		} else {
			testkit.Eventually(t, "one more waits", func() bool { return waiting(s) == int64(i) })
		}
	}
	for i, c := range clients {
		gate <- struct{}{}
		if got := c.Receive("GET"); got.Body != fmt.Sprintf("/%d", i) {
			t.Errorf("client %d got %d %q", i, got.Status, got.Body)
		}
		if i < 4 {
			if next := testkit.Wait(t, "the next in line", arrived); next != fmt.Sprintf("/%d", i+1) {
				t.Errorf("after %d came %s", i, next)
			}
		}
	}
	if app.Conns() != 1 {
		t.Errorf("%d connections, the limit is 1", app.Conns())
	}
	if n := s.Count("cluster.c.upstream_cx_overflow"); n != 4 {
		t.Errorf("upstream_cx_overflow = %d, want 4", n)
	}
}

func TestAWaiterGetsARoomWhenAConnectionIsClosed(t *testing.T) {
	arrived, gate := make(chan struct{}, 9), make(chan struct{}, 9)
	app := testkit.NewApp(t, func(c *testkit.Call) {
		arrived <- struct{}{}
		<-gate
		c.Reply(200, "", "connection: close")
		c.Close()
	})
	s := limited(t, app, mesh.Limits{MaxConnections: 1})
	a, b := testkit.Dial(t, s.Egress), testkit.Dial(t, s.Egress)
	a.Request("GET", "svc", "/", "")
	testkit.Wait(t, "the first request", arrived)
	b.Request("GET", "svc", "/", "")
	testkit.Eventually(t, "the second waits", func() bool { return waiting(s) == 1 })
	gate <- struct{}{}
	a.Receive("GET")
	testkit.Wait(t, "the second request", arrived)
	gate <- struct{}{}
	if got := b.Receive("GET"); got.Status != 200 || app.Conns() != 2 {
		t.Errorf("got %d over %d connections", got.Status, app.Conns())
	}
}

func TestMoreThanMaxPendingRequestsOverflow(t *testing.T) {
	app, arrived, gate := gated(t)
	s := limited(t, app, mesh.Limits{MaxConnections: 1, MaxPendingRequests: 2})
	var clients []*testkit.Client
	for i := range 3 {
		c := testkit.Dial(t, s.Egress)
		c.Request("GET", "svc", "/", "")
		clients = append(clients, c)
		if i == 0 {
			testkit.Wait(t, "the first request", arrived)
		} else {
			testkit.Eventually(t, "one more waits", func() bool { return waiting(s) == int64(i) })
		}
	}
	got := s.Get("svc", "/")
	if got.Status != 503 || got.Body != resetText+"overflow" || got.Header.Get("x-envoy-overloaded") != "true" {
		t.Errorf("got %d %q %v", got.Status, got.Body, got.Header)
	}
	if r := s.Records.Next(t); r.Flags != "UO" || r.Details != "upstream_reset_before_response_started{overflow}" {
		t.Errorf("record %q %q", r.Flags, r.Details)
	}
	s.Counts(map[string]uint64{"cluster.c.upstream_rq_pending_overflow": 1, "cluster.c.upstream_rq_retry": 0})
	for _, c := range clients {
		gate <- struct{}{}
		if got := c.Receive("GET"); got.Status != 200 {
			t.Errorf("got %d", got.Status)
		}
	}
}

func TestMoreThanMaxRequestsOverflow(t *testing.T) {
	app, arrived, gate := gated(t)
	s := limited(t, app, mesh.Limits{MaxRequests: 1})
	c := testkit.Dial(t, s.Egress)
	c.Request("GET", "svc", "/", "")
	testkit.Wait(t, "the first request", arrived)
	if got := s.Get("svc", "/"); got.Status != 503 || got.Header.Get("x-envoy-overloaded") != "true" {
		t.Errorf("got %d %v", got.Status, got.Header)
	}
	s.Counts(map[string]uint64{"cluster.c.upstream_rq_pending_overflow": 1})
	gate <- struct{}{}
	c.Receive("GET")
	gate <- struct{}{}
	testkit.Eventually(t, "room for another", func() bool { return s.Get("svc", "/").Status == 200 })
}

func TestAWaiterWhoseClientLeavesGivesUpItsPlace(t *testing.T) {
	app, arrived, gate := gated(t)
	s := limited(t, app, mesh.Limits{MaxConnections: 1})
	first := testkit.Dial(t, s.Egress)
	first.Request("GET", "svc", "/first", "")
	testkit.Wait(t, "the first request", arrived)
	leaver := testkit.Dial(t, s.Egress)
	leaver.Request("GET", "svc", "/leaver", "")
	testkit.Eventually(t, "the leaver waits", func() bool { return waiting(s) == 1 })
	stayer := testkit.Dial(t, s.Egress)
	stayer.Request("GET", "svc", "/stayer", "")
	testkit.Eventually(t, "the stayer waits", func() bool { return waiting(s) == 2 })
	leaver.Close()
	testkit.Eventually(t, "the leaver no longer waits", func() bool { return waiting(s) == 1 })
	if r := s.Records.Next(t); r.Path != "/leaver" || r.Flags != "DC" || r.Code != 0 {
		t.Errorf("record %+v", r)
	}
	gate <- struct{}{}
	first.Receive("GET")
	if next := testkit.Wait(t, "the next in line", arrived); next != "/stayer" {
		t.Errorf("then came %s", next)
	}
	gate <- struct{}{}
	if got := stayer.Receive("GET"); got.Status != 200 {
		t.Errorf("got %d", got.Status)
	}
}

func TestAWaiterIsBoundByTheRouteTimeout(t *testing.T) {
	app, arrived, _ := gated(t)
	cluster := sidecar.Cluster("c", app.Addr)
	cluster.Limits.MaxConnections = 1
	route := sidecar.Route(cluster)
	route.Timeout.Value = short
	s := start(t, route)
	first := testkit.Dial(t, s.Egress)
	first.Request("GET", "svc", "/", "")
	testkit.Wait(t, "the first request", arrived)
	if got := s.Get("svc", "/"); got.Status != 504 || got.Body != "upstream request timeout" {
		t.Errorf("got %d %q", got.Status, got.Body)
	}
}

// Each endpoint may have one connection, however full the cluster is.
func TestEachEndpointMayHaveOneConnection(t *testing.T) {
	a, arrivedA, gateA := gated(t)
	b, arrivedB, gateB := gated(t)
	cluster := sidecar.Cluster("c", a.Addr, b.Addr)
	cluster.Limits.MaxConnections = 1
	s := start(t, sidecar.Route(cluster))
	c, d := testkit.Dial(t, s.Egress), testkit.Dial(t, s.Egress)
	c.Request("GET", "svc", "/", "")
	d.Request("GET", "svc", "/", "")
	testkit.Wait(t, "a request at one", arrivedA)
	testkit.Wait(t, "a request at the other", arrivedB)
	gateA <- struct{}{}
	gateB <- struct{}{}
	c.Receive("GET")
	d.Receive("GET")
}

// Many requests over few connections: nobody is forgotten in the queue, in
// whichever moment a connection comes back.
func TestNobodyIsForgottenInTheQueue(t *testing.T) {
	const clients, each = 16, 150
	app := testkit.NewApp(t, func(c *testkit.Call) {
		if c.Number%7 == 0 {
			c.Reply(200, "", "connection: close")
			c.Close()
			return
		}
		c.Reply(200, "")
	})
	s := limited(t, app, mesh.Limits{MaxConnections: 2})
	done := make(chan struct{}, clients)
	for range clients {
		go func() {
			defer func() { done <- struct{}{} }()
			c := testkit.Dial(t, s.Egress)
			for i := range each {
				if got := c.Do("GET", "svc", "/", ""); got.Status != 200 {
					t.Errorf("request %d got %d %q", i, got.Status, got.Body)
					return
				}
			}
		}()
	}
	for range clients {
		testkit.Wait(t, "a client's last answer", done)
	}
	if n := waiting(s); n != 0 {
		t.Errorf("%d still wait", n)
	}
}

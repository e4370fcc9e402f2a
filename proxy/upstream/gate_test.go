package upstream_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/internal/testkit/sidecar"
)

// gateway starts a gateway on port 8080 whose gate, cluster "gate", has the
// limits; cluster "c" is behind it.
func gateway(t *testing.T, app *testkit.App, protocol mesh.Protocol, limits mesh.Limits, change ...func(*mesh.Route)) *sidecar.Gateway {
	t.Helper()
	return sidecar.StartGateway(t, gatewayMesh(app, protocol, limits, change...))
}

func gatewayMesh(app *testkit.App, protocol mesh.Protocol, limits mesh.Limits, change ...func(*mesh.Route)) *mesh.Snapshot {
	entry := sidecar.Entry("/", "/", sidecar.Cluster("c", app.Addr))
	for _, f := range change {
		f(&entry.Service.Routes[0])
	}
	door := sidecar.Door(8080, sidecar.AnyHost(entry))
	door.Protocol, door.Gate.Protocol, door.Gate.Limits = protocol, protocol, limits
	return sidecar.Mesh(door)
}

// pending tells how many wait at the gate.
func pending(g *sidecar.Gateway) int64 { return g.Gauge("cluster.gate.upstream_rq_pending_active") }

func TestAGateLetsSoManyThroughSoManyWaitAndRefusesTheRest(t *testing.T) {
	app, arrived, release := gated(t)
	g := gateway(t, app, mesh.HTTP, mesh.Limits{MaxConnections: 1, MaxPendingRequests: 2})
	var clients []*testkit.Client
	for i := range 3 {
		c := testkit.Dial(t, g.Addr(8080))
		c.Request("GET", "edge", fmt.Sprintf("/%d", i), "")
		clients = append(clients, c)
		if i == 0 {
			testkit.Wait(t, "the first request", arrived)
		} else {
			testkit.Eventually(t, "one more waits", func() bool { return pending(g) == int64(i) })
		}
	}
	for name, want := range map[string]int64{"upstream_cx_active": 1, "upstream_rq_active": 1,
		"circuit_breakers.default.cx_open": 1, "circuit_breakers.default.rq_pending_open": 1} {
		if n := g.Gauge("cluster.gate." + name); n != want {
			t.Errorf("%s = %d, want %d", name, n, want)
		}
	}
	got := testkit.Get(t, g.Addr(8080), "edge", "/late")
	if got.Status != 503 || got.Header.Get("x-envoy-overloaded") != "true" ||
		got.Body != "upstream connect error or disconnect/reset before headers. reset reason: overflow" {
		t.Errorf("one too many got %d %q, %v", got.Status, got.Body, got.Header)
	}
	if record := g.Records.Next(t); record.Flags != "UO" || record.Attempts != 0 {
		t.Errorf("the access log was told %+v", record)
	}
	for i, c := range clients {
		release <- struct{}{}
		if got := c.Receive("GET"); got.Body != fmt.Sprintf("/%d", i) {
			t.Errorf("client %d got %d %q", i, got.Status, got.Body)
		}
		if i < 2 {
			testkit.Wait(t, "the next in line", arrived)
		}
	}
	g.Counts(map[string]uint64{"cluster.gate.upstream_rq_total": 3, "cluster.gate.upstream_rq_pending_total": 2,
		"cluster.gate.upstream_rq_pending_overflow": 1, "cluster.gate.upstream_cx_overflow": 3, "cluster.gate.upstream_rq_completed": 4})
	testkit.Eventually(t, "nothing in use", func() bool {
		return g.Gauge("cluster.gate.upstream_cx_active") == 0 && g.Gauge("cluster.gate.upstream_rq_active") == 0 &&
			g.Gauge("cluster.gate.circuit_breakers.default.cx_open") == 0 && pending(g) == 0
	})
}

func TestAGateOfHTTP2RefusesRequestsAtOnce(t *testing.T) {
	app, arrived, release := gated(t)
	g := gateway(t, app, mesh.HTTP2, mesh.Limits{MaxRequests: 1})
	c := testkit.Dial(t, g.Addr(8080))
	c.Request("GET", "edge", "/", "")
	testkit.Wait(t, "the request", arrived)
	if got := testkit.Get(t, g.Addr(8080), "edge", "/late"); got.Status != 503 || got.Header.Get("x-envoy-overloaded") != "true" {
		t.Errorf("got %d, %v", got.Status, got.Header)
	}
	if n := g.Gauge("cluster.gate.circuit_breakers.default.rq_open"); n != 1 {
		t.Errorf("rq_open = %d", n)
	}
	release <- struct{}{}
	if got := c.Receive("GET"); got.Status != 200 {
		t.Errorf("got %d", got.Status)
	}
	release <- struct{}{}
	testkit.Eventually(t, "a place", func() bool { return g.Gauge("cluster.gate.upstream_rq_active") == 0 })
	if got := testkit.Get(t, g.Addr(8080), "edge", "/again"); got.Status != 200 {
		t.Errorf("once there is a place: %d", got.Status)
	}
	g.Counts(map[string]uint64{"cluster.gate.upstream_rq_pending_overflow": 1, "cluster.gate.upstream_rq_total": 2})
}

func TestWaitingAtAGateHasTheRoutesTimeout(t *testing.T) {
	app, arrived, _ := gated(t)
	g := gateway(t, app, mesh.HTTP, mesh.Limits{MaxConnections: 1}, func(r *mesh.Route) { r.Timeout.Value = 300 * time.Millisecond })
	first := testkit.Dial(t, g.Addr(8080))
	first.Request("POST", "edge", "/", "", "transfer-encoding: chunked") // without an end: no timeout
	testkit.Wait(t, "the request", arrived)
	if got := testkit.Get(t, g.Addr(8080), "edge", "/"); got.Status != 504 || got.Body != "upstream request timeout" {
		t.Errorf("got %d %q", got.Status, got.Body)
	}
	if record := g.Records.Next(t); record.Flags != "UT" || record.Details != "response_timeout" || record.Duration < 300*time.Millisecond {
		t.Errorf("the access log was told %+v", record)
	}
}

func TestAClientThatLeavesTheQueueMakesRoom(t *testing.T) {
	app, arrived, release := gated(t)
	g := gateway(t, app, mesh.HTTP, mesh.Limits{MaxConnections: 1, MaxPendingRequests: 1})
	first, second := testkit.Dial(t, g.Addr(8080)), testkit.Dial(t, g.Addr(8080))
	first.Request("GET", "edge", "/1", "")
	testkit.Wait(t, "the first request", arrived)
	second.Request("GET", "edge", "/2", "")
	testkit.Eventually(t, "the second waits", func() bool { return pending(g) == 1 })
	second.Close()
	testkit.Eventually(t, "nobody waits", func() bool { return pending(g) == 0 })
	third := testkit.Dial(t, g.Addr(8080))
	third.Request("GET", "edge", "/3", "")
	testkit.Eventually(t, "the third waits", func() bool { return pending(g) == 1 })
	release <- struct{}{}
	release <- struct{}{}
	for _, c := range []*testkit.Client{first, third} {
		if got := c.Receive("GET"); got.Status != 200 {
			t.Errorf("got %d", got.Status)
		}
	}
}

// A tunnel holds its place until it ends, and a request that fails behind the
// gate gives it back.
func TestAPlaceIsHeldUntilTheExchangeEnds(t *testing.T) {
	app := testkit.NewApp(t, testkit.Upgrade("hi\n"))
	g := gateway(t, app, mesh.HTTP, mesh.Limits{MaxConnections: 1, MaxPendingRequests: 1})
	active := func() int64 { return g.Gauge("cluster.gate.upstream_cx_active") }
	c := testkit.Dial(t, g.Addr(8080))
	c.Request("GET", "edge", "/", "", "connection: upgrade", "upgrade: websocket")
	if got := c.Receive("GET"); got.Status != 101 || active() != 1 {
		t.Fatalf("got %d, %d active", got.Status, active())
	}
	c.Close()
	testkit.Eventually(t, "the place", func() bool { return active() == 0 })
	app.Close()
	for range 3 {
		if got := testkit.Get(t, g.Addr(8080), "edge", "/"); got.Status != 503 || got.Header.Get("x-envoy-overloaded") != "" {
			t.Errorf("got %d, %v", got.Status, got.Header)
		}
	}
	testkit.Eventually(t, "the place", func() bool { return active() == 0 })
}

func TestAReloadChangesTheLimitsOfAGate(t *testing.T) {
	app, arrived, release := gated(t)
	g := gateway(t, app, mesh.HTTP, mesh.Limits{MaxConnections: 1, MaxPendingRequests: 9})
	var clients []*testkit.Client
	send := func() {
		c := testkit.Dial(t, g.Addr(8080))
		c.Request("GET", "edge", "/", "")
		clients = append(clients, c)
	}
	send()
	testkit.Wait(t, "the first request", arrived)
	send()
	testkit.Eventually(t, "the second waits", func() bool { return pending(g) == 1 })
	g.Apply(gatewayMesh(app, mesh.HTTP, mesh.Limits{MaxConnections: 3, MaxPendingRequests: 9}))
	send()
	g.Apply(gatewayMesh(app, mesh.HTTP, mesh.Limits{})) // no limit: no gate
	send()
	testkit.Wait(t, "one without a limit", arrived)
	for range clients {
		release <- struct{}{}
	}
	for _, c := range clients {
		if got := c.Receive("GET"); got.Status != 200 {
			t.Errorf("got %d", got.Status)
		}
	}
	testkit.Eventually(t, "nothing in use", func() bool { return g.Gauge("cluster.gate.upstream_cx_active") == 0 && pending(g) == 0 })
}

// Under load no more than the limit are behind the gate at once, nobody gets
// lost, and all places come back.
func TestAGateHoldsUnderLoad(t *testing.T) {
	const most, workers, rounds = 3, 16, 60
	var behind, worst atomic.Int64
	app := testkit.NewApp(t, func(c *testkit.Call) {
		n := behind.Add(1)
		for w := worst.Load(); n > w && !worst.CompareAndSwap(w, n); w = worst.Load() {
		}
		behind.Add(-1)
		c.Reply(200, "ok")
	})
	g := gateway(t, app, mesh.HTTP, mesh.Limits{MaxConnections: most, MaxPendingRequests: 4})
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}}
	defer client.CloseIdleConnections()
	var served, refused atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range rounds {
				resp, err := client.Get("http://" + g.Addr(8080).String() + "/")
				switch {
				case err != nil:
					t.Error(err)
					return
				case resp.StatusCode == 200:
					served.Add(1)
				case resp.StatusCode == 503 && resp.Header.Get("x-envoy-overloaded") == "true":
					refused.Add(1)
				default:
					t.Errorf("status %d", resp.StatusCode)
				}
				resp.Body.Close()
			}
		})
	}
	wg.Wait()
	if worst.Load() > most || served.Load() == 0 || served.Load()+refused.Load() != workers*rounds {
		t.Errorf("%d at once, %d served, %d refused", worst.Load(), served.Load(), refused.Load())
	}
	g.Counts(map[string]uint64{"cluster.gate.upstream_rq_total": uint64(served.Load()), "cluster.gate.upstream_rq_pending_overflow": uint64(refused.Load())})
	testkit.Eventually(t, "all places back", func() bool { return g.Gauge("cluster.gate.upstream_cx_active") == 0 && pending(g) == 0 })
}

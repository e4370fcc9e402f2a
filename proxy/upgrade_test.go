package proxy_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/internal/testkit/sidecar"
)

const upgrade = "GET /ws HTTP/1.1\r\nhost: svc\r\nconnection: keep-alive, Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: k\r\n\r\n"

func TestAnUpgradeIsATunnelBothWays(t *testing.T) {
	app := testkit.NewApp(t, testkit.Upgrade("hello, "))
	s := startApp(t, app)
	c := testkit.Dial(t, s.Egress)
	c.Send(upgrade + "early ") // before the 101 has come
	got := c.Receive("GET")
	if got.Status != 101 || !strings.EqualFold(got.Header.Get("connection"), "upgrade") || got.Header.Get("upgrade") != "websocket" {
		t.Fatalf("got %d %v", got.Status, got.Header)
	}
	c.Expect("hello, early ")
	c.Send("late")
	c.Expect("late")
	if n := s.Gauge("http.egress.downstream_cx_upgrades_active"); n != 1 {
		t.Errorf("%d upgrades are active", n)
	}
	c.CloseWrite()
	if rest, err := c.Rest(); rest != "" || err != nil {
		t.Errorf("then %q, %v", rest, err)
	}
	if r := s.Records.Next(t); r.Code != 101 || r.Flags != "" || r.Received != 10 || r.Sent != 17 {
		t.Errorf("record %+v", r)
	}
	s.Counts(map[string]uint64{"http.egress.downstream_cx_upgrades_total": 1, "cluster.c.upstream_rq_timeout": 0})
	testkit.Eventually(t, "nothing upstream", func() bool { return s.Gauge("cluster.c.upstream_cx_active") == 0 })
	if h := app.Seen()[0].Header; !strings.EqualFold(h.Get("connection"), "upgrade") || h.Get("upgrade") != "websocket" || h.Get("sec-websocket-key") != "k" {
		t.Errorf("the app saw %v", h)
	}
}

func TestATunnelOutlivesTheRouteTimeoutAndTheSweep(t *testing.T) {
	app := testkit.NewApp(t, testkit.Upgrade(""))
	route := sidecar.Route(sidecar.Cluster("c", app.Addr))
	route.Timeout.Value = 100 * time.Millisecond
	s := start(t, route)
	c := testkit.Dial(t, s.Egress)
	c.Send(upgrade)
	c.Receive("GET")
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 8 {
		<-tick.C
		c.Send("x")
		c.Expect("x")
	}
	// Half a close is no reason to end a tunnel: what the app still says comes through.
	c.CloseWrite()
	if rest, err := c.Rest(); rest != "" || err != nil {
		t.Errorf("then %q, %v", rest, err)
	}
	s.Counts(map[string]uint64{"cluster.c.upstream_rq_timeout": 0})
}

func TestATunnelHasTheIdleTimeoutOfItsRoute(t *testing.T) {
	app := testkit.NewApp(t, testkit.Upgrade(""))
	route := sidecar.Route(sidecar.Cluster("c", app.Addr))
	route.Idle.Value = 500 * time.Millisecond // which a busy machine needs, to answer the upgrade itself
	s := start(t, route)
	c := testkit.Dial(t, s.Egress)
	c.Send(upgrade)
	c.Receive("GET")
	c.Rest() // ends by the timeout
	if n := s.Gauge("http.egress.downstream_cx_upgrades_active"); n != 0 {
		testkit.Eventually(t, "the tunnel ended", func() bool { return s.Gauge("http.egress.downstream_cx_upgrades_active") == 0 })
	}
	if r := s.Records.Next(t); r.Code != 101 || r.Flags != "SI" {
		t.Errorf("record %d %q", r.Code, r.Flags)
	}
	s.Counts(map[string]uint64{"http.egress.downstream_rq_idle_timeout": 1})
}

func TestATunnelThatIsResetSaysByWhom(t *testing.T) {
	for flags, end := range map[string]func(c *testkit.Client, app *testkit.Call){
		"UC": func(_ *testkit.Client, app *testkit.Call) { app.Reset() },
		"DC": func(c *testkit.Client, _ *testkit.Call) { c.Reset() },
	} {
		calls := make(chan *testkit.Call, 1)
		ended := make(chan struct{})
		app := testkit.NewApp(t, func(c *testkit.Call) {
			c.Write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
			calls <- c
			<-ended
		})
		s := startApp(t, app)
		c := testkit.Dial(t, s.Egress)
		c.Send(upgrade)
		c.Receive("GET")
		end(c, <-calls)
		r := s.Records.Next(t)
		close(ended)
		if r.Code != 101 || r.Flags != flags {
			t.Errorf("record %d %q, want %q", r.Code, r.Flags, flags)
		}
	}
}

func TestAnUpgradeThatIsNotWantedIsAnOrdinaryExchange(t *testing.T) {
	app := testkit.NewApp(t, testkit.Status(200))
	s := startApp(t, app)
	c := testkit.Dial(t, s.Egress)
	c.Send(upgrade)
	if got := c.Receive("GET"); got.Status != 200 {
		t.Errorf("got %d", got.Status)
	}
	if got := c.Do("GET", "svc", "/", ""); got.Status != 200 {
		t.Errorf("the next request got %d", got.Status)
	}
}

func TestA101ThatNobodyAskedForIsABreachOfTheProtocol(t *testing.T) {
	app := testkit.NewApp(t, testkit.Upgrade("smuggled"))
	route := sidecar.Route(sidecar.Cluster("c", app.Addr))
	route.Retry = nil
	s := start(t, route)
	if got := s.Get("svc", "/"); got.Status != 502 {
		t.Errorf("got %d", got.Status)
	}
	if r := s.Records.Next(t); r.Flags != "UPE" {
		t.Errorf("flags %q", r.Flags)
	}
}

func TestAnUpgradeIsRetriedLikeAnyRequest(t *testing.T) {
	app := testkit.NewApp(t, testkit.Status(503), testkit.Upgrade("hi"))
	s := startApp(t, app)
	c := testkit.Dial(t, s.Egress)
	c.Send(upgrade)
	if got := c.Receive("GET"); got.Status != 101 {
		t.Fatalf("got %d", got.Status)
	}
	c.Expect("hi")
}

func TestASidecarThatStopsEndsItsTunnels(t *testing.T) {
	app := testkit.NewApp(t, testkit.Upgrade(""))
	s := startApp(t, app)
	c := testkit.Dial(t, s.Egress)
	c.Send(upgrade)
	c.Receive("GET")
	s.Stop()
	if _, err := io.ReadAll(c.Reader); err != nil {
		t.Logf("the tunnel ended by %v", err)
	}
}

package proxy_test

import (
	"io"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/internal/testkit/sidecar"
)

func TestASwapDecidesTheNextRequestOnTheSameConnection(t *testing.T) {
	a, b := testkit.NewApp(t, testkit.Text("a")), testkit.NewApp(t, testkit.Text("b"))
	to := func(name string, app *testkit.App) *mesh.Snapshot {
		return sidecar.Mesh(sidecar.Backend("svc", 8080, sidecar.Route(sidecar.Cluster(name, app.Addr))))
	}
	s := sidecar.Start(t, to("a", a))
	c := testkit.Dial(t, s.Egress)
	for i := range 6 {
		if i%2 == 0 {
			s.Apply(to("a", a))
		} else {
			s.Apply(to("b", b))
		}
		if got := c.Do("GET", "svc", "/", ""); got.Body != [2]string{"a", "b"}[i%2] {
			t.Errorf("swap %d: got %q", i, got.Body)
		}
	}
	s.Apply(&mesh.Snapshot{})
	if got := c.Do("GET", "svc", "/", ""); got.Status != 404 {
		t.Errorf("got %d from an empty mesh", got.Status)
	}
}

// Fifty swaps of weights, endpoints, removed and added clusters: an upgrade, a
// slow response and an upload cross all of them, and no request fails.
func TestSwapsUnderLoadCutNothing(t *testing.T) {
	a := testkit.NewApp(t, func(c *testkit.Call) { c.Reply(200, "a") })
	b := testkit.NewApp(t, func(c *testkit.Call) { c.Reply(200, "b") })
	gate := make(chan struct{})
	long := testkit.NewApp(t, func(c *testkit.Call) {
		switch c.Target {
		case "/ws":
			testkit.Upgrade("")(c)
		case "/slow":
			testkit.Trickle(gate, "tick")(c)
		case "/up":
			c.Reply(200, "")
		}
	})
	version := func(i int) *mesh.Snapshot {
		// Removed and added again by turns; the others' endpoints and weights move.
		main := sidecar.Route(sidecar.Cluster("main", a.Addr, b.Addr))
		if i%2 == 0 {
			main = sidecar.Route(sidecar.Cluster("main", b.Addr), sidecar.Cluster("canary", a.Addr))
			main.Targets[1].Weight = uint32(i)
		}
		chains := []*mesh.Listener{sidecar.Backend("svc", 8080, main)}
		if i%3 != 0 {
			chains = append(chains, sidecar.Backend("long", 9090, sidecar.Route(sidecar.Cluster("long", long.Addr))))
		}
		return sidecar.Mesh(chains...)
	}
	s := sidecar.Start(t, version(1))

	ws := testkit.Dial(t, s.Egress)
	ws.Send("GET /ws HTTP/1.1\r\nhost: long\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
	ws.Receive("GET")
	slow := testkit.Dial(t, s.Egress)
	slow.Request("GET", "long", "/slow", "")
	resp := slow.ReceiveHead("GET")
	up := testkit.Dial(t, s.Egress)
	up.Send("POST /up HTTP/1.1\r\nhost: long\r\ntransfer-encoding: chunked\r\n\r\n")
	testkit.Eventually(t, "the upload upstream", func() bool { return long.Calls() == 3 })

	stop, done := make(chan struct{}), make(chan int, 4)
	for range 4 {
		go func() {
			served := 0
			defer func() { done <- served }()
			c := testkit.Dial(t, s.Egress)
			for {
				select {
				case <-stop:
					return
				default:
				}
				if got := c.Do("GET", "svc", "/", ""); got.Status != 200 {
					t.Errorf("a request got %d %q", got.Status, got.Body)
					return
				}
				served++
			}
		}()
	}
	for i := range 50 {
		s.Apply(version(i))
		ws.Send("x")
		ws.Expect("x")
		gate <- struct{}{}
		up.Send("4\r\nmore\r\n")
	}
	close(stop)
	for range 4 {
		if n := testkit.Wait(t, "a client's end", done); n == 0 {
			t.Error("a client was never served")
		}
	}
	close(gate)
	if body, err := io.ReadAll(resp.Body); string(body) != strings.Repeat("tick", 50) || err != nil {
		t.Errorf("the slow response gave %d bytes, %v", len(body), err)
	}
	up.Send("0\r\n\r\n")
	if got := up.Receive("POST"); got.Status != 200 {
		t.Errorf("the upload got %d", got.Status)
	}
	for _, r := range long.Seen() {
		if r.Target == "/up" && r.Body != strings.Repeat("more", 50) {
			t.Errorf("the upload arrived with %d bytes", len(r.Body))
		}
	}
}

func TestRoutingFailures(t *testing.T) {
	app := testkit.NewApp(t)
	zero := sidecar.Route(sidecar.Cluster("c", app.Addr))
	zero.Match.Prefix, zero.Targets[0].Weight = "/zero", 0
	only := sidecar.Route(sidecar.Cluster("c", app.Addr))
	only.Match = mesh.Match{Exact: "/only"}
	s := start(t, zero, only)
	for _, tt := range []struct {
		host, path     string
		status         int
		flags, details string
	}{
		{"svc", "/zero", 503, "NC", "cluster_not_found"},
		{"svc", "/else", 404, "NR", "route_not_found"},
		{"svc", "/only", 200, "", "via_upstream"},
		{"svc", "/only?x=y", 200, "", "via_upstream"},
		{"unlisted", "/only", 404, "NR", "route_not_found"},
	} {
		c := testkit.Dial(t, s.Egress)
		for range 2 { // the connection goes on after a failure
			got := c.Do("GET", tt.host, tt.path, "")
			r := s.Records.Next(t)
			if got.Status != tt.status || tt.status != 200 && got.Body != "" || r.Flags != tt.flags || r.Details != tt.details {
				t.Errorf("%s%s: got %d %q, %q %q", tt.host, tt.path, got.Status, got.Body, r.Flags, r.Details)
			}
			if got.Header.Get("server") != "envoy" || got.Header.Get("date") == "" {
				t.Errorf("%s%s: header %v", tt.host, tt.path, got.Header)
			}
		}
	}
	s.Counts(map[string]uint64{"http.egress.no_cluster": 2})
}

func TestTargetsShareByWeight(t *testing.T) {
	a, b := testkit.NewApp(t), testkit.NewApp(t)
	route := sidecar.Route(sidecar.Cluster("a", a.Addr), sidecar.Cluster("b", b.Addr))
	route.Targets[0].Weight, route.Targets[1].Weight = 80, 20
	s := start(t, route)
	c := testkit.Dial(t, s.Egress)
	for range 1000 {
		c.Do("GET", "svc", "/", "")
	}
	if n := a.Calls(); n < 800-65 || n > 800+65 || n+b.Calls() != 1000 { // five standard deviations
		t.Errorf("%d and %d of 1000", n, b.Calls())
	}
}

func TestTCPTargetsShareByWeight(t *testing.T) {
	clusters := []*mesh.Cluster{
		sidecar.Cluster("a", testkit.NewEcho(t, "a")), sidecar.Cluster("b", testkit.NewEcho(t, "b")), sidecar.Cluster("none", testkit.NewEcho(t, "c"))}
	l := sidecar.TCPBackend(5432, clusters...)
	l.Targets[0].Weight, l.Targets[1].Weight, l.Targets[2].Weight = 3, 1, 0
	l.Direction = mesh.Ingress
	s := sidecar.Start(t, sidecar.Mesh(l))
	got := make(map[byte]int)
	for range 200 {
		c := testkit.Dial(t, s.Ingress)
		greeting, _ := c.Reader.ReadByte()
		got[greeting]++
		c.Close()
	}
	if got['a'] < 150-31 || got['a'] > 150+31 || got['a']+got['b'] != 200 {
		t.Errorf("shares %v", got)
	}
}

func TestTCPFailuresCloseAndAreFlagged(t *testing.T) {
	for _, tt := range []struct {
		what    string
		cluster *mesh.Cluster
		flags   string
	}{
		{"refused", sidecar.Cluster("c", testkit.Refused(t)), "UF,URX"},
		{"no endpoint", sidecar.Cluster("c"), "UH"},
		{"refused by the documents", &mesh.Cluster{Name: "c", Refuse: "tls"}, "UF"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			l := sidecar.TCPBackend(5432, tt.cluster)
			l.Direction = mesh.Ingress
			s := sidecar.Start(t, sidecar.Mesh(l))
			c := testkit.Dial(t, s.Ingress)
			if rest, _ := c.Rest(); rest != "" {
				t.Errorf("read %q", rest)
			}
			if r := s.Records.Next(t); r.Flags != tt.flags || r.Cluster != "c" {
				t.Errorf("record %+v", r)
			}
		})
	}
}

func TestTCPConnectionsBeyondTheLimitAreClosed(t *testing.T) {
	cluster := sidecar.Cluster("c", testkit.NewEcho(t, "hi"))
	cluster.Limits.MaxConnections = 2
	l := sidecar.TCPBackend(5432, cluster)
	l.Direction = mesh.Ingress
	s := sidecar.Start(t, sidecar.Mesh(l))
	var open []*testkit.Client
	for range 2 {
		c := testkit.Dial(t, s.Ingress)
		c.Expect("hi")
		open = append(open, c)
	}
	c := testkit.Dial(t, s.Ingress)
	if rest, _ := c.Rest(); rest != "" {
		t.Errorf("read %q", rest)
	}
	if r := s.Records.Next(t); r.Flags != "UO" {
		t.Errorf("flags %q", r.Flags)
	}
	s.Counts(map[string]uint64{"cluster.c.upstream_cx_overflow": 1})
	open[0].Close()
	testkit.Eventually(t, "room again", func() bool { return s.Gauge("cluster.c.upstream_cx_active") == 1 })
	c = testkit.Dial(t, s.Ingress)
	c.Expect("hi")
}

func TestATCPConnectionEndsAfterSilence(t *testing.T) {
	l := sidecar.TCPBackend(5432, sidecar.Cluster("c", testkit.NewEcho(t, "hi")))
	l.Direction, l.IdleTimeout.Value = mesh.Ingress, 50e6
	s := sidecar.Start(t, sidecar.Mesh(l))
	c := testkit.Dial(t, s.Ingress)
	if rest, _ := c.Rest(); rest != "hi" {
		t.Errorf("read %q", rest)
	}
}

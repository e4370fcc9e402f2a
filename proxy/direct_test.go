package proxy_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/internal/testkit/sidecar"
)

// town is a mesh of several services and ports: "one" on 8080; "both" on 8080
// and on 9090; "data" is TCP on 5432.
func town(t *testing.T, filter mesh.EgressFilter) *sidecar.Sidecar {
	t.Helper()
	cluster := func(name string) *mesh.Cluster {
		return sidecar.Cluster(name, testkit.NewApp(t, func(c *testkit.Call) { c.Reply(200, name+" "+c.Host+" "+c.Target) }).Addr)
	}
	host := func(l *mesh.Listener, service string, c *mesh.Cluster) {
		more := sidecar.Backend(service, l.Port, sidecar.Route(c))
		l.VirtualHosts = append(l.VirtualHosts, more.VirtualHosts...)
	}
	first := sidecar.Backend("both", 8080, sidecar.Route(cluster("both8080")))
	host(first, "one", cluster("one8080"))
	second := sidecar.Backend("both", 9090, sidecar.Route(cluster("both9090")))
	host(second, "other", cluster("other9090"))
	data := sidecar.TCPBackend(5432, sidecar.Cluster("data", testkit.NewEcho(t, "220 data ")))
	return sidecar.Start(t, sidecar.WithEgress(sidecar.Mesh(first, second, data), filter))
}

func TestADirectRequestIsRoutedByAuthority(t *testing.T) {
	s := town(t, mesh.DropAll)
	for _, tt := range []struct {
		host   string
		status int
		body   string
	}{
		{"one", 200, "one8080 one /x"},
		{"one:8080", 200, "one8080 one:8080 /x"},
		{"ONE", 200, "one8080 ONE /x"},
		{"one:9090", 404, ""},
		{"other", 200, "other9090 other /x"},
		{"other:9090", 200, "other9090 other:9090 /x"},
		{"both:8080", 200, "both8080 both:8080 /x"},
		{"both:9090", 200, "both9090 both:9090 /x"},
		{"both", 404, ""}, // several ports: a bare name says nothing
		{"data", 404, ""},
		{"nobody", 404, ""},
		{"nobody:8080", 404, ""},
		{"127.0.0.1", 404, ""},
	} {
		got := s.Get(tt.host, "/x")
		if got.Status != tt.status || got.Body != tt.body {
			t.Errorf("%s: got %d %q, want %d %q", tt.host, got.Status, got.Body, tt.status, tt.body)
		}
		r := s.Records.Next(t)
		if tt.status == 404 && (r.Flags != "NR" || r.Details != "route_not_found") {
			t.Errorf("%s: record %q %q", tt.host, r.Flags, r.Details)
		}
	}
	if n := s.Count("http.egress.no_route"); n != 6 {
		t.Errorf("no_route = %d", n)
	}
}

func TestOneConnectionMayAskForManyAuthorities(t *testing.T) {
	s := town(t, mesh.DropAll)
	c := testkit.Dial(t, s.Egress)
	for range 3 {
		for _, host := range []string{"one", "both:9090", "nobody", "both:8080", "other"} {
			got := c.Do("GET", host, "/", "")
			if want := map[bool]int{true: 404, false: 200}[host == "nobody"]; got.Status != want {
				t.Errorf("%s: got %d", host, got.Status)
			}
		}
	}
}

func TestAnAbsoluteFormIsServedAsAProxyDoes(t *testing.T) {
	stranger := testkit.NewApp(t, func(c *testkit.Call) { c.Reply(200, "stranger "+c.Host+" "+c.Target) })
	s := town(t, mesh.AllowAll)
	for _, tt := range []struct{ target, host, want string }{
		{"http://one/a?b=c", "ignored", "one8080 one /a?b=c"},
		{"http://both:9090/", "both:9090", "both9090 both:9090 /"},
		{fmt.Sprintf("http://%s/p", stranger.Addr), "x", fmt.Sprintf("stranger %s /p", stranger.Addr)},
	} {
		c := testkit.Dial(t, s.Egress)
		for range 2 {
			if got := c.Do("GET", tt.host, tt.target, ""); got.Status != 200 || got.Body != tt.want {
				t.Errorf("%s: got %d %q, want %q", tt.target, got.Status, got.Body, tt.want)
			}
		}
	}
	if stranger.Conns() != 1 {
		t.Errorf("%d connections to the stranger", stranger.Conns())
	}
}

func TestTheEgressFilterHoldsForAbsoluteForms(t *testing.T) {
	stranger := testkit.NewApp(t)
	s := town(t, mesh.DropAll)
	c := testkit.Dial(t, s.Egress)
	got := c.Do("GET", "x", fmt.Sprintf("http://%s/", stranger.Addr), "")
	if got.Status != 403 || !strings.Contains(got.Body, "DROP_ALL") || stranger.Conns() != 0 {
		t.Errorf("got %d %q", got.Status, got.Body)
	}
}

// A backend takes its port over: another host on it gets 404, as it would if
// it were redirected, also under ALLOW_ALL (App Mesh 2.3).
func TestAPortOfABackendBelongsToIt(t *testing.T) {
	s := town(t, mesh.AllowAll)
	if got := testkit.Dial(t, s.Egress).Do("GET", "x", "http://localhost:9090/", ""); got.Status != 404 {
		t.Errorf("got %d", got.Status)
	}
	c := testkit.Dial(t, s.Egress)
	c.Send("CONNECT localhost:9090 HTTP/1.1\r\nhost: localhost:9090\r\n\r\n")
	if got := c.Receive("CONNECT"); got.Status != 200 {
		t.Fatalf("got %d", got.Status)
	}
	if got := c.Do("GET", "localhost:9090", "/", ""); got.Status != 404 {
		t.Errorf("inside the tunnel: got %d", got.Status)
	}
}

func TestATunnelThatCannotBeOpenedIsNotPromised(t *testing.T) {
	none := sidecar.TCPBackend(1111, sidecar.Cluster("zero", testkit.Refused(t)))
	none.Targets[0].Weight = 0
	closed := sidecar.TCPBackend(3333)
	closed.Refuse = "tls"
	s := sidecar.Start(t, sidecar.Mesh(none, closed,
		sidecar.TCPBackend(2222, sidecar.Cluster("refused", testkit.Refused(t))),
		sidecar.TCPBackend(4444, sidecar.Cluster("empty"))))
	for _, port := range []string{"1111", "2222", "3333", "4444"} {
		c := testkit.Dial(t, s.Egress)
		c.Send("CONNECT db:" + port + " HTTP/1.1\r\nhost: db:" + port + "\r\n\r\n")
		if got := c.Receive("GET"); got.Status != 503 || !got.Close {
			t.Errorf("port %s: got %d, close %v", port, got.Status, got.Close)
		}
	}
}

func TestAConnectToAnHTTPBackendIsServedLikeADialedOne(t *testing.T) {
	s := town(t, mesh.DropAll)
	for _, early := range []bool{false, true} {
		c := testkit.Dial(t, s.Egress)
		inner := "GET /in HTTP/1.1\r\nhost: both:9090\r\n\r\n"
		c.Send("CONNECT both:9090 HTTP/1.1\r\nhost: both:9090\r\n\r\n")
		if early {
			c.Send(inner)
		}
		if got := c.Receive("CONNECT"); got.Status != 200 {
			t.Fatalf("got %d %q", got.Status, got.Body)
		}
		if !early {
			c.Send(inner)
		}
		if got := c.Receive("GET"); got.Body != "both9090 both:9090 /in" {
			t.Errorf("got %d %q", got.Status, got.Body)
		}
		if got := c.Do("GET", "other:9090", "/again", ""); got.Body != "other9090 other:9090 /again" {
			t.Errorf("got %d %q", got.Status, got.Body)
		}
		if got := c.Do("GET", "nobody:9090", "/", ""); got.Status != 404 {
			t.Errorf("got %d", got.Status)
		}
		c.Close()
		paths := ""
		for range 4 { // three inside, and the tunnel itself
			r := s.Records.Next(t)
			if r.Method == "CONNECT" && r.Authority != "both:9090" {
				t.Errorf("the tunnel's record says %q", r.Authority)
			}
			paths += r.Method + r.Path + " "
		}
		if paths != "GET/in GET/again GET/ CONNECT " {
			t.Errorf("records %q", paths)
		}
	}
}

func TestAConnectToATCPBackendIsATunnel(t *testing.T) {
	s := town(t, mesh.DropAll)
	for _, early := range []string{"", "early "} {
		c := testkit.Dial(t, s.Egress)
		c.Send("CONNECT whatever.local:5432 HTTP/1.1\r\nhost: whatever.local:5432\r\n\r\n" + early)
		if got := c.Receive("CONNECT"); got.Status != 200 {
			t.Fatalf("got %d %q", got.Status, got.Body)
		}
		c.Expect("220 data " + early)
		c.Send("late")
		c.Expect("late")
		c.CloseWrite()
		if rest, err := c.Rest(); rest != "" || err != nil {
			t.Errorf("then %q, %v", rest, err)
		}
	}
	testkit.Eventually(t, "the tunnels closed", func() bool { return s.Gauge("cluster.data.upstream_cx_active") == 0 })
}

func TestAConnectToAStrangerObeysTheEgressFilter(t *testing.T) {
	echo := testkit.NewEcho(t, "hi ")
	connect := fmt.Sprintf("CONNECT %s HTTP/1.1\r\nhost: %s\r\n\r\n", echo, echo)
	c := testkit.Dial(t, town(t, mesh.AllowAll).Egress)
	c.Send(connect)
	if got := c.Receive("CONNECT"); got.Status != 200 {
		t.Fatalf("under ALLOW_ALL: got %d", got.Status)
	}
	c.Expect("hi ")
	c.Send("x")
	c.Expect("x")

	c = testkit.Dial(t, town(t, mesh.DropAll).Egress)
	c.Send(connect)
	if got := c.Receive("GET"); got.Status != 403 || !got.Close {
		t.Errorf("under DROP_ALL: got %d", got.Status)
	}
}

func TestAConnectThatCannotBeMadeIsToldSo(t *testing.T) {
	s := town(t, mesh.AllowAll)
	for what, host := range map[string]string{
		"refused":  testkit.Refused(t).String(),
		"to us":    s.Egress.String(),
		"no name":  "no-such-name.invalid:443",
		"no port ": "127.0.0.1",
	} {
		c := testkit.Dial(t, s.Egress)
		c.Send("CONNECT " + host + " HTTP/1.1\r\nhost: " + host + "\r\n\r\n")
		if got := c.Receive("GET"); got.Status != 503 && got.Status != 400 {
			t.Errorf("%s: got %d %q", what, got.Status, got.Body)
		}
	}
}

func TestAnAbsoluteFormToOurselvesGoesNotRound(t *testing.T) {
	s := town(t, mesh.AllowAll)
	for _, own := range []netip.AddrPort{s.Egress, s.Ingress} {
		if got := testkit.Dial(t, s.Egress).Do("GET", "x", "http://"+own.String()+"/", ""); got.Status != 503 {
			t.Errorf("got %d %q", got.Status, got.Body)
		}
	}
}

func TestDirectIngressGoesToTheOnlyListener(t *testing.T) {
	app := testkit.NewApp(t, testkit.Text("app"))
	s := sidecar.Start(t, sidecar.Mesh(sidecar.App(8080, sidecar.Cluster("app", app.Addr))))
	for _, host := range []string{"whoever", "whoever:1", "10.1.2.3:8080"} {
		if got := testkit.Get(t, s.Ingress, host, "/"); got.Body != "app" {
			t.Errorf("%s: got %d %q", host, got.Status, got.Body)
		}
	}
	c := testkit.Dial(t, s.Ingress)
	c.Send("GET /health HTTP/1.0\r\n\r\n") // old health checkers name no host
	if got := c.Receive("GET"); got.Status != 200 {
		t.Errorf("without a host: got %d", got.Status)
	}
}

func TestDirectIngressGoesWhereTheHostsPortSays(t *testing.T) {
	a, b := testkit.NewApp(t, testkit.Text("a")), testkit.NewApp(t, testkit.Text("b"))
	s := sidecar.Start(t, sidecar.Mesh(sidecar.App(8080, sidecar.Cluster("a", a.Addr)), sidecar.App(9090, sidecar.Cluster("b", b.Addr))))
	for host, want := range map[string]string{"x:8080": "a", "x:9090": "b", "[::1]:9090": "b", "x:7070": "", "x": ""} {
		if got := testkit.Get(t, s.Ingress, host, "/"); got.Body != want || want == "" && got.Status != 404 {
			t.Errorf("%s: got %d %q", host, got.Status, got.Body)
		}
	}
}

func TestDirectIngressToTheOnlyTCPListener(t *testing.T) {
	l := sidecar.TCPBackend(5432, sidecar.Cluster("app", testkit.NewEcho(t, "220 ")))
	l.Direction = mesh.Ingress
	s := sidecar.Start(t, sidecar.Mesh(l))
	c := testkit.Dial(t, s.Ingress)
	c.Expect("220 ") // the server speaks first
	c.Send("ping")
	c.Expect("ping")
	c.CloseWrite()
	if rest, err := c.Rest(); rest != "" || err != nil {
		t.Errorf("then %q, %v", rest, err)
	}
	if r := s.Records.Next(t); r.Received != 4 || r.Sent != 8 || r.Cluster != "app" {
		t.Errorf("record %+v", r)
	}
}

func TestAListenerThatIsRefusedClosesItsConnections(t *testing.T) {
	app := testkit.NewApp(t)
	l := sidecar.App(8080, sidecar.Cluster("app", app.Addr))
	l.Refuse = "tls mode STRICT"
	s := sidecar.Start(t, sidecar.Mesh(l))
	c := testkit.Dial(t, s.Ingress)
	if rest, _ := c.Rest(); rest != "" {
		t.Errorf("read %q", rest)
	}
	if app.Conns() != 0 {
		t.Error("it reached the app in plaintext")
	}
	s.Counts(map[string]uint64{fmt.Sprintf("listener.0.0.0.0_%d.no_filter_chain_match", 0): 1})
}

func TestIngressAllowsNoConnect(t *testing.T) {
	s := sidecar.Start(t, sidecar.Mesh(sidecar.App(8080, sidecar.Cluster("app", testkit.NewApp(t).Addr))))
	c := testkit.Dial(t, s.Ingress)
	c.Send("CONNECT x:8080 HTTP/1.1\r\nhost: x:8080\r\n\r\n")
	if got := c.Receive("GET"); got.Status != 403 {
		t.Errorf("got %d", got.Status)
	}
}

func TestIngressRetriesNothing(t *testing.T) {
	app := testkit.NewApp(t, testkit.Status(503), testkit.Status(200))
	s := sidecar.Start(t, sidecar.Mesh(sidecar.App(8080, sidecar.Cluster("app", app.Addr))))
	if got := testkit.Get(t, s.Ingress, "x", "/"); got.Status != 503 || app.Calls() != 1 {
		t.Errorf("got %d after %d calls", got.Status, app.Calls())
	}
}

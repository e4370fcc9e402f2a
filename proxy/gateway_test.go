package proxy_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/internal/testkit/sidecar"
	"github.com/outrider-mesh/outrider/proxy/filter"
)

// last is the request that an app saw last.
func last(t *testing.T, app *testkit.App) testkit.Request {
	t.Helper()
	seen := app.Seen()
	if len(seen) == 0 {
		t.Fatal("the app saw no request")
	}
	return seen[len(seen)-1]
}

func TestAGatewayRewritesAndRoutesTwice(t *testing.T) {
	app, other := testkit.NewApp(t, testkit.Status(200, "x-app-mesh-virtual-service: leak")), testkit.NewApp(t, testkit.Text("v2"))
	svc := sidecar.Entry("/x", "/", sidecar.Cluster("svc.mesh", app.Addr))
	svc.Service.Routes = append([]mesh.Route{sidecar.Route(sidecar.Cluster("v2", other.Addr))}, svc.Service.Routes...)
	svc.Service.Routes[0].Match = mesh.Match{Prefix: "/v2/"}
	kept := sidecar.Entry("/kept", "", sidecar.Cluster("kept.mesh", app.Addr))
	suffix := mesh.VirtualHost{Name: "*.example.com", Domains: []string{"*.example.com"}, Routes: []mesh.Route{kept}}
	empty := sidecar.Entry("/empty", "/", sidecar.Cluster("empty.mesh"))
	empty.Service.Routes = nil
	g := sidecar.StartGateway(t, sidecar.Mesh(sidecar.Door(8080, sidecar.AnyHost(svc, empty), suffix)))

	for _, tt := range []struct {
		says, host, path string
		fields           []string
		status           int
		target, seen     string // what the app saw
		original, hop    string
	}{
		{"host and prefix are rewritten", "edge.test", "/x/a?b=c", nil, 200, "/a?b=c", "svc.mesh", "/x/a?b=c", ""},
		{"all of the path", "edge.test:8080", "/x", nil, 200, "/", "svc.mesh", "/x", ""},
		{"a stranger names another service", "edge.test", "/x/a", []string{"x-app-mesh-virtual-service: kept.mesh"}, 200, "/a", "svc.mesh", "/x/a", ""},
		{"a suffix, a port, and everything kept", "WWW.example.com:443", "/kept/a", []string{"X-App-Mesh-Virtual-Service: evil"}, 200, "/kept/a", "WWW.example.com:443", "", "kept.mesh"},
		{"a hostname that has routes sees those alone", "www.example.com", "/x/a", nil, 404, "", "", "", ""},
		{"no gateway route", "edge.test", "/y", nil, 404, "", "", "", ""},
		{"no route behind it", "edge.test", "/empty", nil, 404, "", "", "", ""},
	} {
		t.Run(tt.says, func(t *testing.T) {
			got := testkit.Get(t, g.Addr(8080), tt.host, tt.path, tt.fields...)
			if got.Status != tt.status || got.Header.Get("x-app-mesh-virtual-service") != "" {
				t.Fatalf("got %d, %v", got.Status, got.Header)
			}
			record := g.Records.Next(t)
			if tt.status == 404 {
				if record.Flags != "NR" {
					t.Errorf("flags %q", record.Flags)
				}
				return
			}
			seen := last(t, app)
			if seen.Target != tt.target || seen.Host != tt.seen ||
				seen.Header.Get("x-envoy-original-path") != tt.original || seen.Header.Get("x-app-mesh-virtual-service") != tt.hop {
				t.Errorf("the app saw %s of %s, %v", seen.Target, seen.Host, seen.Header)
			}
			if record.Path != tt.target || record.Authority != tt.seen || record.Local != g.Addr(8080) {
				t.Errorf("the access log was told %+v", record)
			}
		})
	}
	t.Run("the second pass decides by the rewritten path", func(t *testing.T) {
		if got := testkit.Get(t, g.Addr(8080), "edge.test", "/x/v2/y"); got.Body != "v2" || last(t, other).Target != "/v2/y" {
			t.Errorf("got %d %q", got.Status, got.Body)
		}
	})
	g.Counts(map[string]uint64{"http.ingress.no_route": 3, "listener.0.0.0.0_8080.downstream_cx_total": 8})
}

func TestAGatewayHasTimeoutsAndRetriesOfTheRouteBehind(t *testing.T) {
	app := testkit.NewApp(t, testkit.Status(503), testkit.Text("second"))
	g := sidecar.StartGateway(t, sidecar.Mesh(sidecar.Door(8080, sidecar.AnyHost(sidecar.Entry("/x", "/", sidecar.Cluster("svc", app.Addr))))))
	if got := testkit.Get(t, g.Addr(8080), "edge", "/x"); got.Status != 200 || got.Body != "second" {
		t.Errorf("got %d %q", got.Status, got.Body)
	}
	if record := g.Records.Next(t); record.Attempts != 2 || record.Route != "route" || record.Cluster != "svc" {
		t.Errorf("the access log was told %+v", record)
	}
	if got := app.Seen()[0].Header.Get("x-envoy-expected-rq-timeout-ms"); got != "15000" {
		t.Errorf("x-envoy-expected-rq-timeout-ms %q", got)
	}
}

func TestAGatewaySpeaksHTTP2AndUpgrades(t *testing.T) {
	app := testkit.NewApp(t, testkit.Text("hello"))
	ws := testkit.NewApp(t, testkit.Upgrade("hi\n"))
	g := sidecar.StartGateway(t, sidecar.Mesh(sidecar.Door(8080, sidecar.AnyHost(
		sidecar.Entry("/x", "/", sidecar.Cluster("svc", app.Addr)), sidecar.Entry("/ws", "/", sidecar.Cluster("ws", ws.Addr))))))
	got := fetch(t, webClient(t, 2, g.Addr(8080)), "GET", "http://edge.test/x/y", nil)
	if got.StatusCode != 200 || got.body != "hello" || last(t, app).Target != "/y" || last(t, app).Host != "svc" {
		t.Errorf("got %+v", got)
	}
	c := testkit.Dial(t, g.Addr(8080))
	c.Request("GET", "edge", "/ws", "", "connection: upgrade", "upgrade: websocket")
	if got := c.Receive("GET"); got.Status != 101 {
		t.Fatalf("got %d", got.Status)
	}
	c.Expect("hi\n")
	c.Close()
	if got := testkit.Get(t, g.Addr(8080), "edge", "http://edge/x/abs"); got.Status != 200 || last(t, app).Target != "/abs" {
		t.Errorf("an absolute form: %d", got.Status)
	}
	tunnel := testkit.Dial(t, g.Addr(8080))
	tunnel.Send("CONNECT other:443 HTTP/1.1\r\nhost: other:443\r\n\r\n")
	if got := tunnel.Receive("GET"); got.Status != 403 {
		t.Errorf("a gateway tunnels: %d", got.Status)
	}
}

func TestAGatewayWithSeveralListeners(t *testing.T) {
	a, b := testkit.NewApp(t, testkit.Text("a")), testkit.NewApp(t, testkit.Text("b"))
	one := sidecar.Door(8080, sidecar.AnyHost(sidecar.Entry("/", "/", sidecar.Cluster("a", a.Addr))))
	two := sidecar.Door(8081, sidecar.AnyHost(sidecar.Entry("/", "/", sidecar.Cluster("b", b.Addr))))
	two.Protocol, two.Gate = mesh.HTTP2, sidecar.Cluster("gate2")
	refused := sidecar.Door(8082)
	refused.Refuse, refused.Gate = "TLS is not there yet", sidecar.Cluster("gate3")
	g := sidecar.StartGateway(t, sidecar.Mesh(one, two, refused))
	for port, want := range map[uint16]string{8080: "a", 8081: "b"} {
		if got := testkit.Get(t, g.Addr(port), "edge", "/"); got.Body != want {
			t.Errorf("port %d got %d %q", port, got.Status, got.Body)
		}
	}
	if rest, err := testkit.Dial(t, g.Addr(8082)).Rest(); rest != "" || err != nil {
		t.Errorf("a listener that is refused said %q, %v", rest, err)
	}
	g.Counts(map[string]uint64{"http.ingress.http.8080.downstream_rq_total": 1, "http.ingress.http2.8081.downstream_rq_total": 1,
		"listener.0.0.0.0_8082.no_filter_chain_match": 1})
}

// door is a gateway's listener for one app.
func door(port uint16, app *testkit.App) *mesh.Listener {
	return sidecar.Door(port, sidecar.AnyHost(sidecar.Entry("/", "/", sidecar.Cluster("svc", app.Addr))))
}

func TestAReloadBringsAndTakesPorts(t *testing.T) {
	app, arrived, gate := gated(t)
	other := testkit.NewApp(t)
	g := sidecar.StartGateway(t, sidecar.Mesh(door(8080, app)))
	busy, idle := testkit.Dial(t, g.Addr(8080)), testkit.Dial(t, g.Addr(8080))
	gate <- struct{}{}
	if got := idle.Do("GET", "edge", "/idle", ""); got.Status != 200 {
		t.Fatalf("got %d", got.Status)
	}
	testkit.Wait(t, "the first request", arrived)
	busy.Request("GET", "edge", "/busy", "")
	testkit.Wait(t, "the second request", arrived)

	g.Apply(sidecar.Mesh(door(8081, other)))
	if got := testkit.Get(t, g.Addr(8081), "edge", "/new"); got.Status != 200 {
		t.Errorf("the new port: %d", got.Status)
	}
	if rest, err := idle.Rest(); rest != "" || err != nil {
		t.Errorf("an idle connection to the port that went ended with %q, %v", rest, err)
	}
	if c, err := net.Dial("tcp", g.Addr(8080).String()); err == nil {
		c.Close()
		t.Error("the old port is open")
	}
	gate <- struct{}{}
	if got := busy.Receive("GET"); got.Status != 200 || got.Body != "/busy" || !got.Close {
		t.Errorf("the request under way got %d %q, close %v", got.Status, got.Body, got.Close)
	}
	if addrs := g.Server.Addrs(mesh.Ingress); len(addrs) != 1 || addrs[0] != g.Addr(8081) {
		t.Errorf("bound are %v", addrs)
	}
	g.Apply(sidecar.Mesh(door(8080, other))) // and back
	if got := testkit.Get(t, g.Addr(8080), "edge", "/again"); got.Status != 200 {
		t.Errorf("the port that came back: %d", got.Status)
	}
}

func TestAPortThatStaysKeepsItsConnections(t *testing.T) {
	app := testkit.NewApp(t)
	g := sidecar.StartGateway(t, sidecar.Mesh(door(8080, app)))
	c := testkit.Dial(t, g.Addr(8080))
	for _, protocol := range []mesh.Protocol{mesh.HTTP, mesh.HTTP2, mesh.HTTP} {
		l := door(8080, app)
		l.Protocol = protocol
		g.Apply(sidecar.Mesh(l, func() *mesh.Listener { d := door(8081, app); d.Gate = sidecar.Cluster("gate2"); return d }()))
		if got := c.Do("GET", "edge", "/", ""); got.Status != 200 || got.Close {
			t.Errorf("after a reload: %d, close %v", got.Status, got.Close)
		}
		name := "http.ingress." + protocol.String() + ".8080.downstream_cx_total"
		before := g.Count(name)
		testkit.Get(t, g.Addr(8080), "edge", "/")
		if n := g.Count(name); n != before+1 {
			t.Errorf("%s = %d, want %d: a new connection has the protocol of the documents", name, n, before+1)
		}
	}
}

func TestAPortThatIsTakenRejectsTheSnapshot(t *testing.T) {
	app, other := testkit.NewApp(t, testkit.Text("old")), testkit.NewApp(t, testkit.Text("new"))
	g := sidecar.StartGateway(t, sidecar.Mesh(door(8080, app)))
	taken, err := net.Listen("tcp", g.Addr(8082).String())
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	next := []*mesh.Listener{door(8080, other), door(8081, other), door(8082, other)}
	for i, l := range next {
		l.Gate = sidecar.Cluster(fmt.Sprint("gate", i))
	}
	err = g.State.Apply(t.Context(), sidecar.Mesh(next...))
	if err == nil || !strings.Contains(err.Error(), g.Addr(8082).String()) {
		t.Errorf("Apply: %v", err)
	}
	if got := testkit.Get(t, g.Addr(8080), "edge", "/"); got.Body != "old" {
		t.Errorf("got %d %q", got.Status, got.Body)
	}
	if _, err := net.Dial("tcp", g.Addr(8081).String()); err == nil {
		t.Error("a port of the rejected snapshot is open")
	}
	taken.Close()
	g.Apply(sidecar.Mesh(next...))
	for _, l := range next {
		if got := testkit.Get(t, g.Addr(l.Port), "edge", "/"); got.Body != "new" {
			t.Errorf("port %d got %d %q", l.Port, got.Status, got.Body)
		}
	}
}

func TestAClosedDirectionOpensNoNewPorts(t *testing.T) {
	app := testkit.NewApp(t)
	g := sidecar.StartGateway(t, sidecar.Mesh(door(8080, app)))
	g.Server.CloseListeners(func(d mesh.Direction) bool { return d == mesh.Ingress })
	g.Apply(sidecar.Mesh(door(8081, app)))
	for _, port := range []uint16{8080, 8081} {
		if _, err := net.Dial("tcp", g.Addr(port).String()); err == nil {
			t.Errorf("port %d is open", port)
		}
	}
}

func TestReloadsUnderLoadLoseNothing(t *testing.T) {
	app := testkit.NewApp(t)
	g := sidecar.StartGateway(t, sidecar.Mesh(door(8080, app)))
	stop, done := make(chan struct{}), make(chan int)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	go func() {
		n := 0
		defer func() { done <- n }()
		for ; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			resp, err := client.Get("http://" + g.Addr(8080).String() + "/")
			if err != nil || resp.StatusCode != 200 {
				t.Errorf("request %d: %v, %v", n, resp, err)
				return
			}
			resp.Body.Close()
		}
	}()
	for i := range 20 {
		more := door(uint16(8081+i%2), app)
		more.Gate = sidecar.Cluster("gate2")
		g.Apply(sidecar.Mesh(door(8080, app), more))
		if got := testkit.Get(t, g.Addr(more.Port), "edge", "/"); got.Status != 200 {
			t.Errorf("reload %d: %d", i, got.Status)
		}
	}
	close(stop)
	if n := <-done; n == 0 {
		t.Error("no request was made")
	}
}

func TestAGatewayAtTheEdgeSaysWhoItsClientIs(t *testing.T) {
	app := testkit.NewApp(t)
	for _, tt := range []struct {
		forwarded   filter.Forwarded
		want, proto string
	}{
		{filter.Forwarded{}, "203.0.113.9", "https"},
		{filter.Forwarded{Append: true}, "203.0.113.9,127.0.0.1", "http"},
		{filter.Forwarded{Append: true, Proxies: 1}, "203.0.113.9,127.0.0.1", "https"},
	} {
		g := sidecar.StartGatewayWith(t, sidecar.Mesh(door(8080, app)), tt.forwarded)
		testkit.Get(t, g.Addr(8080), "edge", "/", "x-forwarded-for: 203.0.113.9", "x-forwarded-proto: https")
		h := last(t, app).Header
		if h.Get("x-forwarded-for") != tt.want || h.Get("x-forwarded-proto") != tt.proto {
			t.Errorf("%+v: the app saw %v", tt.forwarded, h)
		}
		client := g.Records.Next(t).Downstream
		if behind := tt.forwarded.Proxies > 0; behind != (client.String() == "203.0.113.9:0") || !behind && client.Port() == 0 {
			t.Errorf("%+v: the access log was told of %v", tt.forwarded, client)
		}
	}
}

// A change of ports and the end of the server may meet: both come to their ends,
// and nothing stays open.
func TestPortsMayChangeWhileTheServerStops(t *testing.T) {
	app := testkit.NewApp(t)
	for i := range 5 {
		g := sidecar.StartGateway(t, sidecar.Mesh(door(8080, app)))
		changed := make(chan struct{})
		go func() {
			defer close(changed)
			for n := range 4 {
				if err := g.State.Apply(t.Context(), sidecar.Mesh(door(uint16(8080+(n+1)%2), app))); err != nil {
					t.Error(err)
				}
			}
		}()
		for range i * 3 {
			if c, err := net.Dial("tcp", g.Addr(8080).String()); err == nil {
				c.Close()
			}
		}
		g.Server.Stop(t.Context())
		testkit.Wait(t, "the changes", changed)
		for _, port := range []uint16{8080, 8081} {
			if _, err := net.Dial("tcp", g.Addr(port).String()); err == nil {
				t.Errorf("port %d is open", port)
			}
		}
	}
}

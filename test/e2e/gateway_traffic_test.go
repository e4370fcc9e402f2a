//go:build linux

package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

// all is a gateway route of all paths, unchanged.
func all(service string) object { return gatewayRoute("all", object{"prefix": "/"}, service, nil) }

// unkept is a rewrite that keeps the Host.
func unkept() object { return object{"hostname": object{"defaultTargetHostname": "DISABLED"}} }

func TestGatewayTimeouts(t *testing.T) {
	needCurl(t)
	n, door := newNetwork(t), newDoor(t)
	app := newBackend(t, "a", n.at(31, 8080), func(_ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done() // never by itself
		return true
	})
	docs := append(append(behind("a"), behind("b")[1:]...), gateway(door, "http"), gatewayRoute("rewritten", object{"prefix": "/r/"}, "a.local", nil),
		gatewayRoute("default", object{"prefix": "/b/"}, "b.local", nil), gatewayRoute("kept", object{"prefix": "/k/"}, "a.local", unkept()))
	i := slices.IndexFunc(docs, func(d object) bool { return d["routeName"] == "a" })
	with(docs[i], object{"perRequest": object{"unit": "ms", "value": 200}}, "spec", "httpRoute", "timeout")
	s := startGateway(t, n, docs, endpoints{"a.test": {app.addr.String()}})
	for _, path := range []string{"/r/x", "/k/x"} {
		begun := time.Now()
		r := curl(t, n.at(sidecarHost, door), "http://shop.example.com"+path)
		if took := time.Since(begun); r.status != 504 || r.body != "upstream request timeout" || took < 200*time.Millisecond || took > 10*time.Second {
			t.Errorf("%s: %d %q after %s, want 504 after 200 ms", path, r.status, r.body, took)
		}
	}
	// Without a timeout in the documents it is 15 s, as the configuration says.
	_, dump := s.ask("GET", "/config_dump")
	for _, part := range []string{`"rds_egress_http_15001"`, `"timeout": "0.200s"`, `"timeout": "15s"`} {
		if !strings.Contains(dump, part) {
			t.Errorf("/config_dump does not say %s:\n%s", part, dump)
		}
	}
}

func TestGatewayRetries(t *testing.T) {
	needCurl(t)
	var failures atomic.Int64
	for _, c := range []struct {
		says     string
		policy   object
		status   int // that the app fails with
		failures int64
		want     string
		attempts int64
	}{
		{"503 twice by default", nil, 503, 2, "a GET /x", 3},
		{"three times by default", nil, 503, 3, "503", 3},
		{"500 is none of the defaults", nil, 500, 1, "500", 1},
		{"the route's policy", object{"maxRetries": 1, "perRetryTimeout": object{"unit": "s", "value": 5}, "httpRetryEvents": []string{"server-error"}}, 500, 1, "a GET /x", 2},
		{"no more often than it says", object{"maxRetries": 1, "perRetryTimeout": object{"unit": "s", "value": 5}, "httpRetryEvents": []string{"server-error"}}, 500, 5, "500", 2},
	} {
		t.Run(c.says, func(t *testing.T) {
			n, door := newNetwork(t), newDoor(t)
			failures.Store(c.failures)
			show := showing("a")
			app := newBackend(t, "a", n.at(31, 8080), func(w http.ResponseWriter, r *http.Request) bool {
				if failures.Add(-1) < 0 {
					return show(w, r)
				}
				w.WriteHeader(c.status)
				return true
			})
			docs := append(behind("a"), gateway(door, "http"), gatewayRoute("x", object{"prefix": "/r/"}, "a.local", nil))
			if c.policy != nil {
				i := slices.IndexFunc(docs, func(d object) bool { return d["routeName"] == "a" })
				with(docs[i], c.policy, "spec", "httpRoute", "retryPolicy")
			}
			startGateway(t, n, docs, endpoints{"a.test": {app.addr.String()}})
			r := curl(t, n.at(sidecarHost, door), "http://shop.example.com/r/x")
			if r.short() != c.want || app.served.Load() != c.attempts {
				t.Errorf("%q after %d attempts, want %q after %d", r.short(), app.served.Load(), c.want, c.attempts)
			}
		})
	}
}

func TestGatewayWeights(t *testing.T) {
	n, door := newNetwork(t), newDoor(t)
	v1, v2, ends := twoVersions(t, n)
	startGateway(t, n, append(documents{theMesh("DROP_ALL"), service("svc.local", "router"), router("router"), route("router", "all", "/", "v1", 80, "v2", 20), node("v1"), node("v2")},
		gateway(door, "http"), all("svc.local")), ends)
	c := plain(t, n.at(sidecarHost, door))
	for range 1000 {
		if status, _, _, err := get(c, "http://shop.example.com/"); err != nil || status != 200 {
			t.Fatal(status, err)
		}
	}
	// Five standard deviations.
	if got := v1.served.Load(); got < 735 || got > 865 || got+v2.served.Load() != 1000 {
		t.Errorf("80/20 of 1,000: %d and %d", got, v2.served.Load())
	}
}

// full is a gateway whose first request hangs in the app until release.
func full(t *testing.T, protocol string, pool object) (s *sidecar, to func() reply, release func()) {
	t.Helper()
	n, door := newNetwork(t), newDoor(t)
	held := make(chan struct{})
	app := newBackend(t, "a", n.at(31, 8080), func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/hang" {
			select {
			case <-held:
			case <-r.Context().Done():
			}
		}
		return false
	})
	edge := gateway(door, protocol)
	edge["spec"].(object)["listeners"].([]object)[0]["connectionPool"] = object{protocol: pool}
	s = startGateway(t, n, append(behind("a"), edge, inRoute(protocol, all("a.local"))), endpoints{"a.test": {app.addr.String()}})
	release = func() { close(held) }
	return s, func() reply { return curl(t, n.at(sidecarHost, door), "http://shop.example.com/hang") }, release
}

func TestGatewayOverflow(t *testing.T) {
	needCurl(t)
	for _, c := range []struct {
		protocol string
		pool     object
		fit      int // at once, under way or waiting
	}{
		{"http", object{"maxConnections": 2, "maxPendingRequests": 1}, 3},
		{"http2", object{"maxRequests": 2}, 2},
	} {
		t.Run(c.protocol, func(t *testing.T) {
			s, ask, release := full(t, c.protocol, c.pool)
			answers := make(chan reply, c.fit)
			for i := range c.fit {
				go func() { answers <- ask() }()
				s.await("it is under way", func() bool { return s.stat("http.ingress.downstream_rq_active") == i+1 })
			}
			if r := ask(); r.status != 503 || r.header.Get("X-Envoy-Overloaded") != "true" ||
				r.body != "upstream connect error or disconnect/reset before headers. reset reason: overflow" {
				t.Errorf("one too many: %d %v %q", r.status, r.header, r.body)
			}
			if got := s.stat("self_redirect_" + c.protocol + "_15001.upstream_rq_pending_overflow"); got != 1 {
				t.Errorf("upstream_rq_pending_overflow is %d, want 1", got)
			}
			release()
			for range c.fit {
				if r := <-answers; r.status != 200 {
					t.Errorf("one that fits: %d %q", r.status, r.body)
				}
			}
			if r := ask(); r.status != 200 {
				t.Errorf("afterwards: %d %q", r.status, r.body)
			}
		})
	}
}

func TestGatewayRefusesProxyProtocol(t *testing.T) {
	needCurl(t)
	n, door := newNetwork(t), newDoor(t)
	startGateway(t, n, append(behind("a"), gateway(door, "http"), all("a.local")), mirrors(t, n, "a"))
	to := n.at(sidecarHost, door)
	// Version 1 is a line that ends in no version of HTTP: the connection is closed without a word.
	if r, err := tryCurl(t, to, "--haproxy-protocol", "http://shop.example.com/"); err == nil {
		t.Errorf("version 1: %+v, want no answer", r)
	}
	// As an NLB sends it: signature, PROXY over TCP4, 12 bytes of addresses.
	header := "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x07\x7f\x00\x00\x01\x9c\x40\x23\x78"
	conn, err := net.Dial("tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprint(conn, header, "GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || response.StatusCode != 400 {
		t.Errorf("version 2: %v %v, want 400", response, err)
	}
}

func TestGatewayProtocols(t *testing.T) {
	needCurl(t)
	n, one, two := newNetwork(t), newDoor(t), newDoor(t)
	a := mirror(t, "a", n.at(31, 8080))
	b := newH2Backend(t, "b", n.at(32, 8080), showing("b"))
	docs := append(behind("a"), inProtocol("http2", behind("b")[1:])...)
	startGateway(t, n, append(docs, gateway(one, "http", two, "http2"),
		gatewayRoute("one", object{"prefix": "/r/"}, "a.local", nil),
		inRoute("http2", gatewayRoute("two", object{"prefix": "/r/"}, "b.local", nil))),
		endpoints{"a.test": {a.addr.String()}, "b.test": {b.addr.String()}})
	for port, want := range map[uint16]seen{one: {App: "a", Proto: "HTTP/1.1", Host: "a.local"}, two: {App: "b", Proto: "HTTP/2.0", Host: "b.local"}} {
		for flag, version := range map[string]string{"--http1.1": "1.1", "--http2-prior-knowledge": "2"} {
			r := curl(t, n.at(sidecarHost, port), flag, "-d", "hello", "http://shop.example.com/r/x")
			if r.version != version || r.short() != want.App+" POST /x" || r.seen.Proto != want.Proto || r.seen.Host != want.Host {
				t.Errorf("%s to %s: in %s, %q, %+v", flag, want.App, r.version, r.short(), r.seen)
			}
		}
	}
}

func TestGatewayGRPC(t *testing.T) {
	needCurl(t)
	n, door := newNetwork(t), newDoor(t)
	app, other := newGRPCApp(t, "a", n.at(31, 8080)), newGRPCApp(t, "b", n.at(32, 8080))
	docs := documents{theMesh("DROP_ALL"), service("a.local", "router"), speaking("grpc", router("router")), grpcRoute("all", object{}, "a"), speaking("grpc", node("a")),
		document("virtualServiceName", "b.local", object{"provider": object{"virtualNode": object{"virtualNodeName": "b"}}}), speaking("grpc", node("b"))}
	edge := gateway(door, "grpc")
	edge["spec"].(object)["listeners"].([]object)[0]["connectionPool"] = object{"grpc": object{"maxRequests": 1}}
	startGateway(t, n, append(docs, edge,
		inRoute("grpc", gatewayRoute("service", object{"serviceName": testService}, "a.local", nil)),
		inRoute("grpc", gatewayRoute("metadata", object{"serviceName": testService, "metadata": []object{{"name": "x-team", "match": object{"exact": "blue"}}}}, "b.local", nil)),
		inRoute("grpc", gatewayRoute("host", object{"serviceName": testService, "hostname": object{"exact": "other.example.com"}}, "b.local", nil))),
		endpoints{"a.test": {app.addr.String()}, "b.test": {other.addr.String()}})
	to := n.at(sidecarHost, door)
	c := testgrpc.NewTestServiceClient(dialGRPC(t, to))
	for what, test := range map[string]struct {
		metadata []string
		client   testgrpc.TestServiceClient
		want     string
	}{
		"by service":  {nil, c, "a"},
		"by metadata": {[]string{"x-team", "blue"}, c, "b"},
		"by hostname": {nil, testgrpc.NewTestServiceClient(dialGRPC(t, to, grpc.WithAuthority("other.example.com:443"))), "b"},
	} {
		if got, err := test.client.UnaryCall(calling(t, test.metadata...), &testgrpc.SimpleRequest{}); err != nil || got.GetServerId() != test.want {
			t.Errorf("%s: %q %v, want %q", what, got.GetServerId(), err, test.want)
		}
	}
	if err := pingPong(calling(t), c, 3); err != nil {
		t.Errorf("a stream both ways: %v", err)
	}
	if err := dialGRPC(t, to).Invoke(calling(t), "/other.Service/Call", &testgrpc.Empty{}, &testgrpc.Empty{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("a service of no route: %v", err)
	}
	if r := curl(t, to, "http://shop.example.com/"+testService+"/UnaryCall"); r.status != 404 {
		t.Errorf("what is no gRPC: %s", r.short())
	}
	// One stream fills the gateway.
	stream, err := c.FullDuplexCall(calling(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(sizes(1)); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UnaryCall(calling(t), &testgrpc.SimpleRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("one call too many: %v, want UNAVAILABLE", err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Error(err)
	}
}

//go:build linux

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

const virtualService = "X-App-Mesh-Virtual-Service"

// hostKept is a gateway whose route /k/ keeps the Host and whose route /r/ does not.
func hostKept(t *testing.T, n network, door uint16, flags ...string) *sidecar {
	t.Helper()
	return startGateway(t, n, append(behind("a", "b"), gateway(door, "http"),
		gatewayRoute("kept", object{"prefix": "/k/"}, "a.local", object{"hostname": object{"defaultTargetHostname": "DISABLED"}}),
		gatewayRoute("rewritten", object{"prefix": "/r/"}, "a.local", nil),
		gatewayRoute("as-well", object{"prefix": "/e/"}, "b.local", object{"hostname": object{"defaultTargetHostname": "ENABLED"}})),
		mirrors(t, n, "a", "b"), flags...)
}

// versions are curl's flags for either version of HTTP.
var versions = []string{"--http1.1", "--http2-prior-knowledge"}

func TestGatewayHostIsRewritten(t *testing.T) {
	needCurl(t)
	n, door := newNetwork(t), newDoor(t)
	hostKept(t, n, door)
	for _, version := range versions {
		for path, host := range map[string]string{"/r/x": "a.local", "/e/x": "b.local"} {
			r := curl(t, n.at(sidecarHost, door), version, "http://shop.example.com:8443"+path)
			if r.seen.Host != host || r.seen.Header.Get(virtualService) != "" || r.header.Get(virtualService) != "" {
				t.Errorf("%s %s: %+v %v", version, path, r.seen, r.header)
			}
		}
	}
}

func TestGatewayHostIsKept(t *testing.T) {
	needCurl(t)
	n, door := newNetwork(t), newDoor(t)
	hostKept(t, n, door)
	for _, version := range versions {
		r := curl(t, n.at(sidecarHost, door), version, "http://Shop.example.com:8443/k/x")
		if r.seen.Host != "Shop.example.com:8443" || r.seen.Header.Get(virtualService) != "a.local" {
			t.Errorf("%s: the app saw %+v", version, r.seen)
		}
		if got := r.header.Values(virtualService); len(got) > 0 {
			t.Errorf("%s: the response says %q", version, got)
		}
	}
}

func TestGatewayTrustsNoHeader(t *testing.T) {
	needCurl(t)
	n, door := newNetwork(t), newDoor(t)
	hostKept(t, n, door)
	for _, version := range versions {
		for path, want := range map[string]string{"/k/x": "a.local", "/r/x": ""} {
			r := curl(t, n.at(sidecarHost, door), version, "-H", virtualService+": b.local", "-H", virtualService+": c.local", "http://shop.example.com"+path)
			if got := strings.Join(r.seen.Header.Values(virtualService), ","); r.seen.App != "a" || got != want {
				t.Errorf("%s %s: app %q saw %q, want %q", version, path, r.seen.App, got, want)
			}
		}
		// Nor does the name of a service as Host lead there.
		if r := curl(t, n.at(sidecarHost, door), version, "-H", virtualService+": a.local", "http://a.local:15001/x"); r.status != 404 {
			t.Errorf("%s: %s", version, r.short())
		}
	}
}

func TestGatewayHeaders(t *testing.T) {
	needCurl(t)
	n, door := newNetwork(t), newDoor(t)
	hostKept(t, n, door)
	r := curl(t, n.at(sidecarHost, door), "http://shop.example.com/r/x?y", "-H", "X-Envoy-Original-Path: /lie", "-H", "X-Envoy-Upstream-Rq-Timeout-Ms: 1",
		"-H", "X-Envoy-Max-Retries: 9", "-H", "X-Envoy-Force-Trace: true", "-H", "X-Forwarded-Client-Cert: By=lie", "-H", "X-Request-Id: mine")
	for name, want := range map[string]string{"X-Envoy-Original-Path": "/r/x?y", "X-Envoy-Upstream-Rq-Timeout-Ms": "", "X-Envoy-Max-Retries": "",
		"X-Envoy-Force-Trace": "", "X-Forwarded-Client-Cert": "", "X-Request-Id": "mine"} {
		if got := strings.Join(r.seen.Header.Values(name), "|"); got != want {
			t.Errorf("the app saw %s: %q, want %q", name, got, want)
		}
	}
	if r.header.Get("Server") != "envoy" || r.header.Get("X-Envoy-Upstream-Service-Time") == "" {
		t.Errorf("the response says %v", r.header)
	}
	if r := curl(t, n.at(sidecarHost, door), "http://shop.example.com/r/x"); len(r.seen.Header.Get("X-Request-Id")) != 36 {
		t.Errorf("a request id is made: %q", r.seen.Header.Get("X-Request-Id"))
	}
	if r := curl(t, n.at(sidecarHost, door), "http://shop.example.com/r/x", "-H", "Host:"); r.status != 400 {
		t.Errorf("a request without Host: %d", r.status)
	}
}

func TestGatewayForwardedHeaders(t *testing.T) {
	needCurl(t)
	n, door := newNetwork(t), newDoor(t)
	hostKept(t, n, door)
	forwarded := func(name string, r reply) string { return strings.Join(r.seen.Header.Values("X-Forwarded-"+name), "|") }
	r := curl(t, n.at(sidecarHost, door), "http://shop.example.com/r/x")
	if got := forwarded("For", r); got != "" {
		t.Errorf("x-forwarded-for is made: %q", got)
	}
	if got := forwarded("Proto", r); got != "http" {
		t.Errorf("x-forwarded-proto: %q, want http", got)
	}
	// As an ALB in front says it.
	r = curl(t, n.at(sidecarHost, door), "http://shop.example.com/r/x", "-H", "X-Forwarded-For: 203.0.113.7", "-H", "X-Forwarded-Proto: https", "-H", "X-Forwarded-Port: 443")
	for name, want := range map[string]string{"For": "203.0.113.7", "Proto": "https", "Port": "443"} {
		if got := forwarded(name, r); got != want {
			t.Errorf("x-forwarded-%s: %q, want %q", strings.ToLower(name), got, want)
		}
	}
}

// The one setting about a load balancer in front: off is what App Mesh did.
func TestGatewayForwardedSetting(t *testing.T) {
	needCurl(t)
	const alb, visitor = "198.51.100.9", "203.0.113.7"
	for _, c := range []struct{ setting, forIn, protoIn, forOut, protoOut, client string }{
		{"off", "", "", "", "http", ""},
		{"off", visitor, "https", visitor, "https", ""},
		{"append", "", "", "PEER", "http", "PEER"},
		{"append", visitor, "https", visitor + ",PEER", "http", "PEER"}, // who says so is a stranger
		{"behind=1", visitor, "https", visitor + ",PEER", "https", visitor},
		{"behind=1", "192.0.2.1, " + visitor, "https", "192.0.2.1, " + visitor + ",PEER", "https", visitor},
		{"behind=2", visitor + ", " + alb, "https", visitor + ", " + alb + ",PEER", "https", visitor},
	} {
		t.Run(strings.ReplaceAll(c.setting+" "+c.forIn, ",", ""), func(t *testing.T) {
			n, door := newNetwork(t), newDoor(t)
			docs := append(behind("a"), with(gateway(door, "http"), object{"accessLog": object{"file": object{"path": "/dev/stdout",
				"format": object{"text": "client %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% asked %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% of %REQ(:AUTHORITY)%\n"}}}}, "spec", "logging"),
				gatewayRoute("x", object{"prefix": "/r/"}, "a.local", nil))
			s := startGateway(t, n, docs, mirrors(t, n, "a"), "--forwarded", c.setting)
			peer := n.at(99, 0).Addr().String()
			args := []string{"--interface", peer, "http://shop.example.com/r/x"}
			if c.forIn != "" {
				args = append(args, "-H", "X-Forwarded-For: "+c.forIn, "-H", "X-Forwarded-Proto: "+c.protoIn)
			}
			r := curl(t, n.at(sidecarHost, door), args...)
			for name, want := range map[string]string{"X-Forwarded-For": c.forOut, "X-Forwarded-Proto": c.protoOut, "X-Envoy-External-Address": c.client} {
				if got := strings.Join(r.seen.Header.Values(name), "|"); got != strings.ReplaceAll(want, "PEER", peer) {
					t.Errorf("the app saw %s: %q, want %q", name, got, want)
				}
			}
			client := peer
			if strings.HasPrefix(c.setting, "behind") {
				client = c.client
			}
			line := "client " + client + " asked /r/x of a.local"
			s.ask("POST", "/reopen_logs") // what is gathered is written
			s.await("the access log says "+line, func() bool { return strings.Contains(s.log.String(), line) })
		})
	}
}

func TestGatewayUpgrades(t *testing.T) {
	n, door := newNetwork(t), newDoor(t)
	app := newBackend(t, "a", n.at(31, 8080), nil)
	startGateway(t, n, append(behind("a"), gateway(door, "http"), gatewayRoute("echo", object{"path": object{"exact": "/echo"}}, "a.local", nil)),
		endpoints{"a.test": {app.addr.String()}})
	ws := dialWebSocket(t, n.at(sidecarHost, door), "shop.example.com")
	if err := ws.echo("hello"); err != nil {
		t.Error(err)
	}
}

func TestGatewayHasNowhereToGo(t *testing.T) {
	needCurl(t)
	n, door := newNetwork(t), newDoor(t)
	docs := append(behind("a"), gateway(door, "http"),
		document("virtualServiceName", "none.local", object{}),
		service("empty.local", "empty"), router("empty"),
		service("narrow.local", "narrow"), router("narrow"), route("narrow", "only", "/only", "a", 1),
		service("zero.local", "zero"), router("zero"), route("zero", "zero", "/", "a", 0),
		service("away.local", "away"), router("away"), route("away", "away", "/", "away", 1), node("away"),
		document("virtualServiceName", "node.local", object{"provider": object{"virtualNode": object{"virtualNodeName": "a"}}}))
	for _, name := range []string{"none", "empty", "narrow", "zero", "away", "node"} {
		docs = append(docs, gatewayRoute(name, object{"prefix": "/" + name + "/"}, name+".local", nil))
	}
	ends := mirrors(t, n, "a")
	ends["away.test"] = []string{}
	s := startGateway(t, n, docs, ends)
	for _, c := range []struct{ says, path, want, flag string }{
		{"no gateway route", "/nothing", "404", "NR"},
		{"no provider", "/none/x", "404", "NR"},
		{"a router without a route", "/empty/x", "404", "NR"},
		{"a router whose routes do not match what is rewritten", "/narrow/x", "404", "NR"},
		{"and one that does", "/narrow/only", "a GET /only", ""},
		{"weights of 0", "/zero/x", "503", ""},
		{"no endpoint", "/away/x", "503", "UH"},
		{"a node for a provider", "/node/x", "a GET /x", ""},
	} {
		t.Run(c.says, func(t *testing.T) {
			r := curl(t, n.at(sidecarHost, door), "http://shop.example.com"+c.path)
			if r.short() != c.want || c.flag == "NR" && r.body != "" || c.flag == "UH" && r.body != "no healthy upstream" {
				t.Errorf("%s: %q %q, want %q", c.path, r.short(), r.body, c.want)
			}
		})
	}
	if got := s.stat("http.ingress.no_route"); got < 4 {
		t.Errorf("http.ingress.no_route is %d", got)
	}
}

// A gateway has no app and nothing is redirected to it: it opens its own ports and no others, and calls nobody before it is asked to.
func TestGatewayNeedsNothingElse(t *testing.T) {
	needCurl(t)
	n, door := newNetwork(t), newDoor(t)
	s := hostKept(t, n, door)
	for _, addr := range []string{s.ingress.String(), s.egress.String()} {
		if response, err := http.Get("http://" + addr + "/r/x"); err == nil {
			response.Body.Close()
			t.Errorf("%s answers", addr)
		}
	}
	if status, listeners := s.ask("GET", "/listeners"); status != 200 || !strings.Contains(listeners, fmt.Sprint(":", door)) || strings.Contains(listeners, "15001") {
		t.Errorf("/listeners says %s", listeners)
	}
}

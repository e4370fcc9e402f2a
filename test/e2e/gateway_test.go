//go:build linux

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// What App Mesh's virtual gateways did (appmesh.md 2.5 and its neighbours), and the test that holds Outrider to it with real curl.
//
//	a listener for each port, chosen by the port that was dialled   TestGatewayListeners
//	routes without a hostname serve any host                        TestGatewayRewrites, TestGatewayMatches
//	a gateway route never retries by itself                         TestGatewayRetries
//	routes, retries, weights of the virtual service's router        TestGatewayRetries, TestGatewayWeights
//	hostname rewrite on: Host is the virtual service's name         TestGatewayHostIsRewritten
//	off: Host kept, x-app-mesh-virtual-service added for the app,
//	  removed from the response, not from the request               TestGatewayHostIsKept
//	that header is never trusted from outside                       TestGatewayTrustsNoHeader
//	default prefix rewrite: /x/a is /a, /x is /, /xyz is /yz        TestGatewayRewrites
//	a prefix that ends in /, a value, DISABLED: one entry           TestGatewayRewrites
//	path rewrite, exact and regex; the query stays                  TestGatewayRewrites
//	the second pass normalises what the first one wrote             TestGatewayRewrites
//	longest prefix first, whatever the order of the documents       TestGatewayOrder
//	hostname exact and suffix: virtual hosts of their own, which
//	  do not see the routes without a hostname                      TestGatewayHostnames
//	a port in Host does not count                                   TestGatewayHostnames
//	timeouts are those of the target's routes, 15 s by default,
//	  also with hostname rewrite DISABLED                           TestGatewayTimeouts
//	a service without provider or route: 404                        TestGatewayHasNowhereToGo
//	every virtual service that a route names, no backends list      all of them
//	without proxyConfiguration and without a user                   TestGatewayNeedsNothingElse
//	proxy protocol v2 is not understood: 400                        TestGatewayRefusesProxyProtocol
//	connectionPool acts at the gateway: 503 UO, x-envoy-overloaded  TestGatewayOverflow
//	http, http2 and grpc listeners; either codec on each            TestGatewayProtocols, TestGatewayGRPC
//	x-forwarded-for is not appended or made, -proto made if absent  TestGatewayForwardedHeaders, TestGatewayForwardedSetting
//	ports below 1024 need a capability                              TestGatewayPortsBelow1024
//	documents that change                                           TestGatewayReload, TestGatewayDrain
//	x-request-id, x-envoy-original-path, server: envoy, upgrades,
//	  x-envoy-* from outside and x-forwarded-client-cert stripped   TestGatewayHeaders, TestGatewayUpgrades

// rewriteRoutes are gateway routes of every kind of rewrite, to a.local.
func rewriteRoutes(door uint16) documents {
	prefix := func(name, prefix string, rewrite object) object {
		return gatewayRoute(name, object{"prefix": prefix}, "a.local", rewrite)
	}
	path := func(name, how, path string, rewrite object) object {
		return gatewayRoute(name, object{"path": object{how: path}}, "a.local", rewrite)
	}
	return documents{
		gateway(door, "http"),
		prefix("default", "/x", nil),
		prefix("enabled", "/on", object{"prefix": object{"defaultPrefix": "ENABLED"}}),
		prefix("slash", "/s/", nil),
		prefix("value", "/v", object{"prefix": object{"value": "/new/"}}),
		prefix("value-slash", "/w/", object{"prefix": object{"value": "/new/"}}),
		prefix("disabled", "/k", object{"prefix": object{"defaultPrefix": "DISABLED"}}),
		prefix("whole", "/whole", object{"path": object{"exact": "/all/of/it"}}),
		path("exact", "exact", "/e", nil),
		path("exact-path", "exact", "/p", object{"path": object{"exact": "/q/r"}}),
		path("regex", "regex", "/re[0-9]+", nil),
		path("regex-path", "regex", "/rp.*", object{"path": object{"exact": "/z"}}),
		path("odd", "exact", "/odd", object{"path": object{"exact": "/a//b/../c"}}),
	}
}

func TestGatewayRewrites(t *testing.T) {
	needCurl(t)
	n, door := newNetwork(t), newDoor(t)
	s := startGateway(t, n, append(behind("a"), rewriteRoutes(door)...), mirrors(t, n, "a"))
	for _, c := range []struct{ says, path, want string }{
		{"the prefix alone becomes /", "/x", "a GET /"},
		{"with a slash too", "/x/", "a GET /"},
		{"what is under it moves up", "/x/a", "a GET /a"},
		{"deeper", "/x/a/b/", "a GET /a/b/"},
		{"a prefix is no path segment", "/xyz", "a GET /yz"},
		{"the query is kept", "/x/a?b=/x/c&d", "a GET /a?b=/x/c&d"},
		{"also of the prefix alone", "/x?q=1", "a GET /?q=1"},
		{"an empty one too", "/x?", "a GET /?"},
		{"so does ENABLED", "/on/a", "a GET /a"},
		{"both entries of it", "/on", "a GET /"},
		{"a prefix that ends in / becomes /", "/s/a", "a GET /a"},
		{"itself too", "/s/", "a GET /"},
		{"but is one entry", "/s", "404"},
		{"a value takes the prefix's place", "/v", "a GET /new/"},
		{"double slashes after it are merged", "/v/a", "a GET /new/a"},
		{"and it is one entry", "/vw", "a GET /new/w"},
		{"a value for a prefix that ends in /", "/w/a?b", "a GET /new/a?b"},
		{"DISABLED keeps the path", "/k/a", "a GET /k/a"},
		{"and is one entry", "/kx", "a GET /kx"},
		{"a path rewrite of a prefix", "/whole/a?b=c", "a GET /all/of/it?b=c"},
		{"an exact path is kept", "/e?q", "a GET /e?q"},
		{"and matched whole", "/e/", "404"},
		{"an exact path is rewritten", "/p?q", "a GET /q/r?q"},
		{"a pattern's path is kept", "/re7", "a GET /re7"},
		{"and matched whole, too", "/re7/", "404"},
		{"a pattern's path is rewritten", "/rp/a/b?c", "a GET /z?c"},
		{"what the documents write is normalised", "/odd", "a GET /a/c"},
		{"slashes are merged before matching", "//x///a", "a GET /a"},
		{"dots are resolved before matching", "/y/../x/./a", "a GET /a"},
		{"dots cannot leave the prefix unseen", "/x/../e", "a GET /e"},
		{"an escaped slash stays one", "/x/a%2Fb", "a GET /a%2Fb"},
		{"no entry", "/nothing", "404"},
		{"prefixes are of one case", "/X/a", "404"},
	} {
		t.Run(c.says, func(t *testing.T) {
			r := curl(t, n.at(sidecarHost, door), "http://anything.example"+c.path)
			if got := r.short(); got != c.want {
				t.Errorf("%s: %q, want %q", c.path, got, c.want)
			}
			if strings.HasPrefix(c.want, "404") && r.body != "" {
				t.Errorf("a 404 with a body: %q", r.body)
			}
		})
	}
	// Envoy tells the app of every rewrite of a prefix, that of a prefix by itself too.
	for path, want := range map[string]string{"/x/a?b": "/x/a?b", "/k/a": "/k/a", "/e?q": ""} {
		if r := curl(t, n.at(sidecarHost, door), "http://anything.example"+path); r.seen.Header.Get("X-Envoy-Original-Path") != want {
			t.Errorf("%s: x-envoy-original-path %q, want %q", path, r.seen.Header.Get("X-Envoy-Original-Path"), want)
		}
	}
	// The counters of the gateway's only listener, and of the cluster by which Envoy came back to itself.
	if got := s.stat("http.ingress.downstream_rq_2xx"); got == 0 {
		t.Error("http.ingress.downstream_rq_2xx is not counted")
	}
}

func TestGatewayMatches(t *testing.T) {
	needCurl(t)
	n, door := newNetwork(t), newDoor(t)
	keep := object{"prefix": object{"defaultPrefix": "DISABLED"}}
	matching := func(name, prefix string, more object) object {
		match := object{"prefix": prefix}
		for k, v := range more {
			match[k] = v
		}
		return gatewayRoute(name, match, "a.local", keep)
	}
	header := func(match any, more ...any) object {
		h := object{"name": "X-Kind"}
		if match != nil {
			h["match"] = match
		}
		if len(more) > 0 {
			h["invert"] = true
		}
		return object{"headers": []object{h}}
	}
	query := func(match any) object {
		q := object{"name": "kind"}
		if match != nil {
			q["match"] = match
		}
		return object{"queryParameters": []object{q}}
	}
	startGateway(t, n, append(behind("a"), gateway(door, "http"),
		matching("method", "/method", object{"method": "POST"}),
		matching("present", "/h/present", header(nil)),
		matching("absent", "/h/absent", header(nil, "invert")),
		matching("exact", "/h/exact", header(object{"exact": "a"})),
		matching("not", "/h/not", header(object{"exact": "a"}, "invert")),
		matching("prefix", "/h/prefix", header(object{"prefix": "a"})),
		matching("suffix", "/h/suffix", header(object{"suffix": "a"})),
		matching("regex", "/h/regex", header(object{"regex": "a+"})),
		matching("range", "/h/range", header(object{"range": object{"start": 2, "end": 4}})),
		matching("qpresent", "/q/present", query(nil)),
		matching("qexact", "/q/exact", query(object{"exact": "a%20b"})),
	), mirrors(t, n, "a"))
	for _, c := range []struct {
		says, path, header, method string
		takes                      bool
	}{
		{"the method", "/method", "", "POST", true},
		{"another method", "/method", "", "GET", false},
		{"a header that is there", "/h/present", "X-Kind: z", "", true},
		{"one that is not", "/h/present", "", "", false},
		{"one that must not be", "/h/absent", "", "", true},
		{"and is", "/h/absent", "X-Kind: z", "", false},
		{"a value", "/h/exact", "x-kind: a", "", true},
		{"another", "/h/exact", "x-kind: b", "", false},
		{"none", "/h/exact", "", "", false},
		{"not a value", "/h/not", "x-kind: b", "", true},
		{"the value", "/h/not", "x-kind: a", "", false},
		{"a beginning", "/h/prefix", "x-kind: ab", "", true},
		{"no beginning", "/h/prefix", "x-kind: ba", "", false},
		{"an end", "/h/suffix", "x-kind: ba", "", true},
		{"no end", "/h/suffix", "x-kind: ab", "", false},
		{"a pattern", "/h/regex", "x-kind: aaa", "", true},
		{"a pattern is of the whole value", "/h/regex", "x-kind: aab", "", false},
		{"in a range", "/h/range", "x-kind: 3", "", true},
		{"its end is not", "/h/range", "x-kind: 4", "", false},
		{"a parameter", "/q/present?kind", "", "", true},
		{"no parameter", "/q/present?kinds", "", "", false},
		{"its value, as sent", "/q/exact?x=1&kind=a%20b", "", "", true},
		{"another value", "/q/exact?kind=a+b", "", "", false},
	} {
		t.Run(c.says, func(t *testing.T) {
			args := []string{"http://anything.example" + c.path}
			if c.header != "" {
				args = append(args, "-H", c.header)
			}
			if c.method != "" {
				args = append(args, "-X", c.method)
			}
			if r := curl(t, n.at(sidecarHost, door), args...); (r.status == 200) != c.takes || r.status != 200 && r.status != 404 {
				t.Errorf("got %d %s", r.status, r.body)
			}
		})
	}
}

func TestGatewayOrder(t *testing.T) {
	needCurl(t)
	n, door := newNetwork(t), newDoor(t)
	first := with(gatewayRoute("z-first", object{"prefix": "/first/"}, "c.local", nil), 1, "spec", "priority")
	startGateway(t, n, append(behind("a", "b", "c"), gateway(door, "http"),
		gatewayRoute("a-all", object{"prefix": "/"}, "a.local", nil),
		gatewayRoute("b-short", object{"prefix": "/x"}, "a.local", nil),
		gatewayRoute("c-long", object{"prefix": "/x/y"}, "b.local", nil),
		gatewayRoute("d-exact", object{"path": object{"exact": "/x/y/z"}}, "c.local", nil),
		gatewayRoute("e-post", object{"prefix": "/x", "method": "POST"}, "c.local", nil),
		gatewayRoute("f-exact", object{"path": object{"exact": "/first/x"}}, "a.local", nil),
		first), mirrors(t, n, "a", "b", "c"))
	for path, want := range map[string]string{
		"/x": "a GET /", "/x/a": "a GET /a", "/x/y": "b GET /", "/x/y/a": "b GET /a", "/x/yz": "b GET /z", "/x/y/z": "c GET /x/y/z",
		"/other": "a GET /other", "/first/x": "c GET /x",
	} {
		if r := curl(t, n.at(sidecarHost, door), "http://h.example"+path); r.short() != want {
			t.Errorf("%s: %q, want %q", path, r.short(), want)
		}
	}
	if r := curl(t, n.at(sidecarHost, door), "-X", "POST", "http://h.example/x/a"); r.short() != "c POST /a" {
		t.Errorf("more conditions go first: %q", r.short())
	}
}

func TestGatewayHostnames(t *testing.T) {
	needCurl(t)
	n, door := newNetwork(t), newDoor(t)
	host := func(name string, hostname object, prefix, to string) object {
		match := object{"prefix": prefix}
		if hostname != nil {
			match["hostname"] = hostname
		}
		return gatewayRoute(name, match, to+".local", nil)
	}
	startGateway(t, n, append(behind("a", "b", "c", "d"), gateway(door, "http"),
		host("any", nil, "/any/", "a"),
		host("exact", object{"exact": "WWW.example.com"}, "/w/", "b"),
		host("suffix", object{"suffix": ".example.com"}, "/s/", "c"),
		host("longer", object{"suffix": "*.deep.example.com"}, "/", "d"),
		gatewayRoute("alone", object{"hostname": object{"exact": "alone.test"}}, "d.local", nil),
	), mirrors(t, n, "a", "b", "c", "d"))
	for _, c := range []struct{ says, url, want string }{
		{"a hostname of no route sees the routes without", "other.test/any/x", "a GET /x"},
		{"and no others", "other.test/w/x", "404"},
		{"an exact hostname", "www.example.com/w/x", "b GET /x"},
		{"in any case", "wWw.EXAMPLE.com/w/x", "b GET /x"},
		{"with any port", "www.example.com:8443/w/x", "b GET /x"},
		{"does not see the routes without a hostname", "www.example.com/any/x", "404"},
		{"nor those of a suffix", "www.example.com/s/x", "404"},
		{"a suffix", "shop.example.com/s/x", "c GET /x"},
		{"deeper", "a.b.example.com:1/s/x", "c GET /x"},
		{"does not see the routes without a hostname either", "shop.example.com/any/x", "404"},
		{"a suffix leaves something in front", "example.com/s/x", "404"},
		{"the longer suffix wins", "a.deep.example.com/s/x", "d GET /s/x"},
		{"a hostname alone takes every path, and keeps it", "alone.test/a/b?c", "d GET /a/b?c"},
		{"another end", "www.example.com.test/any/x", "a GET /x"},
		{"an address is a host", n.at(sidecarHost, door).String() + "/any/x", "a GET /x"},
	} {
		t.Run(c.says, func(t *testing.T) {
			if r := curl(t, n.at(sidecarHost, door), "http://"+c.url); r.short() != c.want {
				t.Errorf("%s: %q, want %q", c.url, r.short(), c.want)
			}
			if r := curl(t, n.at(sidecarHost, door), "--http2-prior-knowledge", "http://"+c.url); r.short() != c.want {
				t.Errorf("%s by HTTP/2: %q, want %q", c.url, r.short(), c.want)
			}
		})
	}
}

func TestGatewayListeners(t *testing.T) {
	needCurl(t)
	n, door, second := newNetwork(t), newDoor(t), newDoor(t)
	s := startGateway(t, n, append(behind("a", "b"), gateway(door, "http", second, "http"),
		gatewayRoute("one", object{"prefix": "/", "port": door}, "a.local", nil),
		gatewayRoute("two", object{"prefix": "/", "port": second}, "b.local", nil)), mirrors(t, n, "a", "b"))
	for port, want := range map[uint16]string{door: "a GET /x", second: "b GET /x"} {
		if r := curl(t, n.at(sidecarHost, port), "http://h.example/x"); r.short() != want {
			t.Errorf("port %d: %q, want %q", port, r.short(), want)
		}
	}
	if r, err := tryCurl(t, n.at(sidecarHost, newDoor(t)), "http://h.example/x"); err == nil {
		t.Errorf("a port that is no listener's answers: %+v", r)
	}
	_, clusters := s.ask("GET", "/clusters")
	_, listeners := s.ask("GET", "/listeners")
	for _, port := range []uint16{door, second} {
		if name := fmt.Sprintf("http.ingress.http.%d.downstream_rq_2xx", port); s.stat(name) != 1 {
			t.Errorf("%s is %d, want 1", name, s.stat(name))
		}
		if name := fmt.Sprintf("cds_ingress_m_edge_self_redirect_%d_http_15001", port); !strings.Contains(clusters, name) {
			t.Errorf("/clusters has no %s:\n%s", name, clusters)
		}
		if name := fmt.Sprintf("lds_ingress_0.0.0.0_%d::0.0.0.0:%d", port, port); !strings.Contains(listeners, name) {
			t.Errorf("/listeners has no %s:\n%s", name, listeners)
		}
	}
	for _, line := range []string{"gateway route self_redirect one ", "gateway route self_redirect two ", "route a.local a timeout="} {
		if !strings.Contains(s.log.String(), line) {
			t.Errorf("the start does not tell %q", line)
		}
	}
	for _, name := range []string{"cluster.cds_egress_m_a_http_8080.upstream_rq_2xx", "cluster.cds_egress_m_b_http_8080.upstream_rq_2xx"} {
		if got := s.stat(name); got != 1 {
			t.Errorf("%s is %d, want 1", name, got)
		}
	}
}

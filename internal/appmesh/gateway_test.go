package appmesh

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// edgeDocuments are a mesh with two virtual services behind a gateway "edge".
const edgeDocuments = `
{meshName: m, spec: {}}
---
{meshName: m, virtualNodeName: t, spec: {listeners: [{portMapping: {port: 8080, protocol: http}}], serviceDiscovery: {dns: {hostname: t.local}}}}
---
{meshName: m, virtualNodeName: wide, spec: {listeners: [{portMapping: {port: 1, protocol: http}}, {portMapping: {port: 2, protocol: http}}, {portMapping: {port: 3, protocol: grpc}}, {portMapping: {port: 4, protocol: tcp}}], serviceDiscovery: {dns: {hostname: wide.local}}}}
---
{meshName: m, virtualRouterName: r, spec: {listeners: [{portMapping: {port: 80, protocol: http}}]}}
---
{meshName: m, virtualRouterName: r, routeName: all, spec: {httpRoute: {match: {prefix: /}, action: {weightedTargets: [{virtualNode: t, weight: 1}]}, timeout: {perRequest: {unit: s, value: 60}}}}}
---
{meshName: m, virtualServiceName: S.local, spec: {provider: {virtualRouter: {virtualRouterName: r}}}}
---
{meshName: m, virtualServiceName: node.local, spec: {provider: {virtualNode: {virtualNodeName: t}}}}
---
{meshName: m, virtualServiceName: wide.local, spec: {provider: {virtualNode: {virtualNodeName: wide}}}}
---
{meshName: m, virtualServiceName: none.local, spec: {}}
---
{meshName: m, virtualServiceName: empty.local, spec: {provider: {virtualRouter: {virtualRouterName: empty}}}}
---
{meshName: m, virtualRouterName: empty, spec: {listeners: [{portMapping: {port: 81, protocol: http}}]}}
`

const (
	oneDoor  = "{meshName: m, virtualGatewayName: edge, spec: {listeners: [{portMapping: {port: 9080, protocol: http}}]}}"
	toS      = "action: {target: {virtualService: {virtualServiceName: S.local}}}"
	toSWith  = "action: {target: {virtualService: {virtualServiceName: S.local}}, rewrite: {%s}}"
	edgeName = "mesh/m/virtualGateway/edge"
)

// httpDoor is an http gateway route of "edge".
func httpDoor(name, match, action string) string {
	return fmt.Sprintf("{meshName: m, virtualGatewayName: edge, gatewayRouteName: %s, spec: {httpRoute: {match: {%s}, %s}}}", name, match, action)
}

// edge compiles the gateway beside edgeDocuments.
func edge(t *testing.T, documents ...string) *mesh.Snapshot {
	t.Helper()
	d := Parse([]Source{{Name: "base.yaml", Data: []byte(edgeDocuments)}, {Name: "case.yaml", Data: []byte(strings.Join(documents, "\n---\n"))}})
	return compiled(t, d, edgeName)
}

func compiled(t *testing.T, d *Documents, name string) *mesh.Snapshot {
	t.Helper()
	res, err := mesh.ParseResource(name)
	if err != nil {
		t.Fatal(err)
	}
	s, findings := d.Compile(res, Options{})
	if s == nil {
		t.Fatalf("no snapshot: %+v", findings)
	}
	return s
}

// table writes a gateway's routes, one line each: port, domain, match, rewrite.
func table(s *mesh.Snapshot) []string {
	var lines []string
	for _, l := range s.Inbound {
		for _, h := range l.VirtualHosts {
			for _, r := range h.Routes {
				lines = append(lines, fmt.Sprintf("%d %s: %s -> %s, %s", l.Port, h.Domains[0], r.Match.String(), r.Rewrite.Service, r.Rewrite))
			}
		}
	}
	return lines
}

func sameLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// TestGatewayRewrites is App Mesh 1.7's and 2.5's list of rewrites.
func TestGatewayRewrites(t *testing.T) {
	const host = "S.local, host to S.local"
	for _, c := range []struct {
		says, match, rewrite string
		want                 []string
	}{
		{"a prefix is replaced by /, with and without a slash behind it", "prefix: /x", "", []string{"prefix /x/ -> " + host + ", prefix to /", "prefix /x -> " + host + ", prefix to /"}},
		{"in so many words", "prefix: /x", "prefix: {defaultPrefix: ENABLED}", []string{"prefix /x/ -> " + host + ", prefix to /", "prefix /x -> " + host + ", prefix to /"}},
		{"a prefix that ends in / makes one entry", "prefix: /x/", "", []string{"prefix /x/ -> " + host + ", prefix to /"}},
		{"the prefix / becomes itself", "prefix: /", "", []string{"any path -> " + host + ", prefix to /"}},
		{"so do all paths of a hostname", "hostname: {exact: a.b}", "", []string{"any path -> " + host + ", prefix to /"}},
		{"a value replaces it", "prefix: /x", "prefix: {value: /new/}", []string{"prefix /x -> " + host + ", prefix to /new/"}},
		{"the prefix / can get a value", "prefix: /", "prefix: {value: /new/}", []string{"any path -> " + host + ", prefix to /new/"}},
		{"so can all paths of a hostname", "hostname: {exact: a.b}", "prefix: {value: /new/}", []string{"any path -> " + host + ", prefix to /new/"}},
		{"DISABLED makes the prefix itself", "prefix: /x", "prefix: {defaultPrefix: DISABLED}", []string{"prefix /x -> " + host + ", prefix to /x"}},
		{"a path is kept", "path: {exact: /x}", "", []string{"path /x -> " + host}},
		{"so is a pattern's", "path: {regex: '/x.*'}", "", []string{"path like /x.* -> " + host}},
		{"a path is replaced whole", "path: {exact: /x}", "path: {exact: /y}", []string{"path /x -> " + host + ", path to /y"}},
		{"a pattern's too", "path: {regex: '/x.*'}", "path: {exact: /y}", []string{"path like /x.* -> " + host + ", path to /y"}},
		{"and what a prefix matched", "prefix: /x", "path: {exact: /y}", []string{"prefix /x -> " + host + ", path to /y"}},
		{"the host is kept", "prefix: /", "hostname: {defaultTargetHostname: DISABLED}", []string{"any path -> S.local, prefix to /"}},
		{"the host is replaced in so many words", "prefix: /", "hostname: {defaultTargetHostname: ENABLED}", []string{"any path -> " + host + ", prefix to /"}},
		{"the host is kept, the prefix is not", "prefix: /x/", "hostname: {defaultTargetHostname: DISABLED}", []string{"prefix /x/ -> S.local, prefix to /"}},
	} {
		t.Run(c.says, func(t *testing.T) {
			got := table(edge(t, oneDoor, httpDoor("one", c.match, fmt.Sprintf(toSWith, c.rewrite))))
			for i := range got {
				_, got[i], _ = strings.Cut(got[i], ": ")
			}
			sameLines(t, got, c.want...)
		})
	}
}

// TestGatewayHosts: a hostname's routes are a virtual host of their own.
func TestGatewayHosts(t *testing.T) {
	s := edge(t, oneDoor,
		httpDoor("any", "prefix: /", toS),
		httpDoor("exact", "hostname: {exact: WWW.example.com}, path: {exact: /}", toS),
		httpDoor("exact2", "hostname: {exact: www.example.com}, prefix: /b/", toS),
		httpDoor("suffix", "hostname: {suffix: .Example.com}", toS),
		httpDoor("starred", "hostname: {suffix: '*.example.com'}, prefix: /s/", toS),
		httpDoor("all", "hostname: {suffix: '*'}, prefix: /all/", toS))
	sameLines(t, table(s),
		"9080 *.example.com: prefix /s/ -> S.local, host to S.local, prefix to /",
		"9080 *.example.com: any path -> S.local, host to S.local, prefix to /",
		"9080 *: prefix /all/ -> S.local, host to S.local, prefix to /",
		"9080 *: any path -> S.local, host to S.local, prefix to /",
		"9080 www.example.com: path / -> S.local, host to S.local",
		"9080 www.example.com: prefix /b/ -> S.local, host to S.local, prefix to /")
	if h := s.Inbound[0].VirtualHosts[1]; h.Name != "self_redirect" || !slices.Equal(h.Domains, []string{"*"}) {
		t.Errorf("got %+v", h)
	}
	if s := edge(t, oneDoor, httpDoor("exact", "hostname: {exact: a.b}", toS)); len(s.Inbound[0].VirtualHosts) != 2 {
		t.Errorf("what no hostname takes has no host: %+v", s.Inbound[0].VirtualHosts)
	}
}

// TestGatewayOrder: as routes, by entry, the longest prefix first.
func TestGatewayOrder(t *testing.T) {
	withPriority := strings.Replace(httpDoor("z", "prefix: /z/", toS), "spec: {", "spec: {priority: 1, ", 1)
	s := edge(t, oneDoor,
		httpDoor("a-any", "prefix: /", toS),
		httpDoor("b-short", "prefix: /x", toS),
		httpDoor("c-long", "prefix: /x/y", toS),
		httpDoor("d-written", "prefix: /x/", toS),
		httpDoor("e-method", "prefix: /x, method: POST", toS),
		httpDoor("f-exact", "path: {exact: /x}", toS),
		httpDoor("g-regex", "path: {regex: /x}", toS),
		withPriority)
	var got []string
	for _, r := range s.Inbound[0].VirtualHosts[0].Routes {
		got = append(got, r.Name+" "+r.Match.String())
	}
	sameLines(t, got, "z prefix /z/", "f-exact path /x", "g-regex path like /x", "c-long prefix /x/y/", "c-long prefix /x/y",
		"e-method prefix /x/, method POST", "d-written prefix /x/", "b-short prefix /x/", "e-method prefix /x, method POST", "b-short prefix /x", "a-any any path")
}

// TestGatewayListeners: routes find their listener by port and protocol, each
// listener has a gate of its own.
func TestGatewayListeners(t *testing.T) {
	s := edge(t, `{meshName: m, virtualGatewayName: edge, spec: {listeners: [
		{portMapping: {port: 9443, protocol: http2}, connectionPool: {http2: {maxRequests: 7}}},
		{portMapping: {port: 9080, protocol: http}, connectionPool: {http: {maxConnections: 3, maxPendingRequests: 2}}},
		{portMapping: {port: 9081, protocol: http}},
		{portMapping: {port: 9090, protocol: grpc}, connectionPool: {grpc: {maxRequests: 2147483647}}}]}}`,
		httpDoor("first", "prefix: /first/, port: 9080", toS),
		httpDoor("both", "prefix: /both/", toS),
		strings.Replace(httpDoor("two", "prefix: /", toS), "httpRoute", "http2Route", 1),
		"{meshName: m, virtualGatewayName: edge, gatewayRouteName: calls, spec: {grpcRoute: {match: {serviceName: color.Service, metadata: [{name: x-a}]}, action: {target: {virtualService: {virtualServiceName: wide.local}}, rewrite: {hostname: {defaultTargetHostname: DISABLED}}}}}}")
	sameLines(t, table(s),
		"9080 *: prefix /first/ -> S.local, host to S.local, prefix to /",
		"9080 *: prefix /both/ -> S.local, host to S.local, prefix to /",
		"9081 *: prefix /both/ -> S.local, host to S.local, prefix to /",
		"9090 *: prefix /color.Service/, gRPC, header x-a is present -> wide.local, nothing",
		"9443 *: any path -> S.local, host to S.local, prefix to /")
	var gates []string
	for _, l := range s.Inbound {
		gates = append(gates, fmt.Sprintf("%d %s %s, %s", l.Port, l.Gate.Name, l.Gate.Protocol, l.Gate.Limits))
		if l.Gate != cluster(t, s, l.Gate.Name) || !l.AnyPort || l.Direction != mesh.Ingress || l.Gate.ConnectTimeout != 250*time.Millisecond {
			t.Errorf("got %+v", l)
		}
	}
	sameLines(t, gates,
		"9080 cds_ingress_m_edge_self_redirect_9080_http_15001 http, at most 3 connections, 2 pending requests",
		"9081 cds_ingress_m_edge_self_redirect_9081_http_15001 http, no limit",
		"9090 cds_ingress_m_edge_self_redirect_9090_grpc_15001 grpc, no limit",
		"9443 cds_ingress_m_edge_self_redirect_9443_http2_15001 http2, at most 7 requests")
	if name := edge(t, oneDoor, httpDoor("x", "prefix: /", toS)).Inbound[0].Gate.Name; name != "cds_ingress_m_edge_self_redirect_http_15001" {
		t.Errorf("one listener: %s", name)
	}
}

// TestGatewayServices: what stands behind a gateway route is what a node has
// behind a backend.
func TestGatewayServices(t *testing.T) {
	target := func(service string) string {
		return "action: {target: {virtualService: {virtualServiceName: " + service + "}}}"
	}
	s := edge(t, oneDoor,
		httpDoor("a", "prefix: /a/", toS), httpDoor("b", "prefix: /b/", toS),
		httpDoor("c", "prefix: /c/", target("node.local")),
		httpDoor("d", "prefix: /d/", target("none.local")),
		httpDoor("e", "prefix: /e/", target("empty.local")),
		httpDoor("f", "prefix: /f/", "action: {target: {port: 2, virtualService: {virtualServiceName: wide.local}}}"))
	routes := s.Inbound[0].VirtualHosts[0].Routes
	if routes[0].Service != routes[1].Service {
		t.Error("two gateway routes to one service do not share it")
	}
	var got []string
	for _, r := range routes {
		line := fmt.Sprintf("%s %s %v", r.Name, r.Service.Name, r.Service.Domains)
		for _, inner := range r.Service.Routes {
			line += fmt.Sprintf(" %q %s %s retries %s", inner.Name, planTargets(inner.Targets), inner.Timeout, inner.Retry)
		}
		got = append(got, line)
	}
	const retries = " retries up to 2 times on no response, status 503, grpc-status 14"
	sameLines(t, got,
		`a S.local [s.local s.local:15001] "all" cds_egress_m_t_http_8080*1 1m0s`+retries,
		`b S.local [s.local s.local:15001] "all" cds_egress_m_t_http_8080*1 1m0s`+retries,
		`c node.local [node.local node.local:15001] "" cds_egress_m_t_http_8080*1 15s`+retries,
		`d none.local [none.local none.local:15001]`,
		`e empty.local [empty.local empty.local:15001]`,
		`f wide.local [wide.local wide.local:15001] "" cds_egress_m_wide_http_2*1 15s`+retries)
	if len(s.Outbound) > 0 || len(s.Clusters) != 3 {
		t.Errorf("a gateway opens nothing of its own: %+v", s)
	}
}

// TestGatewayPlaintext: nothing that must be encrypted leaves or enters a
// gateway in plaintext.
func TestGatewayPlaintext(t *testing.T) {
	const policy = ", backendDefaults: {clientPolicy: {tls: {%s validation: {trust: {sds: {secretName: ca}}}}}}"
	for _, c := range []struct {
		says, listener, gateway string
		door, route             bool
	}{
		{"nobody asks", "", "", false, false},
		{"the gateway's policy enforces", "", fmt.Sprintf(policy, ""), false, true},
		{"on the router's port", "", fmt.Sprintf(policy, "ports: [80],"), false, true},
		{"on another port", "", fmt.Sprintf(policy, "ports: [443],"), false, false},
		{"the gateway's policy does not enforce", "", fmt.Sprintf(policy, "enforce: false,"), false, false},
		{"the listener is strict", ", tls: {mode: STRICT, certificate: {sds: {secretName: own}}}", "", true, false},
		{"the listener is permissive", ", tls: {mode: PERMISSIVE, certificate: {sds: {secretName: own}}}", "", false, false},
	} {
		s := edge(t, "{meshName: m, virtualGatewayName: edge, spec: {listeners: [{portMapping: {port: 9080, protocol: http}"+c.listener+"}]"+c.gateway+"}}", httpDoor("x", "prefix: /", toS))
		l := s.Inbound[0]
		if door, route := l.Refuse != "", l.VirtualHosts[0].Routes[0].Service.Routes[0].Refuse != ""; door != c.door || route != c.route {
			t.Errorf("%s: listener refused %v, route %v", c.says, door, route)
		}
	}
	https := edge(t, oneDoor, httpDoor("x", "prefix: /", "action: {target: {virtualService: {virtualServiceName: https.local}}}"),
		"{meshName: m, virtualServiceName: https.local, spec: {provider: {virtualRouter: {virtualRouterName: https}}}}",
		"{meshName: m, virtualRouterName: https, spec: {listeners: [{portMapping: {port: 443, protocol: https}}]}}",
		"{meshName: m, virtualRouterName: https, routeName: all, spec: {httpRoute: {match: {prefix: /}, action: {weightedTargets: [{virtualNode: t, weight: 1}]}}}}")
	if https.Inbound[0].VirtualHosts[0].Routes[0].Service.Routes[0].Refuse == "" {
		t.Error("a router's https port is called in plaintext")
	}
}

// TestGatewayReach: a gateway concerns itself with what its routes lead to.
func TestGatewayReach(t *testing.T) {
	broken := func(name string) string {
		return "{meshName: m, virtualNodeName: " + name + ", spec: {listeners: 7}}"
	}
	for _, c := range []struct {
		says   string
		starts bool
		more   string
	}{
		{"nothing is wrong", true, ""},
		{"a stranger is broken", true, broken("stranger")},
		{"another gateway's route is broken", true, "{meshName: m, virtualGatewayName: other, gatewayRouteName: x, spec: {httpRoute: {}}}"},
		{"a route of its own is broken", false, "{meshName: m, virtualGatewayName: edge, gatewayRouteName: x, spec: {httpRoute: {}}}"},
		{"a target of a route is broken", false, broken("behind") + "\n---\n{meshName: m, virtualRouterName: r, routeName: more, spec: {httpRoute: {match: {prefix: /more}, action: {weightedTargets: [{virtualNode: behind, weight: 1}]}}}}"},
	} {
		text := edgeDocuments + "\n---\n" + oneDoor + "\n---\n" + httpDoor("x", "prefix: /", toS) + "\n---\n" + c.more
		s, findings := Parse([]Source{{Name: "case.yaml", Data: []byte(text)}}).Compile(mesh.Resource{Mesh: "m", Kind: mesh.VirtualGateway, Name: "edge"}, Options{})
		if (s != nil) != c.starts {
			t.Errorf("%s: starts: %v, %+v", c.says, s != nil, findings)
		}
	}
}

// TestGatewayVersion: what a gateway can come to need changes its version.
func TestGatewayVersion(t *testing.T) {
	version := func(door string) string { return edge(t, oneDoor, door).Version }
	base := version(httpDoor("x", "prefix: /", toS))
	for says, c := range map[string]struct {
		door string
		same bool
	}{
		"nothing":          {httpDoor("x", "prefix: /", toS), true},
		"another gateway":  {httpDoor("x", "prefix: /", toS) + "\n---\n{meshName: m, virtualGatewayName: other, spec: {listeners: [{portMapping: {port: 1, protocol: http}}]}}", true},
		"another prefix":   {httpDoor("x", "prefix: /y", toS), false},
		"another hostname": {httpDoor("x", "prefix: /, hostname: {exact: a.b}", toS), false},
		"another service":  {httpDoor("x", "prefix: /", "action: {target: {virtualService: {virtualServiceName: node.local}}}"), false},
		"one more route":   {httpDoor("x", "prefix: /", toS) + "\n---\n" + httpDoor("y", "prefix: /y", toS), false},
	} {
		if same := version(c.door) == base; same != c.same {
			t.Errorf("%s: same version: %v", says, same)
		}
	}
}

// TestGatewayFindings: what is wrong with gateways, in words.
func TestGatewayFindings(t *testing.T) {
	target := func(rest string) string { return "action: {target: {" + rest + "}}" }
	const wide = "virtualService: {virtualServiceName: wide.local}"
	listeners := func(rest string) string {
		return "{meshName: m, virtualGatewayName: edge, spec: {listeners: [" + rest + "]}}"
	}
	twoDoors := listeners("{portMapping: {port: 9080, protocol: http}}, {portMapping: {port: 9081, protocol: http}}, {portMapping: {port: 9082, protocol: grpc}}")
	for _, c := range []struct{ says, documents, want string }{
		{"a good one has none", oneDoor + "\n---\n" + httpDoor("x", "prefix: /", toS), ""},
		{"a gateway needs a route", oneDoor, `warning: virtual gateway "edge": has no gateway route | every request to it is answered 404`},
		{"a gateway does not speak tcp", listeners("{portMapping: {port: 1, protocol: tcp}}") + "\n---\n" + httpDoor("x", "prefix: /", toS),
			`error: virtual gateway "edge": listeners[0].portMapping.protocol "tcp": must be one of http, http2, grpc, https`},
		{"nobody checks a gateway", listeners("{portMapping: {port: 9080, protocol: http}, healthCheck: {protocol: http}}") + "\n---\n" + httpDoor("x", "prefix: /", toS),
			`warning: virtual gateway "edge": listeners[0].healthCheck: is not done: callers check a listener, and nothing in a mesh calls a gateway | let the load balancer check it, say with /ready of the admin port`},

		{"the port must be the gateway's", oneDoor + "\n---\n" + httpDoor("x", "prefix: /, port: 80", toS),
			`warning: gateway route "x": match.port "80": can never match: gateway "edge" has no such listener | its ports: 9080 (http)`},
		{"the port's protocol must be the route's", twoDoors + "\n---\n" + httpDoor("x", "prefix: /, port: 9082", toS),
			`warning: gateway route "x": match.port "9082": can never match: the listener's protocol is grpc, the route's http | see case.yaml:1`},
		{"a listener must speak the route's protocol", oneDoor + "\n---\n" + strings.Replace(httpDoor("x", "prefix: /", toS), "httpRoute", "http2Route", 1),
			`warning: gateway route "x": can never match: gateway "edge" has no http2 listener | its ports: 9080 (http)
			 warning: gateway route "x": action.target.virtualService.virtualServiceName "S.local": port 80 of the virtual service speaks http, the gateway route http2 | see base.yaml:8; App Mesh called the result unpredictable`},
		{"one of several listeners should be named", twoDoors + "\n---\n" + httpDoor("x", "prefix: /", toS),
			`warning: gateway route "x": match.port: is not given and gateway "edge" has several http listeners | the route is used on all of them: 9080 (http), 9081 (http), 9082 (grpc)`},

		{"the target must have the port", oneDoor + "\n---\n" + httpDoor("x", "prefix: /", target("port: 7, "+wide)),
			`error: gateway route "x": action.target.port "7": the virtual service has no such port | its ports: 1 (http), 2 (http), 3 (grpc), 4 (tcp)`},
		{"one of several must be named", oneDoor + "\n---\n" + httpDoor("x", "prefix: /", target(wide)),
			`error: gateway route "x": action.target.virtualService.virtualServiceName "wide.local": the virtual service has several ports: say which with target.port | its ports: 1 (http), 2 (http), 3 (grpc), 4 (tcp)`},
		{"TCP is not routed", oneDoor + "\n---\n" + httpDoor("x", "prefix: /", target("port: 4, "+wide)),
			`error: gateway route "x": action.target.virtualService.virtualServiceName "wide.local": port 4 of the virtual service is for TCP, which a gateway does not route | see base.yaml:6`},
		{"no provider is the service's matter", oneDoor + "\n---\n" + httpDoor("x", "prefix: /", target("port: 7, virtualService: {virtualServiceName: none.local}")), ""},

		{"a hostname has no port", oneDoor + "\n---\n" + httpDoor("x", "hostname: {exact: 'a.b:80'}", toS),
			`error: gateway route "x": match.hostname.exact "a.b:80": a hostname cannot hold a port | match.port names the gateway's listener`},
		{"a hostname is no URL", oneDoor + "\n---\n" + httpDoor("x", "hostname: {exact: 'https://a.b/c'}", toS),
			`error: gateway route "x": match.hostname.exact "https://a.b/c": is no hostname but a URL or a path | write the host alone; match.prefix has the path`},
		{"an address of IPv6 has colons", oneDoor + "\n---\n" + httpDoor("x", "hostname: {exact: '[2001:db8::1]'}", toS), ""},
		{"an exact hostname is no pattern", oneDoor + "\n---\n" + httpDoor("x", "hostname: {exact: '*.a.b'}", toS),
			`error: gateway route "x": match.hostname.exact "*.a.b": is a pattern, not a hostname | write {"suffix": ".a.b"}`},
		{"a hostname is of a host's characters", oneDoor + "\n---\n" + httpDoor("x", "hostname: {suffix: 'a*b'}", toS),
			`warning: gateway route "x": match.hostname.suffix "a*b": can never match: no host has such a name`},
		{"a prefix that no path has is not rewritten", oneDoor + "\n---\n" + httpDoor("x", "path: {exact: /a}", fmt.Sprintf(toSWith, "prefix: {value: /b/}")),
			`warning: gateway route "x": rewrite.prefix: does nothing: match.path is matched whole | rewrite.path replaces it`},
		{"a path begins with a slash", oneDoor + "\n---\n" + httpDoor("x", "path: {exact: /a}", fmt.Sprintf(toSWith, "path: {exact: b}")),
			`error: gateway route "x": rewrite.path.exact "b": must begin with "/" and hold no query | the query of the request is kept`},
		{"a value begins and ends with a slash", oneDoor + "\n---\n" + httpDoor("x", "prefix: /a", fmt.Sprintf(toSWith, "prefix: {value: /b}")),
			`error: gateway route "x": rewrite.prefix.value "/b": must begin and end with "/"`},
		{"App Mesh's own prefix is reserved", oneDoor + "\n---\n" + httpDoor("x", "prefix: /aws-appmesh-x", toS),
			`error: gateway route "x": match.prefix "/aws-appmesh-x": is reserved`},

		{"a route that an earlier one hides is told of", oneDoor + "\n---\n" + httpDoor("a", "prefix: /x/", toS) + "\n---\n" + httpDoor("b", "prefix: /x/", toS),
			`warning: gateway route "b": match: can never match: route "a" takes all of it first | see case.yaml:3; a lower priority number goes first`},
		{"not where one of its entries is seen", oneDoor + "\n---\n" + httpDoor("a", "prefix: /x/", toS) + "\n---\n" + httpDoor("b", "prefix: /x", toS), ""},
		{"nor that of another hostname", oneDoor + "\n---\n" + httpDoor("a", "prefix: /", toS) + "\n---\n" + httpDoor("b", "prefix: /, hostname: {exact: a.b}", toS), ""},
	} {
		t.Run(c.says, func(t *testing.T) {
			d := Parse([]Source{{Name: "base.yaml", Data: []byte(edgeDocuments)}, {Name: "case.yaml", Data: []byte(c.documents)}})
			got := about("case.yaml", d.Check())
			var want []string
			for _, line := range strings.Split(c.want, "\n") {
				if line = strings.TrimSpace(line); line != "" {
					want = append(want, line)
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			sameLines(t, got, want...)
		})
	}
}

package appmesh

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// front compiles node "front" of mesh "m" from documents that must be good.
func front(t *testing.T, opt Options, documents ...string) *mesh.Snapshot {
	t.Helper()
	d := Parse([]Source{{Name: "case.yaml", Data: []byte(strings.Join(documents, "\n---\n"))}})
	s, findings := d.Compile(mesh.Resource{Mesh: "m", Name: "front"}, opt)
	if s == nil {
		t.Fatalf("no snapshot: %+v", findings)
	}
	return s
}

func cluster(t *testing.T, s *mesh.Snapshot, name string) *mesh.Cluster {
	t.Helper()
	for _, c := range s.Clusters {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no cluster %s", name)
	return nil
}

const (
	frontCallsS = "{meshName: m, virtualNodeName: front, spec: {backends: [{virtualService: {virtualServiceName: S.local%s}}]}}"
	serviceS    = "{meshName: m, virtualServiceName: S.local, spec: {provider: {virtualRouter: {virtualRouterName: r}}}}"
	router80    = "{meshName: m, virtualRouterName: r, spec: {listeners: [{portMapping: {port: 80, protocol: http}}]}}"
	targetT     = "{meshName: m, virtualNodeName: t, spec: {listeners: [{portMapping: {port: 8080, protocol: %s}%s}], serviceDiscovery: {dns: {hostname: t.local}}}}"
	routeToT    = "{meshName: m, virtualRouterName: r, routeName: %s, spec: {%s httpRoute: {match: {%s}, action: {weightedTargets: [{virtualNode: t, weight: 1}]}%s}}}"
)

func plainTarget() string { return fmt.Sprintf(targetT, "http", "") }

// TestRouteOrder: the decided order of evaluation.
func TestRouteOrder(t *testing.T) {
	routes := []struct{ name, priority, match string }{
		{"z-first", "priority: 0,", "prefix: /z"},
		{"exact-at-5", "priority: 5,", "path: {exact: /a}"},
		{"regex-at-5", "priority: 5,", "path: {regex: /a}"},
		{"long-prefix-at-5", "priority: 5,", "prefix: /long/prefix"},
		{"conditions-at-5", "priority: 5,", "prefix: /x, method: GET, headers: [{name: h}]"},
		{"fewer-conditions-at-5", "priority: 5,", "prefix: /y, headers: [{name: h}]"},
		{"a-by-name", "priority: 5,", "prefix: /v"},
		{"b-by-name", "priority: 5,", "prefix: /w"},
		{"last-priority", "priority: 1000,", "prefix: /"},
		{"no-priority-exact", "", "path: {exact: /never}"},
		{"no-priority", "", "prefix: /"},
	}
	documents := []string{fmt.Sprintf(frontCallsS, ""), serviceS, router80, plainTarget()}
	var want []string
	for _, r := range routes {
		want = append(want, r.name)
		documents = append(documents, fmt.Sprintf(routeToT, r.name, r.priority, r.match, ""))
	}
	slices.Reverse(documents)
	var got []string
	for _, r := range front(t, Options{}, documents...).Outbound[0].VirtualHosts[0].Routes {
		got = append(got, r.Name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

// TestRetryTranslation is App Mesh 2.8's table.
func TestRetryTranslation(t *testing.T) {
	for _, c := range []struct {
		events string
		on     mesh.RetryOn
		codes  []int
	}{
		{"httpRetryEvents: [server-error]", mesh.RetryReset, []int{500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511}},
		{"httpRetryEvents: [gateway-error]", mesh.RetryReset, []int{502, 503, 504}},
		{"httpRetryEvents: [client-error]", 0, []int{409}},
		{"httpRetryEvents: [stream-error]", mesh.RetryRefusedStream, nil},
		{"tcpRetryEvents: [connection-error]", mesh.RetryConnectFailure, nil},
		{"httpRetryEvents: [gateway-error, client-error, stream-error]", mesh.RetryReset | mesh.RetryRefusedStream, []int{409, 502, 503, 504}},
		{"httpRetryEvents: [server-error, gateway-error]", mesh.RetryReset, []int{500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511}},
	} {
		policy := ", retryPolicy: {maxRetries: 1, perRetryTimeout: {unit: s, value: 5}, " + c.events + "}"
		s := front(t, Options{}, fmt.Sprintf(frontCallsS, ""), serviceS, router80, plainTarget(), fmt.Sprintf(routeToT, "x", "", "prefix: /", policy))
		p := s.Outbound[0].VirtualHosts[0].Routes[0].Retry
		if p.MaxRetries != 1 || p.PerTryTimeout != 5*time.Second || !p.Explicit || p.On != c.on || !slices.Equal(p.StatusCodes, c.codes) {
			t.Errorf("%s: got %+v", c.events, p)
		}
	}
}

// TestPlaintext: nothing that must be encrypted is ever sent or taken in
// plaintext (App Mesh 2.12).
func TestPlaintext(t *testing.T) {
	const (
		trust      = "validation: {trust: {sds: {secretName: ca}}}"
		certified  = ", tls: {mode: %s, certificate: {sds: {secretName: own}}}"
		ownPolicy  = ", clientPolicy: {tls: {%s " + trust + "}}"
		defaulting = "{meshName: m, virtualNodeName: front, spec: {backendDefaults: {clientPolicy: {tls: {%s " + trust + "}}}, backends: [{virtualService: {virtualServiceName: S.local%s}}]}}"
	)
	for _, c := range []struct {
		says, front, protocol, target string
		refused                       bool
	}{
		{"neither side says anything", fmt.Sprintf(frontCallsS, ""), "http", "", false},
		{"the client enforces", fmt.Sprintf(frontCallsS, fmt.Sprintf(ownPolicy, "")), "http", "", true},
		{"the client enforces in so many words", fmt.Sprintf(frontCallsS, fmt.Sprintf(ownPolicy, "enforce: 'true',")), "http", "", true},
		{"the client enforces by default for all backends", fmt.Sprintf(defaulting, "", ""), "http", "", true},
		{"a backend's own policy replaces the default whole", fmt.Sprintf(defaulting, "", ", clientPolicy: {}"), "http", "", false},
		{"the client does not enforce", fmt.Sprintf(frontCallsS, fmt.Sprintf(ownPolicy, "enforce: false,")), "http", "", false},
		{"the client enforces on the node's port", fmt.Sprintf(frontCallsS, fmt.Sprintf(ownPolicy, "ports: [8080],")), "http", "", true},
		{"the client enforces on the router's port", fmt.Sprintf(frontCallsS, fmt.Sprintf(ownPolicy, "ports: [80],")), "http", "", true},
		{"the client enforces on another port", fmt.Sprintf(frontCallsS, fmt.Sprintf(ownPolicy, "ports: [443],")), "http", "", false},
		{"the server is strict", fmt.Sprintf(frontCallsS, ""), "http", fmt.Sprintf(certified, "STRICT"), true},
		{"the server is strict, the client does not enforce", fmt.Sprintf(frontCallsS, fmt.Sprintf(ownPolicy, "enforce: false,")), "http", fmt.Sprintf(certified, "STRICT"), true},
		{"the server is permissive", fmt.Sprintf(frontCallsS, ""), "http", fmt.Sprintf(certified, "PERMISSIVE"), false},
		{"the server has a certificate and no TLS", fmt.Sprintf(frontCallsS, ""), "http", fmt.Sprintf(certified, "DISABLED"), false},
		{"the server says https", fmt.Sprintf(frontCallsS, ""), "https", "", true},
		{"the server speaks http2", fmt.Sprintf(frontCallsS, ""), "http2", "", false},
		{"the server speaks grpc", fmt.Sprintf(frontCallsS, ""), "grpc", "", false},
		{"the server speaks grpc and is strict", fmt.Sprintf(frontCallsS, ""), "grpc", fmt.Sprintf(certified, "STRICT"), true},
	} {
		t.Run(c.says, func(t *testing.T) {
			s := front(t, Options{}, c.front, serviceS, router80, fmt.Sprintf(targetT, c.protocol, c.target), fmt.Sprintf(routeToT, "x", "", "prefix: /", ""))
			route := s.Outbound[0].VirtualHosts[0].Routes[0]
			target := route.Targets[0].Cluster
			if refused := route.Refuse+target.Refuse != ""; refused != c.refused {
				t.Errorf("refused: %v (%q, %q), want %v", refused, route.Refuse, target.Refuse, c.refused)
			}
			// And its own sidecar agrees.
			own, _ := Parse([]Source{{Name: "t.yaml", Data: []byte(fmt.Sprintf(targetT, c.protocol, c.target))}}).Compile(mesh.Resource{Mesh: "m", Name: "t"}, Options{})
			strict := strings.Contains(c.target, "STRICT") || c.protocol == "https"
			if refused := own.Inbound[0].Refuse != ""; refused != strict {
				t.Errorf("listener refused: %v (%q), want %v", refused, own.Inbound[0].Refuse, strict)
			}
		})
	}
}

// TestPolicyOfOne: of two backends that share a cluster, each is refused by
// its own client policy alone, and both by a server that takes TLS only.
func TestPolicyOfOne(t *testing.T) {
	const enforce = ", clientPolicy: {tls: {validation: {trust: {sds: {secretName: ca}}}}}"
	const server = ", tls: {mode: STRICT, certificate: {sds: {secretName: own}}}"
	for _, c := range []struct {
		says, routed, direct, server          string
		routedRefused, directRefused, cluster bool
	}{
		{"none asks", "", "", "", false, false, false},
		{"the node's caller enforces", "", enforce, "", false, true, false},
		{"the router's caller enforces", enforce, "", "", true, false, false},
		{"both enforce", enforce, enforce, "", true, true, false},
		{"the server is strict", "", "", server, false, false, true},
		{"one enforces and the server is strict", "", enforce, server, false, true, true},
	} {
		s := front(t, Options{}, fmt.Sprintf("{meshName: m, virtualNodeName: front, spec: {backends: [{virtualService: {virtualServiceName: S.local%s}}, "+
			"{virtualService: {virtualServiceName: direct.local%s}}]}}", c.routed, c.direct),
			serviceS, router80, fmt.Sprintf(targetT, "http", c.server), fmt.Sprintf(routeToT, "x", "", "prefix: /", ""),
			"{meshName: m, virtualServiceName: direct.local, spec: {provider: {virtualNode: {virtualNodeName: t}}}}")
		refused := map[string]bool{}
		for _, l := range s.Outbound {
			for _, h := range l.VirtualHosts {
				refused[h.Name] = h.Routes[0].Refuse != ""
			}
		}
		shared := cluster(t, s, "cds_egress_m_t_http_8080")
		if refused["S.local"] != c.routedRefused || refused["direct.local"] != c.directRefused || (shared.Refuse != "") != c.cluster {
			t.Errorf("%s: refused %v, cluster %q", c.says, refused, shared.Refuse)
		}
		if enforced := shared.TLS != nil && shared.TLS.Enforce; enforced != (c.routedRefused || c.directRefused) {
			t.Errorf("%s: TLS %+v", c.says, shared.TLS)
		}
	}
}

// TestPolicyOfTCP: the chain of a TCP backend whose policy enforces TLS is
// closed, and no other.
func TestPolicyOfTCP(t *testing.T) {
	s := front(t, Options{}, "{meshName: m, virtualNodeName: front, spec: {backends: [{virtualService: {virtualServiceName: one.local}}, "+
		"{virtualService: {virtualServiceName: two.local, clientPolicy: {tls: {validation: {trust: {sds: {secretName: ca}}}}}}}]}}",
		fmt.Sprintf(targetT, "tcp", ""),
		"{meshName: m, virtualServiceName: two.local, spec: {provider: {virtualNode: {virtualNodeName: t}}}}",
		"{meshName: m, virtualServiceName: one.local, spec: {provider: {virtualRouter: {virtualRouterName: r}}}}",
		"{meshName: m, virtualRouterName: r, spec: {listeners: [{portMapping: {port: 90, protocol: tcp}}]}}",
		"{meshName: m, virtualRouterName: r, routeName: x, spec: {tcpRoute: {action: {weightedTargets: [{virtualNode: t, weight: 1}]}}}}")
	for _, l := range s.Outbound {
		if refused := l.Refuse != ""; refused != (l.Port == 8080) {
			t.Errorf("port %d: refused %q", l.Port, l.Refuse)
		}
	}
	if c := cluster(t, s, "cds_egress_m_t_tcp_8080"); c.Refuse != "" {
		t.Errorf("cluster refused: %s", c.Refuse)
	}
}

// TestPreference: App Mesh 2.9's addresses, and the options' above all.
func TestPreference(t *testing.T) {
	const node = "{meshName: m, virtualNodeName: front, spec: {listeners: [{portMapping: {port: 80, protocol: http}}], serviceDiscovery: {dns: {hostname: h%s}}}}"
	meshWith := func(p string) string {
		if p == "" {
			return "{meshName: m, spec: {}}"
		}
		return "{meshName: m, spec: {serviceDiscovery: {ipPreference: " + p + "}}}"
	}
	for _, c := range []struct {
		mesh, node string
		opt        Options
		want       string
	}{
		{"", "", Options{}, "127.0.0.1:80"},
		{"IPv4_ONLY", "", Options{}, "127.0.0.1:80"},
		{"IPv4_PREFERRED", "", Options{}, "127.0.0.1:80"},
		{"IPv6_ONLY", "", Options{}, "[::1]:80"},
		{"ipv6_preferred", "", Options{}, "[::1]:80"},
		{"IPv6_ONLY", ", ipPreference: IPv4_ONLY", Options{}, "127.0.0.1:80"},
		{"", ", ipPreference: IPv6_ONLY", Options{}, "[::1]:80"},
		{"IPv6_ONLY", "", Options{AppHost: netip.MustParseAddr("127.0.0.7")}, "127.0.0.7:80"},
	} {
		s := front(t, c.opt, meshWith(c.mesh), fmt.Sprintf(node, c.node))
		if got := cluster(t, s, "cds_ingress_m_front_http_80").Discovery.Addrs[0].String(); got != c.want {
			t.Errorf("mesh %q node %q: app at %s, want %s", c.mesh, c.node, got, c.want)
		}
	}
}

// TestNodeProvider: without a route App Mesh's defaults hold, whatever the
// node's own listener says (App Mesh 2.8, 2.11).
func TestNodeProvider(t *testing.T) {
	s := front(t, Options{}, fmt.Sprintf(frontCallsS, ""), "{meshName: m, virtualServiceName: S.local, spec: {provider: {virtualNode: {virtualNodeName: t}}}}",
		fmt.Sprintf(targetT, "http", ", timeout: {http: {perRequest: {unit: s, value: 99}}}"))
	l := s.Outbound[0]
	h := l.VirtualHosts[0]
	r := h.Routes[0]
	if l.Port != 8080 || !slices.Equal(h.Domains, []string{"s.local", "s.local:8080"}) || h.Name != "S.local" {
		t.Errorf("got %d %+v", l.Port, h)
	}
	if r.Timeout.Value != 15*time.Second || r.Idle.Value != 5*time.Minute || r.Retry.MaxRetries != 2 || r.Retry.Explicit {
		t.Errorf("got %+v", r)
	}
}

// TestEmptyServices: a service without a route or a provider is an empty
// virtual host, so that its callers get 404 (App Mesh 2.4).
func TestEmptyServices(t *testing.T) {
	s := front(t, Options{}, "{meshName: m, virtualNodeName: front, spec: {backends: ["+
		"{virtualService: {virtualServiceName: S.local}}, {virtualService: {virtualServiceName: none.local}}, {virtualService: {virtualServiceName: A.local}}, {virtualService: {virtualServiceName: nowhere.local}}]}}",
		serviceS, router80, "{meshName: m, virtualServiceName: none.local, spec: {}}", "{meshName: m, virtualServiceName: A.local, spec: {provider: {virtualRouter: {virtualRouterName: missing}}}}")
	if len(s.Outbound) != 1 {
		t.Fatalf("got %d chains", len(s.Outbound))
	}
	var got []string
	for _, h := range s.Outbound[0].VirtualHosts {
		got = append(got, fmt.Sprintf("%s%v%d", h.Name, h.Domains, len(h.Routes)))
	}
	want := []string{"A.local[a.local a.local:80]0", "S.local[s.local s.local:80]0", "none.local[none.local none.local:80]0"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

// TestSameHost: names that differ only by case are one host; the first wins.
func TestSameHost(t *testing.T) {
	s := front(t, Options{}, "{meshName: m, virtualNodeName: front, spec: {backends: [{virtualService: {virtualServiceName: S.local}}, {virtualService: {virtualServiceName: s.LOCAL}}]}}",
		serviceS, "{meshName: m, virtualServiceName: s.LOCAL, spec: {provider: {virtualRouter: {virtualRouterName: r}}}}", router80)
	if hosts := s.Outbound[0].VirtualHosts; len(hosts) != 1 || hosts[0].Name != "S.local" {
		t.Errorf("got %+v", hosts)
	}
}

// TestZero: a duration of 0 is no limit; a pool at the API's maximum is none.
func TestZero(t *testing.T) {
	s := front(t, Options{}, "{meshName: m, virtualNodeName: front, spec: {serviceDiscovery: {dns: {hostname: h}}, listeners: [{portMapping: {port: 80, protocol: http}, "+
		"timeout: {http: {perRequest: {unit: s, value: 0}, idle: {unit: ms, value: 0}}}, connectionPool: {http: {maxConnections: 2147483647, maxPendingRequests: 3}}}]}}")
	r := s.Inbound[0].VirtualHosts[0].Routes[0]
	if r.Timeout.Value != 0 || r.Idle.Value != 0 || r.Timeout.Origin.File == "" || r.Retry != nil {
		t.Errorf("got %+v", r)
	}
	if l := cluster(t, s, "cds_ingress_m_front_http_80").Limits; l != (mesh.Limits{MaxPendingRequests: 3}) {
		t.Errorf("got %+v", l)
	}
}

// TestTCPRouterWithoutRoute: there is nowhere to send a connection.
func TestTCPRouterWithoutRoute(t *testing.T) {
	s := front(t, Options{}, fmt.Sprintf(frontCallsS, ""), serviceS, strings.Replace(router80, "http", "tcp", 1))
	if l := s.Outbound[0]; l.Protocol != mesh.TCP || l.Refuse == "" || len(l.Targets) != 0 {
		t.Errorf("got %+v", l)
	}
}

// TestEgressFilter: every spelling of it.
func TestEgressFilter(t *testing.T) {
	for spelling, want := range map[string]mesh.EgressFilter{
		`{"type": "ALLOW_ALL"}`: mesh.AllowAll,
		`{"type": "allow_all"}`: mesh.AllowAll,
		`{"type": "DROP_ALL"}`:  mesh.DropAll,
		`{"allowAll": true}`:    mesh.AllowAll,
		`{"allow_all": "true"}`: mesh.AllowAll,
		`{"allowAll": false}`:   mesh.DropAll,
		`{"dropAll": true}`:     mesh.DropAll,
		`{"dropAll": false}`:    mesh.AllowAll,
		`"ALLOW_ALL"`:           mesh.AllowAll,
		`"allowAll"`:            mesh.AllowAll,
		`"DROP_ALL"`:            mesh.DropAll,
		`"{allowAll=true}"`:     mesh.AllowAll,
		`"allowAll=false"`:      mesh.DropAll,
		`"type=ALLOW_ALL"`:      mesh.AllowAll,
		`{allowAll=true}`:       mesh.AllowAll,
		`{dropAll=true}`:        mesh.DropAll,
		`null`:                  mesh.DropAll,
	} {
		s := front(t, Options{}, "{meshName: m, virtualNodeName: front, spec: {}}", "{meshName: m, spec: {egressFilter: "+spelling+"}}")
		if s.Egress != want {
			t.Errorf("%s: got %s, want %s", spelling, s.Egress, want)
		}
		allowAll := slices.ContainsFunc(s.Clusters, func(c *mesh.Cluster) bool { return c.Name == "cds_egress_m_mesh-allow-all" })
		if cluster(t, s, "cds_egress_m_amazonaws"); allowAll != (want == mesh.AllowAll) {
			t.Errorf("%s: mesh-allow-all: %v", spelling, allowAll)
		}
	}
	for _, spelling := range []string{`{"type": "BLOCK"}`, `{"allowAll": "perhaps"}`, `"allowAll=perhaps"`, `7`, `{}`} {
		d := Parse([]Source{{Name: "m.yaml", Data: []byte("{meshName: m, spec: {egressFilter: " + spelling + "}}")}})
		if !slices.ContainsFunc(d.Check(), func(f mesh.Finding) bool { return f.Severity == mesh.Error }) {
			t.Errorf("%s is not refused", spelling)
		}
	}
}

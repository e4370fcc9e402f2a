package appmesh

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

const (
	routerOf   = "{meshName: m, virtualRouterName: r, spec: {listeners: [{portMapping: {port: 90, protocol: %s}}]}}"
	grpcRouteT = "{meshName: m, virtualRouterName: r, routeName: %s, spec: {grpcRoute: {match: {%s}, action: {weightedTargets: [{virtualNode: t, weight: 1}]}%s}}}"
)

func grpcDocuments(routes ...string) []string {
	return append([]string{fmt.Sprintf(frontCallsS, ""), serviceS, fmt.Sprintf(routerOf, "grpc"), fmt.Sprintf(targetT, "grpc", "")}, routes...)
}

// TestWhatIsSpokenUpstream: HTTP/2 to http2 and grpc nodes, HTTP/1.1 to http
// ones, and nothing is refused for its protocol.
func TestWhatIsSpokenUpstream(t *testing.T) {
	for protocol, multiplexed := range map[string]bool{"http": false, "http2": true, "grpc": true, "tcp": false} {
		s := front(t, Options{}, fmt.Sprintf(frontCallsS, ""), fmt.Sprintf(targetT, protocol, ""),
			"{meshName: m, virtualServiceName: S.local, spec: {provider: {virtualNode: {virtualNodeName: t}}}}")
		l, c := s.Outbound[0], cluster(t, s, "cds_egress_m_t_"+protocol+"_8080")
		if l.Refuse != "" || c.Refuse != "" || c.Protocol.Multiplexed() != multiplexed || l.Protocol.String() != protocol {
			t.Errorf("%s: listener %q refused %q, cluster refused %q, multiplexed %v", protocol, l.Protocol, l.Refuse, c.Refuse, c.Protocol.Multiplexed())
		}
	}
}

// TestTargetOfAnotherProtocol: what is spoken upstream is the target's, not
// the route's; the documents are told so by a warning.
func TestTargetOfAnotherProtocol(t *testing.T) {
	s := front(t, Options{}, fmt.Sprintf(frontCallsS, ""), serviceS, router80, fmt.Sprintf(targetT, "grpc", ""), fmt.Sprintf(routeToT, "x", "", "prefix: /", ""))
	target := s.Outbound[0].VirtualHosts[0].Routes[0].Targets[0].Cluster
	if s.Outbound[0].Protocol != mesh.HTTP || target.Protocol != mesh.GRPC || s.Outbound[0].VirtualHosts[0].Routes[0].Match.GRPC {
		t.Errorf("got %+v to %+v", s.Outbound[0], target)
	}
	if !slices.ContainsFunc(s.Findings, func(f mesh.Finding) bool { return strings.Contains(f.Message, "speaks grpc, the route http") }) {
		t.Errorf("no warning: %+v", s.Findings)
	}
}

// TestGRPCMatch is App Mesh 1.5's grpcRoute match.
func TestGRPCMatch(t *testing.T) {
	header := func(h mesh.HeaderMatch) mesh.Match {
		h.Name = "x-md"
		return mesh.Match{Prefix: "/", GRPC: true, Headers: []mesh.HeaderMatch{h}}
	}
	for _, c := range []struct {
		match string
		want  mesh.Match
	}{
		{"", mesh.Match{Prefix: "/", GRPC: true}},
		{"serviceName: color.Service", mesh.Match{Prefix: "/color.Service/", GRPC: true}},
		{"serviceName: color.Service, methodName: Get", mesh.Match{Exact: "/color.Service/Get", GRPC: true}},
		{"metadata: [{name: X-Md}]", header(mesh.HeaderMatch{})},
		{"metadata: [{name: x-md, invert: true}]", header(mesh.HeaderMatch{Invert: true})},
		{"metadata: [{name: x-md, match: {exact: a}}]", header(mesh.HeaderMatch{Kind: mesh.MatchExact, Value: "a"})},
		{"metadata: [{name: x-md, match: {prefix: a}}]", header(mesh.HeaderMatch{Kind: mesh.MatchPrefix, Value: "a"})},
		{"metadata: [{name: x-md, match: {suffix: a}}]", header(mesh.HeaderMatch{Kind: mesh.MatchSuffix, Value: "a"})},
		{"metadata: [{name: x-md, match: {regex: 'a+'}}]", header(mesh.HeaderMatch{Kind: mesh.MatchRegex, Value: "a+"})},
		{"metadata: [{name: x-md, invert: true, match: {range: {start: 2, end: 4}}}]", header(mesh.HeaderMatch{Kind: mesh.MatchRange, Start: 2, End: 4, Invert: true})},
	} {
		s := front(t, Options{}, grpcDocuments(fmt.Sprintf(grpcRouteT, "x", c.match, ""))...)
		if got := s.Outbound[0].VirtualHosts[0].Routes[0].Match; !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, want %+v", c.match, got, c.want)
		}
	}
}

// TestGRPCRouteOrder: a method goes before its service, a service before all.
func TestGRPCRouteOrder(t *testing.T) {
	s := front(t, Options{}, grpcDocuments(
		fmt.Sprintf(grpcRouteT, "all", "", ""),
		fmt.Sprintf(grpcRouteT, "a-service", "serviceName: color.Service", ""),
		fmt.Sprintf(grpcRouteT, "b-service-with-metadata", "serviceName: color.Service, metadata: [{name: x}]", ""),
		fmt.Sprintf(grpcRouteT, "z-method", "serviceName: color.Service, methodName: Get", ""))...)
	var got []string
	for _, r := range s.Outbound[0].VirtualHosts[0].Routes {
		got = append(got, r.Name)
	}
	if want := []string{"z-method", "b-service-with-metadata", "a-service", "all"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestGRPCRetries is App Mesh 2.8's table for grpcRoute, and the default.
func TestGRPCRetries(t *testing.T) {
	const cancelled, deadline, exhausted, internal, unavailable = 1 << 1, 1 << 4, 1 << 8, 1 << 13, 1 << 14
	for _, c := range []struct {
		events string
		on     mesh.RetryOn
		codes  []int
		status uint32
	}{
		{"grpcRetryEvents: [cancelled]", 0, nil, cancelled},
		{"grpcRetryEvents: [deadline-exceeded]", 0, nil, deadline},
		{"grpcRetryEvents: [resource-exhausted]", 0, nil, exhausted},
		{"grpcRetryEvents: [internal]", 0, nil, internal},
		{"grpcRetryEvents: [unavailable]", 0, nil, unavailable},
		{"grpcRetryEvents: [cancelled, unavailable]", 0, nil, cancelled | unavailable},
		{"httpRetryEvents: [stream-error]", mesh.RetryRefusedStream, nil, 0},
		{"tcpRetryEvents: [connection-error]", mesh.RetryConnectFailure, nil, 0},
		{"grpcRetryEvents: [internal], httpRetryEvents: [client-error, stream-error], tcpRetryEvents: [connection-error]",
			mesh.RetryRefusedStream | mesh.RetryConnectFailure, []int{409}, internal},
	} {
		policy := ", retryPolicy: {maxRetries: 3, perRetryTimeout: {unit: ms, value: 250}, " + c.events + "}"
		s := front(t, Options{}, grpcDocuments(fmt.Sprintf(grpcRouteT, "x", "", policy))...)
		p := s.Outbound[0].VirtualHosts[0].Routes[0].Retry
		if p.MaxRetries != 3 || p.PerTryTimeout != 250*time.Millisecond || !p.Explicit || p.On != c.on || !slices.Equal(p.StatusCodes, c.codes) || p.GRPCStatus != c.status {
			t.Errorf("%s: got %+v", c.events, p)
		}
	}
	s := front(t, Options{}, grpcDocuments(fmt.Sprintf(grpcRouteT, "x", "", ""))...)
	p := s.Outbound[0].VirtualHosts[0].Routes[0].Retry
	if p.MaxRetries != 2 || p.Explicit || p.On != mesh.RetryConnectFailure|mesh.RetryRefusedStream|mesh.RetryReset || p.GRPCStatus != unavailable || !slices.Equal(p.StatusCodes, []int{503}) {
		t.Errorf("default: got %+v", p)
	}
}

// TestMultiplexedListener: timeouts and limits of http2 and grpc listeners.
func TestMultiplexedListener(t *testing.T) {
	for _, protocol := range []string{"http2", "grpc"} {
		listener := func(rest string) *mesh.Snapshot {
			return front(t, Options{}, "{meshName: m, virtualNodeName: front, spec: {serviceDiscovery: {dns: {hostname: h}}, listeners: [{portMapping: {port: 80, protocol: "+protocol+"}"+rest+"}]}}")
		}
		s := listener(", timeout: {" + protocol + ": {perRequest: {unit: s, value: 0}, idle: {unit: s, value: 7}}}, connectionPool: {" + protocol + ": {maxRequests: 6}}")
		l := s.Inbound[0]
		if r := l.VirtualHosts[0].Routes[0]; l.Refuse != "" || r.Timeout.Value != 0 || r.Idle.Value != 7*time.Second || r.Match.GRPC || r.Retry != nil {
			t.Errorf("%s: refused %q, got %+v", protocol, l.Refuse, r)
		}
		if c := cluster(t, s, "cds_ingress_m_front_"+protocol+"_80"); c.Limits != (mesh.Limits{MaxRequests: 6}) || !c.Protocol.Multiplexed() {
			t.Errorf("%s: got %+v", protocol, c)
		}
		if r := listener("").Inbound[0].VirtualHosts[0].Routes[0]; r.Timeout.Value != 15*time.Second || r.Idle.Value != 5*time.Minute {
			t.Errorf("%s without a timeout: got %+v", protocol, r)
		}
	}
}

// TestTCPRoute: a router's first tcp route takes the port's connections, by
// weight, with its own idle timeout or App Mesh's.
func TestTCPRoute(t *testing.T) {
	const other = "{meshName: m, virtualNodeName: u, spec: {listeners: [{portMapping: {port: 8081, protocol: tcp}}], serviceDiscovery: {dns: {hostname: u.local, responseType: ENDPOINTS}}}}"
	for idle, want := range map[string]time.Duration{"": 5 * time.Minute, ", timeout: {idle: {unit: s, value: 42}}": 42 * time.Second, ", timeout: {idle: {unit: s, value: 0}}": 0} {
		s := front(t, Options{}, fmt.Sprintf(frontCallsS, ""), serviceS, fmt.Sprintf(routerOf, "tcp"), fmt.Sprintf(targetT, "tcp", ""), other,
			"{meshName: m, virtualRouterName: r, routeName: x, spec: {tcpRoute: {action: {weightedTargets: [{virtualNode: u, weight: 3}, {virtualNode: t, weight: 1}]}"+idle+"}}}")
		l := s.Outbound[0]
		if l.Protocol != mesh.TCP || l.Port != 90 || l.Refuse != "" || len(l.VirtualHosts) != 0 || l.IdleTimeout.Value != want {
			t.Errorf("got %+v, want idle %s", l, want)
		}
		if got := planTargets(l.Targets); got != "cds_egress_m_t_tcp_8080*1 cds_egress_m_u_tcp_8081*3" {
			t.Errorf("got %s", got)
		}
	}
}

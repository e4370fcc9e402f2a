package proxy

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"github.com/outrider-mesh/outrider/internal/explain"
	"github.com/outrider-mesh/outrider/internal/mesh"
)

// random makes meshes, and requests that have much in common with them.
type random struct {
	*rand.Rand
	apps     []netip.AddrPort
	clusters []*mesh.Cluster
}

func (r *random) of(all ...string) string { return all[r.IntN(len(all))] }

func (r *random) chance(percent int) bool { return r.IntN(100) < percent }

// snapshot is a node with three HTTP ports of backends, or a gateway with two
// listeners.
func (r *random) snapshot(kind mesh.ResourceKind) *mesh.Snapshot {
	r.clusters = nil
	for i, protocol := range []mesh.Protocol{mesh.HTTP, mesh.HTTP, mesh.HTTP2, mesh.GRPC, mesh.HTTP, mesh.HTTP} {
		c := &mesh.Cluster{
			Name: fmt.Sprintf("c%d", i), Protocol: protocol, ConnectTimeout: time.Second,
			Discovery: mesh.Discovery{Kind: mesh.Static, Addrs: []netip.AddrPort{r.apps[i%len(r.apps)]}},
		}
		switch i {
		case 4:
			c.Refuse = "the listener demands TLS"
		case 5:
			c.Discovery = mesh.Discovery{}
		}
		r.clusters = append(r.clusters, c)
	}
	snap := &mesh.Snapshot{Resource: mesh.Resource{Mesh: "m", Kind: kind, Name: "n"}, Clusters: r.clusters}
	if kind == mesh.VirtualGateway {
		for port, protocol := range []mesh.Protocol{mesh.HTTP, mesh.GRPC} {
			l := &mesh.Listener{Direction: mesh.Ingress, Port: 8080 + uint16(port), Protocol: protocol, AnyPort: true}
			l.VirtualHosts = r.gatewayHosts()
			l.Gate = &mesh.Cluster{Name: fmt.Sprintf("gate%d", port), Limits: mesh.Limits{MaxRequests: uint32(port) * 100}}
			snap.Clusters = append(snap.Clusters, l.Gate)
			snap.Inbound = append(snap.Inbound, l)
		}
		return snap
	}
	for port, protocol := range []mesh.Protocol{mesh.HTTP, mesh.HTTP2, mesh.GRPC} {
		l := &mesh.Listener{Direction: mesh.Egress, Port: 8080 + uint16(port), Protocol: protocol}
		for _, name := range names {
			l.VirtualHosts = append(l.VirtualHosts, mesh.VirtualHost{
				Name: name, Domains: []string{name, fmt.Sprintf("%s:%d", name, l.Port)}, Routes: r.routes(r.IntN(10)),
			})
		}
		snap.Outbound = append(snap.Outbound, l)
	}
	return snap
}

var names = []string{"a.local", "b.local", "user-service.local"}

func (r *random) gatewayHosts() (hosts []mesh.VirtualHost) {
	for _, domains := range [][]string{{"a.local"}, {"*.local"}, {"*.shop.local", "b.local"}, {"*"}} {
		host := mesh.VirtualHost{Name: domains[0], Domains: domains, Routes: r.routes(1 + r.IntN(6))}
		for i := range host.Routes {
			route := &host.Routes[i]
			route.Service = &mesh.VirtualHost{Name: r.of(names...), Routes: r.routes(r.IntN(8))}
			route.Targets, route.Refuse = nil, ""
			route.Rewrite = r.rewrite(route.Service.Name, &route.Match)
		}
		hosts = append(hosts, host)
	}
	return hosts
}

func (r *random) rewrite(service string, m *mesh.Match) *mesh.Rewrite {
	w := &mesh.Rewrite{Service: service}
	if r.chance(60) {
		w.Host = service
	}
	switch {
	case r.chance(30):
		w.Path = r.of("/api", "/v1/new")
	case m.Prefix != "" && r.chance(70):
		prefix := r.of("/", "/api/", "/../x/", "/v1/")
		w.Prefix = &prefix
	}
	return w
}

func (r *random) routes(n int) (routes []mesh.Route) {
	for i := range n {
		route := mesh.Route{Name: fmt.Sprintf("r%d-%d", i, r.IntN(1000)), Match: r.match(), Timeout: mesh.Timeout{Value: time.Minute}}
		if r.chance(10) {
			route.Name = ""
		}
		for range 1 + r.IntN(3) {
			c := r.clusters[r.IntN(4)]
			if r.chance(10) {
				c = r.clusters[4+r.IntN(2)] // that cannot be asked
			}
			route.Targets = append(route.Targets, mesh.Target{Cluster: c, Weight: uint32(r.IntN(4))})
		}
		if r.chance(5) {
			route.Refuse = "the client policy demands TLS"
		}
		routes = append(routes, route)
	}
	return routes
}

func (r *random) match() (m mesh.Match) {
	switch r.IntN(8) {
	case 0:
		m.Exact = r.of("/", "/api", "/api/x", "/v1/users", "/grpc.Svc/Get")
	case 1:
		m.Regex = r.of("/v[0-9]+/.*", "/api(/.*)?", ".*x")
	default:
		m.Prefix = r.of("/", "/", "/", "/api", "/api/", "/v1/", "/grpc.Svc/")
	}
	if r.chance(20) {
		m.Method = r.of("GET", "POST", "PUT")
	}
	if r.chance(10) {
		m.Scheme = r.of("http", "https")
	}
	m.GRPC = r.chance(5)
	for r.chance(20) && len(m.Headers) < 3 {
		m.Headers = append(m.Headers, r.header())
	}
	for r.chance(10) && len(m.Query) < 2 {
		m.Query = append(m.Query, mesh.QueryMatch{Name: r.of("q", "debug"), Kind: mesh.MatchKind(r.IntN(2)), Value: r.of("1", "", "x y")})
	}
	return m
}

func (r *random) header() mesh.HeaderMatch {
	h := mesh.HeaderMatch{
		Name:   r.of("x-a", "x-b", "x-envoy-max-retries", ":path", ":method", ":authority", "host", "x-forwarded-proto"), // not x-request-id, which is random
		Kind:   mesh.MatchKind(r.IntN(6)),
		Value:  r.of("true", "1", "tr", "a.local", "/api", "GET", "http", ".*1"),
		Start:  int64(r.IntN(3)),
		Invert: r.chance(30),
	}
	h.End = h.Start + 1 + int64(r.IntN(20))
	return h
}

// request is a request for one of the ports; some are none.
func (r *random) request(kind mesh.ResourceKind) explain.Request {
	q := explain.Request{
		Scheme: "http",
		Method: r.of("GET", "GET", "GET", "POST", "PUT", "OPTIONS", "HEAD", "DELETE", "get"),
		Host:   "any", Port: 8080 + uint16(r.IntN(3)),
		Authority: r.of("a.local", "a.local", "b.local", "user-service.local", "A.Local", "x.shop.local", "user-service.local", "b.local", "y.local", "nobody"),
		Target:    r.target(),
	}
	switch {
	case kind == mesh.VirtualGateway:
		q.Port = 8080 + uint16(r.IntN(2))
	case r.chance(2):
		q.Port = 8083 // nobody's
	case r.chance(20):
		q.Way = explain.Way(r.of("direct", "direct", "proxy"))
	}
	if r.chance(30) {
		q.Authority += r.of(":8080", fmt.Sprintf(":%d", q.Port), fmt.Sprintf(":%d", q.Port), ":99", ":")
	}
	for r.chance(60) && len(q.Headers) < 5 {
		q.Headers = append(q.Headers, r.field())
	}
	if r.chance(4) {
		r.spoil(&q)
	}
	return q
}

func (r *random) target() string {
	path := r.of("/", "/api", "/api/", "/api/x", "/api/1", "/v1/users", "/v2/x", "/grpc.Svc/Get", "/grpc.Svc/Put", "/nothing",
		"//api//x", "/a/../api/x", "/%61pi/x", "/api/%2e%2e/v1/", `/api\x`, "/v1/%2F", "/../../api")
	if r.chance(3) {
		path = r.of("/a#b", "/a%00b", "*", "http://a.local:8080/api", "http://b.local", "/%zz", "/{x}")
	}
	if r.chance(30) && strings.HasPrefix(path, "/") {
		path += r.of("?", "?q=1", "?debug", "?q=2&q=1", "?debug=1&q", "?q=x%20y", "?&&q=1")
	}
	return path
}

func (r *random) field() explain.Header {
	name := r.of("x-a", "X-A", "x-b", "x-envoy-max-retries", "x-forwarded-proto", "content-type", "x-request-id", "x-app-mesh-virtual-service", "connection")
	values := []string{"true", "1", "7", "21", "trust", "", " 1 ", "+3", "a,b", "untrue"}
	switch name {
	case "x-forwarded-proto":
		values = []string{"https", "http", "HTTPS", "gopher"}
	case "content-type":
		values = []string{"application/grpc", "application/grpc+proto", "application/grpc-web", "text/plain"}
	case "connection":
		values = []string{"x-a", "close", "keep-alive, x-b"}
	}
	return explain.Header{Name: name, Value: r.of(values...)}
}

// spoil makes something of a request that is none, or nearly none.
func (r *random) spoil(q *explain.Request) {
	add := func(name, value string) { q.Headers = append(q.Headers, explain.Header{Name: name, Value: value}) }
	switch r.IntN(11) {
	case 0:
		q.Method = r.of("G T", "", "G\tT", "(")
	case 1:
		q.Target = r.of("", "api", "/a b", "https://a.local/", "/\x7f", "http://")
	case 2:
		q.Authority = ""
	case 3:
		add("Host", "b.local")
	case 4:
		q.Authority = r.of("a b", "a/b", "a@b", "[::1", "a.local, b.local")
	case 5:
		add("bad name", "x")
	case 6:
		add("x-a", "a\x01b")
	case 7:
		add("content-length", r.of("x", "-1", "1, 2"))
	case 8:
		add("transfer-encoding", r.of("gzip", "chunked, gzip"))
	case 9:
		add("x-long", strings.Repeat("x", 61<<10))
	case 10:
		add("connection", "content-length")
	}
}

package appmesh

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// App Mesh's timeouts where nobody says otherwise (App Mesh 2.11).
const (
	defaultPerRequest = 15 * time.Second
	defaultIdle       = 300 * time.Second
)

// routeBody is the one member of a route's spec that says what it is.
func routeBody(route *resource) (mesh.Protocol, *value) {
	for protocol, name := range [...]string{mesh.HTTP: "httpRoute", mesh.HTTP2: "http2Route", mesh.GRPC: "grpcRoute", mesh.TCP: "tcpRoute"} {
		if body := route.spec.get(name); body != nil {
			return mesh.Protocol(protocol), body
		}
	}
	return mesh.HTTP, nil
}

func targetsOf(route *resource) []*value {
	_, body := routeBody(route)
	return body.get("action", "weightedTargets").list()
}

// belongs reports whether a route is one of a router listener's.
// Decision: a route whose protocol is not the listener's is left out (App
// Mesh: unpredictable), and a route without match.port belongs to every
// listener of its protocol, where App Mesh asked for the port.
func belongs(route *resource, l *listener) bool {
	protocol, body := routeBody(route)
	named := body.get("match", "port")
	return body != nil && protocol == l.protocol && (named == nil || named.int() == int64(l.port))
}

// routesOf are the routes of one listener of a router in order of evaluation.
//
// Decision, as App Mesh's own order is not published: priority ascending, a
// route without one after all that have one; then exact paths, regular
// expressions, prefixes, the longest first; then more conditions first; then
// by name.
func routesOf(ix *index, router *resource, l *listener) []*resource {
	type ranked struct {
		route *resource
		rank  rank
	}
	var routes []ranked
	for _, r := range ix.routes[router.name] {
		if belongs(r, l) {
			routes = append(routes, ranked{r, rankOf(r)})
		}
	}
	slices.SortStableFunc(routes, func(a, b ranked) int { return a.rank.compare(b.rank) })
	sorted := make([]*resource, len(routes))
	for i := range routes {
		sorted[i] = routes[i].route
	}
	return sorted
}

type rank struct {
	priority   int64
	path       int // 0 exact, 1 regex, 2 prefix
	length     int // of a prefix
	conditions int
	name       string
}

func rankOf(route *resource) rank {
	m := matchOf(route)
	return rankOfMatch(route, &m)
}

// rankOfMatch is the rank of one of a route's matches.
func rankOfMatch(route *resource, m *mesh.Match) rank {
	r := rank{priority: 1001, name: route.name} // after 1000, the last there is
	if p := route.spec.get("priority"); p != nil {
		r.priority = p.int()
	}
	switch {
	case m.Exact != "":
	case m.Regex != "":
		r.path = 1
	default:
		r.path, r.length = 2, len(m.Prefix)
	}
	r.conditions = len(m.Headers) + len(m.Query)
	if m.Method != "" {
		r.conditions++
	}
	if m.Scheme != "" {
		r.conditions++
	}
	return r
}

func (r rank) compare(o rank) int {
	return cmp.Or(cmp.Compare(r.priority, o.priority), cmp.Compare(r.path, o.path), cmp.Compare(o.length, r.length),
		cmp.Compare(o.conditions, r.conditions), cmp.Compare(r.name, o.name))
}

// matchOf compiles a route's match. A match without a path takes all paths.
func matchOf(route *resource) mesh.Match {
	protocol, body := routeBody(route)
	v := body.get("match")
	m := mesh.Match{
		Prefix: v.get("prefix").str(),
		Exact:  v.get("path", "exact").str(),
		Regex:  v.get("path", "regex").str(),
		Method: v.get("method").str(),
		Scheme: v.get("scheme").str(),
		GRPC:   protocol == mesh.GRPC,
	}
	headers := v.get("headers")
	if protocol == mesh.GRPC {
		headers = v.get("metadata")
		service, method := v.get("serviceName").str(), v.get("methodName").str()
		switch {
		case method != "":
			m.Exact = "/" + service + "/" + method
		case service != "":
			m.Prefix = "/" + service + "/"
		}
	}
	if m.Prefix == "" && m.Exact == "" && m.Regex == "" {
		m.Prefix = "/"
	}
	for _, h := range headers.list() {
		m.Headers = append(m.Headers, headerMatch(h))
	}
	for _, q := range v.get("queryParameters").list() {
		query := mesh.QueryMatch{Name: q.get("name").str()}
		if exact := q.get("match", "exact"); exact != nil {
			query.Kind, query.Value = mesh.MatchExact, exact.text
		}
		m.Query = append(m.Query, query)
	}
	return m
}

func headerMatch(v *value) mesh.HeaderMatch {
	m := mesh.HeaderMatch{Name: strings.ToLower(v.get("name").str()), Invert: v.get("invert").int() == 1}
	how := v.get("match")
	for _, k := range [...]struct {
		name string
		kind mesh.MatchKind
	}{{"exact", mesh.MatchExact}, {"prefix", mesh.MatchPrefix}, {"suffix", mesh.MatchSuffix}, {"regex", mesh.MatchRegex}} {
		if given := how.get(k.name); given != nil {
			m.Kind, m.Value = k.kind, given.text
		}
	}
	if r := how.get("range"); r != nil {
		m.Kind, m.Start, m.End = mesh.MatchRange, r.get("start").int(), r.get("end").int()
	}
	return m
}

// covers reports whether a takes every request that b could take.
func covers(a, b *mesh.Match) bool {
	path := false
	switch {
	case a.Exact != "":
		path = a.Exact == b.Exact
	case a.Regex != "":
		path = a.Regex == b.Regex
	case b.Regex != "":
		path = a.Prefix == "/"
	default:
		path = strings.HasPrefix(b.Exact+b.Prefix, a.Prefix)
	}
	if !path || a.Method != "" && a.Method != b.Method || a.Scheme != "" && a.Scheme != b.Scheme || a.GRPC && !b.GRPC {
		return false
	}
	for _, h := range a.Headers {
		if !slices.Contains(b.Headers, h) {
			return false
		}
	}
	for _, q := range a.Query {
		if !slices.Contains(b.Query, q) {
			return false
		}
	}
	return true
}

// timeout is a Duration of the documents, or App Mesh's value. 0 is no limit.
func timeout(v *value, otherwise time.Duration) mesh.Timeout {
	if v == nil {
		return mesh.Timeout{Value: otherwise, Origin: mesh.Default("App Mesh's " + otherwise.String())}
	}
	return mesh.Timeout{Value: durationOf(v), Origin: mesh.At(v.at)}
}

func durationOf(v *value) time.Duration {
	unit := time.Millisecond
	if v.get("unit").str() == "s" {
		unit = time.Second
	}
	return time.Duration(v.get("value").int()) * unit
}

// serverErrors is what App Mesh's server-error retries (App Mesh 2.8).
var serverErrors = []int{500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511}

// retryPolicy translates a route's policy (App Mesh 2.8), or gives the
// default one.
func retryPolicy(v *value) *mesh.RetryPolicy {
	p := mesh.DefaultRetry()
	if v == nil {
		return p
	}
	*p = mesh.RetryPolicy{
		MaxRetries:    int(v.get("maxRetries").int()),
		PerTryTimeout: durationOf(v.get("perRetryTimeout")),
		Explicit:      true,
		BackoffBase:   p.BackoffBase,
		BackoffMax:    p.BackoffMax,
		Origin:        mesh.At(v.at),
	}
	for _, event := range v.get("httpRetryEvents").list() {
		switch event.text {
		case "server-error":
			p.On |= mesh.RetryReset
			p.StatusCodes = append(p.StatusCodes, serverErrors...)
		case "gateway-error":
			p.On |= mesh.RetryReset
			p.StatusCodes = append(p.StatusCodes, 502, 503, 504)
		case "client-error":
			p.StatusCodes = append(p.StatusCodes, 409)
		case "stream-error":
			p.On |= mesh.RetryRefusedStream
		}
	}
	if v.has("tcpRetryEvents") {
		p.On |= mesh.RetryConnectFailure
	}
	for _, event := range v.get("grpcRetryEvents").list() {
		p.GRPCStatus |= 1 << grpcStatus(event.text)
	}
	slices.Sort(p.StatusCodes)
	p.StatusCodes = slices.Compact(p.StatusCodes)
	return p
}

// grpcStatus is the code of a gRPC status by its App Mesh name.
func grpcStatus(event string) uint {
	switch event {
	case "cancelled":
		return 1
	case "deadline-exceeded":
		return 4
	case "resource-exhausted":
		return 8
	case "internal":
		return 13
	}
	return 14 // unavailable
}

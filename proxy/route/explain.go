package route

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// Look is a look-up told step by step: for people, who want to know why a
// request takes the route it takes. It is found by the conditions that Match
// asks, and ends where Match ends.
type Look struct {
	// Host is the virtual host of the authority; nil: there is none.
	Host *mesh.VirtualHost
	// Domain is the one of Host's domains that the authority met; empty behind a
	// gateway route, where no authority is looked at.
	Domain string
	// Tries are the routes in order, to the one taken or to the last.
	Tries []Try
	// Untried is how many routes stand behind the one taken.
	Untried int
}

// Try is one route of a look-up.
type Try struct {
	Spec  *mesh.Route
	Taken bool
	// Failed is the first condition that does not hold, in words, and Had what
	// the request has there.
	Failed, Had string
}

// Explain tells how Match finds the route of a request.
func (t *Table[D]) Explain(req *l7.Request) Look {
	host := t.host(req.Authority)
	if host == nil {
		return Look{}
	}
	look := host.explain(req)
	look.Domain = t.domain(host, req.Authority)
	return look
}

// ExplainNext tells how Next finds it, once the request is rewritten.
func (r *Route[D]) ExplainNext(req *l7.Request) Look { return r.gateway.service.explain(req) }

// domain is by which of its domains a virtual host was found.
func (t *Table[D]) domain(host *virtualHost[D], authority []byte) string {
	if t.anyPort {
		authority = withoutPort(authority)
	}
	name := strings.ToLower(string(authority))
	if t.hosts[name] == host {
		return name
	}
	for _, n := range t.suffixes.lengths {
		if n < len(name) && t.suffixes.hosts[name[len(name)-n:]] == host {
			return "*" + name[len(name)-n:]
		}
	}
	return "*"
}

func (host *virtualHost[D]) explain(req *l7.Request) Look {
	look := Look{Host: host.src}
	path, query := split(req.Target)
	for i := range host.routes {
		r := &host.routes[i]
		try := Try{Spec: r.Spec}
		try.Taken = !host.probes[i].excludes(path) && r.match.holds(req, path, query)
		if !try.Taken {
			var at int
			at, try.Had = r.match.fails(req, path, query)
			try.Failed = r.Spec.Match.Conditions()[at]
		}
		look.Tries = append(look.Tries, try)
		if try.Taken {
			look.Untried = len(host.routes) - i - 1
			break
		}
	}
	return look
}

// fails gives the place of the first condition that does not hold, among
// mesh.Match.Conditions, and what the request has there. One of them must fail.
func (m *match) fails(req *l7.Request, path, query []byte) (at int, had string) {
	if !m.path.holds(path) {
		if path == nil {
			return at, "the request has no path"
		}
		return at, "the path is " + clipped(path)
	}
	if m.method != "" {
		if at++; string(req.Method) != m.method {
			return at, "the method is " + clipped(req.Method)
		}
	}
	if m.scheme != "" {
		if at++; scheme(req) != m.scheme {
			return at, "the scheme is " + scheme(req)
		}
	}
	if m.grpc {
		if at++; !isGRPC(req) {
			value, ok := req.Header.Append(nil, "content-type")
			return at, "content-type: " + hadValue(value, ok)
		}
	}
	for i := range m.headers {
		if at++; !m.headers[i].holds(req) {
			return at, m.headers[i].had(req)
		}
	}
	for i := range m.query {
		if at++; !m.query[i].holds(query) {
			return at, hadValue(firstParameter(query, m.query[i].name))
		}
	}
	return 0, fmt.Sprintf("none of %d conditions", at+1) // not reached: see TestExplainEndsWhereMatchEnds
}

func (c *headerCondition) had(req *l7.Request) string {
	value, joined, present := c.lookup(req)
	had := hadValue(value, present)
	if joined != nil {
		joins.Put(joined)
	}
	return had
}

func hadValue(value []byte, present bool) string {
	if !present {
		return "the request has none"
	}
	return "it is " + strconv.Quote(clipped(value))
}

// clipped is a value of a request, as much of it as a report can hold.
func clipped(value []byte) string {
	const most = 200
	if len(value) > most {
		return string(value[:most]) + "..."
	}
	return string(value)
}

package appmesh

import (
	"cmp"
	"slices"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// A gatewayEntry is what a gateway route says to one host: most routes have
// one, a prefix that is rewritten by default has two.
type gatewayEntry struct {
	route *resource
	// host is a name in lower case, "*" before a suffix, or "*" alone.
	host    string
	match   mesh.Match
	rewrite *mesh.Rewrite
	// added is true for the entry that the documents do not spell out.
	added bool
}

// anyHost is the domain of routes that ask for no hostname.
const anyHost = "*"

// gatewayEntries are the entries of one of a gateway's listeners in order of
// evaluation, which is that of routes (see routesOf).
//
// Decision: entries, not routes, are put in order, as a dump of App Mesh's
// shows: "/x/" of a route with prefix "/x" is as long as one that is written
// so. Of two that are the same but for that, the written one goes first.
func gatewayEntries(ix *index, gateway *resource, l *listener) []gatewayEntry {
	var entries []gatewayEntry
	for _, route := range ix.gatewayRoutes[gateway.name] {
		if belongs(route, l) {
			entries = append(entries, entriesOf(route)...)
		}
	}
	slices.SortStableFunc(entries, func(a, b gatewayEntry) int {
		r, o := rankOfMatch(a.route, &a.match), rankOfMatch(b.route, &b.match)
		r.name, o.name = "", ""
		return cmp.Or(r.compare(o), compareBool(a.added, b.added), cmp.Compare(a.route.name, b.route.name))
	})
	return entries
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// entriesOf compiles a gateway route.
func entriesOf(route *resource) []gatewayEntry {
	_, body := routeBody(route)
	e := gatewayEntry{route: route, host: hostOf(body.get("match", "hostname")), match: matchOf(route)}
	service, action := serviceOf(route).str(), body.get("action", "rewrite")
	rewrite := mesh.Rewrite{Service: service, Origin: mesh.Default("App Mesh's rewrites")}
	if action != nil {
		rewrite.Origin = mesh.At(action.at)
	}
	if action.get("hostname", "defaultTargetHostname").str() != "DISABLED" {
		rewrite.Host = service
	}
	rewrite.Path = action.get("path", "exact").str()
	e.rewrite = &rewrite
	given, value, root := e.match.Prefix, action.get("prefix", "value").str(), "/"
	switch {
	case rewrite.Path != "" || given == "" || e.match.GRPC: // no prefix to rewrite
	case value != "":
		rewrite.Prefix = &value
	case action.get("prefix", "defaultPrefix").str() == "DISABLED":
		rewrite.Prefix = &given // to itself: the app is told the original path (App Mesh 2.5)
	default:
		rewrite.Prefix = &root
		if !strings.HasSuffix(given, "/") {
			under := e
			under.match.Prefix, under.added = given+"/", true
			return []gatewayEntry{under, e}
		}
	}
	return []gatewayEntry{e}
}

// hostOf is the domain of a hostname match. A suffix may be written with the
// "*" that stands for the rest. Decision: the rest is one character at least, as
// in Envoy's domains, which App Mesh most likely made of it.
func hostOf(v *value) string {
	if exact := v.get("exact"); exact != nil {
		return strings.ToLower(exact.text)
	}
	if suffix := v.get("suffix"); suffix != nil {
		return "*" + strings.ToLower(strings.TrimPrefix(suffix.text, "*"))
	}
	return anyHost
}

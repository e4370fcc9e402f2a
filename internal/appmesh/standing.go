package appmesh

import (
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// What this build makes of fields, beside the schema that names them. Findings
// say most of it; here is what they leave open, and what is done otherwise
// without a word at start (docs/migration.md has all of it in one table).

// An approximation is a field that acts, but not quite as App Mesh's did.
type approximation struct {
	effect    mesh.Effect
	how, hint string
}

// approximated are the fields of each kind that are done otherwise, by their
// path without indices. http, http2 and gRPC routes share theirs.
var approximated = [kindCount]map[string]approximation{
	nodeKind: {
		"serviceDiscovery.dns.hostname": {mesh.Perhaps, "a name that vanishes from DNS keeps its endpoints for 60 s; App Mesh's cluster emptied", "OUTRIDER_DNS_EMPTY_KEEP=0s has it back"},
	},
	routeKind: {
		"retryPolicy.maxRetries": {mesh.Perhaps, "retries also share a budget: 20 % of active requests at one time, or 3", "OUTRIDER_RETRY_BUDGET=off has it back"},
	},
}

// unindexed is a path as approximated writes it.
func unindexed(p *path) string {
	s := p.String()
	for {
		before, rest, found := strings.Cut(s, "[")
		if !found {
			return s
		}
		_, after, _ := strings.Cut(rest, "]")
		s = before + after
	}
}

// amounts says of the finding added last what the field it is about amounts
// to, where its severity says too little.
func (d *Documents) amounts(standing mesh.Standing, effect mesh.Effect) {
	f := &d.findings[len(d.findings)-1]
	f.standing, f.effect = standing, effect
}

// standingOf is what the field of a finding amounts to. Decision: a warning
// that says no more is a mistake that App Mesh had to live with as well.
func standingOf(f *finding) (mesh.Standing, mesh.Effect) {
	switch {
	case f.standing != mesh.Honoured:
		return f.standing, f.effect
	case f.Severity == mesh.Error:
		return mesh.Wrong, mesh.OnTraffic
	case f.Severity == mesh.Warning:
		return mesh.Wrong, mesh.NoEffect
	case f.feature == cloudMap:
		return mesh.Approximated, mesh.Perhaps
	}
	return mesh.Unsupported, mesh.OnTraffic
}

// elsewhere tells whether a field of a resource acts in another sidecar than
// that of node: what only a node's own sidecar does, or only its callers'.
func elsewhere(res, node *resource, p *path) (byOwn, byCallers bool) {
	if res.kind != nodeKind || node == nil {
		return false, false
	}
	s := unindexed(p)
	under := func(names ...string) bool {
		for _, name := range names {
			if s == name || strings.HasPrefix(s, name+".") {
				return true
			}
		}
		return false
	}
	if res == node {
		return false, under("serviceDiscovery", "listeners.healthCheck", "listeners.outlierDetection")
	}
	return under("backends", "backendDefaults", "logging", "listeners.connectionPool", "listeners.timeout"), false
}

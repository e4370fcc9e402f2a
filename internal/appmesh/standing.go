package appmesh

import (
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// What this build makes of fields, beside the schema that names them: what
// findings amount to, and where a field acts. What depends on how the sidecar
// was started is internal/check's to tell.

// Unindexed is a field's path without indices, "listeners.portMapping.port".
func (f *Field) Unindexed() string { return unindexed(f.Path) }

func unindexed(s string) string {
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
	s := unindexed(p.String())
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

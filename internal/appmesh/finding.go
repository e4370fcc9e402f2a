package appmesh

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// A finding is a mesh.Finding that knows whom it concerns. One of the fields
// below says so; fileWide concerns nobody in particular.
type finding struct {
	mesh.Finding
	owner *resource // the resource it is about
	mesh  *meshID   // all resources of this mesh
	about *value    // a document that became no resource
	text  []byte    // a source that could not be read to its end
	lost  bool      // a source that could not be read at all
	// foreign marks an about that is no resource at all: it cannot be the one
	// that is missed.
	foreign bool
	// fileWide findings say what a whole file is.
	fileWide bool
	// feature groups findings of one cause: each is reported once in each
	// severity.
	feature feature
	// standing and effect are what the field amounts to, where the severity
	// alone says too little (see standingOf).
	standing mesh.Standing
	effect   mesh.Effect
}

// A feature is something documents ask for that this build does not do, or
// does otherwise, or the cause of several values being unknown.
type feature struct{ message, hint string }

// The features this build does not do yet.
var (
	strictTLS = feature{"TLS is not done yet: a listener that demands it closes its connections, it is never served in plaintext", ""}
	clientTLS = feature{"TLS is not done yet: requests that must leave encrypted are answered 503, they are never sent in plaintext", ""}
	checks    = feature{"active health checks are not done yet: endpoints are used as they are discovered", ""}
	outliers  = feature{"outlier detection is not done yet: failing endpoints stay in use", ""}
	cloudMap  = feature{"Cloud Map is not asked yet: nodes are found by DNS as serviceName.namespaceName",
		"a namespace without DNS (HTTP-only) resolves to nothing"}
	attributes = feature{"instances cannot be chosen by Cloud Map attributes yet: every instance of the service gets traffic", ""}
)

func (d *Documents) add(f finding) { d.findings = append(d.findings, f) }

// once keeps the first finding of each feature and counts the others into it.
func once(fs []finding) []mesh.Finding {
	slices.SortStableFunc(fs, func(a, b finding) int { return comparePlaces(a.Finding, b.Finding) })
	out := make([]mesh.Finding, 0, len(fs))
	type cause struct {
		feature  feature
		severity mesh.Severity
	}
	first, count := map[cause]int{}, map[cause]int{}
	for _, f := range fs {
		if f.feature == (feature{}) {
			out = append(out, f.Finding)
			continue
		}
		what := cause{f.feature, f.Severity}
		if count[what]++; count[what] == 1 {
			first[what] = len(out)
			out = append(out, f.Finding)
		}
	}
	for what, n := range count {
		if n > 1 {
			f := &out[first[what]]
			f.Message = fmt.Sprintf("%s (%d places)", f.Message, n)
		}
	}
	return out
}

func comparePlaces(a, b mesh.Finding) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
		cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Field, b.Field))
}

// concerns reports whether a finding is within a reach.
func (f *finding) concerns(r *reach) bool {
	switch {
	case f.owner != nil:
		return r.has[f.owner]
	case f.mesh != nil:
		return *f.mesh == r.mesh.id
	case f.about != nil:
		return r.unresolved && !f.foreign || r.any(f.about.mentions)
	case f.lost:
		return r.unresolved || r.mesh.find(meshKind, r.mesh.id.name) == nil
	case f.text != nil:
		return r.unresolved || r.any(func(name string) bool { return holdsWord(f.text, name) })
	}
	return f.fileWide
}

// holdsWord reports whether name stands in text with no name character
// on either side.
func holdsWord(text []byte, name string) bool {
	for from := 0; ; {
		i := bytes.Index(text[from:], []byte(name))
		if i < 0 || name == "" {
			return false
		}
		start, end := from+i, from+i+len(name)
		if (start == 0 || !nameByte(text[start-1])) && (end == len(text) || !nameByte(text[end])) {
			return true
		}
		from = start + 1
	}
}

func nameByte(c byte) bool {
	return c == '-' || c == '_' || c == '.' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= 0x80
}

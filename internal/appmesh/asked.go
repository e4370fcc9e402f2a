package appmesh

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// asked are the parameters and imports that documents ask for. One that is given
// and not asked for is a slip of the pen more often than not, and the default
// that holds in its place a mesh that nobody meant.
type asked struct {
	params, imports names
	// declared are the parameters of templates, resources their resources.
	declared, resources names
	templates           bool
}

type names map[string]bool

func (n *names) add(name string) {
	if *n == nil {
		*n = make(names)
	}
	(*n)[name] = true
}

// template notes what a template may ask for, also where a condition is in the
// way of it.
func (a *asked) template(t *template) {
	a.templates = true
	for name := range t.parameters {
		a.declared.add(name)
	}
	for name := range t.resources {
		a.resources.add(name)
	}
}

// param is a parameter of the command line that a document asks for; "" where
// it is not given.
func (d *Documents) param(name string) string {
	d.asked.params.add(name)
	return d.checks.Params[name]
}

// Unasked warns of parameters and imports that were given and that no document
// asks for.
func (d *Documents) Unasked() []mesh.Finding {
	var findings []mesh.Finding
	for _, name := range slices.Sorted(maps.Keys(d.checks.Params)) {
		resource, _, _ := strings.Cut(name, ".")
		if d.asked.params[name] || d.asked.declared[name] || d.asked.resources[resource] || d.asked.templates && strings.HasPrefix(name, "AWS::") {
			continue
		}
		f := mesh.Finding{Severity: mesh.Warning, Message: fmt.Sprintf("--param %q: no document asks for it", name)}
		known := slices.Sorted(maps.Keys(d.asked.declared))
		if near := mesh.Nearest(name, slices.Concat(known, slices.Sorted(maps.Keys(d.asked.params)))); near != "" {
			f.Hint = fmt.Sprintf("did you mean %q?", near)
		}
		findings = append(findings, f)
	}
	for _, name := range slices.Sorted(maps.Keys(d.checks.Imports)) {
		if !d.asked.imports[name] {
			findings = append(findings, mesh.Finding{Severity: mesh.Warning, Message: fmt.Sprintf("--import %q: no template imports it", name)})
		}
	}
	return findings
}

package app

import (
	"fmt"
	"slices"
	"strings"

	"github.com/outrider-mesh/outrider/internal/appmesh"
	"github.com/outrider-mesh/outrider/internal/mesh"
)

// export prints documents in another form: to stdout what was understood, to
// stderr what was not and what the form cannot say.
func export(p *Process, args []string) int {
	fs := newFlags("usage: outrider export --format cli|cloudformation|kubernetes [--param NAME=VALUE] [--import NAME=VALUE] PATH...")
	format := fs.String("format", "", "what to print: cli (a JSON list of requests), cloudformation (a template in JSON) or kubernetes (v1beta2 manifests in YAML)")
	checks := documentFlags(fs)
	paths, code, done := parseFlags(p, fs, args)
	switch {
	case done:
		return code
	case len(paths) == 0:
		fs.Usage()
		return ExitUsage
	}
	to, err := appmesh.ParseFormat(*format)
	if err != nil {
		fmt.Fprintln(p.Stderr, "outrider export: --format:", err)
		return ExitUsage
	}
	docs, findings, err := readDocuments(checks, paths)
	if err != nil {
		fmt.Fprintln(p.Stderr, "outrider export:", err)
		return ExitEnvironment
	}
	if docs.Resources() == 0 && len(findings) == 0 {
		findings = append(findings, mesh.Finding{Severity: mesh.Error, Message: "no resource in " + strings.Join(paths, ", ")})
	}
	findings = append(findings, docs.Unasked()...)
	findings = append(findings, misread(docs)...)
	told, err := docs.Export(p.Stdout, to)
	if err != nil {
		fmt.Fprintln(p.Stderr, "outrider export:", err)
		return ExitEnvironment
	}
	if findings = append(findings, told...); len(findings) > 0 {
		if err := appmesh.WriteText(p.Stderr, findings, docs.Documents()); err != nil {
			return ExitEnvironment
		}
	}
	return findingsCode(findings, false)
}

// misread are the findings that say that something was not understood.
func misread(docs *appmesh.Documents) []mesh.Finding {
	return slices.DeleteFunc(docs.Check(), func(f mesh.Finding) bool { return f.Severity != mesh.Error })
}

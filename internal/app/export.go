package app

import (
	"fmt"
	"strings"

	"github.com/outrider-mesh/outrider/internal/appmesh"
	"github.com/outrider-mesh/outrider/internal/mesh"
)

// export prints documents in another form: to stdout what was understood, to
// stderr what was not and what the form cannot say.
func export(p *Process, args []string) int {
	fs := newFlags("usage: outrider export --format cli|cloudformation|kubernetes [--param NAME=VALUE] [--import NAME=VALUE] PATH...")
	format := fs.String("format", "", "what to print: cli (a JSON list of requests), cloudformation (a template in JSON) or kubernetes (v1beta2 manifests in YAML)")
	params := assignments(fs, "param", "a parameter of templates, also AWS::Region, RESOURCE or RESOURCE.ATTRIBUTE: `NAME=VALUE`; repeat for more")
	imports := assignments(fs, "import", "what another CloudFormation stack exports: `NAME=VALUE`; repeat for more")
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
	sources, findings, err := appmesh.ReadPaths(paths)
	if err != nil {
		fmt.Fprintln(p.Stderr, "outrider export:", err)
		return ExitEnvironment
	}
	for i := range findings {
		findings[i].Severity = mesh.Error // nothing is exported of what is not there
	}
	docs := checksWith(params, imports).Parse(sources)
	if docs.Resources() == 0 && len(findings) == 0 {
		findings = append(findings, mesh.Finding{Severity: mesh.Error, Message: "no resource in " + strings.Join(paths, ", ")})
	}
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

// misread are the findings that say that something was not understood: errors,
// and whole documents that this build does not read.
func misread(docs *appmesh.Documents) []mesh.Finding {
	var findings []mesh.Finding
	for _, f := range docs.Check() {
		if f.Severity == mesh.NotYet && f.Resource == "" {
			f.Severity = mesh.Error
		}
		if f.Severity == mesh.Error {
			findings = append(findings, f)
		}
	}
	return findings
}

package app

import (
	"fmt"
	"strings"

	"github.com/outrider-mesh/outrider/internal/appmesh"
	"github.com/outrider-mesh/outrider/internal/mesh"
)

// validate checks documents: all of them, or what one node can reach.
func validate(p *Process, args []string) int {
	fs := newFlags("usage: outrider validate [--node RESOURCE] [--param NAME=VALUE] [--import NAME=VALUE] [--strict] [--format text|json] PATH...")
	node := fs.String("node", "", "check what this `RESOURCE` reaches: mesh/M/virtualNode/N, mesh/M/virtualGateway/G, or its name alone")
	checks := documentFlags(fs)
	strict := fs.Bool("strict", false, "exit 1 on warnings too")
	format := fs.String("format", "text", "text or json")
	paths, code, done := parseFlags(p, fs, args)
	switch {
	case done:
		return code
	case len(paths) == 0 || *format != "text" && *format != "json":
		fs.Usage()
		return ExitUsage
	}
	docs, findings, err := readDocuments(checks, paths)
	if err != nil {
		fmt.Fprintln(p.Stderr, "outrider validate:", err)
		return ExitEnvironment
	}
	if docs.Documents() == 0 && len(findings) == 0 {
		findings = append(findings, mesh.Finding{Severity: mesh.Error, Message: "no document in " + strings.Join(paths, ", ")})
	}
	findings = append(findings, docs.Unasked()...)
	if *node == "" {
		findings = append(findings, docs.Check()...)
	} else {
		res, err := givenResource(*node, docs.Proxies())
		if err != nil {
			fmt.Fprintln(p.Stderr, "outrider validate:", err)
			return ExitUsage
		}
		_, found := docs.Compile(res, appmesh.Options{})
		findings = append(findings, found...)
	}
	write := appmesh.WriteText
	if *format == "json" {
		write = appmesh.WriteJSON
	}
	if err := write(p.Stdout, findings, docs.Documents()); err != nil {
		return ExitEnvironment
	}
	return findingsCode(findings, *strict)
}

// findingsCode is 1 on errors, and with strict on warnings too.
func findingsCode(findings []mesh.Finding, strict bool) int {
	for _, f := range findings {
		if f.Severity == mesh.Error || strict && f.Severity == mesh.Warning {
			return ExitFindings
		}
	}
	return ExitFine
}

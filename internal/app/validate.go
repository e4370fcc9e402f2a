package app

import (
	"flag"
	"fmt"
	"strings"

	"github.com/outrider-mesh/outrider/internal/appmesh"
	"github.com/outrider-mesh/outrider/internal/config"
	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/telemetry"
)

// checks are what the parts that will serve the documents know of them.
var checks = appmesh.Checks{LogFormat: telemetry.CheckFormat}

// checksWith are checks of documents that have these parameters and imports.
func checksWith(params, imports map[string]string) appmesh.Checks {
	c := checks
	c.Params, c.Imports = params, imports
	return c
}

// assignments is a flag NAME=VALUE that may be repeated.
func assignments(fs *flag.FlagSet, name, usage string) map[string]string {
	given := make(map[string]string)
	fs.Func(name, usage, func(text string) error {
		name, value, err := config.Assignment(text)
		given[name] = value
		return err
	})
	return given
}

// validate checks documents: all of them, or what one node can reach.
func validate(p *Process, args []string) int {
	fs := newFlags("usage: outrider validate [--node RESOURCE] [--param NAME=VALUE] [--import NAME=VALUE] [--strict] [--format text|json] PATH...")
	node := fs.String("node", "", "check what this `resource` reaches: mesh/M/virtualNode/N, mesh/M/virtualGateway/G")
	params := assignments(fs, "param", "a parameter of templates, also AWS::Region, RESOURCE or RESOURCE.ATTRIBUTE: `NAME=VALUE`; repeat for more")
	imports := assignments(fs, "import", "what another CloudFormation stack exports: `NAME=VALUE`; repeat for more")
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
	sources, findings, err := appmesh.ReadPaths(paths)
	if err != nil {
		fmt.Fprintln(p.Stderr, "outrider validate:", err)
		return ExitEnvironment
	}
	for i := range findings {
		findings[i].Severity = mesh.Error // here, where nothing is: "yet" is for those who wait
	}
	docs := checksWith(params, imports).Parse(sources)
	if docs.Documents() == 0 && len(findings) == 0 {
		findings = append(findings, mesh.Finding{Severity: mesh.Error, Message: "no document in " + strings.Join(paths, ", ")})
	}
	if *node == "" {
		findings = append(findings, docs.Check()...)
	} else {
		res, err := mesh.ParseResource(*node)
		if err != nil {
			fmt.Fprintf(p.Stderr, "outrider validate: --node %q: %v\n", *node, err)
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

package app

import (
	"fmt"

	"github.com/outrider-mesh/outrider/internal/appmesh"
)

// schema prints the JSON Schema of documents, or of one kind of resource.
func schema(p *Process, args []string) int {
	fs := newFlags("usage: outrider schema [mesh|virtualService|virtualNode|virtualRouter|route|virtualGateway|gatewayRoute]")
	kinds, code, done := parseFlags(p, fs, args)
	switch {
	case done:
		return code
	case len(kinds) > 1:
		fs.Usage()
		return ExitUsage
	}
	kind := ""
	if len(kinds) == 1 {
		kind = kinds[0]
	}
	if err := appmesh.WriteSchema(p.Stdout, kind); err != nil {
		fmt.Fprintln(p.Stderr, "outrider schema:", err)
		return ExitUsage
	}
	return ExitFine
}

package app

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/outrider-mesh/outrider/internal/appmesh"
	"github.com/outrider-mesh/outrider/internal/mesh"
)

// readDocuments reads and checks documents for a command that only looks at
// them. The findings are of files that could not be read as documents; the error
// says that they could not be had at all.
func readDocuments(paths []string, params, imports map[string]string) (*appmesh.Documents, []mesh.Finding, error) {
	sources, findings, err := appmesh.ReadPaths(paths)
	if err != nil {
		return nil, nil, err
	}
	return checksWith(params, imports).Parse(sources), findings, nil
}

// resourceVariables name what a container's proxy stands for, in the order in
// which App Mesh's image looked at them.
var resourceVariables = []string{"APPMESH_RESOURCE_ARN", "APPMESH_RESOURCE_NAME", "APPMESH_VIRTUAL_NODE_NAME"}

// chooseResource says for which resource of the documents a command speaks: the
// one that a flag names, whole or by its name alone; else the only one; else that
// of the environment. The error lists the choices.
func chooseResource(p *Process, given string, docs *appmesh.Documents) (mesh.Resource, error) {
	all := docs.Proxies()
	if given != "" && !strings.Contains(given, "/") {
		named := slices.DeleteFunc(slices.Clone(all), func(r mesh.Resource) bool { return r.Name != given })
		if len(named) == 1 {
			return named[0], nil
		}
		return mesh.Resource{}, fmt.Errorf("--node %q: %w", given, choices(all))
	}
	if given != "" {
		res, err := mesh.ParseResource(given)
		if err != nil {
			err = fmt.Errorf("--node %q: %w", given, err)
		}
		return res, err
	}
	if len(all) == 1 {
		return all[0], nil
	}
	for _, name := range resourceVariables {
		if text := p.Getenv(name); text != "" {
			res, err := mesh.ParseResource(text)
			if err != nil {
				err = fmt.Errorf("%s %q: %w", name, text, err)
			}
			return res, err
		}
	}
	return mesh.Resource{}, choices(all)
}

// choices asks for --node and says what it may name.
func choices(all []mesh.Resource) error {
	const most = 20
	var b strings.Builder
	b.WriteString("name one of these with --node:")
	for _, r := range all[:min(len(all), most)] {
		b.WriteString("\n  " + r.String())
	}
	if more := len(all) - most; more > 0 {
		fmt.Fprintf(&b, "\n  and %d more", more)
	}
	return errors.New(b.String())
}

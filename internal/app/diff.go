package app

import (
	"fmt"
	"slices"

	"github.com/outrider-mesh/outrider/internal/appmesh"
	"github.com/outrider-mesh/outrider/internal/diff"
	"github.com/outrider-mesh/outrider/internal/mesh"
)

// diffCommand says what changes for traffic between two sets of documents.
func diffCommand(p *Process, args []string) int {
	fs := newFlags("usage: outrider diff [--node RESOURCE] [--param NAME=VALUE] [--import NAME=VALUE] [--format text|json] A B\n" +
		"A and B are paths of documents, several of one set joined by commas. Exits 1 when traffic changes.")
	node := fs.String("node", "", "compare what this `RESOURCE` is told, mesh/M/virtualNode/N or its name alone; otherwise every virtual node and gateway")
	checks := documentFlags(fs)
	format := fs.String("format", "text", "text or json")
	paths, code, done := parseFlags(p, fs, args)
	switch {
	case done:
		return code
	case len(paths) != 2 || *format != "text" && *format != "json":
		fs.Usage()
		return ExitUsage
	}
	var sides [2]side
	for i, path := range paths {
		docs, unread, err := readDocuments(checks, splitPaths(path))
		if err != nil {
			fmt.Fprintln(p.Stderr, "outrider diff:", err)
			return ExitEnvironment
		}
		sides[i] = side{path, docs, unread}
	}
	var only *mesh.Resource
	if *node != "" {
		res, err := givenResource(*node, proxiesOf(sides))
		if err != nil {
			fmt.Fprintln(p.Stderr, "outrider diff:", err)
			return ExitUsage
		}
		only = &res
	}
	report := diff.Between(sides[0].set(only), sides[1].set(only))
	var err error
	if *format == "json" {
		err = diff.WriteJSON(p.Stdout, report)
	} else {
		err = diff.WriteText(p.Stdout, p.Getenv, report)
	}
	switch {
	case err != nil:
		return ExitEnvironment
	case !report.Same():
		return ExitFindings
	}
	return ExitFine
}

// A side is one of the two sets as it was read.
type side struct {
	name   string // its paths
	docs   *appmesh.Documents
	unread []mesh.Finding // of paths where no document is
}

// proxiesOf are the resources that either side describes, each once.
func proxiesOf(sides [2]side) []mesh.Resource {
	all := sides[0].docs.Proxies()
	for _, res := range sides[1].docs.Proxies() {
		if !slices.Contains(all, res) {
			all = append(all, res)
		}
	}
	return all
}

// set compiles what each of the side's proxies is told, or only one's.
func (s side) set(only *mesh.Resource) diff.Set {
	set := diff.Set{Name: s.name, Proxies: make(map[mesh.Resource]*mesh.Snapshot), Findings: s.unread}
	proxies := s.docs.Proxies()
	if only == nil {
		set.Findings = append(set.Findings, misread(s.docs)...)
	} else {
		described := slices.ContainsFunc(proxies, func(res mesh.Resource) bool {
			return res.Mesh == only.Mesh && res.Kind == only.Kind && res.Name == only.Name
		})
		if proxies = nil; described {
			proxies = []mesh.Resource{*only}
		}
	}
	if len(proxies) == 0 && len(set.Findings) == 0 {
		set.Findings = append(set.Findings, nobody(s.docs, s.name, only))
	}
	for _, res := range proxies {
		snapshot, found := s.docs.Compile(res, appmesh.Options{})
		set.Proxies[res] = snapshot
		if snapshot != nil {
			continue
		}
		for _, f := range found {
			if f.Severity == mesh.Error && !slices.Contains(set.Findings, f) {
				set.Findings = append(set.Findings, f)
			}
		}
	}
	return set
}

// nobody says that a set describes no proxy, or not the one that is asked for.
func nobody(docs *appmesh.Documents, path string, only *mesh.Resource) mesh.Finding {
	if only != nil {
		_, found := docs.Compile(*only, appmesh.Options{})
		if i := slices.IndexFunc(found, func(f mesh.Finding) bool { return f.Severity == mesh.Error }); i >= 0 {
			return found[i]
		}
	}
	return mesh.Finding{Message: "no virtual node or gateway in " + path}
}

package app

import (
	"fmt"
	"slices"
	"strings"

	"github.com/outrider-mesh/outrider/internal/appmesh"
	"github.com/outrider-mesh/outrider/internal/diff"
	"github.com/outrider-mesh/outrider/internal/mesh"
)

// diffCommand says what changes for traffic between two sets of documents.
func diffCommand(p *Process, args []string) int {
	fs := newFlags("usage: outrider diff [--node RESOURCE] [--param NAME=VALUE] [--import NAME=VALUE] [--format text|json] A B\n" +
		"A and B are paths of documents, several of one set joined by commas. Exits 1 when traffic changes.")
	node := fs.String("node", "", "compare what this `resource` is told (mesh/M/virtualNode/N); otherwise every virtual node and gateway")
	params := assignments(fs, "param", "a parameter of templates, also AWS::Region, RESOURCE or RESOURCE.ATTRIBUTE: `NAME=VALUE`; repeat for more")
	imports := assignments(fs, "import", "what another CloudFormation stack exports: `NAME=VALUE`; repeat for more")
	format := fs.String("format", "text", "text or json")
	paths, code, done := parseFlags(p, fs, args)
	switch {
	case done:
		return code
	case len(paths) != 2 || *format != "text" && *format != "json":
		fs.Usage()
		return ExitUsage
	}
	var only *mesh.Resource
	if *node != "" {
		res, err := mesh.ParseResource(*node)
		if err != nil {
			fmt.Fprintf(p.Stderr, "outrider diff: --node %q: %v\n", *node, err)
			return ExitUsage
		}
		only = &res
	}
	var sets [2]diff.Set
	for i, path := range paths {
		set, err := readSet(path, checksWith(params, imports), only)
		if err != nil {
			fmt.Fprintln(p.Stderr, "outrider diff:", err)
			return ExitEnvironment
		}
		sets[i] = set
	}
	report := diff.Between(sets[0], sets[1])
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

// readSet reads the documents of one set and compiles what each of its proxies
// is told, or only one's.
func readSet(path string, c appmesh.Checks, only *mesh.Resource) (diff.Set, error) {
	set := diff.Set{Name: path, Proxies: make(map[mesh.Resource]*mesh.Snapshot)}
	sources, findings, err := appmesh.ReadPaths(strings.Split(path, ","))
	if err != nil {
		return set, err
	}
	for _, f := range findings { // nothing is there
		set.Findings = append(set.Findings, mesh.Finding{Position: f.Position, Message: f.Message, Hint: f.Hint})
	}
	docs := c.Parse(sources)
	proxies := docs.Proxies()
	if only == nil {
		set.Findings = append(set.Findings, misread(docs)...)
	} else {
		described := slices.ContainsFunc(proxies, func(res mesh.Resource) bool {
			return res.Mesh == only.Mesh && res.Kind == only.Kind && res.Name == only.Name
		})
		if proxies = nil; described {
			proxies = []mesh.Resource{*only}
		}
	}
	if len(proxies) == 0 && len(set.Findings) == 0 {
		set.Findings = append(set.Findings, nobody(docs, path, only))
	}
	for _, res := range proxies {
		snapshot, found := docs.Compile(res, appmesh.Options{})
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
	return set, nil
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

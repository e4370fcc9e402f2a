package check

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/appmesh"
	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/terminal"
	"github.com/outrider-mesh/outrider/internal/testkit/golden"
)

// TestGolden checks what testdata/*.txtar hold. The head of each says what it
// shows, and names paths below the project's root:
//
//	# tasks: examples/ecs/task-definition.json
//	# mesh: examples/guide
//	# params: ProjectName=demo
//	# node: mesh/my-mesh/virtualNode/frontend-service
//	# format: json
//
// Files in the archive whose names begin with "task" are task definitions, the
// others documents of the mesh; the last, "want", is the report.
// `go test ./internal/check -run Golden -update` rewrites it.
func TestGolden(t *testing.T) {
	golden.Test(t, func(t *testing.T, a *golden.Archive) string {
		tasks, documents := read(t, a.Setting("tasks")), read(t, a.Setting("mesh"))
		for _, f := range a.Files {
			if s := (appmesh.Source{Name: f.Name, Data: f.Data}); strings.HasPrefix(f.Name, "task") {
				tasks = append(tasks, s)
			} else {
				documents = append(documents, s)
			}
		}
		r := report(t, appmesh.Checks{Params: a.Assignments("params")}, tasks, documents, a.Setting("node"))
		for _, detail := range []Detail{Brief, Whole} {
			golden.OnPaper(t, text(t, r, detail))
		}
		if a.Setting("format") != "json" {
			return text(t, r, Brief)
		}
		var b bytes.Buffer
		if err := r.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	})
}

func report(t *testing.T, checks appmesh.Checks, tasks, documents []appmesh.Source, node string) *Report {
	t.Helper()
	s := Subject{}
	if documents != nil {
		s.Documents = checks.Parse(documents)
	}
	if tasks != nil {
		s.Tasks, s.Findings = checks.TaskDefinitions(tasks, documents)
	}
	if node != "" {
		var err error
		if s.Node, err = mesh.ParseResource(node); err != nil {
			t.Fatal(err)
		}
	}
	return s.Report()
}

func text(t *testing.T, r *Report, detail Detail) string {
	t.Helper()
	var b bytes.Buffer
	p := terminal.New(&b, func(string) string { return "" })
	r.WriteText(p, detail)
	if err := p.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// read reads paths below the project's root, named from there.
func read(t *testing.T, paths string) []appmesh.Source {
	t.Helper()
	root := filepath.Join("..", "..")
	var all []appmesh.Source
	for _, path := range strings.Fields(paths) {
		sources, findings, err := appmesh.ReadPaths([]string{filepath.Join(root, path)})
		if err != nil || len(findings) > 0 {
			t.Fatal(err, findings)
		}
		for _, s := range sources {
			rel, err := filepath.Rel(root, s.Name)
			if err != nil {
				t.Fatal(err)
			}
			s.Name = filepath.ToSlash(rel)
			all = append(all, s)
		}
	}
	return all
}

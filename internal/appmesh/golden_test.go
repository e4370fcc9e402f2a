package appmesh

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/testkit/golden"
)

var update = golden.Update

// TestGolden compiles testdata/*.txtar. Each holds documents and names them
// (or a file or directory of test/corpus) and a resource:
//
//	# what this shows
//	# corpus: guide
//	# params: ProjectName=demo
//	# resource: mesh/my-mesh/virtualNode/frontend-service
//	-- nodes.yaml --
//	...
//	-- want --
//	findings, then the plan
//
// `go test ./internal/appmesh -run Golden -update` rewrites what is wanted.
func TestGolden(t *testing.T) {
	golden.Test(t, func(t *testing.T, a *golden.Archive) string {
		d := Checks{Params: a.Assignments("params")}.Parse(append(corpus(t, a.Setting("corpus")), sourcesOf(a)...))
		var got bytes.Buffer
		name := a.Setting("resource")
		if name == "" {
			_ = WriteText(&got, d.Check(), d.Documents())
			return got.String()
		}
		res, err := mesh.ParseResource(name)
		if err != nil {
			t.Fatal(err)
		}
		snapshot, findings := d.Compile(res, Options{})
		_ = WriteText(&got, findings, d.Documents())
		return got.String() + "\n" + plan(snapshot)
	})
}

// corpus reads a file or directory of test/corpus under short names.
func corpus(t *testing.T, dir string) []Source {
	if dir == "" {
		return nil
	}
	root := filepath.Join("..", "..", "test", "corpus")
	sources, findings, err := ReadPaths([]string{filepath.Join(root, dir)})
	if err != nil || len(findings) > 0 {
		t.Fatal(err, findings)
	}
	for i := range sources {
		rel, err := filepath.Rel(root, sources[i].Name)
		if err != nil {
			t.Fatal(err)
		}
		sources[i].Name = filepath.ToSlash(rel)
	}
	return sources
}

// sourcesOf are the files of an archive.
func sourcesOf(a *golden.Archive) (sources []Source) {
	for _, f := range a.Files {
		sources = append(sources, Source{Name: f.Name, Data: f.Data})
	}
	return sources
}

// splitArchive gives the head of an archive and its files.
func splitArchive(data []byte) (head string, files []Source) {
	a := golden.Split(string(data))
	return a.Head, sourcesOf(a)
}

// setting is what a head says of a name.
func setting(head, name string) string { return (&golden.Archive{Head: head}).Setting(name) }

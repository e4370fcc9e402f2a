package appmesh

import (
	"bytes"
	"flag"
	"github.com/outrider-mesh/outrider/internal/mesh"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

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
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { golden(t, file) })
	}
}

func golden(t *testing.T, file string) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, sources := splitArchive(data)
	want := ""
	if last := len(sources) - 1; last >= 0 && sources[last].Name == "want" {
		want, sources = string(sources[last].Data), sources[:last]
	}
	sources = append(corpus(t, setting(head, "corpus")), sources...)
	params := make(map[string]string)
	for _, param := range strings.Fields(setting(head, "params")) {
		name, value, _ := strings.Cut(param, "=")
		params[name] = value
	}
	d := Checks{Params: params}.Parse(sources)
	var got bytes.Buffer
	if name := setting(head, "resource"); name == "" {
		_ = WriteText(&got, d.Check(), d.Documents())
	} else {
		res, err := mesh.ParseResource(name)
		if err != nil {
			t.Fatal(err)
		}
		snapshot, findings := d.Compile(res, Options{})
		_ = WriteText(&got, findings, d.Documents())
		got.WriteString("\n" + plan(snapshot))
	}
	if *update {
		kept, _, _ := bytes.Cut(data, []byte("-- want --\n"))
		if err := os.WriteFile(file, append(append(bytes.Clone(kept), "-- want --\n"...), got.Bytes()...), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", got.String(), want)
	}
}

// setting reads "# name: value" from an archive's head.
func setting(head, name string) string {
	for _, line := range strings.Split(head, "\n") {
		if value, ok := strings.CutPrefix(line, "# "+name+": "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
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

// splitArchive reads the txtar form: a head, then "-- name --" before each file.
func splitArchive(data []byte) (head string, files []Source) {
	var current *Source
	for _, line := range bytes.SplitAfter(data, []byte("\n")) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(string(line)), "-- "); ok && strings.HasSuffix(name, " --") {
			files = append(files, Source{Name: strings.TrimSuffix(name, " --")})
			current = &files[len(files)-1]
			continue
		}
		if current == nil {
			head += string(line)
		} else {
			current.Data = append(current.Data, line...)
		}
	}
	return head, files
}

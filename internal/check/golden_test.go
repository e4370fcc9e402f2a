package check

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/outrider-mesh/outrider/internal/appmesh"
	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/terminal"
)

var update = flag.Bool("update", false, "rewrite the golden files")

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
	var tasks, documents []appmesh.Source
	for _, s := range sources {
		switch {
		case s.Name == "want":
			want = string(s.Data)
		case strings.HasPrefix(s.Name, "task"):
			tasks = append(tasks, s)
		default:
			documents = append(documents, s)
		}
	}
	tasks = append(read(t, setting(head, "tasks")), tasks...)
	documents = append(read(t, setting(head, "mesh")), documents...)
	checks := appmesh.Checks{Params: make(map[string]string)}
	for _, param := range strings.Fields(setting(head, "params")) {
		name, value, _ := strings.Cut(param, "=")
		checks.Params[name] = value
	}
	r := report(t, checks, tasks, documents, setting(head, "node"))
	got := text(t, r, Brief)
	for _, detail := range []Detail{Brief, Whole} {
		within80(t, text(t, r, detail))
	}
	if setting(head, "format") == "json" {
		var b bytes.Buffer
		if err := r.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		got = b.String()
	}
	if *update {
		kept, _, _ := bytes.Cut(data, []byte("-- want --\n"))
		if err := os.WriteFile(file, []byte(string(kept)+"-- want --\n"+got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// within80 lets only a word stand out that is alone on its line.
func within80(t *testing.T, text string) {
	t.Helper()
	for _, line := range strings.Split(text, "\n") {
		if utf8.RuneCountInString(line) > terminal.Width && len(strings.Fields(line)) > 1 {
			t.Errorf("%d columns: %q", utf8.RuneCountInString(line), line)
		}
	}
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

// setting reads "# name: value" from an archive's head.
func setting(head, name string) string {
	for _, line := range strings.Split(head, "\n") {
		if value, ok := strings.CutPrefix(line, "# "+name+": "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// splitArchive reads the txtar form: a head, then "-- name --" before each file.
func splitArchive(data []byte) (head string, files []appmesh.Source) {
	var current *appmesh.Source
	for _, line := range bytes.SplitAfter(data, []byte("\n")) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(string(line)), "-- "); ok && strings.HasSuffix(name, " --") {
			files = append(files, appmesh.Source{Name: strings.TrimSuffix(name, " --")})
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

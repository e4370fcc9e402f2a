package check

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/outrider-mesh/outrider/internal/appmesh"
	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/testkit/golden"
)

// TestEverythingHasAVerdict: in every task definition of test/corpus and of the
// examples, each variable of the proxy's container, property and dependency has
// a verdict that says where it stands, and all of it fits a terminal.
func TestEverythingHasAVerdict(t *testing.T) {
	read := 0
	for _, dir := range []string{"test/corpus", "examples"} {
		for _, path := range taskFiles(t, filepath.Join("..", "..", dir)) {
			sources, _, err := appmesh.ReadPaths([]string{path})
			if err != nil {
				t.Fatal(err)
			}
			tasks, _ := appmesh.Checks{}.TaskDefinitions(sources, nil)
			for i := range tasks {
				read++
				s := Subject{Tasks: tasks[i : i+1], Documents: appmesh.Parse(sources)}
				r := s.Report()
				golden.OnPaper(t, text(t, r, Brief))
				everyVerdict(t, &tasks[i], r)
			}
		}
	}
	if read < 4 {
		t.Errorf("only %d task definitions were found", read)
	}
}

// taskFiles are the files that may hold a task definition.
func taskFiles(t *testing.T, root string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte("ontainerDefinitions")) || bytes.Contains(data, []byte("container_definitions")) {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func everyVerdict(t *testing.T, task *appmesh.TaskDefinition, r *Report) {
	t.Helper()
	has := func(subject string, at mesh.Position) bool {
		return slices.ContainsFunc(r.Sections, func(s Section) bool {
			return slices.ContainsFunc(s.Verdicts, func(v Verdict) bool { return v.Subject == subject && v.Position == at })
		})
	}
	c := taskCheck{task: task, report: r}
	c.findProxy(&Section{})
	if c.proxy == nil {
		return
	}
	for _, n := range slices.Concat(c.proxy.Environment, c.proxy.Secrets) {
		if !has(n.Name, n.Position) {
			t.Errorf("%s: no verdict on variable %s", n.Position, n.Name)
		}
	}
	if task.Proxy != nil {
		for _, p := range task.Proxy.Properties {
			if !has(p.Name, p.Said.Position) {
				t.Errorf("%s: no verdict on property %s", p.Position, p.Name)
			}
		}
	}
	for i := range task.Containers {
		for _, d := range task.Containers[i].DependsOn {
			if !has("dependsOn of "+task.Containers[i].Name.Text, d.Position) {
				t.Errorf("%s: no verdict on a dependency", d.Position)
			}
		}
	}
}

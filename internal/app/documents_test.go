package app

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestCommandsReadDocumentsAlike: paths, parameters and names mean the same to
// every command that looks at documents.
func TestCommandsReadDocumentsAlike(t *testing.T) {
	dir := t.TempDir()
	stack := strings.NewReplacer("!ImportValue other-host", "h.local").Replace(stack)
	file, more := write(t, dir, "stack.yaml", stack), write(t, dir, "more.json", `{"meshName": "shop", "virtualNodeName": "back", "spec": {}}`)
	empty := filepath.Join(dir, "empty")
	if err := os.Mkdir(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(dir, "none")
	const project = "--param=Project=shop"
	for name, of := range map[string]func(paths string) []string{
		"validate": func(paths string) []string { return strings.Split(paths, ",") },
		"diff":     func(paths string) []string { return []string{paths, paths} },
		"explain":  func(paths string) []string { return []string{"--mesh", paths, "http://svc.local/"} },
		"check":    func(paths string) []string { return []string{"--mesh", paths} },
		"doctor":   func(paths string) []string { return []string{"--mesh", paths, "--format=json"} },
	} {
		for _, tt := range []struct {
			says, paths string
			args        []string
			codes       []int
			shows       string
		}{
			{"several paths, and a name alone", file + "," + more, []string{project, "--node=front"}, []int{ExitFine, ExitFindings}, ""},
			{"a name that nobody has", file + "," + more, []string{project, "--node=nobody"}, []int{ExitUsage}, "mesh/shop/virtualNode/back\n  mesh/shop/virtualNode/front"},
			{"half a name", file, []string{project, "--node=virtualNode/front"}, []int{ExitUsage}, "not mesh/MESH/virtualNode/NODE"},
			{"a path that is not there", none, nil, []int{ExitEnvironment}, none},
			{"a folder without a document", empty, nil, []int{ExitFindings}, ""},
			{"a parameter without a value", file, []string{"--param=Project"}, []int{ExitUsage}, "Project"},
		} {
			code, stdout, stderr := outrider(t, append(append([]string{name}, tt.args...), of(tt.paths)...)...)
			if !slices.Contains(tt.codes, code) || !strings.Contains(stdout+stderr, tt.shows) {
				t.Errorf("%s: %s: exit code %d, %q wanted in\n%s%s", name, tt.says, code, tt.shows, stdout, stderr)
			}
		}
	}
}

package docs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A link of a document, and what GitHub leaves out of a heading's anchor.
var (
	link       = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	noAnchor   = regexp.MustCompile("[^a-z0-9 _-]")
	setsItBack = regexp.MustCompile(`(OUTRIDER_[A-Z_]+)=\S+ has it back`)
)

// TestLinksLeadSomewhere: to a file that is there, and a heading in it.
func TestLinksLeadSomewhere(t *testing.T) {
	for _, file := range append(documents(t), filepath.Join(top, "ARCHITECTURE.md"), filepath.Join(top, "CONTEXT.md")) {
		for _, found := range link.FindAllStringSubmatch(read(t, file), -1) {
			to, anchor, _ := strings.Cut(found[1], "#")
			if strings.Contains(to, "://") {
				continue
			}
			target := file
			if to != "" {
				target = filepath.Join(filepath.Dir(file), to)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %s: %v", file, found[1], err)
			} else if anchor != "" && !slices.Contains(anchors(read(t, target)), anchor) {
				t.Errorf("%s: %s: no such heading", file, found[1])
			}
		}
	}
}

func anchors(text string) (all []string) {
	for line := range strings.Lines(text) {
		if heading := strings.TrimLeft(line, "#"); heading != line && strings.HasPrefix(heading, " ") {
			heading = noAnchor.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), "")
			all = append(all, strings.ReplaceAll(heading, " ", "-"))
		}
	}
	return all
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestEveryCommandIsDocumented: what the help lists stands in the README, and
// its exit codes in docs/operations.md.
func TestEveryCommandIsDocumented(t *testing.T) {
	_, help := outrider(t, "help")
	commands := 0
	for line := range strings.Lines(help) {
		indented := strings.TrimLeft(line, " ")
		rest, is := strings.CutPrefix(indented, "outrider ")
		if !is || indented == line {
			continue
		}
		commands++
		name := strings.Fields(rest)[0]
		if name == "version" {
			continue
		}
		for _, file := range []string{"README.md", "docs/operations.md"} {
			if !strings.Contains(read(t, filepath.Join(top, file)), "\n| `"+name) {
				t.Errorf("%s: no row of %s in the table of exit codes", file, name)
			}
		}
	}
	if commands < 10 {
		t.Errorf("%d commands in\n%s", commands, help)
	}
}

// TestWhatIsDoneOtherwiseIsInTheTable: the settings that check says would have
// App Mesh's way back are those of the migration guide.
func TestWhatIsDoneOtherwiseIsInTheTable(t *testing.T) {
	_, table, _ := strings.Cut(read(t, filepath.Join(top, "docs", "migration.md")), "## What Outrider does otherwise on purpose")
	seen := make(map[string]bool)
	for _, e := range examples {
		if e.task == "" {
			continue
		}
		_, out := outrider(t, "check", "--all", "--format=json", "--task-definition", path(e.task), "--mesh", path(e.mesh))
		if !json.Valid([]byte(out)) {
			t.Fatalf("%s: no JSON:\n%s", e.task, out)
		}
		for _, found := range setsItBack.FindAllStringSubmatch(out, -1) {
			seen[found[1]] = true
		}
	}
	if len(seen) < 4 {
		t.Errorf("check names only %v", seen)
	}
	for variable := range seen {
		flag := "--" + strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(variable, "OUTRIDER_")), "_", "-")
		if !strings.Contains(table, "`"+flag) && !strings.Contains(table, "`"+variable) {
			t.Errorf("docs/migration.md does not tell of %s", flag)
		}
	}
}

//go:build linux

package e2e

import (
	"os"
	"slices"
	"strings"
	"testing"
)

const taskDefinition, guideTaskDefinition = top + "/examples/ecs/task-definition.json", top + "/examples/ecs/task-definition.guide.json"

func lines(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(text), "\n")
}

// Migrating is changing one line, and the README shows which.
func TestTheTaskDefinitionChangesOnlyTheImage(t *testing.T) {
	guide, ours := lines(t, guideTaskDefinition), lines(t, taskDefinition)
	if len(guide) != len(ours) {
		t.Fatalf("%d lines became %d", len(guide), len(ours))
	}
	readme := lines(t, top+"/README.md")
	changed := 0
	for i := range guide {
		if guide[i] == ours[i] {
			continue
		}
		changed++
		if !strings.Contains(ours[i], `"image": `) || !slices.Contains(readme, "-"+guide[i]) || !slices.Contains(readme, "+"+ours[i]) {
			t.Errorf("line %d: this is no image, or the README does not show it:\n-%s\n+%s", i+1, guide[i], ours[i])
		}
	}
	if changed != 1 {
		t.Errorf("%d lines differ, want 1", changed)
	}
}

// The guide's task definition and ours ask for the same interception, and both can be read.
func TestTheTaskDefinitionsGiveTheSameRules(t *testing.T) {
	guideCode, guide := outrider(t, "iptables", "print", "--task-definition", guideTaskDefinition)
	code, ours := outrider(t, "iptables", "print", "--task-definition", taskDefinition)
	if guideCode != 0 || code != 0 || guide != ours {
		t.Errorf("exit codes %d and %d:\n%s\n%s", guideCode, code, guide, ours)
	}
	for _, rule := range []string{"8080", "15000", "15001", "1337", "169.254.170.2", "169.254.169.254"} {
		if !strings.Contains(ours, rule) {
			t.Errorf("no rule speaks of %s", rule)
		}
	}
}

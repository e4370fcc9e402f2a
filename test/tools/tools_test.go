package tools

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEveryToolSaysWhereItComesFrom(t *testing.T) {
	for _, tool := range All() {
		given := slices.Contains(Go, tool)
		if tool.Program == "" || !given && (tool.Package == "") == (tool.Module == "") {
			t.Errorf("%+v", tool)
		}
	}
}

func TestPathHoldsTheListedProgramsAndNothingElse(t *testing.T) {
	folder := t.TempDir()
	if err := Path(folder, []Tool{{Program: "sh"}, {Program: "no-such-program"}}); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 || entries[0].Name() != "sh" {
		t.Fatalf("%v, %v", entries, err)
	}
	if _, err := os.Stat(filepath.Join(folder, "sh")); err != nil {
		t.Error(err)
	}
}

func TestNothingIsSaidWhenNothingIsMissing(t *testing.T) {
	var out bytes.Buffer
	if lacking, err := Install(t.Context(), &out, []Tool{{Program: "sh", Package: "dash"}}); err != nil || lacking != nil || out.Len() > 0 {
		t.Errorf("%v, %v, %q", lacking, err, out.String())
	}
}

func TestPackagesAreNamedOnce(t *testing.T) {
	got := packagesOf([]Tool{{Program: "iptables", Package: "iptables"}, {Program: "ip6tables", Package: "iptables"}, {Program: "gcc", Package: "gcc"}, {Program: "s", Module: "m"}})
	if want := "iptables gcc libc6-dev"; strings.Join(got, " ") != want {
		t.Errorf("%q, want %q", got, want)
	}
}

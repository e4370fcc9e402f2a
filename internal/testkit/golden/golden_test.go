package golden

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const archive = "# shows much\n# params: A=1 B=x=y\n-- a.yaml --\na\nb\n-- none --\n-- want --\nno\n"

// TestCases: answered, compared, and rewritten only if it is asked for.
func TestCases(t *testing.T) {
	t.Chdir(t.TempDir())
	file := filepath.Join("testdata", "one.txtar")
	if err := os.Mkdir("testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(archive), 0o644); err != nil {
		t.Fatal(err)
	}
	seen := 0
	answer := func(said string) func(*testing.T, *Archive) string {
		return func(t *testing.T, a *Archive) string {
			seen++
			text, _ := a.Text("a.yaml")
			empty, is := a.Text("none")
			_, want := a.Text("want")
			if p := a.Assignments("params"); text != "a\nb\n" || empty != "" || !is || want || len(p) != 2 || p["B"] != "x=y" || a.Setting("nope") != "" {
				t.Errorf("%+v %q %v", a, text, p)
			}
			return said
		}
	}
	Test(t, answer("no\n"))
	*Update = true
	Test(t, answer("yes\n"))
	*Update = false
	Test(t, answer("yes\n"))
	if text, err := os.ReadFile(file); err != nil || string(text) != strings.TrimSuffix(archive, "no\n")+"yes\n" || seen != 3 {
		t.Errorf("%v, %d times\n%s", err, seen, text)
	}
}

func TestOnPaper(t *testing.T) {
	OnPaper(t, strings.Repeat("x", 200)+"\n    "+strings.Repeat("x", 90)+"\n"+strings.Repeat("x ", 40)+"\n")
}

package archtest

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the table in ARCHITECTURE.md")

const (
	tableBegins = "<!-- generated: imports -->\n"
	tableEnds   = "<!-- end of imports -->\n"
)

// TestTheTableIsTold: ARCHITECTURE.md has the table of who may import whom.
func TestTheTableIsTold(t *testing.T) {
	file := filepath.Join(root(t), "ARCHITECTURE.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(text), tableBegins)
	told, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		t.Fatalf("%s has no marks around its table of imports", file)
	}
	if want := table(); told != want {
		if !*update {
			t.Fatal("the table of imports in ARCHITECTURE.md is not that of imports_test.go: go test ./internal/archtest -run Told -update")
		}
		if err := os.WriteFile(file, []byte(before+tableBegins+want+tableEnds+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func table() string {
	var b strings.Builder
	b.WriteString("| package | may import, of ours | what it is |\n|---|---|---|\n")
	for _, r := range rows {
		may := "nothing"
		if len(r.may) > 0 {
			may = strings.Join(r.may, ", ")
		}
		if may == "..." {
			may = "everything"
		}
		b.WriteString("| " + r.dir + " | " + may + " | " + r.note + " |\n")
	}
	return b.String()
}

package archtest

import (
	"fmt"
	"slices"
	"strings"
)

// row says what the packages of a directory may import of ours. A name that
// ends in "/..." stands for the directory and all below it.
type row struct {
	dir  string
	may  []string
	note string
}

// rows is the table of the house. A package belongs to the longest dir that
// holds it; packages of one row may import one another.
var rows = []row{
	{"lb", nil, "a library in its own right"},
	{"resilience", nil, "a library in its own right"},
	{"iptables", nil, "a library in its own right"},
	{"internal/mesh", nil, "the vocabulary everybody shares"},
	{"internal/stat", nil, "the cells everybody counts in"},
	{"internal/sock", nil, "the one door to the kernel's sockets"},
	{"proxy/sniff", nil, "looks at bytes"},

	{"internal/terminal", nil, "writes reports for people"},
	{"internal/explain", []string{"internal/mesh", "internal/terminal"}, "what would happen to a request: the answer, not who finds it"},
	{"internal/diff", []string{"internal/mesh", "internal/terminal"}, "compares snapshots"},
	{"internal/check", []string{"internal/appmesh", "internal/config", "internal/mesh", "internal/terminal", "iptables"}, "holds a task definition and a mesh against what this build does"},
	{"internal/doctor", []string{"internal/config", "internal/mesh", "internal/sock", "internal/terminal", "iptables"}, "looks at the machine, never the engine"},

	{"internal/appmesh", []string{"internal/mesh", "internal/stat"}, "never the engine"},
	{"internal/config", []string{"internal/mesh", "internal/stat"}, "never the engine"},
	{"internal/discovery", []string{"internal/mesh", "internal/stat"}, "never the engine"},
	{"internal/identity", []string{"internal/mesh", "internal/stat"}, "never the engine"},
	{"internal/xds", []string{"internal/mesh", "internal/stat"}, "never the engine"},
	{"internal/telemetry", []string{"internal/mesh", "internal/stat"}, "never the engine"},

	{"proxy/l7", []string{"internal/mesh", "internal/stat"}, "the message model"},
	{"proxy/relay", []string{"internal/sock", "internal/stat"}, "bytes, no messages"},
	{"proxy/l7/h1", []string{"proxy/l7", "proxy/relay", "internal/sock", "internal/stat"}, "a codec"},
	{"proxy/l7/h2", []string{"proxy/l7", "proxy/relay", "internal/sock", "internal/stat"}, "a codec"},
	{"proxy/route", []string{"proxy/l7", "internal/mesh"}, "decides, does nothing"},
	{"proxy/filter", []string{"proxy/l7", "resilience", "internal/mesh", "internal/stat"}, "stages know messages, not connections"},
	{"proxy/upstream", []string{"proxy/l7", "proxy/l7/h1", "proxy/l7/h2", "lb", "resilience", "internal/mesh", "internal/sock", "internal/stat"}, "attempts and pools"},
	{"proxy/l4", []string{"proxy/upstream", "proxy/relay", "proxy/sniff", "internal/sock", "internal/stat"}, "TCP"},
	{"proxy", []string{"proxy/...", "internal/explain", "internal/mesh", "internal/sock", "internal/stat"}, "the engine"},

	{"internal/live", []string{"proxy/...", "internal/mesh", "internal/stat"}, "swaps the snapshot"},
	{"admin", []string{"internal/mesh", "internal/stat"}, "reads the rest through interfaces it declares itself"},
	{"internal/app", []string{"..."}, "the wiring diagram"},
	{"cmd", []string{"internal/app"}, "flags and environment, no logic"},

	{"internal/testkit", []string{"..."}, "for tests"},
	{"internal/archtest", nil, "reads source"},
	{"bench", []string{"..."}, "imports what it measures"},
	{"test", []string{"..."}, "imports what it tests"},
	{"examples", nil, "documents, and small apps of their own"},
}

// forTests are rows that the shipped binary must not reach.
var forTests = []string{"internal/testkit", "internal/archtest", "bench", "test", "examples"}

func foreignImports(t *tree) (broken []string) {
	t.each(func(p *pkg, f *file) {
		own := rowOf(p.dir)
		if own == nil {
			broken = append(broken, fmt.Sprintf("%s: %s has no row in the table of who may import whom: give it one in imports_test.go and in ARCHITECTURE.md", f.path, p.dir))
			return
		}
		if f.isTest() { // tests may import what they test
			return
		}
		for imported, pos := range f.imports() {
			dir, ours := strings.CutPrefix(imported, module+"/")
			if !ours || rowOf(dir) == own || allows(own.may, dir) {
				continue
			}
			broken = append(broken, fmt.Sprintf("%s: %s imports %s; it may import %s (%s)", t.at(pos), p.dir, dir, orNothing(own.may), own.note))
		}
	})
	return broken
}

func testImports(t *tree) (broken []string) {
	t.each(func(p *pkg, f *file) {
		if f.isTest() || allows(forTests, p.dir) || under(forTests, p.dir) {
			return
		}
		for imported, pos := range f.imports() {
			if dir, ours := strings.CutPrefix(imported, module+"/"); ours && under(forTests, dir) {
				broken = append(broken, fmt.Sprintf("%s: %s imports %s, which is for tests", t.at(pos), p.dir, dir))
			}
		}
	})
	return broken
}

// rowOf finds the row with the longest dir that holds the package.
func rowOf(dir string) *row {
	var best *row
	for i := range rows {
		if r := &rows[i]; holds(r.dir, dir) && (best == nil || len(r.dir) > len(best.dir)) {
			best = r
		}
	}
	return best
}

func allows(may []string, dir string) bool {
	return slices.ContainsFunc(may, func(m string) bool {
		if m == "..." {
			return true
		}
		above, all := strings.CutSuffix(m, "/...")
		return m == dir || all && holds(above, dir)
	})
}

func under(dirs []string, dir string) bool {
	return slices.ContainsFunc(dirs, func(d string) bool { return holds(d, dir) })
}

func holds(above, dir string) bool {
	return dir == above || strings.HasPrefix(dir, above+"/")
}

func orNothing(may []string) string {
	if len(may) == 0 {
		return "nothing of ours"
	}
	return strings.Join(may, ", ")
}

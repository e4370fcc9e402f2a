package archtest

import "testing"

// law is one rule of the house.
type law struct {
	name string
	// why is said with every violation.
	why string
	// broken lists the violations, each beginning with its place.
	broken func(*tree) []string
}

// laws is all of them that can be read from the source.
var laws = []law{
	{"who may import whom",
		"a package that knows only its row of the table can be read, tested and replaced alone", foreignImports},
	{"tests stay out of the sidecar",
		"what only tests need (testkit, bench, test) must not reach the shipped binary", testImports},
	{"one door per dependency",
		"a dependency that comes in by one package can be measured, replaced and audited there", otherDoors},
	{"no init",
		"what exists is listed in internal/app and in proxy/filter/chain.go; work done at import time is hidden, unordered and costs every start", initFunctions},
	{"no cgo",
		"the sidecar is one static file for scratch images and for three platforms", cgo},
	{"no templates, no methods by name",
		"text/template, html/template and reflect's MethodByName keep the linker from dropping unused methods: megabytes in every sidecar", lateBinding},
	{"package comments",
		"the package comment is the design note: what it is for, who calls it, what it must not do", undocumented},
	{"package names",
		"a package called util, common, types, helpers or manager says nothing and collects everything", vagueNames},
	{"file lengths",
		"a file is one idea: at most 800 lines, and one above 500 says in its first comment that it \"is long because\" of what", longFiles},
	{"gofmt",
		"one format, no discussion: run gofmt -w", unformatted},
	{"no sleeping in tests",
		"a test that waits by the clock is slow on a good day and flaky on a bad one: inject the clock, use testing/synctest, or wait for what you wait for", sleeps},
	{"leak checks",
		"a goroutine that outlives its test is a leak in the sidecar too: add func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }", withoutLeakCheck},
}

func TestLaws(t *testing.T) {
	module := readModule(t)
	for _, law := range laws {
		t.Run(law.name, func(t *testing.T) {
			for _, breach := range law.broken(module) {
				t.Errorf("%s\n\twhy: %s", breach, law.why)
			}
		})
	}
}

package main

import (
	"context"
	"os"
	"slices"

	"github.com/outrider-mesh/outrider/test/tools"
)

// suite is a part of the tests that reports on one line.
type suite struct {
	name  string
	needs []tools.Tool // without one of them it is skipped
	root  bool         // without root it is skipped
	run   func(context.Context, *session) tally
}

// suites are all of them, in order: what is quick to fail comes first.
var suites = []suite{
	{name: "lint", needs: tools.Lint, run: lint},
	{name: "laws", run: laws},
	{name: "builds", run: builds},
	{name: "unit", run: unit},
	{name: "race", needs: tools.Race, run: race},
	{name: "fuzz", run: fuzz},
	{name: "namespace", needs: tools.Namespaces, root: true, run: namespaces},
	{name: "e2e", needs: tools.EndToEnd, run: endToEnd},
	{name: "docs", needs: tools.Documents, run: documents},
	{name: "interop", run: interoperability},
	{name: "h2spec", needs: tools.Conformance, run: h2spec},
	{name: "demo", needs: tools.Demo, run: demonstration},
	{name: "bench", needs: tools.Bench, run: bench},
}

// Packages whose tests are suites of their own.
var (
	lawTests       = []string{"./internal/archtest"}
	namespaceTests = []string{"./test/netns", "./internal/testkit/netns"}
	endToEndTests  = []string{"./test/e2e"}
	documentTests  = []string{"./test/docs"}
	interopTests   = []string{"./test/interop"}
	demoTests      = []string{"./test/demo"}
)

func laws(ctx context.Context, s *session) tally { return s.goTest(ctx, nil, lawTests...) }

func unit(ctx context.Context, s *session) tally {
	packages, err := s.unitPackages(ctx)
	if err != nil {
		return failed("list the packages", err.Error())
	}
	return s.goTest(ctx, nil, packages...)
}

// race runs what unit runs under the race detector, and the tests of the whole binary against one that has it. Allocations and times mean
// nothing then; tests that read them skip themselves.
func race(ctx context.Context, s *session) tally {
	packages, err := s.unitPackages(ctx)
	if err != nil {
		return failed("list the packages", err.Error())
	}
	total := s.goTest(ctx, []string{"CGO_ENABLED=1"}, append([]string{"-race"}, packages...)...)
	total.add(s.goTest(ctx, []string{"OUTRIDER_E2E_RACE=1"}, slices.Concat([]string{"-count=1", "-skip=^TestH2spec$"}, endToEndTests, interopTests)...))
	return total
}

func namespaces(ctx context.Context, s *session) tally {
	return s.goTest(ctx, nil, append([]string{"-count=1", "-p=1"}, namespaceTests...)...)
}

func endToEnd(ctx context.Context, s *session) tally {
	return s.goTest(ctx, nil, append([]string{"-count=1"}, endToEndTests...)...)
}

// documents runs what the documentation shows, and holds its tables against the code.
func documents(ctx context.Context, s *session) tally {
	return s.goTest(ctx, nil, append([]string{"-count=1"}, documentTests...)...)
}

// interoperability is others' clients and servers through the binary.
func interoperability(ctx context.Context, s *session) tally {
	return s.goTest(ctx, nil, append([]string{"-count=1", "-skip=^TestH2spec$"}, interopTests...)...)
}

// demonstration runs what `make demo` runs, both ways, and what becomes of a demo that is interrupted or killed.
func demonstration(ctx context.Context, s *session) tally {
	total := demo(ctx, s)
	total.add(s.goTest(ctx, nil, append([]string{"-count=1"}, demoTests...)...))
	return total
}

// unitPackages are all packages that are no suite of their own.
func (s *session) unitPackages(ctx context.Context) ([]string, error) {
	all, err := s.goList(ctx, "./...")
	if err != nil {
		return nil, err
	}
	own, err := s.goList(ctx, slices.Concat(lawTests, namespaceTests, endToEndTests, documentTests, interopTests, demoTests)...)
	return slices.DeleteFunc(all, func(p string) bool { return slices.Contains(own, p) }), err
}

func isRoot() bool { return os.Geteuid() == 0 }

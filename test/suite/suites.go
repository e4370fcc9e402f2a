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
	{name: "demo", needs: tools.Demo, run: demo},
	{name: "bench", needs: tools.Bench, run: bench},
}

// Packages whose tests are suites of their own.
var (
	lawTests       = []string{"./internal/archtest"}
	namespaceTests = []string{"./test/netns", "./internal/testkit/netns"}
	endToEndTests  = []string{"./test/e2e"}
)

func laws(ctx context.Context, s *session) tally { return s.goTest(ctx, nil, lawTests...) }

func unit(ctx context.Context, s *session) tally {
	packages, err := s.unitPackages(ctx)
	if err != nil {
		return failed("list the packages", err.Error())
	}
	return s.goTest(ctx, nil, packages...)
}

// race runs what unit runs. Its counts of allocations and times mean nothing; tests that read them skip themselves.
func race(ctx context.Context, s *session) tally {
	packages, err := s.unitPackages(ctx)
	if err != nil {
		return failed("list the packages", err.Error())
	}
	return s.goTest(ctx, []string{"CGO_ENABLED=1"}, append([]string{"-race"}, packages...)...)
}

func namespaces(ctx context.Context, s *session) tally {
	return s.goTest(ctx, nil, append([]string{"-count=1"}, namespaceTests...)...)
}

func endToEnd(ctx context.Context, s *session) tally {
	return s.goTest(ctx, nil, append([]string{"-count=1"}, endToEndTests...)...)
}

// unitPackages are all packages that are no suite of their own.
func (s *session) unitPackages(ctx context.Context) ([]string, error) {
	all, err := s.goList(ctx, "./...")
	if err != nil {
		return nil, err
	}
	own, err := s.goList(ctx, slices.Concat(lawTests, namespaceTests, endToEndTests)...)
	return slices.DeleteFunc(all, func(p string) bool { return slices.Contains(own, p) }), err
}

func isRoot() bool { return os.Geteuid() == 0 }

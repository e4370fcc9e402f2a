package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// h2spec counts the cases of h2spec themselves, each once before an HTTP/2 and once before an HTTP/1 app.
func h2spec(ctx context.Context, s *session) tally {
	args := slices.Concat([]string{"test", "-v", "-count=1", "-timeout=12m", "-run=^TestH2spec$"}, interopTests)
	output, err := s.command(ctx, nil, "go", args...).CombinedOutput()
	t, runs := countH2spec(output)
	fmt.Fprint(s.out, runs)
	if err != nil || t.passed+t.failed+t.skipped == 0 {
		broken := failed("h2spec", fmt.Sprintf("%s\n%v", tail(output, 60), err))
		broken.failed = max(1, t.failed) // its cases, where it came to them
		broken.passed, broken.skipped = t.passed, t.skipped
		return broken
	}
	return t
}

// summary is the line that h2spec ends a run with, as the test repeats it.
var summary = regexp.MustCompile(`h2spec before ([^:\n]*): (\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed`)

// countH2spec adds up the runs and lists them, indented. A case that h2spec skips is one left out.
func countH2spec(output []byte) (t tally, runs string) {
	for _, m := range summary.FindAllSubmatch(output, -1) {
		number := func(i int) int { n, _ := strconv.Atoi(string(m[i])); return n } // it is digits
		t.passed += number(3)
		t.skipped += number(4)
		t.failed += number(5)
		if number(4) > 0 {
			t.leftOut = append(t.leftOut, fmt.Sprintf("h2spec before %s: %s of its cases, by its own choice", m[1], m[4]))
		}
		runs += fmt.Sprintf("\n%s%s", "        ", m[0])
	}
	if runs != "" {
		runs += "\n                  " // the counts of the suite follow in their column
	}
	return t, runs
}

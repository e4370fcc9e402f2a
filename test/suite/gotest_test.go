package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/outrider-mesh/outrider/test/tools"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWhatGoTestSaysIsCounted(t *testing.T) {
	for name, test := range map[string]struct {
		says string
		want tally
	}{
		"top-level tests count, subtests do not": {`
{"Action":"pass","Package":"p","Test":"TestA/one"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}`, tally{passed: 1}},
		"a skipped test says why": {`
{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:5: NOT TESTED: needs root\n"}
{"Action":"skip","Package":"p","Test":"TestA"}`, tally{skipped: 1, leftOut: []string{"p TestA: a_test.go:5: NOT TESTED: needs root"}}},
		"a failed test shows what it and its subtests said, and its package does not count again": {`
{"Action":"output","Package":"p","Test":"TestA/one","Output":"a_test.go:5: wrong\n"}
{"Action":"fail","Package":"p","Test":"TestA/one"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}`, tally{failed: 1, failures: []string{"p TestA:\n    a_test.go:5: wrong"}}},
		"a leak found by TestMain is a failure": {`
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"goleak: found unexpected goroutines\n"}
{"Action":"fail","Package":"p"}`, tally{passed: 1, failed: 1, failures: []string{"p:\n    goleak: found unexpected goroutines"}}},
	} {
		t.Run(name, func(t *testing.T) {
			c := counter{said: map[string]*bytes.Buffer{}, failedIn: map[string]bool{}}
			c.read(strings.NewReader(test.says))
			if c.total.passed != test.want.passed || c.total.failed != test.want.failed || c.total.skipped != test.want.skipped ||
				!slices.Equal(c.total.leftOut, test.want.leftOut) || !slices.Equal(c.total.failures, test.want.failures) {
				t.Errorf("%+v, want %+v", c.total, test.want)
			}
		})
	}
}

func TestAFailedTestWithoutOutputIsCounted(t *testing.T) {
	c := counter{said: map[string]*bytes.Buffer{}, failedIn: map[string]bool{}}
	c.read(strings.NewReader(`{"Action":"fail","Package":"p","Test":"TestA"}`))
	if c.total.failed != 1 {
		t.Errorf("%+v", c.total)
	}
}

func TestASuiteWithoutItsToolIsLeftOut(t *testing.T) {
	absent := tools.Tool{Program: "no-such-program", Package: "p"}
	var out bytes.Buffer
	s := session{out: &out, lacking: []tools.Tool{absent}}
	total := s.runAll(t.Context(), []suite{{name: "demo", needs: []tools.Tool{absent}}})
	if code := s.report(total); code != 0 || total.skipped != 1 {
		t.Errorf("exit code %d, %+v", code, total)
	}
	if !strings.Contains(out.String(), "no-such-program is not installed") || !strings.HasSuffix(out.String(), "\n0 passed, 0 failed, 1 skipped\n") {
		t.Errorf("it says:\n%s", &out)
	}
}

func TestSuitesAreChosenByName(t *testing.T) {
	if _, err := choose("lint,unit"); err != nil {
		t.Error(err)
	}
	if chosen, err := choose(""); err != nil || len(chosen) != len(suites) {
		t.Errorf("%d of %d suites, %v", len(chosen), len(suites), err)
	}
	if _, err := choose("lnt"); err == nil || !strings.Contains(err.Error(), "lint") {
		t.Errorf("a wrong name: %v", err)
	}
}

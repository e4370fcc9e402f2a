package main

import "testing"

func TestTheCasesOfH2specAreCounted(t *testing.T) {
	said := `=== RUN   TestH2spec
    h2spec_test.go:53: h2spec before an HTTP/2 app: 147 tests, 147 passed, 0 skipped, 0 failed
    h2spec_test.go:53: h2spec before an HTTP/1 app: 147 tests, 145 passed, 1 skipped, 1 failed
`
	got, runs := countH2spec([]byte(said))
	if got.passed != 292 || got.skipped != 1 || got.failed != 1 || len(got.leftOut) != 1 {
		t.Errorf("%+v", got)
	}
	if runs == "" {
		t.Error("the runs are not listed")
	}
	if got, runs := countH2spec([]byte("--- SKIP: TestH2spec")); got.passed+got.failed+got.skipped != 0 || runs != "" {
		t.Errorf("without a run: %+v %q", got, runs)
	}
}

package main

import (
	"context"
	"strings"
)

func lint(ctx context.Context, s *session) (t tally) {
	output, err := s.command(ctx, nil, "git", "ls-files", "--cached", "--others", "--exclude-standard", "*.go").Output()
	if err != nil {
		return failed("git ls-files", err.Error())
	}
	output, err = s.command(ctx, nil, "gofmt", append([]string{"-l"}, strings.Fields(string(output))...)...).CombinedOutput()
	if err != nil || len(output) > 0 {
		t.add(failed("gofmt: not formatted", string(output)))
	} else {
		t.add(passed())
	}
	t.add(s.check(ctx, nil, "go", "vet", "./..."))
	t.add(s.check(ctx, nil, "staticcheck", "./..."))
	return t
}

// platforms are those that Outrider is built for. The last is for laptops: direct mode alone.
var platforms = [][2]string{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "arm64"}}

func builds(ctx context.Context, s *session) (t tally) {
	for _, p := range platforms {
		t.add(s.check(ctx, []string{"CGO_ENABLED=0", "GOOS=" + p[0], "GOARCH=" + p[1]}, "go", "build", "-trimpath", "-tags", "grpcnotrace", "-o", "/dev/null", "./cmd/outrider"))
	}
	return t
}

// fuzz runs each target for a short while. Seeds and kept corpora run with the unit tests.
func fuzz(ctx context.Context, s *session) (t tally) {
	packages, err := s.goList(ctx, "./...")
	if err != nil {
		return failed("list the packages", err.Error())
	}
	for _, pkg := range packages {
		output, err := s.command(ctx, nil, "go", "test", "-list", "^Fuzz", pkg).Output()
		if err != nil {
			t.add(failed("list fuzz targets of "+pkg, string(output)+err.Error()))
			continue
		}
		for target := range strings.FieldsSeq(string(output)) {
			if strings.HasPrefix(target, "Fuzz") && ctx.Err() == nil {
				t.add(s.fuzzTarget(ctx, pkg, target))
			}
		}
	}
	return t
}

// fuzzTarget runs one target. Go's fuzzer at times reports the end of its own time as a failure, without an input; that is none.
func (s *session) fuzzTarget(ctx context.Context, pkg, target string) tally {
	t := s.check(ctx, nil, "go", "test", "-run=^$", "-fuzz=^"+target+"$", "-fuzztime="+s.fuzzTime.String(), pkg)
	for _, failure := range t.failures {
		if strings.Contains(failure, "context deadline exceeded") && !strings.Contains(failure, "Failing input") && ctx.Err() == nil {
			return passed()
		}
	}
	return t
}

// demo runs it with interception, and in direct mode.
func demo(ctx context.Context, s *session) (t tally) {
	t.add(s.check(ctx, nil, "make", "--no-print-directory", "demo"))
	if !isRoot() {
		t.add(skipped("demo: with real interception, needs root"))
		return t
	}
	t.add(s.check(ctx, nil, "bin/demo", "-outrider", "bin/outrider", "-documents", "examples/guide", "-direct"))
	return t
}

// bench sees that the benchmark runs. Its figures mean nothing on a machine that is busy with tests.
func bench(ctx context.Context, s *session) tally {
	if t := s.check(ctx, nil, "make", "--no-print-directory", "build"); t.failed > 0 {
		return t
	}
	return s.check(ctx, nil, "go", "run", "./bench", "compare", "-smoke")
}

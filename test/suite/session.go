package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/outrider-mesh/outrider/test/tools"
)

// session is one run of the suites.
type session struct {
	out      io.Writer
	env      []string // of every program that a suite runs
	lacking  []tools.Tool
	fuzzTime time.Duration
}

// tally is what came of a suite.
type tally struct {
	passed, failed, skipped int
	leftOut                 []string // why, for each thing skipped
	failures                []string // what to read, for each thing failed
}

func (t *tally) add(o tally) {
	t.passed += o.passed
	t.failed += o.failed
	t.skipped += o.skipped
	t.leftOut = append(t.leftOut, o.leftOut...)
	t.failures = append(t.failures, o.failures...)
}

func passed() tally { return tally{passed: 1} }

func failed(what, why string) tally {
	return tally{failed: 1, failures: []string{what + ":\n" + indent(why)}}
}

func skipped(why string) tally { return tally{skipped: 1, leftOut: []string{why}} }

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")
}

func (s *session) runAll(ctx context.Context, chosen []suite) (total tally) {
	for i, suite := range chosen {
		if ctx.Err() != nil {
			total.add(failed(suite.name, "interrupted"))
			break
		}
		fmt.Fprintf(s.out, "[%2d/%d] %-10s", i+1, len(chosen), suite.name)
		began := time.Now()
		result := s.runOne(ctx, suite)
		fmt.Fprintf(s.out, "%5d passed, %d failed, %d skipped  %6.1f s\n", result.passed, result.failed, result.skipped, time.Since(began).Seconds())
		for _, failure := range result.failures {
			fmt.Fprintln(s.out, failure)
		}
		total.add(result)
	}
	return total
}

func (s *session) runOne(ctx context.Context, suite suite) tally {
	if suite.root && !isRoot() {
		return skipped(suite.name + ": needs root")
	}
	for _, need := range suite.needs {
		for _, lacking := range s.lacking {
			if need == lacking {
				return skipped(suite.name + ": " + need.Program + " is not installed")
			}
		}
	}
	return suite.run(ctx, s)
}

// report prints the end and returns the exit code.
func (s *session) report(total tally) int {
	if len(total.leftOut) > 0 {
		fmt.Fprintln(s.out, "\nleft out:")
		for _, why := range total.leftOut {
			fmt.Fprintln(s.out, "  "+why)
		}
	}
	fmt.Fprintf(s.out, "\n%d passed, %d failed, %d skipped\n", total.passed, total.failed, total.skipped)
	if total.failed > 0 {
		return 1
	}
	return 0
}

// command is a program run in the project's top folder. Interrupted, it is asked to end before it is killed.
func (s *session) command(ctx context.Context, env []string, program string, args ...string) *exec.Cmd {
	path := program
	if found, err := tools.Find(program); err == nil {
		path = found
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(append([]string{}, s.env...), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(interrupt) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// check is a program that passes if it succeeds.
func (s *session) check(ctx context.Context, env []string, command ...string) tally {
	output, err := s.command(ctx, env, command[0], command[1:]...).CombinedOutput()
	if err != nil {
		return failed(strings.Join(append(env, command...), " "), tail(output, 60)+"\n"+err.Error())
	}
	return passed()
}

// tail is the last lines of a text.
func tail(text []byte, lines int) string {
	all := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}

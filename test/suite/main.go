// Command suite runs every test of the project, as `make test` does, on a machine that has Go, git and make.
//
//	suite                 everything
//	suite -only lint      one suite, or several separated by commas
//	suite -only tools     none: only get the tools
//
// It first gets the tools that the tests need (package tools), then runs suite after suite (suites.go), a line each, and
// ends with a line of counts. Every suite sees a PATH that holds the tools of the list alone. What cannot run here
// (no root, a tool that cannot be had) is skipped and named. Exit code 0 if nothing failed, 1 if something did, 2 for a wrong
// command line.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/outrider-mesh/outrider/test/tools"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, out io.Writer) int {
	flags := flag.NewFlagSet("suite", flag.ContinueOnError)
	only := flags.String("only", "", "`suites` to run, separated by commas: "+strings.Join(names(), ", "))
	fuzzTime := flags.Duration("fuzztime", 3*time.Second, "how long each fuzz target runs")
	if flags.Parse(args) != nil {
		return 2
	}
	chosen, err := choose(*only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "suite:", err)
		return 2
	}
	lacking, err := tools.Install(ctx, out, tools.All())
	if err != nil {
		fmt.Fprintln(out, "tools:", err)
	}
	if *only == onlyTools {
		return 0 // whoever needs one that could not be had will name it
	}
	describe(out)
	path, err := toolFolder()
	if err != nil {
		fmt.Fprintln(os.Stderr, "suite:", err)
		return 1
	}
	defer os.RemoveAll(path)
	s := session{out: out, fuzzTime: *fuzzTime, lacking: lacking, env: append(os.Environ(), "PATH="+path)}
	return s.report(s.runAll(ctx, chosen))
}

func describe(out io.Writer) {
	user := "as root"
	if os.Geteuid() != 0 {
		user = "not as root: tests that need it are left out"
	}
	fmt.Fprintf(out, "%s %s/%s, %d processors, %s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), user)
}

// toolFolder makes the folder that is the PATH of every suite. Any user may look into it: tests run programs as others.
func toolFolder() (string, error) {
	folder, err := os.MkdirTemp("", "outrider-tools-")
	if err == nil {
		err = os.Chmod(folder, 0o755)
	}
	if err == nil {
		err = tools.Path(folder, tools.All())
	}
	return folder, err
}

// onlyTools gets the tools and runs nothing.
const onlyTools = "tools"

func names() []string {
	var names []string
	for _, s := range suites {
		names = append(names, s.name)
	}
	return names
}

func choose(only string) ([]suite, error) {
	if only == "" {
		return suites, nil
	}
	if only == onlyTools {
		return nil, nil
	}
	var chosen []suite
	for name := range strings.SplitSeq(only, ",") {
		i := slices.Index(names(), name)
		if i < 0 {
			return nil, fmt.Errorf("no suite %q; there are %s", name, strings.Join(names(), ", "))
		}
		chosen = append(chosen, suites[i])
	}
	return chosen, nil
}

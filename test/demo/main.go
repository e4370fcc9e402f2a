//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/outrider-mesh/outrider/test/tools"
)

// options are the command line; the stage gets them unchanged.
type options struct {
	outrider  string // the binary
	documents string // the folder of the guide's mesh
	step      string // the only step to take; "" is all
	keep      bool   // leave it running until Ctrl-C
	direct    bool   // on loopback, without interception
	folder    string // where the stage puts its files; set by the first process
}

// Exit codes beside 0: a promise broken, wrong usage, a machine that cannot run it, Ctrl-C.
const (
	exitBroken      = 1
	exitUsage       = 2
	exitEnvironment = 3
	exitInterrupted = 130
)

func main() {
	// What is started dies with the thread that started it, so this thread must live as long as the process.
	runtime.LockOSThread()
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "front":
			os.Exit(runFront(os.Args[2:]))
		case "user":
			os.Exit(runUser(os.Args[2:]))
		case "greeter":
			os.Exit(runGreeter(os.Args[2:]))
		case "database":
			os.Exit(runDatabase(os.Args[2:]))
		case "stage":
			o, code := parse(os.Args[2:])
			if code == 0 {
				code = runStage(o)
			}
			os.Exit(code)
		}
	}
	o, code := parse(os.Args[1:])
	if code == 0 {
		code = perform(o)
	}
	os.Exit(code)
}

func parse(args []string) (o options, code int) {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.StringVar(&o.outrider, "outrider", "bin/outrider", "the `binary` to show")
	flags.StringVar(&o.documents, "documents", "examples/guide", "`folder` of the mesh documents")
	flags.StringVar(&o.step, "step", "", "take one `step` alone: "+strings.Join(stepNames(), ", "))
	flags.BoolVar(&o.keep, "keep", false, "leave it running and say what to try")
	flags.BoolVar(&o.direct, "direct", false, "run on loopback in direct mode, as without root")
	flags.StringVar(&o.folder, "folder", "", "for the demo's own use")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return o, exitUsage
	case err != nil:
		return o, exitUsage
	case o.step != "" && !slices.Contains(stepNames(), o.step):
		fmt.Fprintf(os.Stderr, "demo: no step %q; there are %s\n", o.step, strings.Join(stepNames(), ", "))
		return o, exitUsage
	}
	for _, path := range []*string{&o.outrider, &o.documents} {
		absolute, err := filepath.Abs(*path)
		if err == nil {
			_, err = os.Stat(absolute)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "demo:", err)
			return o, exitUsage
		}
		*path = absolute
	}
	return o, 0
}

// perform is the process that the user started: it sees to tools, starts the stage, and outlives it.
func perform(o options) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if !o.direct {
		if err := namespacesMissing(); err != nil {
			fmt.Printf("%v: the same runs on loopback in direct mode, without interception\n", err)
			o.direct = true
		}
	}
	if lacking, err := tools.Install(ctx, os.Stdout, needs(o)); len(lacking) > 0 {
		fmt.Fprintf(os.Stderr, "demo: %s is missing: %v\n", lacking[0].Program, err)
		return exitEnvironment
	}
	if err := makeFolder(&o); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		return exitEnvironment
	}
	if o.direct {
		defer os.RemoveAll(o.folder)
	}
	return supervise(ctx, o)
}

func needs(o options) []tools.Tool {
	if !o.direct {
		return tools.Demo
	}
	for _, tool := range tools.Demo {
		if tool.Program == "curl" {
			return []tools.Tool{tool}
		}
	}
	return nil
}

// namespacesMissing says why there is no interception, or nil.
func namespacesMissing() error {
	if os.Geteuid() != 0 {
		return errors.New("not root")
	}
	try := exec.Command("/proc/self/exe", "-step", "?")
	try.SysProcAttr = isolation()
	var exit *exec.ExitError
	if err := try.Run(); err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("this kernel or container grants no namespaces (%w)", err)
	}
	return nil
}

func isolation() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// makeFolder: isolated, the files lie in a private /run.
func makeFolder(o *options) (err error) {
	o.folder = "/run/demo"
	if o.direct {
		o.folder, err = os.MkdirTemp("", "outrider-demo-")
	}
	return err
}

// supervise runs the stage to its end. The stage is told of this process's end by the end of its standard input.
func supervise(ctx context.Context, o options) int {
	args := []string{"stage", "-outrider", o.outrider, "-documents", o.documents, "-step", o.step, "-folder", o.folder,
		fmt.Sprintf("-keep=%t", o.keep), fmt.Sprintf("-direct=%t", o.direct)}
	stage := exec.Command("/proc/self/exe", args...)
	stage.Stdout, stage.Stderr = os.Stdout, os.Stderr
	stage.SysProcAttr = isolation()
	if o.direct { // it cleans up itself when this process is killed
		stage.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	}
	lifeline, err := stage.StdinPipe()
	if err == nil {
		err = stage.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo: starting the stage:", err)
		return exitEnvironment
	}
	done := make(chan error, 1)
	go func() { done <- stage.Wait() }()
	select {
	case err = <-done:
	case <-ctx.Done():
		lifeline.Close()
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			_ = stage.Process.Kill() // it may have ended meanwhile
			<-done
		}
		fmt.Println("\ninterrupted: everything that was made is removed")
		if o.keep {
			return 0
		}
		return exitInterrupted
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(exit.ExitCode(), exitBroken) // -1 for a killed stage
	}
	return 0
}

package app

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
)

// Exit codes of all subcommands.
const (
	ExitFine        = 0
	ExitFindings    = 1 // the documents, or what was asked, are not fine
	ExitUsage       = 2
	ExitEnvironment = 3 // a port is taken, a privilege or a program is missing
)

// Process is what the process was given.
type Process struct {
	Args           []string // without the program's name
	Environ        []string
	Stdout, Stderr io.Writer
}

// Getenv looks a variable up.
func (p *Process) Getenv(name string) string {
	for _, kv := range p.Environ {
		if k, v, ok := strings.Cut(kv, "="); ok && k == name {
			return v
		}
	}
	return ""
}

const usage = `outrider is a sidecar data plane that runs App Mesh definitions.

usage:
  before the switch
    outrider validate [flags] PATH...   is anything wrong in the documents?
    outrider check [flags]              what would change with the image?
    outrider explain [flags] 'GET http://host:port/path' [-H 'name: value']...
                                        what would happen to a request, and why?
    outrider diff [flags] A B           what changes for traffic from A to B?
    outrider export --format FORM PATH...
                                        print documents in another form
    outrider schema [KIND]              print the JSON Schema of documents

  in the task
    outrider run [flags]                start the sidecar
    outrider health [--wait 180s]       exit 0 when the sidecar is LIVE
    outrider iptables print|apply|verify|remove [flags]
                                        redirect traffic to the sidecar
    outrider doctor [flags]             which way in works here, what is wrong?
    outrider version

outrider COMMAND --help says more.
exit codes: 0 fine, 1 findings, 2 usage, 3 environment
`

// Main runs a subcommand and gives the exit code.
func Main(ctx context.Context, p *Process) int {
	name, args := "", p.Args
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	switch name {
	case "run":
		return run(ctx, p, args)
	case "validate":
		return validate(p, args)
	case "export":
		return export(p, args)
	case "schema":
		return schema(p, args)
	case "explain":
		return explainCommand(ctx, p, args)
	case "diff":
		return diffCommand(p, args)
	case "check":
		return checkSwitch(p, args)
	case "health":
		return health(ctx, p, args)
	case "iptables":
		return iptablesCommand(ctx, p, args)
	case "doctor":
		return doctorCommand(ctx, p, args)
	case "version", "--version":
		fmt.Fprintf(p.Stdout, "outrider %s %s %s/%s\n", Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return ExitFine
	case "help", "--help", "-h":
		fmt.Fprint(p.Stdout, usage)
		return ExitFine
	case "":
		fmt.Fprint(p.Stderr, usage)
		return ExitUsage
	}
	fmt.Fprintf(p.Stderr, "outrider: no such command %q\n\n%s", name, usage)
	return ExitUsage
}

// Version is the version the binary was built from.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

// newFlags are a subcommand's flags; usage is the line above them in its help.
func newFlags(usage string) *flag.FlagSet {
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	fs.Usage = func() {
		fmt.Fprintln(fs.Output(), usage)
		fs.PrintDefaults()
	}
	return fs
}

// parseFlags parses a subcommand's flags wherever they stand and gives what
// else there is; after "--" nothing is a flag. done says that the exit code is
// settled: help was asked for, and went to stdout, or the flags are wrong.
func parseFlags(p *Process, fs *flag.FlagSet, args []string) (rest []string, code int, done bool) {
	var told bytes.Buffer
	fs.SetOutput(&told)
	defer fs.SetOutput(p.Stderr)
	for {
		switch err := fs.Parse(args); {
		case errors.Is(err, flag.ErrHelp):
			told.WriteTo(p.Stdout)
			return nil, ExitFine, true
		case err != nil:
			told.WriteTo(p.Stderr)
			return nil, ExitUsage, true
		}
		left := fs.Args()
		if taken := len(args) - len(left); taken > 0 && args[taken-1] == "--" {
			return append(rest, left...), ExitFine, false
		}
		if len(left) == 0 {
			return rest, ExitFine, false
		}
		rest, args = append(rest, left[0]), left[1:]
	}
}

// OS is the process as the operating system started it.
func OS() *Process {
	return &Process{Args: os.Args[1:], Environ: os.Environ(), Stdout: os.Stdout, Stderr: os.Stderr}
}

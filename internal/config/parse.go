package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// ErrHelp is returned when -h or --help was given: print RunUsage, exit 0.
var ErrHelp = flag.ErrHelp

// UsageError is what keeps a process from being started as it was told to:
// exit code 2.
type UsageError struct {
	// Problems are sentences without an end, one for each mistake, in order.
	Problems []string
}

// Error gives one problem per line.
func (e *UsageError) Error() string { return strings.Join(e.Problems, "\n") }

// ParseRun reads the arguments after `outrider run` and an environment in the
// form of os.Environ. Warnings are also returned beside an error. The error is
// ErrHelp or a *UsageError.
func ParseRun(args, environ []string) (*Run, []Warning, error) {
	p := &parser{run: defaults(), env: variables(environ)}
	given, err := readFlags(args)
	if errors.Is(err, ErrHelp) {
		return nil, nil, err
	}
	if err != nil {
		p.problem("%v", err)
	}
	if _, ok := given["version"]; ok {
		p.run.Version = true
		return p.run, nil, p.err()
	}
	p.readAppMesh()
	p.readOwn(given)
	p.settleDocuments()
	p.settleResource()
	p.settleAdmin()
	p.check()
	p.warnUnknown()
	return p.run, p.warnings, p.err()
}

// parser gathers what is said. Later levels overwrite earlier ones.
type parser struct {
	run   *Run
	env   map[string]string
	admin adminWish
	// named is set once a resource was given, well or badly written.
	named    bool
	problems []string
	warnings []Warning
}

func (p *parser) problem(format string, args ...any) {
	p.problems = append(p.problems, fmt.Sprintf(format, args...))
}

func (p *parser) warn(severity mesh.Severity, variable, format string, args ...any) {
	p.warnings = append(p.warnings, Warning{severity, variable, fmt.Sprintf(format, args...)})
}

func (p *parser) err() error {
	if len(p.problems) == 0 {
		return nil
	}
	return &UsageError{p.problems}
}

// variables keeps what is set to something. The first of two equal names
// counts, as in os.Getenv.
func variables(environ []string) map[string]string {
	env := make(map[string]string, len(environ))
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if _, twice := env[name]; !twice && value != "" {
			env[name] = value
		}
	}
	return env
}

// readFlags gives the text of every flag by name; several of one flag are
// joined where the flag may be repeated, else the last counts.
func readFlags(args []string) (map[string]string, error) {
	given := make(map[string]string)
	set := flag.NewFlagSet("outrider run", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	for _, s := range settings {
		take := func(text string) error {
			if before, ok := given[s.flag]; ok && s.join != "" {
				text = before + s.join + text
			}
			given[s.flag] = text
			return nil
		}
		if s.arg == "" {
			set.BoolFunc(s.flag, s.help, take)
		} else {
			set.Func(s.flag, s.help, take)
		}
	}
	set.BoolFunc("version", "", func(string) error { given["version"] = ""; return nil })
	if err := set.Parse(args); err != nil {
		return given, flagError(err)
	}
	if set.NArg() > 0 {
		return given, fmt.Errorf("unexpected argument %q: everything is a flag here (see outrider run --help)", set.Arg(0))
	}
	return given, nil
}

// flagError says which flag may have been meant.
func flagError(err error) error {
	name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return err
	}
	var names []string
	for _, s := range settings {
		names = append(names, s.flag)
	}
	if near := mesh.Nearest(name, names); near != "" {
		return fmt.Errorf("no such flag --%s: did you mean --%s?", name, near)
	}
	return fmt.Errorf("no such flag --%s (see outrider run --help)", name)
}

func (p *parser) readAppMesh() {
	for _, v := range appMesh {
		if text, ok := p.env[v.name]; ok {
			v.read(p, text)
		}
	}
}

func (p *parser) readOwn(given map[string]string) {
	for _, s := range settings {
		p.readSetting(s, given)
	}
	if text := p.env[inlineVariable]; text != "" {
		p.run.Documents.Inline = Value[string]{text, inlineVariable}
	}
	if n := p.env["GOMAXPROCS"]; n != "" && p.run.Runtime.Procs.V == 0 {
		// The runtime has read it already; it only must not be overwritten.
		if procs, err := integer(1, maxProcs)(n); err == nil {
			p.run.Runtime.Procs = Value[int]{procs, "GOMAXPROCS"}
		}
	}
	if limit := p.env["GOMEMLIMIT"]; limit != "" {
		p.run.Runtime.MemLimit = Value[string]{limit, "GOMEMLIMIT"}
	}
}

// readSetting takes a setting's variable, and over it its flag.
func (p *parser) readSetting(s setting, given map[string]string) {
	if text := p.env[s.variable()]; text != "" {
		p.set(s, text, s.variable())
	}
	if text, ok := given[s.flag]; ok {
		p.set(s, text, "--"+s.flag)
	}
}

func (p *parser) set(s setting, text, from string) {
	switch err := s.set(p, text, from); {
	case err != nil && s.private:
		p.problem("%s: %v", from, err)
	case err != nil:
		p.problem("%s %q: %v", from, text, err)
	}
}

// settleDocuments drops the default path when the documents came inline.
func (p *parser) settleDocuments() {
	docs := &p.run.Documents
	if docs.Inline.From != "" && docs.Paths.From == fromDefault {
		docs.Paths = Value[[]string]{}
	}
}

func (p *parser) settleResource() {
	r := &p.run.Resource
	if r.Name.From == "" && !p.named {
		p.problem("no resource: say which virtual node this sidecar stands for, by --node mesh/MESH/virtualNode/NODE or APPMESH_RESOURCE_ARN")
	}
	if r.Cluster.From == "" {
		r.Cluster = Value[string]{r.NodeID.V, fromDefault + ": the resource"}
	}
}

// check finds what is wrong or odd only in combination.
func (p *parser) check() {
	var tracers []string
	for _, name := range []string{"ENABLE_ENVOY_XRAY_TRACING", "ENABLE_ENVOY_DATADOG_TRACING", "ENABLE_ENVOY_JAEGER_TRACING"} {
		if p.on(name) {
			tracers = append(tracers, name)
		}
	}
	if len(tracers) > 1 {
		p.problem("%s: one tracer at most (App Mesh refused to start, too)", strings.Join(tracers, ", "))
	}
	p.run.HTTP2.check(p)
	if p.run.Resource.Name.V.Kind == mesh.VirtualGateway {
		p.checkGateway()
		return
	}
	for _, addr := range p.run.Listen.Egress.V {
		if !addr.Addr().IsLoopback() {
			p.warn(mesh.Warning, p.run.Listen.Egress.From, "%s is not loopback: intercepted connections arrive on loopback, and other peers are not served on the egress port", addr)
		}
	}
	own := p.run.Listen.Ingress.V
	for _, addr := range p.run.Listen.Egress.V {
		if addr.Port() != 0 && slices.ContainsFunc(own, func(a netip.AddrPort) bool { return overlap(a, addr) }) {
			p.problem("%s and %s: both want %s", p.run.Listen.Ingress.From, p.run.Listen.Egress.From, addr)
		}
	}
}

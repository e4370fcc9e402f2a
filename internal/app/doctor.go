package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/outrider-mesh/outrider/internal/appmesh"
	"github.com/outrider-mesh/outrider/internal/config"
	"github.com/outrider-mesh/outrider/internal/doctor"
	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/terminal"
	"github.com/outrider-mesh/outrider/iptables"
)

const doctorUsage = `usage: outrider doctor [--mesh PATHS --node RESOURCE] [--admin ADDRS] [iptables flags] [--format text|json]

says which way into the sidecar works here, and what stands in the way; changes nothing`

// diagnosis is what `outrider doctor` was asked.
type diagnosis struct {
	paths  *[]string // of documents
	node   string
	admin  string
	checks appmesh.Checks
	rules  iptables.Flags
	format string
	given  map[string]bool // flags that were given
	apply  string
}

// doctorCommand examines the place it runs in: exit code 1 if something is wrong.
func doctorCommand(ctx context.Context, p *Process, args []string) int {
	d, code, done := parseDiagnosis(p, args)
	if done {
		return code
	}
	patient, err := d.patient(p)
	switch {
	case errors.Is(err, errUnreadable), errors.As(err, new(*fs.PathError)):
		fmt.Fprintln(p.Stderr, "outrider doctor:", err)
		return ExitEnvironment
	case errors.Is(err, errNobody):
		fmt.Fprintln(p.Stderr, "outrider doctor:", err)
		return ExitFindings
	case err != nil:
		fmt.Fprintln(p.Stderr, "outrider doctor:", err)
		return ExitUsage
	}
	return d.report(p, doctor.Examine(ctx, doctor.ThisMachine(), patient))
}

// parseDiagnosis takes the flags; done says that the exit code is settled.
func parseDiagnosis(p *Process, args []string) (d *diagnosis, code int, done bool) {
	d = &diagnosis{given: map[string]bool{}}
	fs := newFlags(doctorUsage)
	d.paths = pathsFlag(fs, "mesh", "documents, if not those that the sidecar's variables here name")
	fs.StringVar(&d.node, "node", "", "what the sidecar stands for: `RESOURCE` mesh/M/virtualNode/N, or its name alone (as the variables here say, or the only one)")
	d.checks = documentFlags(fs)
	fs.StringVar(&d.admin, "admin", "", "`ADDRS` of the admin page as outrider run takes them (as the variables here say)")
	d.rules.Register(fs)
	fs.StringVar(&d.format, "format", "text", "text or json")
	rest, code, done := parseFlags(p, fs, args)
	switch {
	case done:
		return nil, code, true
	case len(rest) > 0 || d.format != "text" && d.format != "json":
		fs.Usage()
		return nil, ExitUsage, true
	}
	fs.Visit(func(f *flag.Flag) { d.given[f.Name] = true })
	d.apply = applyCommand(fs)
	return d, 0, false
}

func (d *diagnosis) report(p *Process, findings []doctor.Finding) int {
	var err error
	if d.format == "json" {
		err = doctor.WriteJSON(p.Stdout, findings)
	} else {
		err = doctor.WriteText(terminal.New(p.Stdout, p.Getenv), findings)
	}
	switch {
	case err != nil:
		return ExitEnvironment
	case doctor.Worst(findings) == doctor.Wrong:
		return ExitFindings
	}
	return ExitFine
}

// patient reads flags, environment and documents. The error is about the flags.
func (d *diagnosis) patient(p *Process) (doctor.Patient, error) {
	rules, err := d.rules.Config(p.Getenv)
	if err != nil {
		return doctor.Patient{}, err
	}
	patient := doctor.Patient{Rules: rules, RulesAsked: d.rulesAsked(), Apply: d.apply}
	run, err := d.settings(p, &patient)
	if err != nil {
		return doctor.Patient{}, err
	}
	patient.Admin = run.Admin
	d.ports(&patient, run)
	if !d.given["task-definition"] {
		patient.Apply = patient.Rules.Command("apply")
	}
	return patient, nil
}

// settings are what a sidecar with these flags and this environment would be told, with its documents.
func (d *diagnosis) settings(p *Process, patient *doctor.Patient) (*config.Run, error) {
	args, named, err := d.runFlags(p)
	if err != nil {
		return nil, err
	}
	run, warnings, err := config.ParseRun(args, p.Environ)
	patient.Warnings = warnings
	if err != nil {
		if _, _, own := config.ParseRun([]string{noNode}, p.Environ); own == nil {
			return nil, err // It is the flags.
		}
		patient.Refused, patient.NoSnapshot = err, "the environment is refused"
		admin, failed := config.ParseAdmin("", nil)
		return &config.Run{Admin: admin}, failed
	}
	if !named {
		patient.NoSnapshot = "none given"
		return run, nil
	}
	return run, d.readDocuments(run, patient)
}

// noNode is given where it is not said what the sidecar stands for: the rest of the environment is looked at all the same.
const noNode = "--node=mesh/none/virtualNode/none"

// runFlags are the flags of outrider run; named is false if they and the environment do not say what it stands for.
func (d *diagnosis) runFlags(p *Process) (args []string, named bool, err error) {
	for _, path := range *d.paths {
		args = append(args, "--mesh="+path)
	}
	for name, value := range d.checks.Params {
		args = append(args, "--param="+name+"="+value)
	}
	for name, value := range d.checks.Imports {
		args = append(args, "--import="+name+"="+value)
	}
	if d.admin != "" {
		args = append(args, "--admin-addr="+d.admin)
	}
	ofEnvironment := slices.ContainsFunc(resourceVariables, func(name string) bool { return p.Getenv(name) != "" })
	switch {
	case d.node != "" && (len(*d.paths) == 0 || strings.Contains(d.node, "/")):
		return append(args, "--node="+d.node), true, nil
	case len(*d.paths) > 0 && (d.node != "" || !ofEnvironment):
		docs, _, err := readDocuments(d.checks, *d.paths)
		if err != nil {
			return nil, false, fmt.Errorf("%w: %w", errUnreadable, err)
		}
		res, err := chooseResource(p, d.node, docs.Proxies())
		return append(args, "--node="+res.String()), true, err
	case ofEnvironment:
		return args, true, nil
	}
	return append(args, noNode), false, nil
}

// errUnreadable: documents that were named cannot be read.
var errUnreadable = errors.New("no documents")

func (d *diagnosis) readDocuments(run *config.Run, patient *doctor.Patient) error {
	documents := documents{cfg: run}
	snap, findings, err := documents.read()
	switch {
	case err != nil && d.given["mesh"]:
		return fmt.Errorf("%w: %w", errUnreadable, err)
	case err != nil:
		patient.NoSnapshot = err.Error()
	case snap == nil:
		for _, f := range findings {
			if f.Severity == mesh.Error {
				patient.Errors++
			}
		}
		patient.NoSnapshot = fmt.Sprintf("%d errors within reach of %s", patient.Errors, run.Resource.Name.V)
	default:
		patient.Snapshot = snap
	}
	return nil
}

// rulesAsked: a task definition or app ports on the command line say that traffic is to be redirected.
func (d *diagnosis) rulesAsked() bool {
	return slices.ContainsFunc(iptablesFlags(), func(name string) bool { return d.given[name] })
}

// ports fills in what the flags leave open: the ports of the sidecar as the environment has them, and the node's
// listeners for app ports.
func (d *diagnosis) ports(patient *doctor.Patient, run *config.Run) {
	if !patient.RulesAsked {
		if at := run.Listen.Egress.V; len(at) > 0 {
			patient.Rules.EgressPort = at[0].Port()
		}
	}
	patient.Egress, patient.Ingress = patient.Rules.EgressPort, patient.Rules.IngressPort
	if patient.Ingress == 0 {
		patient.Ingress = iptables.DefaultIngressPort
		if at := run.Listen.Ingress.V; len(at) > 0 {
			patient.Ingress = at[0].Port()
		}
	}
	snap := patient.Snapshot
	if snap == nil || snap.Resource.Kind != mesh.VirtualNode || d.given["app-ports"] || d.given["task-definition"] {
		return
	}
	for _, l := range snap.Inbound {
		patient.Rules.AppPorts = append(patient.Rules.AppPorts, l.Port)
	}
	if len(patient.Rules.AppPorts) > 0 {
		patient.Rules.IngressPort = patient.Ingress
	}
}

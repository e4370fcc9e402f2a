package app

import (
	"errors"
	"flag"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/outrider-mesh/outrider/internal/appmesh"
	"github.com/outrider-mesh/outrider/internal/config"
	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/telemetry"
)

// What the commands that only look at documents have in common: the flags, the
// reading, and the resource that they speak of.

// checksWith are checks of documents that have these parameters and imports,
// with what the parts that will serve them know.
func checksWith(params, imports map[string]string) appmesh.Checks {
	return appmesh.Checks{LogFormat: telemetry.CheckFormat, Params: params, Imports: imports}
}

// documentFlags adds the flags that fill in documents. The checks have what they
// say once they are parsed.
func documentFlags(fs *flag.FlagSet) appmesh.Checks {
	return checksWith(
		assignments(fs, "param", "a parameter of templates, also AWS::Region, RESOURCE or RESOURCE.ATTRIBUTE: `NAME=VALUE`; repeat for more"),
		assignments(fs, "import", "what another CloudFormation stack exports: `NAME=VALUE`; repeat for more"))
}

// assignments is a flag NAME=VALUE that may be repeated.
func assignments(fs *flag.FlagSet, name, usage string) map[string]string {
	given := make(map[string]string)
	fs.Func(name, usage, func(text string) error {
		name, value, err := config.Assignment(text)
		given[name] = value
		return err
	})
	return given
}

// pathsFlag is a flag that takes several paths, and may be repeated.
func pathsFlag(fs *flag.FlagSet, name, usage string) *[]string {
	var paths []string
	fs.Func(name, usage+": `PATHS`, separated by commas; repeat for more", func(text string) error {
		paths = append(paths, splitPaths(text)...)
		return nil
	})
	return &paths
}

// splitPaths takes PATHS as outrider run does: separated by commas.
func splitPaths(list string) (paths []string) {
	for path := range strings.SplitSeq(list, ",") {
		if path = strings.TrimSpace(path); path != "" {
			paths = append(paths, path)
		}
	}
	return paths
}

// readDocuments reads documents. The findings are of paths where none is; the
// error says that a path could not be had at all.
func readDocuments(checks appmesh.Checks, paths []string) (*appmesh.Documents, []mesh.Finding, error) {
	sources, findings, err := readSources(paths)
	if err != nil {
		return nil, nil, err
	}
	carefree(sources)
	return checks.Parse(sources), findings, nil
}

// Documents up to this size are read by a process that ends soon with less care
// for garbage: most of what reading makes is kept, so that collecting it costs a
// quarter of the time and saves a third of the memory at most (YAML). Larger
// ones, and a GOGC of the environment, are left alone.
const carefreeBytes = 8 << 20

// carefree sets the collector for a command that reads these, prints and ends.
func carefree(sources []appmesh.Source) {
	size := 0
	for _, s := range sources {
		size += len(s.Data)
	}
	if size > carefreeBytes {
		return
	}
	const usual = 100
	if was := debug.SetGCPercent(4 * usual); was != usual {
		debug.SetGCPercent(was)
	}
}

// readSources reads files. A path where no document is yet is an error: here
// nobody waits for one.
func readSources(paths []string) ([]appmesh.Source, []mesh.Finding, error) {
	sources, findings, err := appmesh.ReadPaths(paths)
	for i := range findings {
		findings[i].Severity = mesh.Error
	}
	return sources, findings, err
}

// resourceVariables name what a container's proxy stands for: ours, and then in
// the order in which App Mesh's image looked at them.
var resourceVariables = append([]string{"OUTRIDER_NODE"}, config.ResourceVariables()...)

// chooseResource says of which of all resources a command speaks: the one that a
// flag names, whole or by its name alone; else the only one; else that of the
// environment. The error lists the choices.
func chooseResource(p *Process, given string, all []mesh.Resource) (mesh.Resource, error) {
	if given != "" {
		return givenResource(given, all)
	}
	if len(all) == 1 {
		return all[0], nil
	}
	for _, name := range resourceVariables {
		if text := p.Getenv(name); text != "" {
			res, err := mesh.ParseResource(text)
			if err != nil {
				err = fmt.Errorf("%s %q: %w", name, text, err)
			}
			return res, err
		}
	}
	return mesh.Resource{}, choices(all)
}

// givenResource is the one that a flag --node names: a whole name need not be
// among all, a name alone must be that of one.
func givenResource(given string, all []mesh.Resource) (res mesh.Resource, err error) {
	if strings.Contains(given, "/") {
		res, err = mesh.ParseResource(given)
	} else if named := slices.DeleteFunc(slices.Clone(all), func(r mesh.Resource) bool { return r.Name != given }); len(named) == 1 {
		return named[0], nil
	} else {
		err = choices(all)
	}
	if err != nil {
		err = fmt.Errorf("--node %q: %w", given, err)
	}
	return res, err
}

// errNobody: the documents describe nothing that a sidecar could stand for.
var errNobody = errors.New("no virtual node and no virtual gateway is in the documents")

// choices asks for --node and says what it may name.
func choices(all []mesh.Resource) error {
	if len(all) == 0 {
		return errNobody
	}
	const most = 20
	var b strings.Builder
	b.WriteString("name one of these with --node:")
	for _, r := range all[:min(len(all), most)] {
		b.WriteString("\n  " + r.String())
	}
	if more := len(all) - most; more > 0 {
		fmt.Fprintf(&b, "\n  and %d more", more)
	}
	return errors.New(b.String())
}

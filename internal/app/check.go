package app

import (
	"fmt"

	"github.com/outrider-mesh/outrider/internal/appmesh"
	"github.com/outrider-mesh/outrider/internal/check"
	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/terminal"
)

const checkUsage = `usage: outrider check [--task-definition FILES] [--mesh PATHS] [--node RESOURCE] [flags]

Says what would change if Outrider took the place of App Mesh's image: for each
variable, property, field and document whether it is honoured, approximated, not
done yet, or wrong. Exit code 1 if traffic would behave differently, or if the
proxy's container cannot be read.
`

// checkSwitch holds task definitions and a mesh against this build.
func checkSwitch(p *Process, args []string) int {
	fs := newFlags(checkUsage)
	tasks := pathsFlag(fs, "task-definition", "ECS task definitions")
	paths := pathsFlag(fs, "mesh", "documents of the mesh, files, directories, globs")
	node := fs.String("node", "", "what the proxy stands for, instead of what its variables say: `RESOURCE` like mesh/M/virtualNode/N, or its name alone")
	checks := documentFlags(fs)
	format := fs.String("format", "text", "text or json")
	all := fs.Bool("all", false, "list the fields that are honoured, too")
	rest, code, done := parseFlags(p, fs, args)
	switch {
	case done:
		return code
	case len(rest) > 0 || len(*tasks)+len(*paths) == 0 || *format != "text" && *format != "json":
		fs.Usage()
		return ExitUsage
	}
	subject := check.Subject{}
	if err := readSubject(&subject, checks, *tasks, *paths); err != nil {
		fmt.Fprintln(p.Stderr, "outrider check:", err)
		return ExitEnvironment
	}
	if *node != "" {
		var all []mesh.Resource
		if subject.Documents != nil {
			all = subject.Documents.Proxies()
		}
		var err error
		if subject.Node, err = givenResource(*node, all); err != nil {
			fmt.Fprintln(p.Stderr, "outrider check:", err)
			return ExitUsage
		}
	}
	return writeCheck(p, subject.Report(), *format, *all)
}

// readSubject reads what there is to check. The error is that a path is not
// there; what is wrong in a file is a finding.
func readSubject(s *check.Subject, checks appmesh.Checks, tasks, paths []string) error {
	var documents []appmesh.Source
	if len(paths) > 0 {
		sources, findings, err := readSources(paths)
		if err != nil {
			return err
		}
		documents = sources
		s.Documents = checks.Parse(sources)
		s.Findings = findings
	}
	if len(tasks) == 0 {
		return nil
	}
	sources, findings, err := readSources(tasks)
	if err != nil {
		return err
	}
	read, wrong := checks.TaskDefinitions(sources, documents)
	s.Tasks = read
	s.Findings = append(append(s.Findings, findings...), wrong...)
	return nil
}

func writeCheck(p *Process, r *check.Report, format string, all bool) int {
	var err error
	if format == "json" {
		err = r.WriteJSON(p.Stdout)
	} else {
		paper, detail := terminal.New(p.Stdout, p.Getenv), check.Brief
		if all {
			detail = check.Whole
		}
		r.WriteText(paper, detail)
		err = paper.Flush()
	}
	switch {
	case err != nil:
		return ExitEnvironment
	case !r.Fine():
		return ExitFindings
	}
	return ExitFine
}

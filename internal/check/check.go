package check

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/outrider-mesh/outrider/internal/appmesh"
	"github.com/outrider-mesh/outrider/internal/config"
	"github.com/outrider-mesh/outrider/internal/mesh"
)

// What sections are about.
const (
	aboutTask       = "task"
	aboutVariables  = "variables"
	aboutRedirect   = "proxyConfiguration"
	aboutContainers = "containers"
	aboutMesh       = "mesh"
	aboutOtherwise  = "differences"
	aboutDocuments  = "documents"
)

// Subject is what is to be checked. Either half may be missing.
type Subject struct {
	// Tasks are task definitions; nil where none was named.
	Tasks []appmesh.TaskDefinition
	// Documents describe the mesh; nil where none were named.
	Documents *appmesh.Documents
	// Node is what the proxies stand for; zero leaves it to their variables.
	Node mesh.Resource
	// Findings are what was found while reading, about files as a whole.
	Findings []mesh.Finding
}

// A sidecar is what one proxy stands for, and how it would be started.
type sidecar struct {
	node mesh.Resource
	run  *config.Run
	// calls is false only where the documents say that it calls nobody.
	calls bool
}

// Report judges everything.
func (s Subject) Report() *Report {
	r := &Report{}
	var sidecars []sidecar
	for _, c := range s.checks(r) {
		c.check()
		if c.proxy != nil && !slices.ContainsFunc(sidecars, func(other sidecar) bool { return other.node == c.node }) {
			sidecars = append(sidecars, sidecar{c.node, c.run, callsOthers(s.Documents, c.node)})
		}
	}
	if len(sidecars) == 0 && s.Documents != nil {
		run, _ := config.Judge(nil, nil)
		sidecars = []sidecar{{s.Node, run, callsOthers(s.Documents, s.Node)}}
	}
	if len(s.Tasks) == 0 {
		r.LeftOut = append(r.LeftOut, "no task definition: variables, proxyConfiguration and containers were not looked at (--task-definition)")
	}
	if s.Documents == nil {
		r.LeftOut = append(r.LeftOut, "no mesh documents: fields were not looked at, nor AppPorts against listeners (--mesh)")
	} else {
		for _, car := range sidecars {
			r.Sections = append(r.Sections, car.fields(s.Documents))
		}
	}
	r.Sections = append(r.Sections, otherwise(sidecars), s.documents(sidecars))
	r.Sections = slices.DeleteFunc(r.Sections, func(s Section) bool { return len(s.Verdicts) == 0 })
	return r
}

// checks are those of the task definitions: all, or where several are given
// with a node and some stand for it, those.
func (s Subject) checks(r *Report) []*taskCheck {
	var all, ours []*taskCheck
	for i := range s.Tasks {
		c := &taskCheck{subject: s, task: &s.Tasks[i], report: r}
		all = append(all, c)
		if s.Node != (mesh.Resource{}) && c.says() == s.Node {
			ours = append(ours, c)
		}
	}
	if len(ours) == 0 || len(ours) == len(all) {
		return all
	}
	r.LeftOut = append(r.LeftOut, fmt.Sprintf("%s of others than %s", counted(len(all)-len(ours), "task definition"), s.Node))
	return ours
}

// documents says what became of each file.
func (s Subject) documents(sidecars []sidecar) Section {
	section := Section{About: aboutDocuments, Title: "documents"}
	for _, f := range s.Findings {
		v := Verdict{Position: f.Position, Message: f.Message, Hint: f.Hint}
		if f.Severity == mesh.Error {
			v.Standing, v.Effect = mesh.Wrong, mesh.OnTraffic
		}
		section.add(v)
	}
	for i := range s.Tasks {
		section.add(Verdict{Position: s.Tasks[i].Position, Message: strings.TrimSpace("read: task definition " + s.Tasks[i].Name)})
	}
	if s.Documents != nil {
		var nodes []mesh.Resource
		for _, c := range sidecars {
			nodes = append(nodes, c.node)
		}
		if nobody := !slices.ContainsFunc(nodes, func(n mesh.Resource) bool { return n != mesh.Resource{} }); nobody && s.Documents.Resources() == 0 {
			section.add(Verdict{Standing: mesh.Wrong, Effect: mesh.OnTraffic, Message: "no resource of App Mesh is in the documents: the sidecar would not start",
				Hint: "name the files of the mesh with --mesh; outrider validate says what is read"})
		}
		for _, f := range s.Documents.DocumentFields(nodes...) {
			if !s.ofTask(&f) {
				section.add(fieldVerdict(f))
			}
		}
	}
	return section
}

// ofTask: a file that has nothing of the mesh, and a task definition, which is told of already.
func (s Subject) ofTask(f *appmesh.Field) bool {
	return f.Standing == mesh.Honoured && strings.HasPrefix(f.Message, "ignored") &&
		slices.ContainsFunc(s.Tasks, func(t appmesh.TaskDefinition) bool { return path.Clean(t.File) == path.Clean(f.File) })
}

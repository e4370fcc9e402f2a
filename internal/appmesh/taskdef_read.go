package appmesh

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// taskType is CloudFormation's type of a task definition, and those of the
// others.
const (
	taskType          = "AWS::ECS::TaskDefinition"
	taskTypeTerraform = "aws_ecs_task_definition"
	taskTypePulumi    = "aws:ecs/taskDefinition:TaskDefinition"
)

// TaskDefinitions reads every ECS task definition of the sources, in their
// order, in any of the forms they come in: what register-task-definition takes
// and describe-task-definition answers, CloudFormation templates, Terraform
// states, plans and JSON syntax, Pulumi exports; JSON or YAML. Templates may
// import what those among beside export, which are read for nothing else. The
// findings say what could not be read. It does not fail and reads within the
// bounds of Parse.
func (k Checks) TaskDefinitions(sources, beside []Source) ([]TaskDefinition, []mesh.Finding) {
	r := taskReader{d: &Documents{checks: k, meshes: make(map[meshID]*index)}}
	for _, s := range sources {
		r.source(s)
	}
	templates := r.d.stacks.templates
	for _, s := range beside {
		r.exporter(s)
	}
	r.templates(templates)
	if len(r.tasks) == 0 {
		return nil, append(r.findings, r.none...)
	}
	for _, f := range r.none { // beside others, it was not meant to be one
		f.Severity, f.Message, f.Hint = mesh.Warning, f.Message+": ignored", ""
		r.findings = append(r.findings, f)
	}
	return r.tasks, r.findings
}

// A taskReader gathers the task definitions of a set of sources. d holds the
// templates among them.
type taskReader struct {
	d        *Documents
	tasks    []TaskDefinition
	findings []mesh.Finding
	// none are sources without a task definition.
	none []mesh.Finding
}

func (r *taskReader) fail(at mesh.Position, msg, hint string) {
	r.findings = append(r.findings, mesh.Finding{Position: at, Severity: mesh.Error, Message: msg, Hint: hint})
}

func (r *taskReader) source(s Source) {
	if s.Err == nil && r.program(s) {
		return
	}
	values, err := readSource(s)
	found, templates := len(r.tasks), len(r.d.stacks.templates)
	for _, v := range values {
		r.document(v)
	}
	switch {
	case err != nil:
		at, msg := mesh.Position{File: s.Name}, err.Error()
		var syntax *syntaxError
		if errors.As(err, &syntax) {
			at, msg = syntax.at, syntax.msg
		}
		r.fail(at, "cannot be read: "+msg, templateHint(s.Data))
	case found == len(r.tasks) && templates == len(r.d.stacks.templates):
		r.none = append(r.none, mesh.Finding{Position: mesh.Position{File: s.Name}, Severity: mesh.Error, Message: "no ECS task definition in it",
			Hint: "`aws ecs describe-task-definition --task-definition NAME` prints one"})
	}
}

// program refuses what only Terraform or Pulumi can read, and says how it may
// be had. Terraform's JSON syntax is tried.
func (r *taskReader) program(s Source) bool {
	if strings.HasSuffix(strings.ToLower(s.Name), ".json") || !r.d.program(s) {
		return false
	}
	if n := len(r.d.programs); n > 0 {
		what := instead[r.d.programs[n-1].tool]
		r.fail(mesh.Position{File: s.Name}, what.message, what.hint)
	} else if n := len(r.d.findings); n > 0 {
		r.findings = append(r.findings, r.d.findings[n-1].Finding)
	}
	r.d.programs = nil
	return true
}

// readSource reads the values of one source within the bounds of Parse.
func readSource(s Source) ([]*value, error) {
	data := bytes.TrimPrefix(s.Data, []byte("\xef\xbb\xbf"))
	switch {
	case s.Err != nil:
		return nil, errors.New(reason(s.Err))
	case len(data) > maxSourceBytes:
		return nil, fmt.Errorf("larger than %d MiB", maxSourceBytes>>20)
	case len(bytes.TrimSpace(data)) == 0:
		return nil, errors.New("it holds nothing")
	}
	return readText(s.Name, data)
}

// document tells the forms apart.
func (r *taskReader) document(v *value) {
	switch {
	case v.kind == list:
		for _, item := range v.items {
			r.document(item)
		}
	case v.kind != object:
	case isCloudFormation(v):
		readCloudFormation(r.d, v)
	case v.has("deployment"):
		r.pulumi(v)
	case v.has("planned_values"):
		r.terraformModule(v.get("planned_values", "root_module"))
	case v.has("values"):
		r.terraformModule(v.get("values", "root_module"))
	case v.has("resources"):
		r.terraformState(v)
	case v.get("resource").has(taskTypeTerraform):
		r.terraformSyntax(v.get("resource", taskTypeTerraform))
	case given(v, "taskDefinition").isObject():
		r.task("", given(v, "taskDefinition"))
	case given(v, "containerDefinitions") != nil || given(v, "proxyConfiguration") != nil:
		r.d.fill(v)
		r.open(v)
		r.task("", v)
	}
}

func (v *value) isObject() bool { return v != nil && v.kind == object }

// given is a member however it is spelt; nil for null.
func given(v *value, name string) *value {
	if got := v.spelt(name); got != nil && got.kind != null {
		return got
	}
	return nil
}

// open makes unknown values of the placeholders that are left in a request.
// Commands are left as they are: their variables may be the shell's.
func (r *taskReader) open(v *value) {
	if v.kind == text && unfilled(v.text) {
		v.kind, v.why = unknownValue, &mystery{"nobody has filled in this placeholder", fillHint(v.text)}
	}
	for _, m := range v.members {
		if !named(m.name, "command") && !named(m.name, "entryPoint") {
			r.open(m.value)
		}
	}
	for _, item := range v.items {
		r.open(item)
	}
}

// terraformModule reads a module of `terraform show -json`, and those below.
func (r *taskReader) terraformModule(v *value) {
	for _, res := range v.get("resources").list() {
		if res.get("type").str() == taskTypeTerraform && res.get("mode").str() != "data" && !res.has("deposed_key") {
			r.task(res.get("address").str(), res.get("values"))
			r.sensitive(res.get("sensitive_values"))
		}
	}
	for _, module := range v.get("child_modules").list() {
		r.terraformModule(module)
	}
}

// terraformState reads a state file.
func (r *taskReader) terraformState(v *value) {
	for _, res := range v.get("resources").list() {
		if res.get("type").str() != taskTypeTerraform || res.get("mode").str() == "data" {
			continue
		}
		for _, instance := range res.get("instances").list() {
			if !instance.has("deposed") {
				r.task(res.get("name").str(), instance.get("attributes"))
				r.sensitive(instance.get("sensitive_attributes"))
			}
		}
	}
}

// sensitive marks the task definition read last where Terraform says that its
// containers hold what must not be shown: by a skeleton (show -json), or by a
// list of paths (state).
func (r *taskReader) sensitive(marks *value) {
	if len(r.tasks) > 0 && (marks.get("container_definitions").str() == "true" || marks.isList() && marks.mentions("container_definitions")) {
		r.tasks[len(r.tasks)-1].Sensitive = true
	}
}

func (v *value) isList() bool { return v != nil && v.kind == list }

// terraformSyntax reads the resources of Terraform's JSON syntax.
func (r *taskReader) terraformSyntax(v *value) {
	for _, m := range v.all() {
		body := m.value
		if body.kind == list && len(body.items) == 1 {
			body = body.items[0]
		}
		r.open(body)
		r.task(m.name, body)
	}
}

// pulumi reads `pulumi stack export`.
func (r *taskReader) pulumi(v *value) {
	for _, res := range v.get("deployment", "resources").list() {
		if res.get("type").str() != taskTypePulumi || res.get("delete").str() == "true" {
			continue
		}
		body := res.get("outputs")
		if body == nil {
			body = res.get("inputs")
		}
		urn := res.get("urn").str()
		r.task(urn[strings.LastIndexByte(urn, ':')+1:], body)
	}
}

// exporter keeps the templates of a source whose exports others may import.
func (r *taskReader) exporter(s Source) {
	values, _ := readSource(s) // what is wrong with it is Parse's to tell
	for _, v := range values {
		if v.kind == object && isCloudFormation(v) {
			readCloudFormation(r.d, v)
		}
	}
}

// templates reads the task definitions of templates, with all their functions
// resolved.
func (r *taskReader) templates(own []*template) {
	stacks := &r.d.stacks
	stacks.exports = make(map[string]export)
	for _, t := range stacks.templates {
		t.readExports()
	}
	for _, t := range stacks.templates {
		t.forget()
	}
	for _, t := range own {
		found := false
		for _, m := range t.root.get("Resources").all() {
			if m.value.get("Type").str() != taskType {
				continue
			}
			found = true
			if on, unknown := t.included(m.value); !on && unknown == nil {
				continue
			}
			if body := m.value.get("Properties"); body != nil {
				if got := t.resolve(body); got != nil {
					r.task(m.name, got)
				}
			}
		}
		if !found {
			r.none = append(r.none, mesh.Finding{Position: t.root.at, Severity: mesh.Error, Message: "this template has no " + taskType})
		}
	}
}

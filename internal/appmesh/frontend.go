package appmesh

import (
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// A frontEnd turns documents of one form into resources.
type frontEnd struct {
	recognises func(*value) bool
	read       func(*Documents, *value)
}

// frontEnds are asked in this order; the last takes what is left. The forms
// that this build does not read are recognised, so that they are refused by
// name instead of being called broken.
var frontEnds = [...]frontEnd{
	{isCloudFormation, readCloudFormation},
	{isKubernetes, readKubernetes},
	{isTerraform, unread(form{"Terraform"})},
	{isPulumi, unread(form{"Pulumi"})},
	{isTaskDefinition, ignoreTaskDefinition},
	{func(*value) bool { return true }, readCLI},
}

// document hands one top-level value to its front end. A list holds documents.
func (d *Documents) document(v *value) {
	if v.kind == list {
		for _, item := range v.items {
			d.document(item)
		}
		return
	}
	d.documents++
	if v.kind != object {
		d.add(finding{about: v, Finding: mesh.Finding{Position: v.at, Severity: mesh.Error,
			Message: "not a document: an object is wanted, this is " + v.kind.String()}})
		return
	}
	for _, f := range frontEnds {
		if f.recognises(v) {
			f.read(d, v)
			return
		}
	}
}

// A form is a way to write meshes down.
type form struct{ name string }

func (f form) message() string {
	return "this is " + f.name + "; that form is not read yet"
}

// exportHint says how to get a form that is read.
const exportHint = "write the resources as App Mesh requests or `aws appmesh describe-*` output"

// unread notes a form once for each file.
func unread(f form) func(*Documents, *value) {
	return func(d *Documents, v *value) { d.unreadForm(f, v.at) }
}

func (d *Documents) unreadForm(f form, at mesh.Position) {
	if n := len(d.unreadForms); n > 0 && d.unreadForms[n-1] == at.File {
		return
	}
	d.unreadForms = append(d.unreadForms, at.File)
	d.add(finding{fileWide: true, Finding: mesh.Finding{Position: at, Severity: mesh.NotYet, Message: f.message(), Hint: exportHint}})
}

func isCloudFormation(v *value) bool {
	if v.has("AWSTemplateFormatVersion") {
		return true
	}
	for _, m := range v.get("Resources").all() {
		if strings.HasPrefix(m.value.get("Type").str(), "AWS::") {
			return true
		}
	}
	return strings.HasPrefix(v.get("Type").str(), "AWS::AppMesh::")
}

func isKubernetes(v *value) bool { return v.has("apiVersion") && v.has("kind") }

func isTerraform(v *value) bool {
	return v.has("terraform_version") || v.has("format_version") ||
		v.has("lineage") && v.has("serial")
}

func isPulumi(v *value) bool {
	return v.has("deployment") && v.has("version") || v.get("deployment").has("manifest")
}

func isTaskDefinition(v *value) bool {
	return v.has("containerDefinitions") || v.has("taskDefinition")
}

func ignoreTaskDefinition(d *Documents, v *value) {
	d.add(finding{fileWide: true, Finding: mesh.Finding{Position: v.at, Severity: mesh.Warning,
		Message: "this is an ECS task definition, not a mesh document: ignored",
		Hint:    "`outrider iptables print --task-definition FILE` reads it"}})
}

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

// frontEnds are asked in this order; the last takes what is left. Forms that
// are not read are recognised, so that they are refused by name instead of
// being called broken.
var frontEnds = [...]frontEnd{
	{isCloudFormation, readCloudFormation},
	{isKubernetes, readKubernetes},
	{isTerraform, readTerraform},
	{isTerraformLog, refuseTerraformLog},
	{isPulumi, readPulumi},
	{isTaskDefinition, ignoreTaskDefinition},
	{isContainer, ignoreContainer},
	{isCompanion, ignoreCompanion},
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

func isTaskDefinition(v *value) bool {
	return v.has("containerDefinitions") || v.has("taskDefinition")
}

func ignoreTaskDefinition(d *Documents, v *value) {
	d.add(finding{fileWide: true, Finding: mesh.Finding{Position: v.at, Severity: mesh.Warning,
		Message: "this is an ECS task definition, not a mesh document: ignored",
		Hint:    "`outrider check --task-definition FILE` reads it"}})
}

// isContainer: scripts keep the definition of the sidecar's container apart.
func isContainer(v *value) bool {
	return v.has("name") && v.has("image") && (v.has("essential") || v.has("portMappings"))
}

func ignoreContainer(d *Documents, v *value) {
	d.add(finding{fileWide: true, Finding: mesh.Finding{Position: v.at, Severity: mesh.Warning,
		Message: "this is a container definition of an ECS task, not a mesh document: ignored",
		Hint:    "`outrider check --task-definition FILE` reads the task definition that it is part of"}})
}

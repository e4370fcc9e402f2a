package appmesh

import (
	"bytes"
	"path/filepath"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// A program is a source that makes a mesh only when its tool runs it:
// Terraform's *.tf, or the project file of a Pulumi program. Its variables,
// functions and loops cannot be evaluated from outside.
type program struct {
	name string
	tool string
	// speaks is true when it holds App Mesh's name.
	speaks bool
}

// instead says which command writes what can be read.
var instead = map[string]feature{
	"Terraform": {"this is Terraform's source, which only Terraform can evaluate: not read", "`terraform show -json > mesh.json` writes what can be read"},
	"Pulumi":    {"this is a Pulumi program's, which only Pulumi can run: not read", "`pulumi stack export > mesh.json` writes what can be read"},
}

// program reports whether a source is one that is not read for its name, and
// keeps it in mind.
func (d *Documents) program(s Source) bool {
	name := strings.ToLower(filepath.Base(s.Name))
	ends := func(suffix string) bool { return strings.HasSuffix(name, suffix) }
	tool := ""
	switch {
	case ends(".tf"), ends(".tofu"), ends(".tf.json"), ends(".tofu.json"):
		tool = "Terraform"
	case ends(".tfvars.json"):
		return true // values of variables
	case strings.HasPrefix(name, "pulumi.") && (ends(".yaml") || ends(".yml")):
		tool = "Pulumi"
	case bytes.HasPrefix(s.Data, []byte("PK\x03\x04")):
		d.lost(s.Name, "this is an archive, as a saved plan of Terraform's is: not read", "`terraform show -json FILE > mesh.json` writes what can be read of a plan")
		return true
	default:
		return false
	}
	d.programs = append(d.programs, program{s.Name, tool, bytes.Contains(bytes.ToLower(s.Data), []byte("appmesh"))})
	return true
}

// readPrograms says of programs that they are not read. They are an error
// where they speak of App Mesh and nothing that their tool wrote is there, or
// where nothing is there at all; a warning beside what it wrote; and of no
// interest else. Decision: with a state beside it a source stops nothing.
func (d *Documents) readPrograms() {
	alone := len(d.resources)+len(d.kept.lookups) == 0
	for _, p := range d.programs {
		alone = alone && !p.speaks
	}
	for _, p := range d.programs {
		severity := mesh.Error
		switch {
		case d.kept.tools[p.tool] && p.speaks:
			severity = mesh.Warning
		case !p.speaks && !alone:
			continue
		}
		if severity == mesh.Error {
			d.documents++
			d.unreadForms = append(d.unreadForms, p.name)
		}
		what := instead[p.tool]
		d.add(finding{lost: true, feature: what, Finding: mesh.Finding{Position: mesh.Position{File: p.name}, Severity: severity,
			Message: what.message, Hint: what.hint}})
	}
	d.programs = nil
}

// isTerraformLog recognises the lines of `terraform plan -json`, which tell a
// person what a plan does.
func isTerraformLog(v *value) bool { return v.has("@level") && v.has("@message") }

func refuseTerraformLog(d *Documents, v *value) {
	if n := len(d.unreadForms); n > 0 && d.unreadForms[n-1] == v.at.File {
		d.documents--
		return
	}
	d.unreadForms = append(d.unreadForms, v.at.File)
	d.add(finding{lost: true, Finding: mesh.Finding{Position: v.at, Severity: mesh.Error,
		Message: "this is the log of a Terraform command, which has no resources: not read",
		Hint:    "`terraform plan -out FILE`, then `terraform show -json FILE > mesh.json`"}})
}

package appmesh

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// companions are the files that tools keep beside documents, by the end of
// their names. In a folder that is read as it lies there they are passed over,
// with a warning that says what they are.
var companions = [...]struct{ ends, called string }{
	{"/manifest.json", "CDK's list of what it synthesised"},
	{"/tree.json", "CDK's tree of constructs"},
	{".assets.json", "CDK's list of assets"},
	{"/cdk.json", "the settings of a CDK program, of which `cdk synth` makes templates"},
	{"/cdk.context.json", "the settings of a CDK program, of which `cdk synth` makes templates"},
	{"/package.json", "the settings of a Node.js program"},
	{"/package-lock.json", "the settings of a Node.js program"},
	{"/tsconfig.json", "the settings of a TypeScript program"},
	{"/kustomization.yaml", "a list of manifests, which `kubectl kustomize` prints"},
	{"/kustomization.yml", "a list of manifests, which `kubectl kustomize` prints"},
	{"/chart.yaml", "the head of a Helm chart, of which `helm template` makes manifests"},
}

// companion says what a value's file is kept for; "" where it is no companion.
func companion(v *value) string {
	name := "/" + strings.ToLower(filepath.Base(v.at.File))
	for _, c := range companions {
		if strings.HasSuffix(name, c.ends) {
			return c.called
		}
	}
	return ""
}

// isCompanion: a document under such a name is a document.
func isCompanion(v *value) bool {
	speaks := func(m member) bool { return wrappedKind(m.name) != unknownKind }
	return companion(v) != "" && !isRequest(v) && !slices.ContainsFunc(v.members, speaks)
}

func ignoreCompanion(d *Documents, v *value) {
	d.add(finding{fileWide: true, Finding: mesh.Finding{Position: v.at, Severity: mesh.Warning,
		Message: "this is " + companion(v) + ", not a mesh document: ignored"}})
}

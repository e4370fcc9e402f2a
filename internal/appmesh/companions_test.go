package appmesh

import (
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// TestFoldersAsTheyLie reads what `cdk synth` and a chart leave in a folder.
func TestFoldersAsTheyLie(t *testing.T) {
	for name, text := range map[string]string{
		"cdk.out/manifest.json":      `{"version": "36.0.0", "artifacts": {"S": {"type": "aws:cloudformation:stack"}}}`,
		"cdk.out/tree.json":          `{"version": "tree-0.1", "tree": {"id": "App"}}`,
		"cdk.out/S.assets.json":      `{"version": "36.0.0", "files": {}, "dockerImages": {}}`,
		"cdk.json":                   `{"app": "npx ts-node bin/app.ts"}`,
		"package.json":               `{"name": "mesh", "version": "1.0.0"}`,
		"overlays/kustomization.yml": "resources: [node.yaml]",
		"chart/Chart.yaml":           "apiVersion: v2\nname: mesh\nversion: 1.0.0",
	} {
		fs := Parse([]Source{{Name: "mesh.json", Data: []byte(`{"meshName": "m", "spec": {}}`)}, {Name: name, Data: []byte(text)}}).Check()
		if len(fs) != 1 || fs[0].Severity != mesh.Warning || !strings.HasSuffix(fs[0].Message, "not a mesh document: ignored") {
			t.Errorf("%s: %+v", name, fs)
		}
	}
	d := Parse([]Source{{Name: "package.json", Data: []byte(`{"meshName": "m", "spec": {}}`)}})
	if d.Resources() != 1 || len(d.Check()) > 0 {
		t.Errorf("a mesh by the name of package.json: %+v", d.Check())
	}
}

package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/config"
)

// A parameter that no document asks for is a slip of the pen: the start says so.
func TestTheStartTellsOfAParameterThatNobodyAsksFor(t *testing.T) {
	mesh := filepath.Join(t.TempDir(), "mesh.json")
	text := `[{"meshName": "m"}, {"meshName": "m", "virtualNodeName": "n", "spec": {}}]`
	if err := os.WriteFile(mesh, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := config.ParseRun([]string{"--mesh", mesh, "--node", "mesh/m/virtualNode/n", "--param", "Stage=prod"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := &documents{cfg: cfg}

	snap, findings, err := d.read()
	if err != nil || snap == nil {
		t.Fatalf("%v, %v", findings, err)
	}
	for _, f := range findings {
		if strings.Contains(f.Message, `"Stage"`) {
			return
		}
	}
	t.Errorf("nothing is said of it: %v", findings)
}

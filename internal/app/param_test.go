package app

import (
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/config"
)

const stack = `
Parameters:
  Project: {Type: String}
Resources:
  Mesh: {Type: "AWS::AppMesh::Mesh", Properties: {MeshName: !Ref Project}}
  Node:
    Type: AWS::AppMesh::VirtualNode
    Properties:
      MeshName: !GetAtt Mesh.MeshName
      VirtualNodeName: front
      Spec: {ServiceDiscovery: {DNS: {Hostname: !ImportValue other-host}}}
`

// TestValidateTakesParams: what a template leaves open comes from the command
// line.
func TestValidateTakesParams(t *testing.T) {
	file := write(t, t.TempDir(), "stack.yaml", stack)
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{nil, ExitFindings, "parameter Project has no value and no default"},
		{[]string{"--param", "Project=shop"}, ExitFindings, `give it with --import 'other-host=VALUE'`},
		{[]string{"--param", "Project=shop", "--import=other-host=h.local"}, ExitFine, "0 errors, 0 warnings in 1 document"},
		{[]string{"--param", "Project=shop", "--import=other-host=h.local", "--node", "mesh/shop/virtualNode/front"}, ExitFine, "0 errors"},
		{[]string{"--param", "Project"}, ExitUsage, ""},
	} {
		if code, stdout, stderr := outrider(t, append(append([]string{"validate"}, tt.args...), file)...); code != tt.code || !strings.Contains(stdout, tt.says) {
			t.Errorf("%v: exit code %d, want %d, and %q in\n%s%s", tt.args, code, tt.code, tt.says, stdout, stderr)
		}
	}
}

// TestRunTakesParams: so does the sidecar's.
func TestRunTakesParams(t *testing.T) {
	file := write(t, t.TempDir(), "stack.yaml", stack)
	cfg, _, err := config.ParseRun([]string{"--mesh", file, "--node=mesh/shop/virtualNode/front", "--param=Project=shop", "--import=other-host=h.local"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if snap, findings, err := (&documents{cfg: cfg}).read(); snap == nil || err != nil {
		t.Errorf("no snapshot: %v %+v", err, findings)
	}
}

package app

import (
	"strings"
	"testing"
)

func TestExportPrintsEveryFormAndReadsItAgain(t *testing.T) {
	dir := t.TempDir()
	good := write(t, dir, "good.json", town("svc-v1"))
	first := ""
	from := good
	for _, format := range []string{"cli", "kubernetes", "cloudformation", "cli"} {
		code, stdout, stderr := outrider(t, "export", "--format", format, from)
		if code != ExitFine || stderr != "" {
			t.Fatalf("%s: exit code %d, %s", format, code, stderr)
		}
		if first == "" {
			first = stdout
		}
		from = write(t, dir, format, stdout)
		if code, stdout, _ := outrider(t, "validate", "--node", "mesh/m/virtualNode/front", from); code != ExitFine {
			t.Errorf("%s: validate says %s", format, stdout)
		}
		if format == "cli" && stdout != first {
			t.Errorf("got %s\nwant %s", stdout, first)
		}
	}
}

func TestExportSaysByItsExitCodeHowItWent(t *testing.T) {
	dir := t.TempDir()
	good := write(t, dir, "good.json", town("svc-v1"))
	bad := write(t, dir, "bad.json", `[{"meshName": "m"}, {"meshName": "m", "virtualNodeName": "n", "spec": {"listener": []}}]`)
	template := write(t, dir, "template.json", `{"Parameters": {"Name": {"Type": "String"}}, "Resources": {"Mesh": {"Type": "AWS::AppMesh::Mesh", "Properties": {"MeshName": {"Ref": "Name"}}}}}`)
	for _, tt := range []struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		{[]string{"export"}, ExitUsage, "", "usage"},
		{[]string{"export", good}, ExitUsage, "", `no such format ""`},
		{[]string{"export", "--format", "hcl", good}, ExitUsage, "", "cli, cloudformation, kubernetes are known"},
		{[]string{"export", "--help"}, ExitFine, "--format", ""},
		{[]string{"export", "--format", "cli", dir + "/none"}, ExitEnvironment, "", "none"},
		{[]string{"export", "--format", "cli", bad}, ExitFindings, `"meshName": "m"`, `virtual node "n": is left out`},
		{[]string{"export", "--format", "cli", template}, ExitFindings, "[]", "no resource in"},
		{[]string{"export", "--format", "cli", "--param", "Name=town", template}, ExitFine, `"meshName": "town"`, ""},
	} {
		code, stdout, stderr := outrider(t, tt.args...)
		if code != tt.code || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) || tt.stderr == "" && stderr != "" {
			t.Errorf("%v: exit code %d, want %d\n%s\n%s", tt.args, code, tt.code, stdout, stderr)
		}
	}
}

package app

import (
	"encoding/json"
	"strings"
	"testing"
)

const diffMesh = `{meshName: m, spec: {egressFilter: {type: DROP_ALL}}}
---
{meshName: m, virtualNodeName: front, spec: {serviceDiscovery: {dns: {hostname: "${Host}"}}, backends: []}}
`

// TestDiff: what changes for traffic, and the exit code that says so.
func TestDiff(t *testing.T) {
	dir := t.TempDir()
	a := write(t, dir, "a.yaml", diffMesh)
	// In another form and order, with what is a default.
	same := write(t, dir, "same.json", `[{"meshName": "m", "virtualNodeName": "front", "spec": {"serviceDiscovery": {"dns": {"hostname": "h"}}}}, {"meshName": "m", "spec": {}}]`)
	other := write(t, dir, "other.yaml", strings.Replace(diffMesh, "DROP_ALL", "ALLOW_ALL", 1))
	nodes := write(t, dir, "nodes.yaml", strings.SplitAfter(diffMesh, "---\n")[1])
	mesh := write(t, dir, "mesh.yaml", strings.Split(diffMesh, "---\n")[0])
	broken := write(t, dir, "broken.yaml", diffMesh+"---\n{meshName: m, virtualNodeName: side, spec: {nope: 1}}\n")
	param := []string{"--param", "Host=h"}
	for _, tt := range []struct {
		says string
		args []string
		code int
		want string
	}{
		{"the same", []string{a, a}, ExitFine, "nothing changes for traffic (1 proxy compared)"},
		{"the same in another form", []string{a, same}, ExitFine, "nothing changes for traffic"},
		{"one set in two files", []string{mesh + "," + nodes, a}, ExitFine, "nothing changes for traffic"},
		{"a change", []string{a, other}, ExitFindings, "  ~ traffic that no backend covers\n"},
		{"of one node", []string{"--node", "mesh/m/virtualNode/front", a, other}, ExitFindings, "  ~ traffic that no backend covers\n"},
		{"of one node that neither has", []string{"--node", "mesh/m/virtualNode/fron", a, other}, ExitFindings, `did you mean "front"`},
		{"of one node, whatever is wrong elsewhere", []string{"--node", "mesh/m/virtualNode/front", a, broken}, ExitFine, "nothing changes for traffic"},
		{"documents with errors", []string{a, broken}, ExitFindings, "1 error in " + broken},
		{"nothing to compare", []string{t.TempDir(), a}, ExitFindings, "no document here yet"},
		{"a path that is not there", []string{dir + "/nowhere", a}, ExitEnvironment, ""},
		{"one set", []string{a}, ExitUsage, ""},
		{"of one node by its name alone", []string{"--node", "front", a, other}, ExitFindings, "  ~ traffic that no backend covers\n"},
		{"no resource", []string{"--node", "m/front", a, a}, ExitUsage, ""},
		{"no format", []string{"--format", "yaml", a, a}, ExitUsage, ""},
	} {
		code, stdout, stderr := outrider(t, append(append([]string{"diff"}, param...), tt.args...)...)
		if code != tt.code || !strings.Contains(stdout, tt.want) {
			t.Errorf("%s: exit code %d, want %d, and %q in\n%s%s", tt.says, code, tt.code, tt.want, stdout, stderr)
		}
	}
	code, stdout, _ := outrider(t, "diff", "--format", "json", "--param=Host=h", a, other)
	var read struct {
		Same   bool
		Groups []struct {
			Proxies []string
			Changes []struct{ Aspect string }
		}
	}
	if err := json.Unmarshal([]byte(stdout), &read); err != nil || code != ExitFindings || read.Same || len(read.Groups) != 1 || read.Groups[0].Proxies[0] != "mesh/m/virtualNode/front" {
		t.Errorf("exit code %d, %v, %+v in\n%s", code, err, read, stdout)
	}
}

package app

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestCheck: the command's exit codes, and which half says what.
func TestCheck(t *testing.T) {
	const (
		guide = "../../examples/ecs/task-definition.guide.json"
		docs  = "../../examples/guide"
	)
	empty := t.TempDir()
	for _, tt := range []struct {
		says string
		args []string
		code int
		want string
	}{
		{"the guide's task may change its image", []string{"--task-definition", guide, "--mesh", docs}, ExitFine, "traffic would behave the same"},
		{"the task alone", []string{"--task-definition", guide}, ExitFine, "left out: no mesh documents"},
		{"the mesh alone", []string{"--mesh", docs, "--node", "mesh/my-mesh/virtualNode/user-service-v1"}, ExitFine, "left out: no task definition"},
		{"a node that is not there", []string{"--mesh", docs, "--node", "mesh/my-mesh/virtualNode/nobody"}, ExitFindings, "no virtual node \"nobody\""},
		{"several paths in one flag", []string{"--mesh", docs + "/mesh.json," + docs + "/virtual-nodes.json", "--mesh", docs + "/routes.json", "--node", "mesh/my-mesh/virtualNode/user-service-v1"}, ExitFine, "read: 3 resources, 0 within reach"},
		{"no task definition in it", []string{"--task-definition", docs + "/mesh.json"}, ExitFindings, "no ECS task definition in it"},
		{"nothing there", []string{"--mesh", empty}, ExitFindings, "no document here"},
		{"a node by its name alone", []string{"--mesh", docs, "--node", "user-service-v1"}, ExitFine, "reach of mesh/my-mesh/virtualNode/user-service-v1"},
		{"all fields", []string{"--mesh", docs, "--all"}, ExitFindings, "listeners[0].portMapping.port"},
		{"nothing to check", nil, ExitUsage, ""},
		{"a bad node", []string{"--mesh", docs, "--node", "x"}, ExitUsage, ""},
		{"a bad form", []string{"--mesh", docs, "--format", "xml"}, ExitUsage, ""},
		{"a stray argument", []string{"--mesh", docs, docs}, ExitUsage, ""},
		{"a path that is not there", []string{"--task-definition", "no/such.json"}, ExitEnvironment, ""},
	} {
		code, stdout, stderr := outrider(t, append([]string{"check"}, tt.args...)...)
		if code != tt.code || !strings.Contains(stdout, tt.want) {
			t.Errorf("%s: exit code %d, want %d and %q in\n%s%s", tt.says, code, tt.code, tt.want, stdout, stderr)
		}
	}
}

// TestCheckForMachines: one JSON object, whose answer is the exit code's.
func TestCheckForMachines(t *testing.T) {
	for _, node := range []string{"user-service-v1", "nobody"} {
		code, stdout, _ := outrider(t, "check", "--mesh", "../../examples/guide", "--node", "mesh/my-mesh/virtualNode/"+node, "--format", "json")
		var got struct {
			TrafficDiffers *bool
			Sections       []struct {
				Verdicts []struct{ Standing, Effect string }
			}
		}
		if err := json.Unmarshal([]byte(stdout), &got); err != nil || got.TrafficDiffers == nil || len(got.Sections) == 0 {
			t.Fatalf("%v: %s", err, stdout)
		}
		if *got.TrafficDiffers != (code == ExitFindings) {
			t.Errorf("%s: trafficDiffers %t, exit code %d", node, *got.TrafficDiffers, code)
		}
	}
}

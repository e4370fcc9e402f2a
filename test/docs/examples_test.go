package docs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/outrider-mesh/outrider/internal/config"
)

// outrider runs the program and gives its exit code and all it says.
func outrider(t *testing.T, args ...string) (int, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(folder, "outrider"), args...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// An example is a task, or what stands in its place, and the mesh it runs in.
type example struct {
	mesh string
	node string
	// task is a task definition; empty where there is none.
	task string
}

var examples = []example{
	{mesh: "guide", node: "mesh/my-mesh/virtualNode/user-service-v1", task: "ecs/task-definition.json"},
	{mesh: "guide", node: "mesh/my-mesh/virtualNode/user-service-v1", task: "ecs/task-definition.guide.json"},
	{mesh: "ecs-ec2/stack.yaml", node: "mesh/shop/virtualNode/front", task: "ecs-ec2/stack.yaml"},
	{mesh: "ecs-ec2/stack.yaml", node: "mesh/shop/virtualNode/front", task: "ecs-ec2/task-definition.init.json"},
	{mesh: "eks", node: "mesh/shop/virtualNode/front_shop"},
	{mesh: "ec2/show.json", node: "mesh/shop/virtualNode/catalog-v1"},
	{mesh: "gateway/mesh", node: "mesh/shop/virtualGateway/edge", task: "gateway/task-definition.json"},
}

func path(name string) string { return filepath.Join(top, "examples", name) }

// TestExamplesValidate: the meshes have no error and no warning.
func TestExamplesValidate(t *testing.T) {
	for _, e := range examples {
		if code, out := outrider(t, "validate", "--strict", "--node", e.node, path(e.mesh)); code != 0 {
			t.Errorf("%s: exit code %d\n%s", e.mesh, code, out)
		}
	}
}

// TestExamplesAreChecked: the task definitions would run their mesh as they are.
func TestExamplesAreChecked(t *testing.T) {
	for _, e := range examples {
		if e.task == "" {
			continue
		}
		if code, out := outrider(t, "check", "--task-definition", path(e.task), "--mesh", path(e.mesh)); code != 0 || !strings.Contains(out, "traffic would behave the same") {
			t.Errorf("%s: exit code %d\n%s", e.task, code, out)
		}
	}
}

// TestEveryExampleIsOne: nothing lies under examples/ that no test reads.
func TestEveryExampleIsOne(t *testing.T) {
	used := []string{"eks/deployment.yaml", "ec2/outrider.service"} // the tests below
	for _, e := range examples {
		used = append(used, e.mesh, e.task)
	}
	err := filepath.WalkDir(path(""), func(name string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == "README.md" {
			return err
		}
		name, err = filepath.Rel(path(""), name)
		if !slices.ContainsFunc(used, func(u string) bool { return u != "" && (name == u || strings.HasPrefix(name, u+"/")) }) {
			t.Errorf("examples/%s: no test puts it to use", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestThePodOfTheExample: the commands and variables of the containers are
// understood by what they are given to.
func TestThePodOfTheExample(t *testing.T) {
	text, err := os.ReadFile(path("eks/deployment.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	type container struct {
		Name string
		Args []string
		Env  []struct{ Name, Value string }
	}
	var deployment struct {
		Spec struct {
			Template struct {
				Spec struct {
					InitContainers []container `yaml:"initContainers"`
					Containers     []container
				}
			}
		}
	}
	if err := yaml.Unmarshal(text, &deployment); err != nil {
		t.Fatal(err)
	}
	pod := deployment.Spec.Template.Spec
	if len(pod.InitContainers) != 1 || len(pod.Containers) != 2 {
		t.Fatalf("%+v", pod)
	}
	understandsRules(t, pod.InitContainers[0].Args)
	var environ []string
	for _, v := range pod.Containers[1].Env {
		environ = append(environ, v.Name+"="+v.Value)
	}
	understandsRun(t, nil, environ)
}

// TestTheUnitOfTheExample: so are those of the systemd unit.
func TestTheUnitOfTheExample(t *testing.T) {
	text, err := os.ReadFile(path("ec2/outrider.service"))
	if err != nil {
		t.Fatal(err)
	}
	ran := map[string]bool{}
	var environ []string
	for _, line := range strings.Split(string(text), "\n") {
		key, value, _ := strings.Cut(line, "=")
		if key == "Environment" {
			environ = append(environ, value)
		}
		args := strings.Fields(strings.TrimPrefix(value, "+/usr/local/bin/outrider "))
		switch key {
		case "ExecStartPre":
			understandsRules(t, args)
			ran[key] = true
		case "ExecStart":
			understandsRun(t, strings.Fields(value)[2:], environ)
			ran[key] = true
		}
	}
	if len(ran) != 2 {
		t.Errorf("the unit runs %v", ran)
	}
}

// understandsRules has the rules of "iptables apply ..." printed.
func understandsRules(t *testing.T, args []string) {
	t.Helper()
	if len(args) < 2 || args[0] != "iptables" || args[1] != "apply" {
		t.Fatalf("the arguments are %q", args)
	}
	args = append([]string{"iptables", "print"}, args[2:]...)
	if code, out := outrider(t, args...); code != 0 || !strings.Contains(out, "8080") {
		t.Errorf("%q: exit code %d\n%s", args, code, out)
	}
}

func understandsRun(t *testing.T, args, environ []string) {
	t.Helper()
	run, warnings, err := config.ParseRun(args, environ)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%q %q: %v %v", args, environ, err, warnings)
	}
	if name := fmt.Sprint(run.Resource.Name.V); !slices.ContainsFunc(examples, func(e example) bool { return e.node == name }) {
		t.Errorf("it stands for %s", name)
	}
}

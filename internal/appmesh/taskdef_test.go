package appmesh

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// The same task definition as a request and in a template.
const (
	taskRequest = `{"family": "shop", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
 "proxyConfiguration": {"type": "APPMESH", "containerName": "envoy", "properties": [{"name": "AppPorts", "value": "8080"}]},
 "containerDefinitions": [{"name": "envoy", "image": "e:1", "user": "1337", "essential": true, "stopTimeout": 60,
  "environment": [{"name": "APPMESH_RESOURCE_ARN", "value": "mesh/m/virtualNode/n"}], "secrets": [{"name": "TOKEN", "valueFrom": "arn:aws:ssm:x"}],
  "healthCheck": {"command": ["CMD-SHELL", "true"], "interval": 5}, "dependsOn": [{"containerName": "app", "condition": "START"}],
  "portMappings": [{"containerPort": 9901}], "linuxParameters": {"capabilities": {"add": ["NET_ADMIN"]}}, "ulimits": [{"name": "nofile", "softLimit": 1, "hardLimit": 2}]}]}`
	taskTemplate = `
Parameters: {Node: {Type: String, Default: n}}
Conditions: {Never: !Equals [a, b]}
Resources:
  Gone: {Type: "AWS::ECS::TaskDefinition", Condition: Never, Properties: {Family: gone}}
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      Family: !Join ["", [sh, op]]
      NetworkMode: awsvpc
      RequiresCompatibilities: [FARGATE]
      Cpu: 256
      Memory: 512
      ProxyConfiguration: {Type: APPMESH, ContainerName: envoy, ProxyConfigurationProperties: [{Name: AppPorts, Value: 8080}]}
      ContainerDefinitions:
        - Name: envoy
          Image: e:1
          User: 1337
          Essential: true
          StopTimeout: 60
          Environment: [{Name: APPMESH_RESOURCE_ARN, Value: !Sub "mesh/${M.MeshName}/virtualNode/${Node}"}]
          Secrets: [{Name: TOKEN, ValueFrom: !Ref Nobody}]
          HealthCheck: {Command: [CMD-SHELL, "true"], Interval: 5}
          DependsOn: [{ContainerName: app, Condition: START}]
          PortMappings: [{ContainerPort: 9901}]
          LinuxParameters: {Capabilities: {Add: [NET_ADMIN]}}
          Ulimits: [{Name: nofile, SoftLimit: 1, HardLimit: 2}]
  M: {Type: "AWS::AppMesh::Mesh", Properties: {MeshName: m}}
`
)

// TestTaskDefinitionForms: each form says the same.
func TestTaskDefinitionForms(t *testing.T) {
	_, containers, _ := strings.Cut(taskRequest, `"containerDefinitions": `)
	containers = strings.TrimSuffix(strings.Join(strings.Fields(containers), " "), "}")
	terraform := fmt.Sprintf(`{"family": "shop", "network_mode": "awsvpc", "requires_compatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
 "proxy_configuration": [{"type": "APPMESH", "container_name": "envoy", "properties": {"AppPorts": "8080"}}], "container_definitions": %q}`, containers)
	pulumi := fmt.Sprintf(`{"family": "shop", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
 "proxyConfiguration": {"type": "APPMESH", "containerName": "envoy", "properties": {"AppPorts": "8080"}}, "containerDefinitions": %q}`, containers)
	forms := map[string]string{
		"register":  taskRequest,
		"describe":  `{"taskDefinition": ` + taskRequest + `, "tags": []}`,
		"several":   `[{"mesh": {"meshName": "m"}}, ` + taskRequest + `]`,
		"template":  taskTemplate,
		"tfstate":   `{"version": 4, "serial": 1, "lineage": "x", "resources": [{"mode": "managed", "type": "aws_ecs_task_definition", "name": "t", "instances": [{"attributes": ` + terraform + `}, {"deposed": "1", "attributes": ` + terraform + `}]}]}`,
		"show":      `{"format_version": "1.0", "values": {"root_module": {"child_modules": [{"resources": [{"address": "a", "mode": "managed", "type": "aws_ecs_task_definition", "values": ` + terraform + `}]}]}}}`,
		"plan":      `{"format_version": "1.0", "planned_values": {"root_module": {"resources": [{"address": "a", "mode": "managed", "type": "aws_ecs_task_definition", "values": ` + terraform + `}]}}, "prior_state": {"values": {}}}`,
		"tf syntax": `{"resource": {"aws_ecs_task_definition": {"t": ` + terraform + `}}}`,
		"pulumi":    `{"version": 3, "deployment": {"resources": [{"urn": "urn:pulumi:s::p::aws:ecs/taskDefinition:TaskDefinition::t", "type": "aws:ecs/taskDefinition:TaskDefinition", "outputs": ` + pulumi + `}]}}`,
	}
	want := `shop awsvpc [FARGATE] 256/512
proxy APPMESH envoy AppPorts=8080
container envoy e:1 user 1337 essential true stop 60
  env APPMESH_RESOURCE_ARN=mesh/m/virtualNode/n
  secret TOKEN
  health [CMD-SHELL true] 5
  after app START
  ports [9901] add [NET_ADMIN] ulimit nofile 1 2
`
	for name, text := range forms {
		tasks, findings := Checks{}.TaskDefinitions([]Source{{Name: name, Data: []byte(text)}}, nil)
		if len(tasks) != 1 || len(findings) != 0 {
			t.Errorf("%s: %d task definitions, %v", name, len(tasks), findings)
			continue
		}
		if got := taskText(&tasks[0]); got != want {
			t.Errorf("%s: got\n%swant\n%s", name, got, want)
		}
		if at := tasks[0].Containers[0].Environment[0]; at.File != name || at.Line == 0 || at.Said.Line == 0 {
			t.Errorf("%s: a variable is nowhere: %+v", name, at)
		}
	}
}

// TestWhatATaskDefinitionLeavesOpen stays visible, and --param fills it.
func TestWhatATaskDefinitionLeavesOpen(t *testing.T) {
	sources := []Source{{Name: "f", Data: []byte(`{"family": $NAME, "containerDefinitions": [
  {"name": "app", "environment": [{"name": "A", "value": "$A"}, {"name": "B", "value": 9080}, 7]},
  $ENVOY_CONTAINER_JSON]}`)}}
	tasks, _ := Checks{}.TaskDefinitions(sources, nil)
	want := `  [] /
container app  user  essential  stop 
  env A=$A: nobody has filled in this placeholder
  env B=9080
  env =a name with a value is wanted here, not a number
  ports [] add []
unread $ENVOY_CONTAINER_JSON: nobody has filled in this placeholder
`
	if len(tasks) != 1 || taskText(&tasks[0]) != want {
		t.Fatalf("got\n%s\nwant\n%s", taskText(&tasks[0]), want)
	}
	filled := Checks{Params: map[string]string{"NAME": "n", "A": "1", "ENVOY_CONTAINER_JSON": `{"name": "envoy", "image": "e"}`}}
	tasks, _ = filled.TaskDefinitions(sources, nil)
	if len(tasks) != 1 || tasks[0].Name != "n" || len(tasks[0].Containers) != 2 || tasks[0].Containers[1].Name.Text != "envoy" || tasks[0].Containers[1].Line != 3 {
		t.Errorf("got %+v", tasks)
	}
}

// TestTaskDefinitionsImportFromTheMesh: what the mesh's template exports
// reaches the task's.
func TestTaskDefinitionsImportFromTheMesh(t *testing.T) {
	exporting := `{"Resources": {"M": {"Type": "AWS::AppMesh::Mesh", "Properties": {"MeshName": "shop"}}}, "Outputs": {"M": {"Value": {"Fn::GetAtt": ["M", "MeshName"]}, "Export": {"Name": "e:mesh"}}}}`
	task := `{"Resources": {"T": {"Type": "AWS::ECS::TaskDefinition", "Properties": {"Family": {"Fn::ImportValue": "e:mesh"}, "NetworkMode": {"Ref": "Nobody"}}}}}`
	tasks, findings := Checks{}.TaskDefinitions([]Source{{Name: "t", Data: []byte(task)}}, []Source{{Name: "m", Data: []byte(exporting)}})
	if len(tasks) != 1 || tasks[0].Name != "shop" || len(findings) != 0 {
		t.Fatalf("got %+v %v", tasks, findings)
	}
	if got := tasks[0].NetworkMode.Unknown; !strings.Contains(got, "!Ref Nobody") {
		t.Errorf("got %q", got)
	}
}

// TestOtherFilesBesideATaskDefinition are ignored, with a word.
func TestOtherFilesBesideATaskDefinition(t *testing.T) {
	tasks, findings := Checks{}.TaskDefinitions([]Source{{Name: "t", Data: []byte(taskRequest)}, {Name: "m", Data: []byte(`{"meshName": "m"}`)}}, nil)
	if len(tasks) != 1 || len(findings) != 1 || findings[0].Severity != mesh.Warning || findings[0].Message != "no ECS task definition in it: ignored" {
		t.Errorf("got %d, %+v", len(tasks), findings)
	}
}

// TestTerraformSourceSaysWhichCommand writes what can be read.
func TestTerraformSourceSaysWhichCommand(t *testing.T) {
	_, findings := Checks{}.TaskDefinitions([]Source{{Name: "main.tf", Data: []byte(`resource "aws_ecs_task_definition" "t" {}`)}}, nil)
	if len(findings) != 1 || !strings.Contains(findings[0].Hint, "terraform show -json") {
		t.Errorf("got %+v", findings)
	}
}

// TestSensitiveContainers are marked as Terraform marks them.
func TestSensitiveContainers(t *testing.T) {
	for name, text := range map[string]string{
		"show":  `{"values": {"root_module": {"resources": [{"type": "aws_ecs_task_definition", "values": {"container_definitions": "[]"}, "sensitive_values": {"container_definitions": true}}]}}}`,
		"state": `{"version": 4, "resources": [{"type": "aws_ecs_task_definition", "instances": [{"attributes": {"container_definitions": "[]"}, "sensitive_attributes": [[{"type": "get_attr", "value": "container_definitions"}]]}]}]}`,
	} {
		if tasks, _ := (Checks{}).TaskDefinitions([]Source{{Name: name, Data: []byte(text)}}, nil); len(tasks) != 1 || !tasks[0].Sensitive {
			t.Errorf("%s: got %+v", name, tasks)
		}
	}
}

func TestWhatIsNoTaskDefinition(t *testing.T) {
	for text, want := range map[string]string{
		`{"meshName": "m"}`: "no ECS task definition in it",
		`{"family":`:        "cannot be read: ",
		``:                  "cannot be read: it holds nothing",
		`{"Resources": {"M": {"Type": "AWS::AppMesh::Mesh"}}}`: "this template has no AWS::ECS::TaskDefinition",
	} {
		tasks, findings := Checks{}.TaskDefinitions([]Source{{Name: "f", Data: []byte(text)}}, nil)
		if len(tasks) != 0 || len(findings) != 1 || !strings.Contains(findings[0].Message, want) {
			t.Errorf("%q: %v %v, want %q", text, tasks, findings, want)
		}
	}
}

// FuzzTaskDefinitions: no text makes the reader panic or run away.
func FuzzTaskDefinitions(f *testing.F) {
	f.Add([]byte(taskRequest))
	f.Add([]byte(taskTemplate))
	f.Add([]byte(`{"resource": {"aws_ecs_task_definition": {"t": [{"container_definitions": "${jsonencode([1])}"}]}}}`))
	f.Add([]byte(`{"version": 4, "resources": [{"type": "aws_ecs_task_definition", "instances": [{"attributes": {"container_definitions": "[{\"name\": \"[\"}]"}}]}]}`))
	f.Add([]byte(`{"deployment": {"resources": [{"type": "aws:ecs/taskDefinition:TaskDefinition", "inputs": {"containerDefinitions": "[[[", "proxyConfiguration": []}}]}}`))
	files, _ := filepath.Glob("../../examples/ecs/*.json")
	for _, name := range files {
		if data, err := os.ReadFile(name); err == nil {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		tasks, _ := Checks{Params: map[string]string{"A": `[{"name": "x"}]`}}.TaskDefinitions([]Source{{Name: "f", Data: data}}, nil)
		for i := range tasks {
			if taskText(&tasks[i]) == "" {
				t.Error("a task definition says nothing")
			}
		}
	})
}

func taskText(t *TaskDefinition) string {
	texts := func(all []Said) []string {
		var s []string
		for _, one := range all {
			s = append(s, one.Text+one.Unknown)
		}
		return s
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %v %s/%s\n", t.Name, t.NetworkMode.Text, texts(t.Compatibilities), t.CPU.Text, t.Memory.Text)
	if t.Proxy != nil {
		fmt.Fprintf(&b, "proxy %s %s", t.Proxy.Type.Text, t.Proxy.Container.Text)
		for _, p := range t.Proxy.Properties {
			fmt.Fprintf(&b, " %s=%s", p.Name, p.Said.Text+p.Said.Unknown)
		}
		b.WriteByte('\n')
	}
	for _, c := range t.Containers {
		fmt.Fprintf(&b, "container %s %s user %s essential %s stop %s\n", c.Name.Text, c.Image.Text, c.User.Text, c.Essential.Text, c.StopTimeout.Text)
		for _, e := range c.Environment {
			fmt.Fprintf(&b, "  env %s=%s\n", e.Name, e.Said.Text+e.Said.Unknown)
		}
		for _, e := range c.Secrets {
			fmt.Fprintf(&b, "  secret %s\n", e.Name)
		}
		if h := c.HealthCheck; h != nil {
			fmt.Fprintf(&b, "  health %v %s\n", texts(h.Command), h.Interval.Text)
		}
		for _, d := range c.DependsOn {
			fmt.Fprintf(&b, "  after %s %s\n", d.Container.Text, d.Condition.Text)
		}
		fmt.Fprintf(&b, "  ports %v add %v", texts(c.Ports), texts(c.Capabilities))
		for _, u := range c.Ulimits {
			fmt.Fprintf(&b, " ulimit %s %s %s", u.Name.Text, u.Soft.Text, u.Hard.Text)
		}
		b.WriteByte('\n')
	}
	for _, u := range t.Unread {
		fmt.Fprintf(&b, "unread %s\n", u.Unknown)
	}
	return b.String()
}

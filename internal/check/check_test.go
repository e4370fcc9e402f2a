package check

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/appmesh"
	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/testkit/golden"
)

// A task and a mesh with nothing wrong in them.
const (
	goodTask = `{"family": "shop", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
"proxyConfiguration": {"type": "APPMESH", "containerName": "envoy", "properties": [
 {"name": "IgnoredUID", "value": "1337"}, {"name": "ProxyIngressPort", "value": "15000"}, {"name": "ProxyEgressPort", "value": "15001"},
 {"name": "AppPorts", "value": "8080"}, {"name": "EgressIgnoredIPs", "value": "169.254.170.2,169.254.169.254"}]},
"containerDefinitions": [
 {"name": "app", "image": "app", "portMappings": [{"containerPort": 8080}], "dependsOn": [{"containerName": "envoy", "condition": "HEALTHY"}]},
 {"name": "envoy", "image": "aws-appmesh-envoy:v1.34.13.3-prod", "user": "1337", "essential": true,
  "healthCheck": {"command": ["CMD-SHELL", "curl -s http://localhost:9901/server_info | grep state | grep -q LIVE"], "interval": 5, "retries": 3},
  "environment": [{"name": "APPMESH_RESOURCE_ARN", "value": "mesh/m/virtualNode/shop"}]}]}`
	goodMesh = `[{"meshName": "m", "spec": {}}, {"meshName": "m", "virtualNodeName": "shop", "spec": {
"listeners": [{"portMapping": {"port": 8080, "protocol": "http"}}], "serviceDiscovery": {"dns": {"hostname": "shop.local"}}}}]`
)

// TestMistakes changes the good task in one place at a time.
func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		says      string
		was, is   string
		subject   string
		want      mesh.Standing
		effect    mesh.Effect
		message   string
		otherMesh string
	}{
		{"nothing is wrong", "", "", "AppPorts", mesh.Honoured, mesh.NoEffect, "", ""},
		// Which container is the proxy?
		{"the proxy is not there", `"containerName": "envoy", "prop`, `"containerName": "proxy", "prop`, "containerName", mesh.Wrong, mesh.OnTraffic, "ECS refuses", ""},
		{"no containers at all", `"containerDefinitions"`, `"nobody"`, "containerDefinitions", mesh.Unknown, mesh.Perhaps, "no containerDefinitions", ""},
		{"an old image", "v1.34.13.3-prod", "v1.12.2.1-prod", "image of envoy", mesh.Approximated, mesh.Perhaps, "ECMAScript", ""},
		{"Outrider already", "aws-appmesh-envoy:v1.34.13.3-prod", "outrider:1", "image of envoy", mesh.Honoured, mesh.NoEffect, "already", ""},
		// The platform.
		{"another network mode", "awsvpc", "bridge", "networkMode", mesh.Wrong, mesh.OnTraffic, "needs awsvpc", ""},
		{"no network mode", `"networkMode": "awsvpc", `, "", "networkMode", mesh.Wrong, mesh.OnTraffic, "needs awsvpc", ""},
		{"NET_ADMIN on Fargate", `"image": "app"`, `"image": "app", "linuxParameters": {"capabilities": {"add": ["NET_ADMIN"]}}`, "capabilities of app", mesh.Wrong, mesh.OnTraffic, "Fargate adds no NET_ADMIN", ""},
		// Variables.
		{"given twice", `"value": "mesh/m/virtualNode/shop"}`, `"value": "mesh/m/virtualNode/shop"}, {"name": "APPMESH_RESOURCE_ARN", "value": "mesh/m/virtualNode/b"}`, "APPMESH_RESOURCE_ARN", mesh.Wrong, mesh.Perhaps, "is given twice", ""},
		{"nobody says who it is", `"APPMESH_RESOURCE_ARN"`, `"ARN"`, "APPMESH_RESOURCE_ARN", mesh.Wrong, mesh.OnTraffic, "no resource", ""},
		{"a secret says who it is", `"environment": [{"name": "APPMESH_RESOURCE_ARN", "value": "mesh/m/virtualNode/shop"}]`, `"secrets": [{"name": "APPMESH_RESOURCE_ARN", "valueFrom": "x"}]`, "APPMESH_RESOURCE_ARN", mesh.Unknown, mesh.Perhaps, "ECS fills it in", ""},
		{"a file of variables", `"user": "1337"`, `"user": "1337", "environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::b/f.env"}]`, "environmentFiles", mesh.Unknown, mesh.Perhaps, "cannot be seen", ""},
		{"another's variable", `"value": "mesh/m/virtualNode/shop"}`, `"value": "mesh/m/virtualNode/shop"}, {"name": "X", "value": "1"}`, "X", mesh.Honoured, mesh.NoEffect, "passed over", ""},
		{"in the app's container", `"image": "app"`, `"image": "app", "environment": [{"name": "ENVOY_LOG_LEVEL", "value": "x"}]`, "ENVOY_LOG_LEVEL of app", mesh.Honoured, mesh.NoEffect, "no effect", ""},
		{"arguments", `"user": "1337"`, `"user": "1337", "command": ["run", "--drain-time", "40s"]`, "stopTimeout of envoy", mesh.Wrong, mesh.NoEffect, "the drain takes up to 40s (--drain-time)", ""},
		// The redirect.
		{"another type", `"type": "APPMESH"`, `"type": "NOMESH"`, "type", mesh.Wrong, mesh.OnTraffic, "ECS knows APPMESH alone", ""},
		{"a misspelt property", `"AppPorts"`, `"Appports"`, "Appports", mesh.Wrong, mesh.OnTraffic, "did you mean AppPorts?", ""},
		{"not a port", `"value": "15001"`, `"value": "many"`, "ProxyEgressPort", mesh.Wrong, mesh.OnTraffic, "many", ""},
		{"another ingress port", `"value": "15000"`, `"value": "16000"`, "ProxyIngressPort", mesh.Wrong, mesh.OnTraffic, "the sidecar listens on 15000", ""},
		{"another ingress port on both sides", `"environment": [`, `"environment": [{"name": "OUTRIDER_INGRESS_ADDR", "value": ":16000"}, `, "ProxyIngressPort", mesh.Wrong, mesh.OnTraffic, "the sidecar listens on 16000", ""},
		{"another user", `"user": "1337"`, `"user": "1338"`, "user of envoy", mesh.Wrong, mesh.OnTraffic, "sent back to it", ""},
		{"no user", `"user": "1337", `, ``, "user of envoy", mesh.Honoured, mesh.NoEffect, "as the image says", ""},
		{"a user by name", `"user": "1337"`, `"user": "envoy"`, "user of envoy", mesh.Unknown, mesh.Perhaps, "the image decides", ""},
		{"a user with a group", `"user": "1337"`, `"user": "1337:1337"`, "user of envoy", mesh.Honoured, mesh.NoEffect, "", ""},
		{"no egress port", `{"name": "ProxyEgressPort", "value": "15001"},`, ``, "properties", mesh.Wrong, mesh.OnTraffic, "egress port is missing", ""},
		{"a listener without its port", `"8080"}, {"name": "Eg`, `"8081"}, {"name": "Eg`, "AppPorts", mesh.Wrong, mesh.NoEffect, "lacks 8080, a listener of the node (mesh.json:2:", ""},
		{"a port without its listener", `"8080"}, {"name": "Eg`, `"8080,8081"}, {"name": "Eg`, "AppPorts", mesh.Wrong, mesh.NoEffect, "has 8081, and the node no such listener (8080 at mesh.json:2:", ""},
		{"too many ports", `{"name": "EgressIgnoredIPs"`, `{"name": "EgressIgnoredPorts", "value": "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16"}, {"name": "EgressIgnoredIPs"`, "EgressIgnoredPorts", mesh.Wrong, mesh.NoEffect, "ECS takes 15", ""},
		{"no redirect", `"proxyConfiguration"`, `"nothing"`, "proxyConfiguration", mesh.Wrong, mesh.NoEffect, "nothing is redirected", ""},
		// Health.
		{"no health check", `"healthCheck"`, `"nothing"`, "dependsOn of app", mesh.Wrong, mesh.OnTraffic, "no healthCheck", ""},
		{"the agent is asked", `curl -s http://localhost:9901/server_info | grep state | grep -q LIVE`, `/usr/bin/agent -envoyReadiness`, "healthCheck of envoy", mesh.Wrong, mesh.OnTraffic, "App Mesh's agent", ""},
		{"the agent's interface is asked", `localhost:9901/server_info`, `localhost:9902/status`, "healthCheck of envoy", mesh.Unsupported, mesh.OnTraffic, "agent's interface", ""},
		{"another port is asked", `localhost:9901`, `127.0.0.1:9999`, "healthCheck of envoy", mesh.Wrong, mesh.OnTraffic, "the admin interface is on 0.0.0.0:9901", ""},
		{"a program that is not there", `curl -s http://localhost:9901/server_info |`, `wget -O- http://localhost:9901/server_info |`, "healthCheck of envoy", mesh.Unknown, mesh.Perhaps, `"wget"`, ""},
		{"the very old command", `grep -q LIVE`, `cut -d' ' -f3 | grep -q live`, "healthCheck of envoy", mesh.Wrong, mesh.OnTraffic, "small letters", ""},
		{"our own command", `curl -s http://localhost:9901/server_info | grep state | grep -q LIVE`, `outrider health`, "healthCheck of envoy", mesh.Honoured, mesh.NoEffect, "", ""},
		{"it gives up early", `"interval": 5, "retries": 3`, `"interval": 5, "retries": 1`, "healthCheck of envoy", mesh.Wrong, mesh.Perhaps, "gives up after 5s", ""},
		// Who waits for whom.
		{"nobody waits", `"dependsOn"`, `"nothing"`, "dependsOn", mesh.Wrong, mesh.NoEffect, "no container waits", ""},
		{"it waits for the start alone", `"HEALTHY"`, `"START"`, "dependsOn of app", mesh.Wrong, mesh.NoEffect, "before the sidecar listens", ""},
		{"it waits for the end", `"HEALTHY"`, `"SUCCESS"`, "dependsOn of app", mesh.Wrong, mesh.OnTraffic, "does not end", ""},
		{"it waits for nobody", `"containerName": "envoy", "condition"`, `"containerName": "proxy", "condition"`, "dependsOn of app", mesh.Wrong, mesh.OnTraffic, "no container", ""},
		// The rest of the container.
		{"not essential", `"essential": true`, `"essential": false`, "essential of envoy", mesh.Wrong, mesh.NoEffect, "without a network", ""},
		{"an entry point", `"essential": true`, `"entryPoint": ["/usr/bin/envoy"]`, "entryPoint of envoy", mesh.Wrong, mesh.OnTraffic, "starts itself", ""},
		{"Envoy's arguments", `"essential": true`, `"command": ["-c", "/etc/envoy.yaml"]`, "command of envoy", mesh.Wrong, mesh.OnTraffic, "the first must be run", ""},
		{"killed in the drain", `"essential": true`, `"stopTimeout": 10`, "stopTimeout of envoy", mesh.Wrong, mesh.NoEffect, "ECS kills after 10s", ""},
		{"little memory", `"essential": true`, `"memory": 32`, "memory of envoy", mesh.Wrong, mesh.Perhaps, "too little", ""},
		{"few files", `"essential": true`, `"ulimits": [{"name": "nofile", "softLimit": 100, "hardLimit": 100}]`, "nofile of envoy", mesh.Wrong, mesh.Perhaps, "few", ""},
		{"the app has our port", `"containerPort": 8080`, `"containerPort": 15001`, "portMappings of app", mesh.Wrong, mesh.OnTraffic, "for its egress", ""},
		{"the app has the admin's port", `"containerPort": 8080`, `"containerPort": 9901`, "portMappings of app", mesh.Wrong, mesh.OnTraffic, "for its admin interface", ""},
		// Its neighbours.
		{"X-Ray gets nothing yet", `"environment": [`, `"environment": [{"name": "ENABLE_ENVOY_XRAY_TRACING", "value": "1"}, `, "container app", mesh.Unsupported, mesh.OnObservation, "gets no traces", "x-ray"},
	} {
		task := goodTask
		if c.was != "" {
			if !strings.Contains(task, c.was) {
				t.Fatalf("%s: the good task has no %q", c.says, c.was)
			}
			task = strings.Replace(task, c.was, c.is, 1)
		}
		if c.otherMesh != "" {
			task = strings.Replace(task, `"image": "app"`, `"image": "aws-xray-daemon"`, 1)
		}
		r := report(t, appmesh.Checks{}, sources("task.json", task), sources("mesh.json", goodMesh), "")
		v := find(r, c.subject, c.message)
		if v == nil || v.Standing != c.want || v.Effect != c.effect {
			t.Errorf("%s: %+v, want %s %q %q in\n%s", c.says, v, c.want, c.effect, c.message, text(t, r, Whole))
		}
		if c.effect == mesh.OnTraffic != r.Differs() && !strings.Contains(c.says, "both sides") {
			t.Errorf("%s: traffic differs: %t\n%s", c.says, r.Differs(), text(t, r, Whole))
		}
		golden.OnPaper(t, text(t, r, Whole))
	}
}

// TestInitContainers install the redirect: App Mesh's route manager by its
// variables, Outrider by its flags. They are judged like a proxyConfiguration.
func TestInitContainers(t *testing.T) {
	const (
		manager = `{"name": "init", "image": "aws-appmesh-proxy-route-manager:v7-prod", "environment": [{"name": "APPMESH_START_ENABLED", "value": "1"},
 {"name": "APPMESH_IGNORE_UID", "value": "%uid"}, {"name": "APPMESH_APP_PORTS", "value": "%ports"}, {"name": "APPMESH_ENVOY_INGRESS_PORT", "value": "15000"}, {"name": "APPMESH_ENVOY_EGRESS_PORT", "value": "15001"}]}`
		own = `{"name": "init", "image": "outrider", "command": ["iptables", "apply", "--app-ports=%ports", "--ignored-uid", "%uid"]}`
	)
	for _, c := range []struct {
		container, uid, ports, subject, message string
		want                                    mesh.Standing
		effect                                  mesh.Effect
	}{
		{manager, "1337", "8080", "image of init", "told by flags", mesh.Approximated, mesh.NoEffect},
		{manager, "1337", "8081", "AppPorts", "lacks 8080", mesh.Wrong, mesh.NoEffect},
		{manager, "7", "8080", "user of envoy", "sent back to it", mesh.Wrong, mesh.OnTraffic},
		{manager, "me", "8080", "APPMESH_IGNORE_UID", "me", mesh.Wrong, mesh.OnTraffic},
		{own, "1337", "8080", "command of init", "", mesh.Honoured, mesh.NoEffect},
		{own, "1337", "8081", "AppPorts", "has 8081", mesh.Wrong, mesh.NoEffect},
		{own, "7", "8080", "user of envoy", "sent back to it", mesh.Wrong, mesh.OnTraffic},
		{own, "me", "8080", "command of init", "me", mesh.Wrong, mesh.OnTraffic},
	} {
		container := strings.NewReplacer("%uid", c.uid, "%ports", c.ports).Replace(c.container)
		task := strings.NewReplacer(`"proxyConfiguration"`, `"nothing"`, `{"name": "app"`, container+`, {"name": "app"`).Replace(goodTask)
		r := report(t, appmesh.Checks{}, sources("task.json", task), sources("mesh.json", goodMesh), "")
		v := find(r, c.subject, c.message)
		if v == nil || v.Standing != c.want || v.Effect != c.effect {
			t.Errorf("%s %s: %+v, want %s %q %q in\n%s", c.uid, c.ports, v, c.want, c.effect, c.message, text(t, r, Whole))
			continue
		}
		command := "command: iptables apply --app-ports=8080 --ingress-port=15000 --egress-port=15001 --ignored-uid=1337 --egress-ignored-ports=22"
		if c.want == mesh.Approximated && v.Hint != command {
			t.Errorf("got the hint %q, want %q", v.Hint, command)
		}
		golden.OnPaper(t, text(t, r, Whole))
	}
}

func sources(name, text string) []appmesh.Source {
	return []appmesh.Source{{Name: name, Data: []byte(text)}}
}

func find(r *Report, subject, message string) *Verdict {
	for _, s := range r.Sections {
		for i := range s.Verdicts {
			if v := &s.Verdicts[i]; v.Subject == subject && strings.Contains(v.Message, message) {
				return v
			}
		}
	}
	return nil
}

// TestNoSecretIsShown, in either form, wherever it stands.
func TestNoSecretIsShown(t *testing.T) {
	const secret = "hunter2"
	task := strings.NewReplacer(
		`"environment": [`, `"environment": [{"name": "DB_PASSWORD", "value": "hunter2"}, {"name": "OUTRIDER_PARAM", "value": "hunter2"}, {"name": "OUTRIDER_MESH_INLINE", "value": "hunter2"},
  {"name": "ENVOY_USE_HTTP_CLIENT_TO_FETCH_AWS_CREDENTIALS", "value": "hunter2"}, {"name": "OUTRIDER_PARM", "value": "hunter2"}, {"name": "API_TOKEN", "value": "${X}hunter2"}, {"name": "OTHER", "value": "hunter2"}, {"name": "APPMESH_SOMETHING", "value": "hunter2"}, `,
		`"image": "app"`, `"image": "app", "environment": [{"name": "APPMESH_X", "value": "hunter2"}], "secrets": [{"name": "ENVOY_LOG_LEVEL", "valueFrom": "hunter2"}]`,
		`"user": "1337"`, `"user": "1337", "secrets": [{"name": "APPMESH_RESOURCE_NAME", "valueFrom": "hunter2"}]`,
		`curl -s`, `curl -H 'Authorization: hunter2' -s`).Replace(goodTask)
	r := report(t, appmesh.Checks{}, sources("task.json", task), sources("mesh.json", goodMesh), "")
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{b.String(), text(t, r, Brief), text(t, r, Whole)} {
		if i := strings.Index(shown, secret); i >= 0 {
			t.Errorf("shown: ...%s", shown[max(0, i-200):i+len(secret)])
		}
	}
	for _, name := range []string{"DB_PASSWORD", "OUTRIDER_PARAM", "OUTRIDER_MESH_INLINE", "API_TOKEN", "APPMESH_RESOURCE_NAME"} {
		if find(r, name, "") == nil {
			t.Errorf("%s is not told", name)
		}
	}
}

// TestSeveralTasks: a node chooses among them; without one each is checked
// against its own.
func TestSeveralTasks(t *testing.T) {
	other := strings.NewReplacer("virtualNode/shop", "virtualNode/cart", `"family": "shop"`, `"family": "cart"`).Replace(goodTask)
	tasks := sources("task.json", "["+goodTask+","+other+"]")
	r := report(t, appmesh.Checks{}, tasks, sources("mesh.json", goodMesh), "")
	if got := text(t, r, Brief); !strings.Contains(got, `no virtual node "cart"`) || !strings.Contains(got, "reach of mesh/m/virtualNode/shop") {
		t.Errorf("got\n%s", got)
	}
	r = report(t, appmesh.Checks{}, tasks, sources("mesh.json", goodMesh), "mesh/m/virtualNode/shop")
	if got := text(t, r, Brief); strings.Contains(got, "cart\n") || !strings.Contains(got, "left out: 1 task definition of others") || r.Differs() {
		t.Errorf("got\n%s", got)
	}
}

// TestWhatCannotBeJudged is no clean bill.
func TestWhatCannotBeJudged(t *testing.T) {
	task := strings.Replace(goodTask, `"name": "envoy", "image"`, `"name": "proxy", "image"`, 1)
	task = strings.Replace(task, `"containerDefinitions": [`, `"containerDefinitions": ["${ENVOY}",`, 1)
	r := report(t, appmesh.Checks{}, sources("task.json", task), sources("mesh.json", goodMesh), "")
	if got := text(t, r, Brief); r.Fine() || r.Differs() || !strings.Contains(got, "1 task definition could not be judged") || !strings.Contains(got, "mesh documents, whole") {
		t.Errorf("got\n%s", got)
	}
}

// TestNobodyKnownAndNothingRead: a sidecar of which nothing is known but that it
// has no documents does not behave as before.
func TestNobodyKnownAndNothingRead(t *testing.T) {
	task := strings.NewReplacer("mesh/m/virtualNode/shop", "mesh/${MESH}/virtualGateway/edge", `"proxyConfiguration"`, `"nothing"`).Replace(goodTask)
	r := report(t, appmesh.Checks{}, sources("task.json", task), sources("task.json", task), "")
	got := text(t, r, Brief)
	if !r.Differs() || !strings.Contains(got, "no resource of App Mesh is in the documents") || strings.Contains(got, "ignored: nothing in it") {
		t.Errorf("got\n%s", got)
	}
	if v := find(r, "proxyConfiguration", "a virtual gateway needs none"); v == nil || v.Standing != mesh.Unknown {
		t.Errorf("of the redirect: %+v", v)
	}
	if r = report(t, appmesh.Checks{}, sources("task.json", task), sources("mesh.json", goodMesh), ""); strings.Contains(text(t, r, Brief), "no resource of") {
		t.Errorf("got\n%s", text(t, r, Brief))
	}
}

// TestASensitiveTaskShowsNoValue: Terraform says that its containers are.
func TestASensitiveTaskShowsNoValue(t *testing.T) {
	containers := strings.ReplaceAll(goodTask[strings.Index(goodTask, `"containerDefinitions": `)+len(`"containerDefinitions": `):len(goodTask)-1], "virtualNode/shop", "virtualNode/hush")
	containers = strings.Replace(containers, `"environment": [`, `"environment": [{"name": "ENVOY_ADMIN_ACCESS_PORT", "value": "hush"}, `, 1)
	quoted, err := json.Marshal(containers)
	if err != nil {
		t.Fatal(err)
	}
	state := `{"format_version": "1.0", "values": {"root_module": {"resources": [{"address": "a", "mode": "managed", "type": "aws_ecs_task_definition",
"values": {"family": "shop", "container_definitions": ` + string(quoted) + `}, "sensitive_values": {"container_definitions": true}}]}}}`
	r := report(t, appmesh.Checks{}, sources("task.json", state), nil, "")
	got := text(t, r, Whole)
	if strings.Contains(strings.ReplaceAll(got, "virtualNode/hush", ""), "hush") || !strings.Contains(got, "ENVOY_ADMIN_ACCESS_PORT") {
		t.Errorf("got\n%s", got)
	}
}

// TestWithoutAMesh: what cannot be looked at is told.
func TestWithoutAMesh(t *testing.T) {
	r := report(t, appmesh.Checks{}, sources("task.json", goodTask), nil, "")
	if got := text(t, r, Brief); r.Differs() || !strings.Contains(got, "left out: no mesh documents") || !strings.Contains(got, "traffic would behave the same") {
		t.Errorf("got\n%s", got)
	}
}

// TestASettingHasItBack: what the container's variables undo is no difference.
func TestASettingHasItBack(t *testing.T) {
	task := strings.Replace(goodTask, `"environment": [`, `"environment": [{"name": "OUTRIDER_RETRY_UNSAFE", "value": "true"}, {"name": "OUTRIDER_RETRY_BUFFER", "value": "1MiB"}, {"name": "OUTRIDER_ADMIN_OPEN", "value": "true"}, `, 1)
	documents := strings.Replace(goodMesh, `"serviceDiscovery"`, `"backends": [{"virtualService": {"virtualServiceName": "x"}}], "serviceDiscovery"`, 1)
	before := text(t, report(t, appmesh.Checks{}, sources("task.json", goodTask), sources("mesh.json", documents), ""), Brief)
	after := text(t, report(t, appmesh.Checks{}, sources("task.json", task), sources("mesh.json", documents), ""), Brief)
	for _, hint := range []string{"OUTRIDER_RETRY_UNSAFE=true", "OUTRIDER_RETRY_BUFFER=1MiB", "OUTRIDER_ADMIN_OPEN=true"} {
		if !strings.Contains(before, hint+" has it back") || strings.Contains(after, hint+" has it back") {
			t.Errorf("%s: before\n%s\nafter\n%s", hint, before, after)
		}
	}
}

// FuzzReport: no task definition makes the check panic, or write lines that no
// terminal holds.
func FuzzReport(f *testing.F) {
	f.Add([]byte(goodTask))
	f.Add([]byte(`{"containerDefinitions": [{"name": "envoy", "dependsOn": [{}], "ulimits": [{}], "healthCheck": {"command": [1, {}]}, "environment": {"APPMESH_RESOURCE_ARN": "mesh/m/virtualGateway/g"}}], "proxyConfiguration": {"properties": [[], 1]}}`))
	f.Add([]byte(`{"taskDefinition": {"proxyConfiguration": {"containerName": "x"}, "containerDefinitions": "[{\"name\": \"x\", \"command\": [\"run\", \"--help\"]}]"}}`))
	documents := appmesh.Parse(sources("mesh.json", goodMesh))
	f.Fuzz(func(t *testing.T, data []byte) {
		tasks, findings := appmesh.Checks{}.TaskDefinitions([]appmesh.Source{{Name: "task", Data: data}}, nil)
		r := Subject{Tasks: tasks, Findings: findings, Documents: documents}.Report()
		if text(t, r, Whole) == "" {
			t.Error("nothing is said")
		}
	})
}

func TestPasswordsInAddressesAreNotShown(t *testing.T) {
	for value, want := range map[string]string{
		"user:pw@registry.example/app:1":         "user:***@registry.example/app:1",
		"https://user:p:w@host.example:443/path": "https://user:***@host.example:443/path",
		"registry.example:5000/app@sha256:abc":   "registry.example:5000/app@sha256:abc",
		"mesh/m@111122223333/virtualNode/n":      "mesh/m@111122223333/virtualNode/n",
		"127.0.0.1:15001":                        "127.0.0.1:15001",
	} {
		s := Section{}
		s.add(Verdict{Value: value})
		if got := s.Verdicts[0].Value; got != want {
			t.Errorf("%q is shown as %q, want %q", value, got, want)
		}
	}
}

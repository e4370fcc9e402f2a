package appmesh

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// stateOf wraps instances of resources, each `TYPE {attributes}` on a line, as a raw state.
func stateOf(lines string) string {
	var all []string
	for _, line := range strings.Split(strings.TrimSpace(lines), "\n") {
		kind, attributes, _ := strings.Cut(strings.TrimSpace(line), " ")
		all = append(all, fmt.Sprintf(`{"mode": "managed", "type": "aws_appmesh_%s", "name": "x", "provider": "p", "instances": [{"schema_version": 0, "attributes": %s}]}`, kind, attributes))
	}
	return `{"version": 4, "terraform_version": "1.9.8", "serial": 1, "lineage": "l", "outputs": {}, "resources": [` + strings.Join(all, ", ") + `]}`
}

// show wraps resources as `terraform show -json` does; resources are in a
// module of a module.
func show(resources string) string {
	return `{"format_version": "1.0", "terraform_version": "1.9.8", "values": {"root_module": {"child_modules": [{"address": "module.a", "child_modules": [{"address": "module.a.module.b", "resources": [` + resources + `]}]}]}}}`
}

const keptMesh = `{"mode": "managed", "address": "aws_appmesh_mesh.m", "type": "aws_appmesh_mesh", "name": "m", "values": {"name": "m", "spec": []}}`

func keptNode(more, attributes string) string {
	return `{"mode": "managed", "address": "aws_appmesh_virtual_node.n", "type": "aws_appmesh_virtual_node", "name": "n", ` + more + ` "values": {"name": "n", "mesh_name": "m", ` + attributes + `}}`
}

func TestTerraformFindings(t *testing.T) {
	const route = `{"name": "r", "mesh_name": "m", "virtual_router_name": "vr", "spec": [%s]}`
	node := func(spec string) string {
		return stateOf(`virtual_node {"name": "n", "mesh_name": "m", "spec": [` + spec + `]}`)
	}
	for _, c := range []struct{ says, document, want string }{
		{"a mesh and a service may have no spec", stateOf(`mesh {"name": "m", "spec": []}` + "\n" + `virtual_service {"name": "s", "mesh_name": "m", "spec": [null]}`),
			`warning: virtual service "s": provider: has no provider | callers that list it get 404`},
		{"a node may not", stateOf(`virtual_node {"name": "n", "mesh_name": "m", "spec": []}`), `error: virtual node "n": spec is required`},
		{"a node's may be empty", stateOf(`virtual_node {"name": "n", "mesh_name": "m", "spec": [null]}`), ``},
		{"zeros that were never sent are absent", node(`{"listener": [{"port_mapping": [{"port": 80, "protocol": "http"}], "connection_pool": [{"http": [{"max_connections": 1, "max_pending_requests": 0}], "grpc": [], "tcp": null}], "health_check": [{"protocol": "http", "port": 0, "path": "", "interval_millis": 5000, "timeout_millis": 2000, "healthy_threshold": 2, "unhealthy_threshold": 2}], "tls": [], "timeout": [{"http": []}]}], "service_discovery": [{"dns": [{"hostname": "h", "ip_preference": "", "response_type": ""}], "aws_cloud_map": []}], "backend": [], "logging": null, "backend_defaults": []}`),
			`not-yet: virtual node "n": listeners[0].healthCheck: active health checks are not done yet: endpoints are used as they are discovered`},
		{"two blocks where one may be", node(`{"service_discovery": [{}, {}]}`), `error: virtual node "n": serviceDiscovery: must be an object, not a list`},
		{"a field is named as in the API", node(`{"listener": [{"port_mapping": [{"port": 70000, "protocol": "http"}]}], "service_discovery": [{"dns": [{"hostname": "h"}]}]}`),
			`error: virtual node "n": listeners[0].portMapping.port "70000": is out of range | App Mesh takes 1 to 65535`},
		{"an attribute nobody knows is an error in a spec", node(`{"listeners_to_be": [{"port": 1}], "gone": ""}`),
			`error: virtual node "n": listeners_to_be: no such field | did you mean "listeners"?`},
		{"and dropped beside it", stateOf(`virtual_node {"name": "n", "mesh_name": "m", "spec": [{}], "shiny": {"a": 1}, "dull": null, "arn": "a", "id": "i", "created_date": "c", "last_updated_date": "l", "mesh_owner": "o", "resource_owner": "o", "region": "r", "tags": {"a": "b"}, "tags_all": {"a": "b"}}`),
			`warning: virtual node "n": shiny: no attribute that App Mesh knows: dropped`},
		{"the prefix of a gRPC match is ignored", stateOf("route " + fmt.Sprintf(route, `{"priority": 0, "grpc_route": [{"match": [{"prefix": "/x", "service_name": "s", "port": 0}], "action": [{"weighted_target": []}]}]}`)),
			`warning: route "r": match.prefix: the provider never sent the prefix of a gRPC match: ignored | serviceName and methodName match
			 error: route "r": weightedTargets: is required
			 warning: route "r": virtualRouterName "vr": no such virtual router in mesh "m"`},
		{"the oldest spellings", stateOf(`virtual_node {"name": "n", "mesh_name": "m", "spec": [{"backends": ["a.local"], "service_discovery": [{"dns": [{"service_name": "n.local"}]}]}]}` + "\n" +
			`virtual_router {"name": "r", "mesh_name": "m", "spec": [{"service_names": ["a.local"], "listener": [{"port_mapping": [{"port": 1, "protocol": "http"}]}]}]}`),
			`warning: virtual node "n": backends[0].virtualService.virtualServiceName "a.local": no such virtual service in mesh "m"
			 warning: virtual router "r": service_names: is of App Mesh's preview, and dropped: a virtual service names its router
			 warning: virtual router "r": has no route | every request to it is answered 404`},
		{"version 3 is refused with advice", `{"version": 3, "terraform_version": "0.11.14", "serial": 1, "lineage": "l", "modules": [{"resources": {"aws_appmesh_mesh.m": {"type": "aws_appmesh_mesh"}}}]}`,
			"error: this state is of version 3 (Terraform before 0.12), which keeps resources as flat text | " + flatHint},
		{"but not if it holds nothing of ours", `{"version": 3, "terraform_version": "0.11.14", "modules": []}`, `warning: this Terraform document has no App Mesh resource: ignored`},
		{"a version to come", `{"version": 5, "terraform_version": "2", "resources": [{"type": "aws_appmesh_mesh"}]}`,
			"error: this state's version \"5\" is not read | `terraform show -json > mesh.json` writes what can be read"},
		{"flat attributes are refused with advice", `{"version": 4, "terraform_version": "1", "resources": [{"mode": "managed", "module": "module.a", "type": "aws_appmesh_mesh", "name": "m", "instances": [{"index_key": "k", "attributes_flat": {"name": "m"}}, {"index_key": 1, "attributes_flat": {"name": "m"}}]}]}`,
			"error: module.a.aws_appmesh_mesh.m[\"k\"] keeps its attributes as flat text (Terraform before 0.12) | " + flatHint + "\n\t\t\t error: module.a.aws_appmesh_mesh.m[1] keeps its attributes as flat text (Terraform before 0.12) | " + flatHint},
		{"an encrypted state", `{"serial": 1, "lineage": "l", "encrypted_data": "x"}`, "error: this state is encrypted | `tofu show -json > mesh.json` writes what can be read"},
		{"a type to come", stateOf(`virtual_thing {}`), `error: "aws_appmesh_virtual_thing" is no type of resource`},
		{"other resources say nothing", `{"version": 4, "terraform_version": "1", "resources": [{"mode": "managed", "type": "aws_ecs_task_definition", "instances": [{"attributes": {}}]}, {"mode": "managed", "type": "aws_appmesh_mesh", "instances": [{"attributes": {"name": "m"}}]}]}`, ``},
		{"deposed are left-overs", show(keptMesh + `, {"deposed_key": "8e", "address": "a", "type": "aws_appmesh_mesh", "values": {"name": "m2", "spec": []}}`), ``},
		{"deposed in a state too", `{"version": 4, "terraform_version": "1", "resources": [{"mode": "managed", "type": "aws_appmesh_mesh", "instances": [{"deposed": "8e", "attributes": {"name": "m2"}}]}]}`, ``},
		{"tainted are kept", show(keptMesh + "," + keptNode(`"tainted": true,`, `"spec": [{}]`)), `warning: virtual node "n": is marked as tainted: Terraform was going to replace it; it is read as it is`},
		{"tainted in a state too", `{"version": 4, "terraform_version": "1", "resources": [{"mode": "managed", "type": "aws_appmesh_mesh", "instances": [{"status": "tainted", "attributes": {"name": "m2"}}]}]}`,
			`warning: mesh "m2": is marked as tainted: Terraform was going to replace it; it is read as it is`},
		{"a resource needs its names", stateOf(`route {"name": "r", "mesh_name": "m", "spec": [{}]}`), `error: aws_appmesh_route.x has no virtualRouterName`},
		{"and good ones", stateOf(`virtual_node {"name": "a/b", "mesh_name": "m", "spec": [{}]}`), `error: aws_appmesh_virtual_node.x: name "a/b" must not hold "/" or blanks`},
		{"a sensitive value is not shown", show(keptMesh + "," + keptNode(`"sensitive_values": {"spec": [{"listener": [{"port_mapping": [{"protocol": true}]}], "service_discovery": [{"dns": [{"hostname": true}]}]}]},`,
			`"spec": [{"listener": [{"port_mapping": [{"port": 1, "protocol": "hush-hush"}]}], "service_discovery": [{"dns": [{"hostname": "${secretive}"}]}]}]`)),
			`error: virtual node "n": listeners[0].portMapping.protocol "(sensitive)": must be one of http, http2, grpc, tcp, https
			 error: virtual node "n": serviceDiscovery.dns.hostname "(sensitive)": is a template variable that nobody has filled in | `},
		{"nor one of a state", `{"version": 4, "terraform_version": "1", "resources": [{"mode": "managed", "type": "aws_appmesh_virtual_node", "instances": [{"attributes": {"name": "n", "mesh_name": "m", "spec": [{"listener": [{"port_mapping": [{"port": 1, "protocol": "ssh"}]}]}]},
			"sensitive_attributes": [[{"type": "get_attr", "value": "spec"}, {"type": "index", "value": {"value": 0, "type": "number"}}, {"type": "get_attr", "value": "listener"}], [{"type": "index", "value": {"value": 9, "type": "number"}}]]}]}]}`,
			`error: virtual node "n": listeners[0].portMapping.protocol "(sensitive)": must be one of http, http2, grpc, tcp, https
			 warning: virtual node "n": listeners: the node has listeners but no serviceDiscovery | its callers will find no endpoints (503 no healthy upstream)`},
	} {
		t.Run(c.says, func(t *testing.T) {
			got := about("case.tfstate", Parse([]Source{{Name: "base.yaml", Data: []byte("{meshName: m}")}, {Name: "case.tfstate", Data: []byte(c.document)}}).Check())
			got = slices.DeleteFunc(got, func(s string) bool { return strings.Contains(s, "is defined twice") })
			want := strings.Split(strings.ReplaceAll(c.want, "\n\t\t\t ", "\n"), "\n")
			if c.want == "" {
				want = nil
			}
			for i := range got { // hints that other tests hold
				if j := slices.IndexFunc(want, func(w string) bool { return strings.HasSuffix(w, " | ") && strings.HasPrefix(got[i], w) }); j >= 0 {
					got[i] = want[j]
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s\n got %s\nwant %s", c.document, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
			}
		})
	}
}

// TestTerraformPlans: which state of a plan is read, and what it does not know.
func TestTerraformPlans(t *testing.T) {
	module := func(resources string) string { return `{"root_module": {"resources": [` + resources + `]}}` }
	changes := func(name, change string) string {
		return `"resource_changes": [{"address": "aws_appmesh_` + name + `", "mode": "managed", "type": "aws_appmesh_` + strings.TrimSuffix(name, ".n") + `", "name": "n", "change": ` + change + `}]`
	}
	const head = `{"format_version": "1.2", "terraform_version": "1.9.8", `
	old := keptNode("", `"spec": [{"service_discovery": [{"dns": [{"hostname": "old"}]}]}]`)
	planned := keptNode("", `"spec": [{"service_discovery": [{"dns": [{"hostname": "new"}]}]}]`)
	for _, c := range []struct{ says, document, host, want string }{
		{"what is planned is read", head + `"planned_values": ` + module(keptMesh+","+planned) + `, "prior_state": {"values": ` + module(keptMesh+","+old) + `}, "configuration": {"root_module": {"resources": [{"type": "aws_appmesh_route"}]}}}`, "new", ""},
		{"what is taken away is told", head + `"planned_values": ` + module(keptMesh+","+planned) + `, "resource_changes": [{"address": "aws_appmesh_route.x", "mode": "managed", "type": "aws_appmesh_route", "change": {"actions": ["delete"], "before": {}}},
 {"address": "aws_appmesh_virtual_node.n", "mode": "managed", "type": "aws_appmesh_virtual_node", "change": {"actions": ["delete", "create"]}}]}`, "new",
			"warning: of App Mesh's resources this plan takes 1 away: not read | aws_appmesh_route.x is the first; `terraform show -json` without a plan has them still"},
		{"what is there if all is to be deleted", head + `"planned_values": ` + module("") + `, "prior_state": {"values": ` + module(keptMesh+","+old) + `}}`, "old",
			`warning: this plan deletes every App Mesh resource: what stood before is read | aws_appmesh_mesh.m is the first`},
		{"what was before if no state says", head + `"planned_values": ` + module("") + `, ` + changes("virtual_node.n", `{"actions": ["delete"], "before": {"name": "n", "mesh_name": "m", "spec": [{"service_discovery": [{"dns": [{"hostname": "old"}]}]}]}, "after": null, "after_unknown": {}}`) + `}`, "old",
			`warning: this plan deletes every App Mesh resource: what stood before is read | aws_appmesh_virtual_node.n is the first
			 warning: mesh "m": no document describes this mesh | its egress filter is taken to be DROP_ALL; write {"meshName": "m", "spec": {}} to say so`},
		{"data sources stand in the state before", head + `"planned_values": ` + module(planned) + `, "prior_state": {"values": ` + module(old+`, {"mode": "data", "address": "data.aws_appmesh_mesh.m", "type": "aws_appmesh_mesh", "values": {"name": "m", "spec": []}}`) + `}}`, "new", ""},
		{"a value that is not known", head + `"planned_values": ` + module(keptMesh+","+keptNode("", `"spec": [{"service_discovery": [{"dns": [{}]}]}]`)) + `, ` +
			changes("virtual_node.n", `{"actions": ["create"], "before": null, "after_unknown": {"id": true, "spec": [{"service_discovery": [{"dns": [{"hostname": true}]}]}]}}`) + `}`, "",
			"error: virtual node \"n\": serviceDiscovery.dns.hostname \"(known after apply)\": is unknown: the plan knows it only once it is applied | apply it, and read the state: `terraform show -json > mesh.json`"},
		{"a whole spec that is not known", head + `"planned_values": ` + module(keptMesh+","+keptNode("", `"tags": null`)) + `, ` +
			changes("virtual_node.n", `{"actions": ["create"], "before": null, "after_unknown": {"spec": true}}`) + `}`, "",
			"error: virtual node \"n\": is unknown: the plan knows it only once it is applied | apply it, and read the state: `terraform show -json > mesh.json`"},
		{"a mesh that the plan makes", head + `"planned_values": ` + module(keptMesh+`, {"mode": "managed", "address": "aws_appmesh_virtual_node.n", "type": "aws_appmesh_virtual_node", "values": {"name": "n", "spec": [{"service_discovery": [{"dns": [{"hostname": "new"}]}]}]}}`) + `, ` +
			changes("virtual_node.n", `{"actions": ["create"], "before": null, "after_unknown": {"mesh_name": true}}`) + `}`, "new",
			`warning: virtual node "n": has no meshName: taken to be of mesh "m", the only one here | add "meshName"`},
		{"a name that is not known", head + `"planned_values": ` + module(keptMesh+`, {"mode": "managed", "address": "aws_appmesh_virtual_node.n", "type": "aws_appmesh_virtual_node"}`) + `, ` +
			changes("virtual_node.n", `{"actions": ["create"], "before": null, "after_unknown": {"name": true}}`) + `}`, "",
			"error: aws_appmesh_virtual_node.n: name is unknown: the plan knows it only once it is applied | apply it, and read the state: `terraform show -json > mesh.json`"},
	} {
		t.Run(c.says, func(t *testing.T) {
			d := Parse([]Source{{Name: "plan.json", Data: []byte(c.document)}})
			host := ""
			for _, r := range d.resources {
				if r.kind == nodeKind {
					host = r.spec.get("serviceDiscovery", "dns", "hostname").str()
				}
			}
			got := about("plan.json", d.Check())
			want := strings.Split(strings.ReplaceAll(c.want, "\n\t\t\t ", "\n"), "\n")
			if c.want == "" {
				want = nil
			}
			slices.Sort(got)
			slices.Sort(want)
			if host != c.host || !slices.Equal(got, want) {
				t.Errorf("host %q, want %q\n got %s\nwant %s", host, c.host, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
			}
		})
	}
}

// TestDataSources: what a data source looked up counts where nothing manages
// the same.
func TestDataSources(t *testing.T) {
	data := func(arn, name, host string) string {
		return `{"mode": "data", "address": "data.aws_appmesh_virtual_node.n", "type": "aws_appmesh_virtual_node", "values": {"arn": "` + arn + `", "name": "` + name + `", "mesh_name": "m", "mesh_owner": "123456789012", "spec": [{"service_discovery": [{"dns": [{"hostname": "` + host + `"}]}]}]}}`
	}
	for _, c := range []struct{ says, resources, want string }{
		{"it counts alone", keptMesh + "," + data("a", "n", "looked-up"), "looked-up"},
		{"it does not beside one of its arn", keptMesh + "," + data("a", "n", "looked-up") + "," + keptNode("", `"arn": "a", "spec": [{"service_discovery": [{"dns": [{"hostname": "managed"}]}]}]`), "managed"},
		{"nor beside one of its name", keptMesh + "," + data("b", "n", "looked-up") + "," + keptNode("", `"spec": [{"service_discovery": [{"dns": [{"hostname": "managed"}]}]}]`), "managed"},
	} {
		d := Parse([]Source{{Name: "show.json", Data: []byte(show(c.resources))}})
		var hosts []string
		for _, r := range d.resources {
			if r.kind == nodeKind {
				hosts = append(hosts, r.spec.get("serviceDiscovery", "dns", "hostname").str())
			}
		}
		if len(hosts) != 1 || hosts[0] != c.want || len(d.Check()) != 0 {
			t.Errorf("%s: %v, %v", c.says, hosts, d.Check())
		}
	}
}

// TestDates: what the newer of two definitions is judged by, and whose it is.
func TestDates(t *testing.T) {
	for file, want := range map[string]string{"terraform/terraform.tfstate": "2025-03-18T14:40:13Z", "terraform/show.json": "2025-03-18T14:40:13Z", "terraform/pulumi-export.json": "2025-03-18T14:40:13Z"} {
		for _, r := range Parse([]Source{deployedPlain(t, file)}).resources {
			if r.kind == meshKind && (r.dated.Format(time.RFC3339) != want || r.owner != "123456789012") {
				t.Errorf("%s: %s of %q, want %s", file, r.dated, r.owner, want)
			}
		}
	}
}

// TestPrograms: sources of programs are refused by the command that writes
// what can be read, where that matters.
func TestPrograms(t *testing.T) {
	state := stateOf(`mesh {"name": "m", "spec": []}`)
	const terraform = "this is Terraform's source, which only Terraform can evaluate: not read"
	for _, c := range []struct {
		says  string
		files map[string]string
		want  string
	}{
		{"alone", map[string]string{"a/main.tf": `resource "aws_appmesh_mesh" "m" {}`}, "error: " + terraform},
		{"alone, of modules", map[string]string{"a/main.tf": `module "x" {}`, "a/vars.tf": ""}, "error: " + terraform + " (2 places)"},
		{"in JSON", map[string]string{"a/main.tf.json": `{"resource": {"aws_appmesh_mesh": {}}}`}, "error: " + terraform},
		{"beside its state", map[string]string{"a/main.tf": `resource "aws_appmesh_mesh" "m" {}`, "a/terraform.tfstate": state}, "warning: " + terraform},
		{"beside documents, of something else", map[string]string{"a/main.tf": `resource "aws_vpc" "m" {}`, "a/mesh.json": `{"meshName": "m"}`, "a/x.tfvars.json": `{"a": 1}`}, ""},
		{"beside documents, of App Mesh", map[string]string{"a/main.tf": `resource "aws_appmesh_mesh" "m" {}`, "a/mesh.json": `{"meshName": "m"}`}, "error: " + terraform},
		{"a Pulumi program", map[string]string{"a/Pulumi.yaml": "name: x\nruntime: nodejs\n", "a/Pulumi.prod.yaml": "config: {}"}, "error: this is a Pulumi program's, which only Pulumi can run: not read (2 places)"},
		{"a Pulumi program beside documents", map[string]string{"a/Pulumi.yaml": "name: x\nruntime: nodejs\n", "a/mesh.json": `{"meshName": "m"}`}, ""},
		{"a plan as it is saved", map[string]string{"a/plan.json": "PK\x03\x04..."}, "error: this is an archive, as a saved plan of Terraform's is: not read"},
	} {
		var sources []Source
		for name, text := range c.files {
			sources = append(sources, Source{Name: name, Data: []byte(text)})
		}
		slices.SortFunc(sources, func(a, b Source) int { return cmp.Compare(a.Name, b.Name) })
		got := ""
		for _, f := range Parse(sources).Check() {
			if got += f.Severity.String() + ": " + f.Message; f.Hint == "" || !strings.Contains(f.Hint, "> mesh.json`") {
				t.Errorf("%s: no command in %q", c.says, f.Hint)
			}
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.says, got, c.want)
		}
	}
}

// keptTree writes all resources with their specs, without places and with
// sets in one order.
func keptTree(d *Documents) string {
	lines := make([]string, 0, len(d.resources))
	for _, r := range d.resources {
		lines = append(lines, fmt.Sprintf("%s of %s in %q %s", r, r.mesh, r.parent, treeOf("", r.spec)))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func treeOf(name string, v *value) string {
	switch v.kind {
	case object:
		var parts []string
		for _, m := range v.members {
			if m.value.kind != null && !(m.name == "enforce" && m.value.num == 1) && !(m.name == "invert" && m.value.num == 0) {
				parts = append(parts, m.name+": "+treeOf(m.name, m.value))
			}
		}
		slices.SortFunc(parts, cmp.Compare[string])
		return "{" + strings.Join(parts, ", ") + "}"
	case list:
		var parts []string
		for _, item := range v.items {
			parts = append(parts, treeOf("", item))
		}
		if slices.Contains(sets[:], name) {
			slices.Sort(parts)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return fmt.Sprintf("%q", v.text)
}

package appmesh

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// TestForms: one node and its mesh, in every form that is read, are the same.
func TestForms(t *testing.T) {
	const spec = `{"listeners": [{"portMapping": {"port": 8080, "protocol": "http"}}], "serviceDiscovery": {"dns": {"hostname": "h"}}}`
	want := ""
	for _, c := range []struct{ says, documents string }{
		{"requests, one after the other", `{"meshName": "m", "spec": {}} {"meshName": "m", "virtualNodeName": "front", "spec": ` + spec + `}`},
		{"requests in a list", `[{"meshName": "m", "spec": {}}, {"meshName": "m", "virtualNodeName": "front", "spec": ` + spec + `}]`},
		{"a mesh without a spec", `[{"meshName": "m"}, {"meshName": "m", "virtualNodeName": "front", "spec": ` + spec + `}]`},
		{"describe output", `{"mesh": {"meshName": "m", "spec": {}, "metadata": {"version": 1}, "status": {"status": "ACTIVE"}}}
			{"virtualNode": {"meshName": "m", "virtualNodeName": "front", "spec": ` + spec + `, "metadata": {"arn": "a"}, "status": {"status": "ACTIVE"}}}`},
		{"an object of lists", `{"meshes": [{"meshName": "m"}], "virtualNodes": [{"meshName": "m", "virtualNodeName": "front", "spec": ` + spec + `}]}`},
		{"an object of lists of describe outputs", `{"meshes": [{"mesh": {"meshName": "m"}}], "virtualNodes": [{"virtualNode": {"meshName": "m", "virtualNodeName": "front", "spec": ` + spec + `}}]}`},
		{"an object of single resources", `{"mesh": {"meshName": "m"}, "virtualNode": {"meshName": "m", "virtualNodeName": "front", "spec": ` + spec + `}}`},
		{"snake case", `{"mesh_name": "m"} {"mesh_name": "m", "virtual_node_name": "front", "spec": {"listeners": [{"port_mapping": {"port": 8080, "protocol": "http"}}], "service_discovery": {"dns": {"hostname": "h"}}}}`},
		{"Pascal case, and numbers as text", `{"MeshName": "m"} {"MeshName": "m", "VirtualNodeName": "front", "Spec": {"Listeners": [{"PortMapping": {"Port": "8080", "Protocol": "HTTP"}}], "ServiceDiscovery": {"DNS": {"Hostname": "h"}}}}`},
		{"with what a proxy does not need", `{"meshName": "m", "clientToken": "t", "tags": [{"key": "a", "value": "b"}]} {"meshName": "m", "virtualNodeName": "front", "tags": [], "spec": ` + spec + `}`},
		{"a byte order mark and JSON with comments", "\xef\xbb\xbf" + `[{"meshName": "m"}, # the mesh
			{"meshName": "m", "virtualNodeName": "front", "spec": ` + spec + `}]`},
		{"YAML documents", "meshName: m\n---\n# nothing\n---\nmeshName: m\nvirtualNodeName: front\nspec:\n  listeners:\n  - portMapping: {port: 8080, protocol: http}\n  serviceDiscovery: {dns: {hostname: h}}\n"},
		{"YAML with shared blocks", "x: &p {port: 8080, protocol: http}\n---\n- meshName: m\n- &n {meshName: m, virtualNodeName: other, spec: &s {listeners: [{portMapping: {port: 8080, protocol: http}}], serviceDiscovery: {dns: {hostname: h}}}}\n- {<<: *n, virtualNodeName: front}\n"},
	} {
		s, findings := Parse([]Source{{Name: "f", Data: []byte(c.documents)}}).Compile(mesh.Resource{Mesh: "m", Name: "front"}, Options{})
		if s == nil {
			t.Errorf("%s: no snapshot: %+v", c.says, findings)
			continue
		}
		if want == "" {
			want = s.Version
		}
		if s.Version != want || len(s.Findings) > 0 {
			t.Errorf("%s: version %s, want %s; %+v", c.says, s.Version, want, s.Findings)
		}
	}
}

// TestShop: the mesh that Terraform and Pulumi keep in test/corpus/terraform,
// and the same mesh in every other form, alone and mixed, are the same.
func TestShop(t *testing.T) {
	read := func(file string) Source {
		data, err := os.ReadFile(filepath.Join("testdata", "shop", file))
		if err != nil {
			t.Fatal(err)
		}
		return Source{Name: file, Data: data}
	}
	want := map[string]string{}
	sources := []Source{
		read("cli.json"), read("cloudformation.json"), read("kubernetes.yaml"),
		deployedPlain(t, "terraform/terraform.tfstate"), deployedPlain(t, "terraform/show.json"), deployedPlain(t, "terraform/pulumi-export.json"),
	}
	sets := [][]Source{sources, {sources[5], sources[0]}}
	for i := range sources {
		sets = append(sets, sources[i:i+1])
	}
	for _, set := range sets {
		source := set[0]
		d := Parse(set)
		noErrors(t, d.Check())
		if d.Resources() != 9 {
			t.Errorf("%s: %d resources, want 9", source.Name, d.Resources())
		}
		for _, name := range []string{"catalog-v1", "catalog-v2"} {
			s, findings := d.Compile(mesh.Resource{Mesh: "shop", Name: name}, Options{})
			if s == nil {
				t.Errorf("%s: %s: no snapshot: %+v", source.Name, name, findings)
				continue
			}
			if want[name] == "" {
				want[name] = s.Version
			}
			if s.Version != want[name] {
				t.Errorf("%s: %s: version %s, want %s", source.Name, name, s.Version, want[name])
			}
		}
		// What no node reaches: the whole tree.
		tree := keptTree(d)
		if want["tree"] == "" {
			want["tree"] = tree
		}
		if tree != want["tree"] {
			t.Errorf("%s: got\n%s\nwant\n%s", source.Name, tree, want["tree"])
		}
	}
}

package appmesh

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// A dialect says how a tool writes what the API has: the other way round from
// terraform_spec.go.
type dialect struct {
	tool string
	// block wraps an object that stands once.
	block func(map[string]any) any
	// name is the tool's name for a field of a kind of resource.
	name func(k kind, field string, s *shape) string
}

var (
	inTerraform = dialect{"Terraform", func(m map[string]any) any { return []any{m} }, func(_ kind, field string, s *shape) string {
		if s.kind == aList && s.item.kind == anObject && field != "metadata" && field != "json" && field != "attributes" {
			field = strings.TrimSuffix(field, "s")
		}
		return snake(field)
	}}
	inPulumi = dialect{"Pulumi", func(m map[string]any) any { return m }, func(_ kind, field string, s *shape) string {
		if s.kind == aList && (field == "metadata" || field == "json" || field == "exact") {
			field += "s"
		}
		return field
	}}
)

func snake(name string) string {
	var b strings.Builder
	for i, c := range name {
		if c >= 'A' && c <= 'Z' && i > 0 {
			b.WriteByte('_')
		}
		b.WriteString(strings.ToLower(string(c)))
	}
	return b.String()
}

// write is v, of a shape, in the dialect; with the zeros that a state has
// for what is absent.
func (d dialect) write(k kind, v *value, s *shape, up string) any {
	switch s.kind {
	case anObject:
		if v == nil || v.kind == null {
			return map[string]any{"Terraform": any([]any{}), "Pulumi": nil}[d.tool]
		}
		all := map[string]any{}
		for _, f := range s.fields {
			name := d.name(k, f.name, f.shape)
			one := d.write(k, v.get(f.name), f.shape, f.name)
			if d.tool == "Pulumi" && up == "connectionPool" && k == nodeKind && f.name != "grpc" && one != nil {
				name, one = name+"s", []any{one}
			}
			all[name] = one
		}
		return d.block(all)
	case aList:
		if v.list() == nil {
			return []any{}
		}
		if s.item == attribute {
			pairs := map[string]any{}
			for _, item := range v.items {
				pairs[item.get("key").str()] = item.get("value").str()
			}
			return pairs
		}
		var all []any
		for _, item := range v.items {
			one := d.write(k, item, s.item, "")
			if wrapped, ok := one.([]any); ok {
				one = wrapped[0]
			}
			all = append(all, one)
		}
		return all
	case anInteger:
		return v.int()
	case aBoolean:
		return v.int() == 1 || v == nil && up == "enforce"
	}
	return v.str()
}

// document is all resources in the dialect: a `show -json` or an export.
func (d dialect) document(all []*resource) string {
	var resources []any
	for _, r := range all {
		attributes := map[string]any{"name": r.name, d.name(0, "meshName", textOf(0, 1)): r.mesh, "spec": d.write(r.kind, r.spec, specs[r.kind], "")}
		if r.kind == meshKind {
			delete(attributes, d.name(0, "meshName", textOf(0, 1)))
		}
		if p := kinds[r.kind].parent; p != "" {
			attributes[d.name(0, p, textOf(0, 1))] = r.parent
		}
		object := kinds[r.kind].object
		resources = append(resources, map[string]any{
			"Terraform": map[string]any{"mode": "managed", "address": r.name, "type": terraformPrefix + snake(object), "values": attributes},
			"Pulumi":    map[string]any{"urn": "urn:" + r.name, "type": pulumiPrefix + object + ":" + title(object), "outputs": attributes},
		}[d.tool])
	}
	document := map[string]any{
		"Terraform": map[string]any{"format_version": "1.0", "terraform_version": "1", "values": map[string]any{"root_module": map[string]any{"resources": resources}}},
		"Pulumi":    map[string]any{"version": 3, "deployment": map[string]any{"manifest": map[string]any{}, "resources": resources}},
	}[d.tool]
	text, _ := json.Marshal(document)
	return string(text)
}

// TestEveryFieldKept: every field of every kind, written as Terraform and as
// Pulumi keep it with all the zeros between, is read as what it was.
func TestEveryFieldKept(t *testing.T) {
	for _, dir := range []string{"every-field", "guide"} {
		was := Parse(corpus(t, dir))
		want := keptTree(was)
		for _, d := range []dialect{inTerraform, inPulumi} {
			read := Parse([]Source{{Name: "kept", Data: []byte(d.document(was.resources))}})
			if got := keptTree(read); got != want {
				g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
				for i := range w {
					if i >= len(g) || g[i] != w[i] {
						t.Errorf("%s in %s: got\n%s\nwant\n%s", dir, d.tool, g[min(i, len(g)-1)], w[i])
						break
					}
				}
			}
		}
	}
}

// FuzzTerraform and FuzzPulumi: whatever a state holds, nothing panics and
// findings have words.
func FuzzTerraform(f *testing.F) {
	fuzzKept(f, inTerraform, "terraform/terraform.tfstate", "terraform/show.json")
}

func FuzzPulumi(f *testing.F) { fuzzKept(f, inPulumi, "terraform/pulumi-export.json") }

func fuzzKept(f *testing.F, d dialect, files ...string) {
	t := &testing.T{}
	for _, file := range files {
		f.Add(deployedPlain(t, file).Data)
	}
	f.Add([]byte(d.document(Parse(corpus(t, "every-field")).resources)))
	f.Add([]byte(`{"format_version":"1.2","planned_values":{"root_module":{"resources":[{"address":"a","type":"aws_appmesh_mesh"}]}},"resource_changes":[{"address":"a","type":"aws_appmesh_mesh","change":{"after_unknown":{"name":true,"spec":[{"x":[true]}]}}}]}`))
	f.Add([]byte(`{"version":3,"deployment":{"resources":[{"type":"aws:appmesh/mesh:Mesh","inputs":{"name":"m","spec":{"4dabf18193072939515e22adb298388d":"1b47061264138c4ac30d75fd1eb44270","plaintext":"{}"}}}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		docs := Parse([]Source{{Name: "f", Data: data}})
		for _, found := range docs.Check() {
			if found.Message == "" {
				t.Fatalf("a finding without words: %+v", found)
			}
		}
		for _, r := range docs.resources {
			_, _ = docs.Compile(mesh.Resource{Mesh: r.mesh, Name: r.name}, Options{})
		}
	})
}

// BenchmarkState reads a state of 2,000 nodes, each with a service, a router
// and a route.
func BenchmarkState(b *testing.B) {
	d := Parse([]Source{{Name: "f", Data: shopOf(2000)}})
	for _, dialect := range []dialect{inTerraform, inPulumi} {
		data := []byte(dialect.document(d.resources))
		b.Run(dialect.tool, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if s, fs := Parse([]Source{{Name: "f", Data: data}}).Compile(mesh.Resource{Mesh: "m", Name: "n7"}, Options{}); s == nil {
					b.Fatal(fs[0])
				}
			}
		})
	}
}

// shopOf is a mesh of n nodes that call one another.
func shopOf(n int) []byte {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"meshName":"m","virtualNodeName":"n%d","spec":{"listeners":[{"portMapping":{"port":8080,"protocol":"http"},"timeout":{"http":{"perRequest":{"unit":"s","value":5}}}}],"serviceDiscovery":{"dns":{"hostname":"n%d.local"}},"backends":[{"virtualService":{"virtualServiceName":"s%d.local"}}]}}
{"meshName":"m","virtualServiceName":"s%d.local","spec":{"provider":{"virtualRouter":{"virtualRouterName":"r%d"}}}}
{"meshName":"m","virtualRouterName":"r%d","spec":{"listeners":[{"portMapping":{"port":80,"protocol":"http"}}]}}
{"meshName":"m","virtualRouterName":"r%d","routeName":"all","spec":{"httpRoute":{"match":{"prefix":"/"},"action":{"weightedTargets":[{"virtualNode":"n%d","weight":1}]}}}}
`, i, i, (i+1)%n, i, i, i, i, i)
	}
	return []byte(b.String())
}

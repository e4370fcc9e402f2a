package appmesh

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

var formats = [...]Format{CLI, CloudFormation, Kubernetes}

// TestExportReadsTheSame: every document set of the tests, in every format and
// through all of them in turn, is the same mesh.
func TestExportReadsTheSame(t *testing.T) {
	for name, sources := range documentSets(t) {
		t.Run(name, func(t *testing.T) { sameMesh(t, Parse(sources)) })
	}
}

// TestExportReadsWalkthroughsTheSame: every real document with what was deployed
// beside it, filled in as its script did.
func TestExportReadsWalkthroughsTheSame(t *testing.T) {
	for i, file := range walkthroughs(t) {
		if some(i, 8) {
			t.Run(file, func(t *testing.T) { sameMesh(t, asDeployed(t, file).read(-1)) })
		}
	}
}

// exported is what is written of d, read again.
func exported(t *testing.T, d *Documents, f Format) (*Documents, string, []mesh.Finding) {
	t.Helper()
	var b bytes.Buffer
	findings, err := d.Export(&b, f)
	if err != nil {
		t.Fatal(err)
	}
	return Parse([]Source{{Name: "export", Data: b.Bytes()}}), b.String(), findings
}

// sameMesh holds the exports of d against d.
func sameMesh(t *testing.T, d *Documents) {
	t.Helper()
	for _, f := range formats {
		again, text, findings := exported(t, d, f)
		alike(t, f.String(), d, again, findings)
		if _, twice, _ := exported(t, again, f); twice != text {
			t.Errorf("%s: exporting what was exported: %s", f, differ(twice, text))
		}
	}
	chain, _, all := exported(t, d, CLI)
	for _, f := range []Format{Kubernetes, CloudFormation, CLI, CloudFormation, Kubernetes, CLI} {
		var findings []mesh.Finding
		chain, _, findings = exported(t, chain, f)
		all = append(all, findings...)
	}
	alike(t, "through all formats", d, chain, all)
}

// differ is the first line in which two texts do.
func differ(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d: got\n%s\nwant\n%s", i+1, strings.Join(a[max(0, i-10):i+1], "\n"), b[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(a), len(b))
}

// alike: got has every resource of want that was not left out, and says the
// same of it; no node's snapshot has changed, and nothing is wrong that was not.
func alike(t *testing.T, how string, want, got *Documents, findings []mesh.Finding) {
	t.Helper()
	left := make(map[string]bool)
	for _, f := range findings {
		if f.Severity == mesh.Error {
			left[f.Resource] = true
		}
	}
	owned := make(map[string]int) // names that meshes of several owners have
	for id := range want.meshes {
		owned[id.name]++
	}
	has, expected := contents(got, owned), contents(want, owned)
	for key, spec := range expected {
		if has[key] != spec && !left[key[1]] {
			t.Errorf("%s: %v: got %s, want %s", how, key, has[key], spec)
		}
	}
	for key := range has {
		if _, ok := expected[key]; !ok {
			t.Errorf("%s: %v is new", how, key)
		}
	}
	old := make(map[string]bool)
	for _, f := range want.Check() {
		old[f.Resource+f.Message] = true
	}
	for _, f := range got.Check() {
		if f.Severity == mesh.Error && !old[f.Resource+f.Message] && len(left) == 0 {
			t.Errorf("%s: a new error: %s %s %q: %s", how, f.Resource, f.Field, f.Value, f.Message)
		}
	}
	for _, ix := range want.meshes {
		for name := range ix.of[nodeKind] {
			res := mesh.Resource{Mesh: ix.id.name, Owner: ix.id.owner, Name: name}
			before, _ := want.Compile(res, Options{})
			after, fs := got.Compile(res, Options{})
			switch {
			case before == nil || len(left) > 0:
			case after == nil:
				t.Errorf("%s: %s: no snapshot: %v", how, res, fs)
			case after.Version != before.Version:
				t.Errorf("%s: %s: another version", how, res)
			}
		}
	}
}

// contents are the specs of all resources by mesh, name and parent.
func contents(d *Documents, owned map[string]int) map[[3]string]string {
	all := make(map[[3]string]string)
	for id, ix := range d.meshes {
		if owned[id.name] == 1 {
			id.owner = "" // not every form has a place for it
		}
		for k := range ix.of {
			for _, res := range ix.of[k] {
				all[[3]string{id.String(), res.String(), res.parent}] = resolved(res.canonical())
			}
		}
	}
	return all
}

// TestExportSpellsAsPeopleDo: what real templates and manifests call a member
// is what is exported, letter by letter (the reader would not mind).
func TestExportSpellsAsPeopleDo(t *testing.T) {
	for _, c := range []struct {
		format Format
		set    string
		ours   func(*value) []*value
	}{
		{CloudFormation, "walkthroughs/howto-outlier-detection/mesh/mesh.yaml", templateProperties},
		{Kubernetes, "walkthroughs/howto-k8s-multiple-listeners", func(v *value) []*value { return []*value{v} }},
	} {
		written := make(map[string]bool)
		for _, source := range []string{"every-field", c.set} {
			_, text, _ := exported(t, Parse(corpus(t, source)), c.format)
			for _, v := range readAny(t, text) {
				spellings(v, written)
			}
		}
		people := make(map[string]bool)
		for _, source := range corpus(t, c.set) {
			for _, v := range readAny(t, string(source.Data)) {
				for _, p := range c.ours(v) {
					spellings(p, people)
				}
			}
		}
		// What the export does not keep, and what only people write.
		for _, name := range []string{"podSelector", "app", "version", "group", "Tags", "Key", "Value", "Ref", "template", "uid"} {
			delete(people, name)
		}
		for _, name := range slices.Sorted(maps.Keys(people)) {
			if c.format == CloudFormation && strings.ToLower(name[:1]) == name[:1] {
				continue // in the API's spelling
			}
			if !written[name] && slices.ContainsFunc(slices.Collect(maps.Keys(written)), func(w string) bool { return named(w, name) }) {
				t.Errorf("%s: people write %q, the export does otherwise", c.format, name)
			}
		}
		if len(people) < 15 {
			t.Errorf("%s: only %d names in test/corpus/%s", c.format, len(people), c.set)
		}
	}
}

func readAny(t *testing.T, text string) []*value {
	t.Helper()
	values, err := readYAML("any", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func templateProperties(root *value) (all []*value) {
	for _, m := range root.get("Resources").all() {
		if strings.HasPrefix(m.value.get("Type").str(), typePrefix) {
			all = append(all, m.value.get("Properties"))
		}
	}
	return all
}

func spellings(v *value, into map[string]bool) {
	for _, m := range v.all() {
		into[m.name] = true
		spellings(m.value, into)
	}
	for _, item := range v.list() {
		spellings(item, into)
	}
}

// TestExportForms: the three forms of one small mesh, by eye.
func TestExportForms(t *testing.T) {
	d := Parse([]Source{{Name: "mesh.yaml", Data: []byte(`
virtualNodes:
  - {meshName: my_mesh, meshOwner: "123456789012", virtualNodeName: Front, spec: {backends: [{virtualService: {virtualServiceName: back.local}}, {virtualService: {virtualServiceName: else.local}}]}}
meshes: [{meshName: my_mesh, spec: {egressFilter: {allowAll: true}}}]
routes: [{meshName: my_mesh, virtualRouterName: r, routeName: all, spec: {tcpRoute: {action: {weightedTargets: [{virtualNode: Front, weight: "1"}]}}}}]
virtualRouters: [{meshName: my_mesh, virtualRouterName: r, spec: {listeners: [{portMapping: {port: 80, protocol: TCP}}]}}]
virtualServices: [{meshName: my_mesh, virtualServiceName: back.local, spec: {provider: {virtualRouter: {virtualRouterName: r}}}}]
`)}})
	var got strings.Builder
	for _, f := range formats {
		_, text, findings := exported(t, d, f)
		got.WriteString(text)
		_ = WriteText(&got, findings, d.Documents())
	}
	keepsTo(t, "testdata/export.golden", got.String())
}

// TestExportNames: every name that CloudFormation's and Kubernetes' form have
// for something in test/corpus/every-field, letter by letter.
func TestExportNames(t *testing.T) {
	var got strings.Builder
	for _, f := range formats {
		names := make(map[string]bool)
		_, text, _ := exported(t, everyField(t), f)
		for _, v := range readAny(t, text) {
			for _, m := range v.get("Resources").all() {
				m.value.members = slices.DeleteFunc(m.value.members, func(m member) bool { return m.name == "DependsOn" })
				spellings(m.value, names)
			}
			if f != CloudFormation {
				spellings(v, names)
			}
		}
		fmt.Fprintf(&got, "%s\n  %s\n", f, strings.Join(slices.Sorted(maps.Keys(names)), "\n  "))
	}
	keepsTo(t, "testdata/export-names.golden", got.String())
}

// keepsTo holds a text against a file of testdata, which -update rewrites.
func keepsTo(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || got != string(want) {
		t.Errorf("%s: %s (%v)", file, differ(got, string(want)), err)
	}
}

// TestExportSaysWhatItLeavesOut: nothing is half written in silence.
func TestExportSaysWhatItLeavesOut(t *testing.T) {
	const node = `{"meshName": "m", "virtualNodeName": "n", "spec": {"serviceDiscovery": {"dns": {"hostname": "h"}}}}`
	for _, c := range []struct {
		says, documents string
		format          Format
		want            []string
		written         bool // the resource named x
	}{
		{"a field nobody knows", node + `{"meshName": "m", "virtualNodeName": "x", "spec": {"listener": []}}`, CLI, []string{"is left out: its document has an error"}, false},
		{"a value out of range", node + `{"meshName": "m", "virtualRouterName": "x", "spec": {"listeners": [{"portMapping": {"port": 0, "protocol": "http"}}]}}`, CloudFormation, []string{"is left out: its document has an error"}, false},
		{"two definitions", node + `{"meshName": "m", "virtualServiceName": "x", "spec": {}}{"meshName": "m", "virtualServiceName": "x", "spec": {"provider": {"virtualNode": {"virtualNodeName": "n"}}}}`, CLI, []string{"is left out: its document has an error"}, false},
		{"what a template does not know", node + `{"Resources": {"X": {"Type": "AWS::AppMesh::VirtualNode", "Properties": {"MeshName": "m", "VirtualNodeName": "x", "Spec": {"ServiceDiscovery": {"DNS": {"Hostname": {"Ref": "LoadBalancer"}}}}}}}}`, CLI, []string{"is left out: its document has an error"}, false},
		{"a reference that leads nowhere is kept", node + `{"meshName": "m", "virtualServiceName": "x", "spec": {"provider": {"virtualRouter": {"virtualRouterName": "gone"}}}}`, CLI, nil, true},
		{"and is an ARN to Kubernetes", node + `{"meshName": "m", "virtualServiceName": "x", "spec": {"provider": {"virtualRouter": {"virtualRouterName": "gone"}}}}`, Kubernetes,
			[]string{"mesh \"m\" is named by meshRef", `the virtual router "gone" is not written, so that it is referred to by ARN`}, true},
		{"unless no ARN can end in it", node + `{"meshName": "m", "virtualServiceName": "x", "spec": {"provider": {"virtualRouter": {"virtualRouterName": "not/there"}}}}`, Kubernetes,
			[]string{"mesh \"m\" is named by meshRef", `is left out: "not/there" is no name that an ARN can end in`}, false},
		{"a route without its router", node + `{"meshName": "m", "virtualRouterName": "r", "routeName": "x", "spec": {"tcpRoute": {"action": {"weightedTargets": [{"virtualNode": "n", "weight": 1}]}}}}`, Kubernetes,
			[]string{"mesh \"m\" is named by meshRef", `is left out: manifests nest a route in its virtual router, and "r" is not written`}, false},
		{"a gateway route without its gateway", node + `{"meshName": "m", "virtualServiceName": "s", "spec": {}}{"meshName": "m", "virtualGatewayName": "g", "gatewayRouteName": "x", "spec": {"httpRoute": {"match": {"prefix": "/"}, "action": {"target": {"virtualService": {"virtualServiceName": "s"}}}}}}`, Kubernetes,
			[]string{"mesh \"m\" is named by meshRef", `is left out: manifests select a gateway route by its virtual gateway, and "g" is not written`}, false},
		{"a gateway that the controller has named can be named", node + `{"meshName": "m", "virtualServiceName": "s", "spec": {}}{"meshName": "m", "virtualGatewayName": "g_space", "gatewayRouteName": "x", "spec": {"httpRoute": {"match": {"prefix": "/"}, "action": {"target": {"virtualService": {"virtualServiceName": "s"}}}}}}`, Kubernetes,
			[]string{"mesh \"m\" is named by meshRef"}, true},
		{"https", node + `{"meshName": "m", "virtualRouterName": "x", "spec": {"listeners": [{"portMapping": {"port": 443, "protocol": "https"}}]}}`, CloudFormation,
			[]string{"listeners[0].portMapping.protocol is https, which only this reader knows: it is written as it is"}, true},
		{"whose a mesh is, where several are", `{"meshName": "x", "meshOwner": "111122223333"}{"meshName": "x", "meshOwner": "444455556666"}`, CloudFormation,
			[]string{"is left out: CloudFormation does not say whose a mesh is", "is left out: CloudFormation does not say whose a mesh is"}, false},
		{"and whose an undescribed one is", `{"meshName": "y", "meshOwner": "111122223333"}{"meshName": "y", "meshOwner": "444455556666", "virtualNodeName": "x", "spec": {}}`, Kubernetes,
			[]string{"is left out: its mesh is not described"}, false},
		{"a mesh's owner", `{"meshName": "x", "meshOwner": "123456789012"}`, CloudFormation, []string{"CloudFormation makes a mesh in the account of the stack: that its owner is 123456789012 is said by its other resources"}, true},
	} {
		t.Run(c.says, func(t *testing.T) {
			again, text, findings := exported(t, Parse([]Source{{Name: "a.json", Data: []byte(c.documents)}}), c.format)
			var got []string
			for _, f := range findings {
				got = append(got, f.Message)
			}
			slices.Sort(got)
			slices.Sort(c.want)
			if len(got) != len(c.want) {
				t.Fatalf("got %q, want %q", got, c.want)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], c.want[i]) {
					t.Errorf("got %q, want %q", got[i], c.want[i])
				}
			}
			written := slices.ContainsFunc(again.resources, func(r *resource) bool { return r.name == "x" })
			if written != c.written {
				t.Errorf("written: %v, in\n%s", written, text)
			}
		})
	}
}

// TestExportOfAnything: meshes made up from the schemas.
func TestExportOfAnything(t *testing.T) {
	given := make(map[string]bool)
	made := 0
	for seed := range uint64(50) {
		if !some(int(seed), 10) {
			continue
		}
		d := anyMesh(seed)
		made += len(d.resources)
		for _, r := range d.resources {
			walkFields(r.spec, specs[r.kind], kinds[r.kind].object, func(path string) { given[path] = true })
		}
		sameMesh(t, d)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	var lacks []string
	for k := range specs {
		schemaFields(specs[k], kinds[k].object, func(path string) {
			if !given[path] {
				lacks = append(lacks, path)
			}
		})
	}
	if !raceEnabled && (len(lacks) > 10 || made < 1200) {
		t.Errorf("%d resources; fields of the schemas that were never made: %q", made, lacks)
	}
}

func FuzzExport(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { sameMesh(t, anyMesh(seed)) })
}

// anyMesh makes one or two meshes of resources that pass the check. Its names
// are such that each form must take care of them.
func anyMesh(seed uint64) *Documents {
	g := generator{rand.New(rand.NewPCG(seed, 1)), &Documents{meshes: make(map[meshID]*index)}}
	names := []string{"a", "A", "a-b", "a_b", "a.b", "true", "7", "ü", "front.mesh.local", "x_shop", "-", strings.Repeat("long", 40)}
	for _, in := range [][]meshID{{{"m", ""}}, {{"m", ""}, {"M_1", ""}}, {{"m", "111122223333"}, {"m", "444455556666"}}}[g.IntN(3)] {
		taken := make(map[string]bool)
		for range 24 {
			k := kind(g.IntN(int(kindCount)))
			res := &resource{kind: k, mesh: in.name, owner: in.owner, name: names[g.IntN(len(names))], spec: &value{}, at: mesh.Position{File: "any"}}
			if k == meshKind {
				res.name = in.name
			}
			if kinds[k].parent != "" {
				res.parent = names[g.IntN(len(names))]
			}
			if in.owner == "" && g.IntN(4) == 0 {
				res.owner = "123456789012"
			}
			key := fmt.Sprint(k, res.parent, "/", res.name)
			if taken[key] {
				continue
			}
			for range 60 {
				res.spec, res.faulty = g.value(specs[k], names), false
				c := checker{g.d, res}
				if c.spec(); !res.faulty {
					taken[key] = true
					g.d.resources = append(g.d.resources, res)
					break
				}
			}
		}
	}
	d := &Documents{meshes: make(map[meshID]*index), resources: g.d.resources}
	for _, res := range d.resources {
		res.readPorts()
	}
	d.ownMeshes()
	d.settle()
	d.index()
	d.understood = len(d.findings)
	d.references()
	return d
}

// A generator makes values that a shape may take.
type generator struct {
	*rand.Rand
	d *Documents
}

var anyTexts = []string{"/", "/a/", "/a/b/", "a", "Ab-c", "true", "null", "12", "1.5", "a: b # c", "- x", " ", "ü€😀", "say \"hi\" \\ \t\n", "%PROTOCOL%\n", "x\u0085y\u2028z\x01", "*", "&a", "!Ref a", "=", "~"}

func (g *generator) value(s *shape, names []string) *value {
	switch s.kind {
	case anObject:
		var v *value
		for range 60 { // until its rule takes it
			res := &resource{kind: nodeKind}
			c := checker{&Documents{}, res}
			if v = g.object(s, names); s.rule == nil {
				break
			}
			if c.value(v, s, nil); !res.faulty {
				break
			}
		}
		return v
	case aList:
		v := &value{kind: list}
		for range s.min + g.Int64N(min(3, s.max-s.min+1)) {
			v.items = append(v.items, g.value(s.item, names))
		}
		return v
	case anInteger:
		least := max(s.min, -1<<40)
		most := min(s.max, least+100)
		if g.IntN(5) == 0 {
			most = min(s.max, 1<<40)
		}
		return &value{kind: number, text: fmt.Sprint(least + g.Int64N(most-least+1))}
	case aBoolean:
		return &value{kind: boolean, text: fmt.Sprint(g.IntN(2) == 0)}
	case aWord:
		return &value{kind: text, text: s.words[g.IntN(len(s.words))]}
	}
	if s.loosen != nil {
		return &value{kind: text, text: names[g.IntN(len(names))]}
	}
	return &value{kind: text, text: anyTexts[g.IntN(len(anyTexts))]}
}

func (g *generator) object(s *shape, names []string) *value {
	v := &value{kind: object}
	only := ""
	if s.one != nil {
		only = s.one[g.IntN(len(s.one))]
	} else if s.some != nil {
		only = s.some[g.IntN(len(s.some))]
	}
	for _, f := range s.fields {
		excluded := (contains(s.one, f.name) || contains(s.some, f.name)) && f.name != only
		wanted := f.required || contains(s.one, f.name) || g.IntN(2) == 0
		if wanted && !excluded {
			v.members = append(v.members, member{name: f.name, value: g.value(f.shape, names)})
		}
	}
	g.Shuffle(len(v.members), func(i, j int) { v.members[i], v.members[j] = v.members[j], v.members[i] })
	return v
}

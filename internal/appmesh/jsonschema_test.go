package appmesh

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

const schemaFile = "../../schema/outrider.schema.json"

// TestSchemaFile: what is shipped is what the command prints.
func TestSchemaFile(t *testing.T) {
	if *update {
		if err := os.MkdirAll(filepath.Dir(schemaFile), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	keepsTo(t, schemaFile, schemaOf(t, ""))
}

func schemaOf(t *testing.T, kind string) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteSchema(&b, kind); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestSchemaSaysWhatFieldsDo: every field of every kind has a meaning.
func TestSchemaSaysWhatFieldsDo(t *testing.T) {
	silent := make(map[string]bool)
	for k := range specs {
		eachField(specs[k], func(f field) {
			if f.meaning == "" {
				silent[f.name] = true
			}
			if f.required && f.absent != "" {
				t.Errorf("%s is required and has a default", f.name)
			}
		})
	}
	if len(silent) > 0 {
		t.Errorf("nothing says what these do: %q", slices.Sorted(maps.Keys(silent)))
	}
}

func eachField(s *shape, f func(field)) {
	if s.item != nil {
		eachField(s.item, f)
	}
	for _, inner := range s.fields {
		f(inner)
		eachField(inner.shape, f)
	}
}

// TestSchemaAgreesWithTheCheck: documents in the API's own form, right and wrong.
func TestSchemaAgreesWithTheCheck(t *testing.T) {
	schema := newSchemaChecker(t, "")
	const http = `{"meshName": "m", "virtualRouterName": "r", "routeName": "x", "spec": {"httpRoute": {"match": %s, "action": {"weightedTargets": [{"virtualNode": "n", "weight": 1}]}}}}`
	const gate = `{"meshName": "m", "virtualGatewayName": "g", "gatewayRouteName": "x", "spec": {"httpRoute": {"match": %s, "action": {"target": {"virtualService": {"virtualServiceName": "s"}}, "rewrite": %s}}}}`
	const node = `{"meshName": "m", "virtualNodeName": "n", "spec": %s}`
	for _, c := range []struct {
		says, document string
		good           bool
	}{
		{"a mesh", `{"meshName": "m"}`, true},
		{"a list", `[{"meshName": "m"}, {"meshName": "m", "virtualServiceName": "s", "spec": {}}]`, true},
		{"describe output", `{"mesh": {"meshName": "m", "spec": {}, "metadata": {"version": 1}, "status": {"status": "ACTIVE"}}}`, true},
		{"lists of describe outputs", `{"$schema": "x", "meshes": [{"mesh": {"meshName": "m"}}], "virtualNodes": [{"meshName": "m", "virtualNodeName": "n", "spec": {}}]}`, true},
		{"nothing named", `{"spec": {}}`, false},
		{"a stranger", `{"name": "m"}`, false},
		{"a name with a slash", `{"meshName": "a/b"}`, false},
		{"an owner that is none", `{"meshName": "m", "meshOwner": "12"}`, false},
		{"no spec", `{"meshName": "m", "virtualNodeName": "n"}`, false},
		{"a field beside spec", `{"meshName": "m", "virtualNodeName": "n", "listeners": [], "spec": {}}`, false},
		{"a route without its router", `{"meshName": "m", "routeName": "n", "spec": {"tcpRoute": {"action": {"weightedTargets": [{"virtualNode": "n", "weight": 1}]}}}}`, false},
		{"an unknown field", fmt.Sprintf(node, `{"listener": []}`), false},
		{"a port out of range", fmt.Sprintf(node, `{"listeners": [{"portMapping": {"port": 65536, "protocol": "http"}}], "serviceDiscovery": {"dns": {"hostname": "h"}}}`), false},
		{"a port that is none", fmt.Sprintf(node, `{"listeners": [{"portMapping": {"port": "a", "protocol": "http"}}], "serviceDiscovery": {"dns": {"hostname": "h"}}}`), false},
		{"a protocol that is none", fmt.Sprintf(node, `{"listeners": [{"portMapping": {"port": 80, "protocol": "udp"}}], "serviceDiscovery": {"dns": {"hostname": "h"}}}`), false},
		{"two ways to be found", fmt.Sprintf(node, `{"serviceDiscovery": {"dns": {"hostname": "h"}, "awsCloudMap": {"namespaceName": "a", "serviceName": "b"}}}`), false},
		{"no way to be found", fmt.Sprintf(node, `{"serviceDiscovery": {}}`), false},
		{"a hostname without characters", fmt.Sprintf(node, `{"serviceDiscovery": {"dns": {"hostname": ""}}}`), false},
		{"a list that is an object", fmt.Sprintf(node, `{"backends": {}}`), false},
		{"an object that is a list", fmt.Sprintf(node, `{"backendDefaults": []}`), false},
		{"a boolean that is none", fmt.Sprintf(node, `{"backendDefaults": {"clientPolicy": {"tls": {"enforce": "maybe", "validation": {"trust": {"sds": {"secretName": "s"}}}}}}}`), false},
		{"too many authorities", fmt.Sprintf(node, `{"backendDefaults": {"clientPolicy": {"tls": {"validation": {"trust": {"acm": {"certificateAuthorityArns": ["a", "b", "c", "d"]}}}}}}}`), false},
		{"a route by prefix", fmt.Sprintf(http, `{"prefix": "/"}`), true},
		{"a prefix that is none", fmt.Sprintf(http, `{"prefix": "a"}`), false},
		{"prefix and path", fmt.Sprintf(http, `{"prefix": "/", "path": {"exact": "/"}}`), false},
		{"exact and regex", fmt.Sprintf(http, `{"path": {"exact": "/", "regex": "/"}}`), false},
		{"a method that is none", fmt.Sprintf(http, `{"prefix": "/", "method": "FETCH"}`), false},
		{"no headers", fmt.Sprintf(http, `{"prefix": "/", "headers": []}`), false},
		{"a range by halves", fmt.Sprintf(http, `{"prefix": "/", "headers": [{"name": "a", "match": {"range": {"start": 1}}}]}`), false},
		{"two routes in one", `{"meshName": "m", "virtualRouterName": "r", "routeName": "x", "spec": {"tcpRoute": {"action": {"weightedTargets": [{"virtualNode": "n", "weight": 1}]}}, "grpcRoute": {"match": {}, "action": {"weightedTargets": [{"virtualNode": "n", "weight": 1}]}}}}`, false},
		{"a method without its service", `{"meshName": "m", "virtualRouterName": "r", "routeName": "x", "spec": {"grpcRoute": {"match": {"methodName": "a"}, "action": {"weightedTargets": [{"virtualNode": "n", "weight": 1}]}}}}`, false},
		{"a gateway route", fmt.Sprintf(gate, `{"prefix": "/a/"}`, `{"prefix": {"value": "/"}}`), true},
		{"a gateway route that matches nothing", fmt.Sprintf(gate, `{"method": "GET"}`, `{}`), false},
		{"a host name with a port", fmt.Sprintf(gate, `{"hostname": {"exact": "a:80"}}`, `{}`), false},
		{"a prefix's value without slashes", fmt.Sprintf(gate, `{"prefix": "/a/"}`, `{"prefix": {"value": "/a"}}`), false},
		{"a prefix and a path to rewrite", fmt.Sprintf(gate, `{"prefix": "/a/"}`, `{"prefix": {"value": "/"}, "path": {"exact": "/"}}`), false},
		{"a gateway without listeners", `{"meshName": "m", "virtualGatewayName": "g", "spec": {"listeners": []}}`, false},
	} {
		d := Parse([]Source{{Name: "a.json", Data: []byte(c.document)}})
		takes := !slices.ContainsFunc(d.findings[:d.understood], func(f finding) bool { return f.Severity == mesh.Error })
		valid := schema.accepts(readAny(t, c.document)[0])
		if takes != c.good || valid != c.good {
			t.Errorf("%s: the check takes it: %v, the schema: %v, want %v", c.says, takes, valid, c.good)
		}
	}
}

// TestSchemaTakesTheCorpus: documents of the corpus in the API's own form,
// that are right as they are, are so by the schema too.
func TestSchemaTakesTheCorpus(t *testing.T) {
	schema := newSchemaChecker(t, "")
	// loose are those that use what only the check takes.
	loose := map[string]string{
		"howto-mutual-tls-file-provided/mesh.json": "empty: a deploy script names the mesh",
		"guide/mesh.json":                          "allowAll, the guide's word",
		"guide/resilient-route.yaml":               "names in snake case",
	}
	taken := 0
	for name, sources := range documentSets(t) {
		for _, source := range sources {
			values, err := readText(source.Name, source.Data)
			if err != nil {
				continue
			}
			for _, v := range values {
				set, _, _ := strings.Cut(strings.TrimSuffix(name, ".txtar"), "-check")
				file := set + "/" + filepath.Base(source.Name)
				if v.kind == object && !isOwnForm(v) || !fine(source) {
					continue
				}
				taken++
				if ok := schema.accepts(v); ok != (loose[file] == "") {
					t.Errorf("%s: the schema takes it: %v; %s", file, ok, loose[file])
				}
			}
		}
	}
	if taken < 40 {
		t.Errorf("only %d documents", taken)
	}
}

// isOwnForm reports whether no other front end takes a document.
func isOwnForm(v *value) bool {
	for _, f := range frontEnds[:len(frontEnds)-1] {
		if f.recognises(v) {
			return false
		}
	}
	return true
}

// fine reports whether a source by itself has no error, nor a name to be filled in.
func fine(s Source) bool {
	d := Parse([]Source{s})
	return !slices.ContainsFunc(d.findings[:d.understood], func(f finding) bool {
		return f.Severity == mesh.Error || strings.Contains(f.Message, "has no meshName")
	})
}

// TestSchemaTakesWhatIsExported: made-up meshes are right by the schema of the
// whole and by that of each kind; where a change makes the schema refuse one,
// the check does too.
func TestSchemaTakesWhatIsExported(t *testing.T) {
	whole := newSchemaChecker(t, "")
	var ofKind [kindCount]*schemaChecker
	for k := range kinds {
		ofKind[k] = newSchemaChecker(t, kinds[k].object)
	}
	refused := 0
	for seed := range uint64(25) {
		if !some(int(seed), 5) {
			continue
		}
		dice := rand.New(rand.NewPCG(seed, 2))
		e := newExporter(anyMesh(seed))
		all := e.requests()
		if !whole.accepts(all) {
			t.Fatalf("seed %d: the schema refuses it", seed)
		}
		for i, r := range all.items {
			k := e.chosen[i].kind
			if !ofKind[k].accepts(r) {
				t.Errorf("seed %d: the schema of a %s refuses it", seed, kinds[k].label)
			}
			if disturb(r.get("spec"), dice) && !ofKind[k].accepts(r) {
				refused++
				res := &resource{kind: k, mesh: e.chosen[i].mesh, name: e.chosen[i].name, spec: r.get("spec")}
				c := checker{&Documents{}, res}
				if c.spec(); !res.faulty {
					t.Errorf("seed %d: only the schema refuses %s: %s", seed, res, resolved(res.spec))
				}
			}
		}
	}
	if !raceEnabled && refused < 100 {
		t.Errorf("only %d changes were refused", refused)
	}
}

// disturb breaks something somewhere below v, or not.
func disturb(v *value, dice *rand.Rand) bool {
	switch {
	case v.kind == object && len(v.members) > 0:
		i := dice.IntN(len(v.members))
		switch dice.IntN(6) {
		case 0:
			v.members = slices.Delete(v.members, i, i+1)
			return true
		case 1:
			v.members = append(v.members, member{name: "other", value: say("x")})
			return true
		}
		return disturb(v.members[i].value, dice)
	case v.kind == list && len(v.items) > 0:
		i := dice.IntN(len(v.items))
		switch dice.IntN(6) {
		case 0:
			v.items = slices.Delete(v.items, i, i+1)
			return true
		case 1:
			for len(v.items) < 30 {
				v.items = append(v.items, v.items[i])
			}
			return true
		}
		return disturb(v.items[i], dice)
	case v.kind == number:
		v.text = []string{"-1", "0", "70000", "99999999999"}[dice.IntN(4)]
		return true
	case v.kind == text:
		v.text = []string{"", "other", strings.Repeat("x", 300)}[dice.IntN(3)]
		return true
	}
	return false
}

// A schemaChecker holds values against a JSON Schema: as much of the draft as
// ours use.
type schemaChecker struct {
	t    *testing.T
	root *value
}

func newSchemaChecker(t *testing.T, kind string) *schemaChecker {
	return &schemaChecker{t, readAny(t, schemaOf(t, kind))[0]}
}

func (c *schemaChecker) accepts(v *value) bool { return c.valid(v, c.root) }

func (c *schemaChecker) valid(v, schema *value) bool {
	if schema.kind == boolean {
		return schema.text == "true"
	}
	for _, m := range schema.members {
		if !c.keyword(v, m.name, m.value, schema) {
			return false
		}
	}
	return true
}

var jsonTypes = map[string]valueKind{"object": object, "array": list, "string": text, "integer": number, "boolean": boolean}

func (c *schemaChecker) keyword(v *value, name string, arg, schema *value) bool {
	count := func(among *value) (n int) {
		for _, s := range among.items {
			if c.valid(v, s) {
				n++
			}
		}
		return n
	}
	size := func() int64 {
		switch {
		case v.kind == text && strings.HasSuffix(name, "Length"):
			return int64(utf8.RuneCountInString(v.text))
		case v.kind == list && strings.HasSuffix(name, "Items"):
			return int64(len(v.items))
		case v.kind == number && strings.HasSuffix(name, "imum"):
			n, _ := strconv.ParseInt(v.text, 10, 64)
			return n
		}
		return -1
	}
	bound, _ := strconv.ParseInt(arg.text, 10, 64)
	switch name {
	case "$schema", "$defs", "title", "description", "default":
		return true
	case "$ref":
		return c.valid(v, c.root.get("$defs", strings.TrimPrefix(arg.text, "#/$defs/")))
	case "type":
		return v.kind == jsonTypes[arg.text]
	case "enum":
		return slices.ContainsFunc(arg.items, func(w *value) bool { return w.kind == v.kind && w.text == v.text })
	case "minLength", "minItems", "minimum":
		return v.kind != number && size() < 0 || size() >= bound
	case "maxLength", "maxItems", "maximum":
		return size() <= bound
	case "pattern":
		return v.kind != text || regexp.MustCompile(arg.text).MatchString(v.text)
	case "items":
		return !slices.ContainsFunc(v.items, func(item *value) bool { return !c.valid(item, arg) })
	case "properties":
		return !slices.ContainsFunc(v.members, func(m member) bool {
			s := arg.member(m.name)
			return s != nil && !c.valid(m.value, s)
		})
	case "additionalProperties":
		return !slices.ContainsFunc(v.members, func(m member) bool { return !schema.get("properties").has(m.name) })
	case "required":
		return v.kind != object || !slices.ContainsFunc(arg.items, func(n *value) bool { return !v.has(n.text) })
	case "dependentRequired":
		return !slices.ContainsFunc(arg.members, func(m member) bool {
			return v.has(m.name) && slices.ContainsFunc(m.value.items, func(n *value) bool { return !v.has(n.text) })
		})
	case "oneOf":
		return count(arg) == 1
	case "anyOf":
		return count(arg) >= 1
	case "not":
		return !c.valid(v, arg)
	}
	c.t.Fatalf("a keyword that this checker lacks: %s", name)
	return false
}

// TestSpecFields: the table has every field of the schemas, each once.
func TestSpecFields(t *testing.T) {
	seen := make(map[string]bool)
	names := make(map[string]bool)
	var b strings.Builder
	for _, f := range SpecFields() {
		if seen[f.Of+"."+f.Path] || f.Takes == "" || f.Meaning == "" {
			t.Errorf("%+v", f)
		}
		seen[f.Of+"."+f.Path] = true
		names[f.Path[strings.LastIndexByte(f.Path, '.')+1:]] = true
		must := ""
		if f.Required {
			must = "*"
		}
		fmt.Fprintf(&b, "%s %s%s: %s; %s; %s\n", f.Of, f.Path, must, f.Takes, f.Meaning, f.Default)
	}
	for k := range specs {
		eachField(specs[k], func(f field) {
			if !names[f.name] {
				t.Errorf("%s is not in the table", f.name)
			}
		})
	}
	keepsTo(t, "testdata/spec-fields.golden", b.String())
}

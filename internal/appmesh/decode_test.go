package appmesh

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// render writes a value with the place of everything in it.
func render(v *value) string {
	at := fmt.Sprintf("@%d:%d", v.at.Line, v.at.Column)
	switch v.kind {
	case object:
		var parts []string
		for _, m := range v.members {
			parts = append(parts, fmt.Sprintf("%s@%d:%d=%s", m.name, m.at.Line, m.at.Column, render(m.value)))
		}
		return "{" + strings.Join(parts, " ") + "}" + at
	case list:
		var parts []string
		for _, item := range v.items {
			parts = append(parts, render(item))
		}
		return "[" + strings.Join(parts, " ") + "]" + at
	case text:
		return fmt.Sprintf("%q%s", v.text, at)
	}
	return v.text + at
}

func TestReadJSON(t *testing.T) {
	for _, c := range []struct{ says, data, want string }{
		{"places count from 1", "{\n  \"a\": [1, true,\n    null]}", `{a@2:3=[1@2:9 true@2:12 null@3:5]@2:8}@1:1`},
		{"columns are characters, not bytes", `{"äö": "ü", "b": 1}`, `{äö@1:2="ü"@1:8 b@1:13=1@1:18}@1:1`},
		{"tabs are one column", "{\t\"a\":\t1}", `{a@1:3=1@1:8}@1:1`},
		{"documents may follow one another", "{}\n[]  7", `{}@1:1 []@2:1 7@2:5`},
		{"escapes are read", `"a\n\u00e9\ud83d\ude00\/"`, `"a\né😀/"@1:1`},
		{"half a surrogate pair is replaced", `"\ud83dx"`, `"�x"@1:1`},
		{"names may repeat: the check reports it", `{"a":1,"a":2}`, `{a@1:2=1@1:6 a@1:8=2@1:12}@1:1`},
		{"numbers keep their spelling", `[-0.5e+3, 12345678901234567890]`, `[-0.5e+3@1:2 12345678901234567890@1:11]@1:1`},
		{"nothing is no document", " \n", ``},
	} {
		values, err := readJSON("f", []byte(c.data))
		var got []string
		for _, v := range values {
			got = append(got, render(v))
		}
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %s, %v, want %s", c.says, got, err, c.want)
		}
	}
	for data, want := range map[string]string{
		`{"a" 1}`:                `f:1:6: '1' where ":" should be`,
		`{"a": 1`:                `f:1:8: the text ends where "," or "}" should be`,
		"[1,\n 2,\n]":            `f:3:1: ']' where a value should be`,
		`{"a": 1,}`:              `f:1:9: '}' where a member name in quotes should be`,
		`{a: 1}`:                 `f:1:2: 'a' where a member name in quotes should be`,
		`"a`:                     `f:1:3: the text ends where the closing quote should be`,
		"\"a\nb\"":               `f:1:3: '\n' where the closing quote should be`,
		`"\x"`:                   `f:1:2: unknown escape \x`,
		`"\u12"`:                 `f:1:4: \u needs four hexadecimal digits`,
		`01`:                     `f:1:1: "01" is not a number`,
		`1.2.3`:                  `f:1:1: "1.2.3" is not a number`,
		`{"a": $NAME}`:           `f:1:7: '$' where a value should be`,
		"\"\xff\"":               `f:1:4: text is not UTF-8`,
		strings.Repeat("[", 200): `f:1:102: nested more than 100 deep`,
	} {
		if _, err := readJSON("f", []byte(data)); err == nil || err.Error() != want {
			t.Errorf("%.20s: got %v, want %s", data, err, want)
		}
	}
}

func TestReadYAML(t *testing.T) {
	for _, c := range []struct{ says, data, want string }{
		{"places are those of the text", "a:\n  - 1\n  - b: \"x\"\n", `{a@1:1=[1@2:5 {b@3:5="x"@3:8}@3:5]@2:3}@1:1`},
		{"documents are separated by ---", "a: 1\n---\nb: 2\n", `{a@1:1=1@1:4}@1:1 {b@3:1=2@3:4}@3:1`},
		{"no and on are text", "a: no\nb: on", `{a@1:1="no"@1:4 b@2:1="on"@2:4}@1:1`},
		{"aliases stand for their anchors", "a: &x {p: 1}\nb: *x\n", `{a@1:1={p@1:8=1@1:11}@1:4 b@2:1={p@1:8=1@1:11}@1:4}@1:1`},
		{"merge keys add what is not there", "a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\n", `{a@1:1={p@1:8=1@1:11 q@1:14=2@1:17}@1:4 b@2:1={q@2:13=3@2:16 p@1:8=1@1:11}@2:4}@1:1`},
		{"a tag of its own is kept", "a: !Ref b\n", `{a@1:1=!Ref@1:4}@1:1`},
		{"a comment alone is no document", "# nothing\n", ``},
	} {
		values, err := readYAML("f", []byte(c.data))
		var got []string
		for _, v := range values {
			got = append(got, render(v))
		}
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %s, %v, want %s", c.says, got, err, c.want)
		}
	}
}

// TestBounds: no input costs more than its size allows.
func TestBounds(t *testing.T) {
	bomb := &strings.Builder{}
	bomb.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(bomb, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10), ","))
	}
	for says, c := range map[string]struct {
		data []byte
		want string
	}{
		"an alias bomb":        {[]byte(bomb.String()), "aliases stand for more values"},
		"a snake":              {[]byte("a: &a [*a]\n"), "nested more than 100 deep"},
		"a hydra":              {[]byte("a: &a [x, [*a, *a], [*a, *a]]\n"), "nested more than 100 deep"},
		"deep JSON":            {bytes.Repeat([]byte(`{"a":`), 100000), "nested more than 100 deep"},
		"deep YAML":            {bytes.Repeat([]byte("- "), 5000), "nested more than 100 deep"},
		"many values of JSON":  {append(append([]byte("["), bytes.Repeat([]byte("1,"), maxValues)...), []byte("1]")...), "more than"},
		"many values of YAML":  {bytes.Repeat([]byte("a: 1\n"), maxYAMLValues), "more than"},
		"a file past the size": {make([]byte, maxSourceBytes+1), "larger than 32 MiB"},
	} {
		fs := Parse([]Source{{Name: "f", Data: c.data}}).Check()
		if len(fs) != 1 || fs[0].Severity != mesh.Error || !strings.Contains(fs[0].Message, c.want) {
			t.Errorf("%s: got %d findings, first %.200v, want %q", says, len(fs), fs[:min(1, len(fs))], c.want)
		}
	}
}

// TestManyFaults: guessing what was meant stays cheap however much is wrong.
func TestManyFaults(t *testing.T) {
	var b strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&b, "{\"meshName\":\"m\",\"virtualNodeName\":\"a-rather-long-node-name-%d\",\"spec\":{\"backends\":[{\"virtualService\":{\"virtualServiceName\":\"no-such-%d\"}}],\"lisners\":1}}\n", i, i)
	}
	d := Parse([]Source{{Name: "f", Data: []byte(b.String())}})
	guesses := 0
	for _, f := range d.Check() {
		if strings.HasPrefix(f.Hint, "did you mean") {
			guesses++
		}
	}
	if guesses > maxSuggestions || guesses == 0 {
		t.Errorf("%d guesses", guesses)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"user-service-v1", "user-service-v2", "frontend", "database"}
	for name, want := range map[string]string{
		"user-v2": "user-service-v2", "user-service-v3": "user-service-v1", "frontent": "frontend", "Frontend": "frontend",
		"databse": "database", "zebra": "", "": "", strings.Repeat("x", 5000): "",
	} {
		if got := mesh.Nearest(name, names); got != want {
			t.Errorf("%.20q: got %q, want %q", name, got, want)
		}
	}
}

// FuzzReadJSON: one value is read exactly when encoding/json reads it, and
// every place lies inside the text.
func FuzzReadJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-2.5e3,true,null,"\u00e9"]}`, `{"a":1}{"b":2}`, `[`, `"\ud83d"`, "\xef", `{"a":1,}`, ` 1 `} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		values, err := readJSON("f", data)
		var syntax *syntaxError
		if err != nil && !errors.As(err, &syntax) {
			t.Fatalf("an error without a place: %v", err)
		}
		valid := json.Valid(data) && bytes.Equal(bytes.ToValidUTF8(data, nil), data)
		if one := err == nil && len(values) == 1; one != valid && (syntax == nil || !strings.Contains(syntax.msg, "nested more")) {
			t.Fatalf("%q: read %v (%v), encoding/json says %v", data, one, err, valid)
		}
		lines := bytes.Count(data, []byte("\n")) + 1
		for _, v := range values {
			inside(t, v, lines)
		}
	})
}

func inside(t *testing.T, v *value, lines int) {
	if v.at.Line < 1 || v.at.Line > lines || v.at.Column < 1 {
		t.Fatalf("a value at %d:%d of %d lines", v.at.Line, v.at.Column, lines)
	}
	for _, m := range v.members {
		inside(t, m.value, lines)
	}
	for _, item := range v.items {
		inside(t, item, lines)
	}
}

// FuzzParse: whatever the documents, nothing panics, findings have words, and
// a snapshot is whole.
func FuzzParse(f *testing.F) {
	door := edgeDocuments + "\n---\n" + oneDoor + "\n---\n" + httpDoor("x", "prefix: /x, hostname: {suffix: .a.b}", toS)
	for _, seed := range []string{base, reachBase, door, `{"virtualNodes":[{"meshName":"m","virtualNodeName":"front","spec":{}}]}`,
		"meshName: m\nvirtualNodeName: front\nspec: {listeners: [{portMapping: {port: 1, protocol: http}}]}\n", "a: &a [*a]", "{<<: {a: 1}}",
		"{meshName: m, spec: {egressFilter: {allowAll=true}}}", "meshName: {{ M }}\nspec: {a: [${B}, {{ .c | d }}]}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d := Parse([]Source{{Name: "f", Data: data}})
		for _, finding := range d.Check() {
			if finding.Message == "" {
				t.Fatalf("a finding without words: %+v", finding)
			}
		}
		for id, ix := range d.meshes {
			for k, what := range map[kind]mesh.ResourceKind{nodeKind: mesh.VirtualNode, gatewayKind: mesh.VirtualGateway} {
				for name := range ix.of[k] {
					s, findings := d.Compile(mesh.Resource{Mesh: id.name, Owner: id.owner, Kind: what, Name: name}, Options{})
					if s == nil && len(findings) == 0 {
						t.Fatal("no snapshot and no reason")
					}
					if s != nil {
						whole(t, s)
					}
				}
			}
		}
	})
}

// whole: every target of a snapshot is one of its clusters, every domain stands
// once.
func whole(t *testing.T, s *mesh.Snapshot) {
	known := map[*mesh.Cluster]bool{}
	for _, c := range s.Clusters {
		known[c] = true
	}
	targets := func(ts []mesh.Target) {
		for _, target := range ts {
			if !known[target.Cluster] {
				t.Fatalf("a target outside the snapshot: %+v", target.Cluster)
			}
		}
	}
	for _, l := range append(append([]*mesh.Listener{}, s.Inbound...), s.Outbound...) {
		targets(l.Targets)
		if gateway := s.Resource.Kind == mesh.VirtualGateway; gateway != l.AnyPort || gateway != known[l.Gate] {
			t.Fatalf("a listener of something else: %+v", l)
		}
		domains := map[string]bool{}
		for _, h := range l.VirtualHosts {
			for _, domain := range h.Domains {
				if domains[domain] {
					t.Fatalf("port %d has domain %q twice", l.Port, domain)
				}
				domains[domain] = true
			}
			for _, r := range h.Routes {
				targets(r.Targets)
				if r.Service == nil {
					continue
				}
				if r.Rewrite == nil || r.Rewrite.Prefix != nil && r.Match.Prefix == "" {
					t.Fatalf("a gateway route that rewrites what it has not: %+v", r)
				}
				for _, inner := range r.Service.Routes {
					targets(inner.Targets)
				}
			}
		}
	}
}

// BenchmarkParse reads, checks and compiles 2,000 nodes, each with a service,
// a router and a route, written as JSON and as YAML.
func BenchmarkParse(b *testing.B) {
	var j, y bytes.Buffer
	for i := range 2000 {
		fmt.Fprintf(&j, `{"meshName":"m","virtualNodeName":"n%d","spec":{"listeners":[{"portMapping":{"port":8080,"protocol":"http"},"timeout":{"http":{"perRequest":{"unit":"s","value":5}}}}],"serviceDiscovery":{"dns":{"hostname":"n%d.local"}},"backends":[{"virtualService":{"virtualServiceName":"s%d.local"}}]}}
{"meshName":"m","virtualServiceName":"s%d.local","spec":{"provider":{"virtualRouter":{"virtualRouterName":"r%d"}}}}
{"meshName":"m","virtualRouterName":"r%d","spec":{"listeners":[{"portMapping":{"port":80,"protocol":"http"}}]}}
{"meshName":"m","virtualRouterName":"r%d","routeName":"all","spec":{"httpRoute":{"match":{"prefix":"/"},"action":{"weightedTargets":[{"virtualNode":"n%d","weight":1}]}}}}
`, i, i, (i+1)%2000, i, i, i, i, i)
	}
	fmt.Fprint(&y, "meshName: m\nvirtualNodeName: front\nspec: {}\n")
	for i := range 2000 {
		fmt.Fprintf(&y, "---\nmeshName: m\nvirtualNodeName: n%d\nspec:\n  listeners:\n    - portMapping:\n        port: 8080\n        protocol: http\n  serviceDiscovery:\n    dns:\n      hostname: n%d.local\n", i, i)
	}
	for name, data := range map[string][]byte{"json": j.Bytes(), "yaml": y.Bytes()} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				d := Parse([]Source{{Name: "f", Data: data}})
				if s, _ := d.Compile(mesh.Resource{Mesh: "m", Name: "n7"}, Options{}); s == nil {
					b.Fatal("no snapshot")
				}
			}
		})
	}
}

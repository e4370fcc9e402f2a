package diff

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/appmesh"
	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/testkit/golden"
)

// TestGolden compares the documents of testdata/*.txtar: those under "before"
// with those under "after", or what "after" says to replace in them, one
// `old => new` on a line. `go test ./internal/diff -run Golden -update`
// rewrites what is wanted.
func TestGolden(t *testing.T) {
	golden.Test(t, func(t *testing.T, a *golden.Archive) string {
		before, _ := a.Text("before.yaml")
		after, _ := a.Text("after.yaml")
		if edits, ok := a.Text("edits"); ok {
			after = before
			for _, line := range strings.Split(strings.TrimSpace(edits), "\n") {
				old, now, _ := strings.Cut(line, " => ")
				if !strings.Contains(after, old) {
					t.Fatalf("nothing to replace: %s", line)
				}
				after = strings.ReplaceAll(after, old, now)
			}
		}
		r := Between(set("before.yaml", before), set("after.yaml", after))
		var got bytes.Buffer
		if err := WriteText(&got, func(string) string { return "" }, r); err != nil {
			t.Fatal(err)
		}
		golden.OnPaper(t, got.String())
		again := Between(set("before.yaml", before), set("before.yaml", before))
		if len(again.Groups)+len(again.Gone)+len(again.New) > 0 {
			t.Errorf("documents differ from themselves: %+v", again)
		}
		var machine bytes.Buffer
		var read jsonReport
		if err := WriteJSON(&machine, r); err != nil || json.Unmarshal(machine.Bytes(), &read) != nil || len(read.Groups) != len(r.Groups) || read.Same != r.Same() {
			t.Errorf("JSON: %v\n%s", err, machine.String())
		}
		return got.String()
	})
}

func set(name, text string) Set {
	s := Set{Name: name, Proxies: map[mesh.Resource]*mesh.Snapshot{}}
	d := appmesh.Parse([]appmesh.Source{{Name: name, Data: []byte(text)}})
	for _, f := range d.Check() {
		if f.Severity == mesh.Error {
			s.Findings = append(s.Findings, f)
		}
	}
	for _, res := range d.Proxies() {
		s.Proxies[res], _ = d.Compile(res, appmesh.Options{})
	}
	return s
}

// TestSharedChange: what touches 200 nodes is told once.
func TestSharedChange(t *testing.T) {
	var b strings.Builder
	b.WriteString("{meshName: m, spec: {egressFilter: {type: ALLOW_ALL}}}\n")
	for i := range 200 {
		b.WriteString("---\n{meshName: m, virtualNodeName: n" + string(rune('a'+i/26)) + string(rune('a'+i%26)) + ", spec: {}}\n")
	}
	r := Between(set("a", b.String()), set("b", strings.Replace(b.String(), "ALLOW_ALL", "DROP_ALL", 1)))
	if len(r.Groups) != 1 || len(r.Groups[0].Proxies) != 200 || len(r.Groups[0].Changes) != 1 {
		t.Fatalf("%+v", r.Groups)
	}
	var out bytes.Buffer
	if err := WriteText(&out, func(string) string { return "" }, r); err != nil || strings.Count(out.String(), "\n") > 8 {
		t.Errorf("%v\n%s", err, out.String())
	}
}

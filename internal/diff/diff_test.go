package diff

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
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

// TestOneChangeInManyPlaces: what is said anew of each of 200 nodes is told
// once, with its first place.
func TestOneChangeInManyPlaces(t *testing.T) {
	var b strings.Builder
	for i := range 200 {
		fmt.Fprintf(&b, "---\n{meshName: m, virtualNodeName: n%03d, spec: {listeners: [{portMapping: {port: 80, protocol: http}, timeout: {http: {perRequest: {unit: s, value: 5}}}}]}}\n", i)
	}
	after := strings.ReplaceAll(b.String(), "value: 5", "value: 6")
	r := Between(set("a", b.String()), set("b", strings.Replace(after, "value: 6", "value: 7", 1)))
	if len(r.Groups) != 2 || len(r.Groups[0].Proxies) != 199 || len(r.Groups[1].Proxies) != 1 {
		t.Fatalf("%+v", r.Groups)
	}
	want := []Change{{"requests to the app, ingress port 80", "timeout", Value{"5s", "a:4", 198}, Value{"6s", "b:4", 198}}}
	if !slices.Equal(r.Groups[0].Changes, want) {
		t.Errorf("got %+v, want %+v", r.Groups[0].Changes, want)
	}
	var text, machine bytes.Buffer
	if err := WriteText(&text, func(string) string { return "" }, r); err != nil || !strings.Contains(text.String(), "before  5s (a:4 and 198 more places)") {
		t.Errorf("%v\n%s", err, text.String())
	}
	if err := WriteJSON(&machine, r); err != nil || strings.Count(machine.String(), `"morePlaces": 198`) != 2 {
		t.Errorf("%v\n%s", err, machine.String())
	}
}

// TestNothingInCommon: sets that describe other proxies are not called alike.
func TestNothingInCommon(t *testing.T) {
	var text bytes.Buffer
	r := Between(set("a", "{meshName: m, virtualNodeName: n, spec: {}}"), set("b", "{meshName: other, virtualNodeName: n, spec: {}}"))
	if err := WriteText(&text, func(string) string { return "" }, r); err != nil || !strings.HasPrefix(text.String(), "nothing is compared: ") || r.Same() {
		t.Errorf("%v\n%s", err, text.String())
	}
}

package appmesh

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// allocated is how many bytes f allocates in all: a bound from above on what
// it holds at any time.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestLargeFiles: a file of 100 MB is refused in words that name it and the
// limit, and no more of it is read than the limit.
func TestLargeFiles(t *testing.T) {
	dir := t.TempDir()
	for i, c := range []struct {
		says string
		fill func(*os.File) error
		want string
	}{
		{"a hole", func(f *os.File) error { return f.Truncate(100_000_000) }, fmt.Sprintf("larger than %d MiB", maxSourceBytes>>20)},
		{"brackets up to the limit", func(f *os.File) error { return repeat(f, "[", maxSourceBytes) }, "nested more than 100 deep"},
		{"objects up to the limit", func(f *os.File) error { return repeat(f, `{"a":`, maxSourceBytes-8) }, "nested more than 100 deep"},
		{"dashes up to the limit", func(f *os.File) error { return repeat(f, "- ", maxSourceBytes) }, "more than 524288"},
		{"one text up to the limit", func(f *os.File) error { return repeat(f, "x", maxSourceBytes) }, "not a document"},
	} {
		if !some(i, 10) {
			continue
		}
		name := filepath.Join(dir, "large.json")
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.fill(f); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		var sources []Source
		var findings []mesh.Finding
		read := allocated(func() { sources, _, err = ReadPaths([]string{name}) })
		if err != nil {
			t.Fatal(err)
		}
		parsed := allocated(func() { findings = Parse(sources).Check() })
		if len(findings) != 1 || findings[0].File != name || findings[0].Severity != mesh.Error || !strings.Contains(findings[0].Message, c.want) {
			t.Errorf("%s: got %.300v, want %q of %s", c.says, findings, c.want, name)
		}
		if read > maxSourceBytes+1<<20 || parsed > 8*maxSourceBytes {
			t.Errorf("%s: reading allocates %d KiB, understanding %d KiB", c.says, read>>10, parsed>>10)
		}
	}
}

func repeat(f *os.File, s string, size int) error {
	chunk := strings.Repeat(s, 1<<20/len(s))
	for size > 0 {
		n := min(size, len(chunk)) / len(s) * len(s)
		if n == 0 {
			return nil
		}
		if _, err := f.WriteString(chunk[:n]); err != nil {
			return err
		}
		size -= n
	}
	return nil
}

// TestManyDocuments: a file may hold thousands of documents of every form.
func TestManyDocuments(t *testing.T) {
	n := 5000
	if raceEnabled {
		n = 500
	}
	for says, document := range map[string]string{
		"requests":   "---\n{meshName: m, virtualNodeName: n%[1]d, spec: {}}\n",
		"JSON":       `{"meshName": "m", "virtualNodeName": "n%[1]d", "spec": {}}` + "\n",
		"manifests":  "---\n{apiVersion: appmesh.k8s.aws/v1beta2, kind: VirtualNode, metadata: {name: n%[1]d}, spec: {meshRef: {name: m}}}\n",
		"templates":  "---\nResources: {N: {Type: 'AWS::AppMesh::VirtualNode', Properties: {MeshName: m, VirtualNodeName: n%[1]d, Spec: {}}}}\n",
		"duplicates": "---\n{meshName: m, virtualNodeName: n, spec: {backends: []}}\n---\n{virtualNode: {meshName: m, virtualNodeName: n%[1]d, spec: {}}}\n",
	} {
		var b bytes.Buffer
		for i := range n {
			fmt.Fprintf(&b, document, i)
		}
		d := Parse([]Source{{Name: "f", Data: b.Bytes()}})
		if d.Resources() < n || len(d.Check()) > 1 {
			t.Errorf("%s: %d resources, %d findings: %.300v", says, d.Resources(), len(d.Check()), d.Check()[:min(2, len(d.Check()))])
		}
	}
}

// TestContradictionsAreBounded: a resource defined thousands of times, always
// otherwise, is told of in time.
func TestContradictionsAreBounded(t *testing.T) {
	var b bytes.Buffer
	for i := range 5000 {
		fmt.Fprintf(&b, "{\"meshName\": \"m\", \"virtualNodeName\": \"n\", \"spec\": {\"serviceDiscovery\": {\"dns\": {\"hostname\": \"h%d\"}}}}\n", i)
	}
	d := Parse([]Source{{Name: "f", Data: b.Bytes()}})
	if d.Resources() != 1 || len(d.Check()) != 5000 {
		t.Errorf("%d resources, %d findings", d.Resources(), len(d.Check()))
	}
}

// TestFillingIsBounded: a long parameter in a document of many placeholders is
// refused in words.
func TestFillingIsBounded(t *testing.T) {
	document := kubernetesMesh + crd("VirtualNode", "n", "logging: {accessLog: {file: {path: '"+strings.Repeat("${A}", 10_000)+"'}}}")
	var fs []mesh.Finding
	cost := allocated(func() {
		fs = Checks{Params: map[string]string{"A": strings.Repeat("x", 100_000)}}.Parse([]Source{{Name: "f", Data: []byte(document)}}).Check()
	})
	if len(fs) == 0 || !slices.ContainsFunc(fs, func(f mesh.Finding) bool { return strings.Contains(f.Message, "fill in more than 16 MiB") }) || cost > 20*maxFilled {
		t.Errorf("%d KiB allocated; %.300s", cost>>10, strings.Join(abouts(fs), "\n"))
	}
}

// FuzzForms reads a text as whatever it is, with all walkthroughs as seeds: no
// panic, no finding without words, no snapshot with holes, and no more memory
// than a text of its length may cost.
func FuzzForms(f *testing.F) {
	for _, pattern := range []string{"walkthroughs/*/*", "walkthroughs/*/*/*", "walkthroughs/*/*/*/*", "terraform/*", "every-field/*"} {
		files, err := filepath.Glob(filepath.Join("..", "..", "test", "corpus", filepath.FromSlash(pattern)))
		if err != nil || len(files) == 0 {
			f.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, name := range files {
			if data, err := os.ReadFile(name); err == nil && len(data) < 10_000 {
				f.Add(data)
			}
		}
	}
	f.Add([]byte("a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c]\n"))
	f.Add([]byte(`{"Resources": {"N": {"Type": "AWS::AppMesh::VirtualNode", "Properties": {"MeshName": "m", "VirtualNodeName": {"Fn::Join": ["", [{"Ref": "A"}, {"Ref": "A"}]]}, "Spec": {"Fn::Sub": "${A}${A}${A}"}}}}, "Parameters": {"A": {"Type": "String", "Default": "xxxxxxxx"}}}`))
	f.Add([]byte(`[{"virtualNode": {"meshName": "m", "virtualNodeName": "n", "spec": {}, "metadata": {"lastUpdatedAt": 1}}}, {"virtualNode": {"meshName": "m", "virtualNodeName": "n", "spec": {"backends": [{}]}, "metadata": {"lastUpdatedAt": "2023-11-07T09:12:05Z", "meshOwner": "111122223333"}}}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		const fixed, each = 256 << 20, 50_000
		cost := allocated(func() {
			d := Checks{Params: fillings, Imports: imports}.Parse([]Source{{Name: "f", Data: data}})
			for _, finding := range d.Check() {
				if finding.Message == "" {
					t.Fatalf("a finding without words: %+v", finding)
				}
			}
			for id, ix := range d.meshes {
				for node := range ix.of[nodeKind] {
					if s, fs := d.Compile(mesh.Resource{Mesh: id.name, Owner: id.owner, Name: node}, Options{}); s != nil {
						whole(t, s)
					} else if len(fs) == 0 {
						t.Fatal("no snapshot and no reason")
					}
				}
			}
		})
		if cost > uint64(fixed+each*len(data)) {
			t.Errorf("%d bytes cost %d KiB", len(data), cost>>10)
		}
	})
}

package appmesh

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// tree writes files (name, text, name, text ...) into a new directory.
func tree(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		put(t, filepath.Join(dir, files[i]), files[i+1])
	}
	return dir
}

func put(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestReadPaths(t *testing.T) {
	dir := tree(t, "b.yaml", "b", "a.json", "a", "sub/c.YML", "c", "notes.txt", "t", ".hidden.yaml", "h", ".git/d.yaml", "d",
		"..data_2024/e.yaml", "e", "odd[1].yaml", "o")
	if err := os.Symlink("..data_2024/e.yaml", filepath.Join(dir, "e.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "sub"), filepath.Join(dir, "linked")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		says  string
		paths []string
		want  []string
	}{
		{"a directory is read with all below it", []string{""}, []string{"a.json", "b.yaml", "e.yaml", "odd[1].yaml", "sub/c.YML"}},
		{"a file may end in anything", []string{"notes.txt"}, []string{"notes.txt"}},
		{"a glob matches files and directories", []string{"*.yaml", "s*"}, []string{"b.yaml", "e.yaml", "odd[1].yaml", "sub/c.YML"}},
		{"a path that exists is no glob", []string{"odd[1].yaml"}, []string{"odd[1].yaml"}},
		{"each file is read once", []string{"b.yaml", "", "b.yaml"}, []string{"b.yaml", "a.json", "e.yaml", "odd[1].yaml", "sub/c.YML"}},
		{"a link to a directory is followed when it is named", []string{"linked"}, []string{"linked/c.YML"}},
	} {
		var paths, got []string
		for _, p := range c.paths {
			paths = append(paths, filepath.Join(dir, p))
		}
		sources, findings, err := ReadPaths(paths)
		for _, s := range sources {
			rel, _ := filepath.Rel(dir, s.Name)
			got = append(got, rel)
		}
		if err != nil || len(findings) > 0 || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, %v, %v, want %v", c.says, got, findings, err, c.want)
		}
	}
	if _, findings, err := ReadPaths([]string{filepath.Join(dir, "*.none")}); err != nil || len(findings) != 1 {
		t.Errorf("a glob without a match: got %v, %v", findings, err)
	}
	if _, _, err := ReadPaths([]string{filepath.Join(dir, "missing.yaml")}); err == nil || !strings.Contains(err.Error(), "missing.yaml") {
		t.Errorf("a missing file: got %v", err)
	}
}

// TestUnreadable: what cannot be read takes nothing else with it, and is never
// waited for.
func TestUnreadable(t *testing.T) {
	for _, c := range []struct {
		says, why string
		spoil     func(t *testing.T, name string)
	}{
		{"a link that leads nowhere", "the link leads to nowhere, which does not exist", func(t *testing.T, name string) { link(t, "nowhere", name) }},
		{"a pipe", "it is a pipe, not a file", func(t *testing.T, name string) {
			if err := syscall.Mkfifo(name, 0o644); err != nil {
				t.Fatal(err)
			}
		}},
		{"a socket", "it is a socket, not a file", func(t *testing.T, name string) {
			l, err := net.Listen("unix", name)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
		}},
		{"a device", "it is not a regular file", func(t *testing.T, name string) { link(t, os.DevNull, name) }},
		{"a file of another user", "permission denied", func(t *testing.T, name string) {
			put(t, name, "a: b")
			deny(t, name)
		}},
		{"a subdirectory of another user", "permission denied", func(t *testing.T, name string) {
			put(t, filepath.Join(name, "x.yaml"), "a: b")
			deny(t, name)
		}},
	} {
		t.Run(c.says, func(t *testing.T) {
			dir := tree(t, "good.yaml", "g")
			bad := filepath.Join(dir, "bad.yaml")
			c.spoil(t, bad)
			for _, p := range []string{dir, filepath.Join(dir, "*.yaml"), bad} {
				sources, findings, err := ReadPaths([]string{p, filepath.Join(dir, "good.yaml")})
				if err != nil || len(findings) > 0 || len(sources) != 2 || sources[0].Name != bad || sources[0].Err == nil || string(sources[1].Data) != "g" {
					t.Fatalf("%s: got %v, %v, %v", p, sources, findings, err)
				}
				if got := reason(sources[0].Err); got != c.why {
					t.Errorf("%s: %q, want %q", p, got, c.why)
				}
			}
		})
	}
}

// TestBecomesAPipe: a file is listed, and a pipe when it is opened.
func TestBecomesAPipe(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.yaml")
	if err := syscall.Mkfifo(name, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := readFile(name); err == nil {
		t.Error("a pipe was read")
	}
}

func TestReadInline(t *testing.T) {
	const plain = "{meshName: m, spec: {}}"
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte(plain)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	standard := base64.StdEncoding.EncodeToString(packed.Bytes())
	for says, text := range map[string]string{
		"plain text":       plain,
		"gzip in base64":   standard,
		"wrapped at lines": " " + standard[:10] + "\r\n" + standard[10:] + "\n",
		"without padding":  strings.TrimRight(standard, "="),
		"URL alphabet":     base64.URLEncoding.EncodeToString(packed.Bytes()),
	} {
		s, err := ReadInline(text)
		if err != nil || string(s.Data) != plain || s.Name != InlineName {
			t.Errorf("%s: got %q, %v", says, s.Data, err)
		}
	}
	for says, text := range map[string]string{
		"cut off":        standard[:len(standard)/2],
		"not base64":     "H4sI!!!!",
		"a gzip bomb":    bombOf(t),
		"too much plain": strings.Repeat("x", maxSourceBytes+1),
	} {
		if _, err := ReadInline(text); err == nil || !strings.Contains(err.Error(), InlineName) {
			t.Errorf("%s: got %v, want an error", says, err)
		}
	}
}

func bombOf(t *testing.T) string {
	var packed bytes.Buffer
	z, _ := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	for range maxSourceBytes>>20 + 1 {
		if _, err := z.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(packed.Bytes())
}

// TestReadStates: a directory is read with its Terraform states and sources.
func TestReadStates(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"main.tf", "terraform.tfstate", "terraform.tfstate.backup", "a.tofu", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sources, findings, err := ReadPaths([]string{dir})
	var names []string
	for _, s := range sources {
		names = append(names, filepath.Base(s.Name))
	}
	if want := []string{"a.tofu", "main.tf", "terraform.tfstate"}; !slices.Equal(names, want) || err != nil || findings != nil {
		t.Errorf("read %v, want %v; %v, %v", names, want, findings, err)
	}
}

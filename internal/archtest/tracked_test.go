package archtest

import (
	"bytes"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestNothingOfTheBuildMachine looks at every file that is, or would be, in
// the repository: a clone must mean the same on any machine.
func TestNothingOfTheBuildMachine(t *testing.T) {
	const why = "why: a path or a host of the machine it was written on means nothing in a clone, and tells strangers what is none of their business"
	base := root(t)
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = base
	names, err := list.Output()
	if err != nil {
		t.Skipf("left out: not a git checkout (%v)", err)
	}
	forbidden := machineWords(t)
	for _, name := range strings.Split(strings.TrimRight(string(names), "\x00"), "\x00") {
		data, err := os.ReadFile(filepath.Join(base, name))
		if err != nil { // deleted, or a directory behind a link
			continue
		}
		for i, line := range bytes.Split(data, []byte("\n")) {
			if kind := spokenOf(line, forbidden); kind != "" {
				t.Errorf("%s:%d: names %s\n\t%s", name, i+1, kind, why)
			}
		}
	}
}

// machineWords gives what must not be mentioned, with what to call it. Hosts
// come from the go command's settings, so that they need not be named here.
func machineWords(t *testing.T) map[string]string {
	words := map[string]string{"/wo" + "rk/": "a path of the build machine"}
	out, err := exec.Command("go", "env", "GOPROXY").Output()
	if err != nil {
		t.Logf("go env GOPROXY: %v", err)
		return words
	}
	for _, proxy := range strings.FieldsFunc(strings.TrimSpace(string(out)), func(r rune) bool { return r == ',' || r == '|' }) {
		u, err := url.Parse(proxy)
		if err != nil || u.Hostname() == "" || u.Hostname() == "proxy.golang.org" || u.Hostname() == "localhost" {
			continue
		}
		words[u.Hostname()] = "the host of a package registry"
	}
	return words
}

func spokenOf(line []byte, forbidden map[string]string) (kind string) {
	for word, kind := range forbidden {
		if bytes.Contains(line, []byte(word)) {
			return kind
		}
	}
	return ""
}

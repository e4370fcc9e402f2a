package docs

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// standIns print what the program of the same name would print where the
// example was at home. What they are asked is not looked at.
var standIns = map[string]string{
	"terraform": "cat examples/ec2/show.json",
	"kubectl":   "cat examples/eks/mesh.yaml",
}

// A block is a fenced piece of a document.
type block struct {
	file string
	line int // of its first line
	text string
}

// blocks are a document's fenced pieces of one language.
func blocks(t *testing.T, file, language string) (all []block) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var in *block
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		switch line := lines.Text(); {
		case in == nil && line == "```"+language:
			in = &block{file: file, line: n + 1}
		case in != nil && line == "```":
			all = append(all, *in)
			in = nil
		case in != nil:
			in.text += line + "\n"
		}
	}
	if err := lines.Err(); err != nil || in != nil {
		t.Fatalf("%s: a block does not end (%v)", file, err)
	}
	return all
}

// TestShellBlocksRun runs every block marked sh, as somebody would who copies it.
func TestShellBlocksRun(t *testing.T) {
	ran := 0
	for _, file := range documents(t) {
		for _, b := range blocks(t, file, "sh") {
			ran++
			t.Run(fmt.Sprintf("%s:%d", filepath.Base(file), b.line), func(t *testing.T) { b.run(t) })
		}
	}
	if ran == 0 {
		t.Error("no document has a shell block")
	}
}

func documents(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(top, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob(filepath.Join(top, "examples", "*", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return append(append(files, filepath.Join(top, "README.md")), more...)
}

// blockTime bounds a block; none does more than read documents, or write rules.
const blockTime = time.Minute

func (b block) run(t *testing.T) {
	dir := t.TempDir()
	examples, err := filepath.Abs(filepath.Join(top, "examples"))
	if err == nil {
		err = os.Symlink(examples, filepath.Join(dir, "examples"))
	}
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, ".bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, line := range standIns {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\nexec "+line+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), blockTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-eu", "-c", b.text)
	if strings.Contains(b.text, "iptables apply") || strings.Contains(b.text, "iptables verify") || strings.Contains(b.text, "doctor") {
		if os.Geteuid() != 0 {
			leaveOut(t, "the block writes or reads rules, which needs root")
		}
		cmd = exec.CommandContext(ctx, "unshare", "--net", "sh", "-eu", "-c", "ip link set lo up\n"+b.text)
	}
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+folder+":"+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s:%d: the block fails: %v\n%s\n%s", b.file, b.line, err, b.text, out)
	}
}

// leaveOut skips where a machine cannot do it; on a CI machine that is a failure.
func leaveOut(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("NOT TESTED: %s", why)
	}
	t.Skipf("NOT TESTED: %s", why)
}

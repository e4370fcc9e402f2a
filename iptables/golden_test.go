package iptables

import (
	"bytes"
	"flag"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/testkit/golden"
)

// Each archive holds flags (one a line), perhaps an environment and a task definition, and what Print writes or why the
// flags are refused.
func TestGolden(t *testing.T) { golden.Test(t, printed) }

func printed(t *testing.T, a *golden.Archive) string {
	folder := t.TempDir()
	if text, ok := a.Text("task-definition.json"); ok {
		if err := os.WriteFile(folder+"/task-definition.json", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	flags, _ := a.Text("flags")
	env, _ := a.Text("env")
	args := strings.Split(strings.TrimSpace(flags), "\n")
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "$FOLDER", folder)
	}
	var b bytes.Buffer
	cfg, err := parseFlags(args, env)
	if err == nil {
		err = Print(&b, cfg)
	}
	if err != nil {
		b.WriteString("refused:\n" + strings.ReplaceAll(err.Error(), "; ", ";\n") + "\n")
	}
	return strings.ReplaceAll(b.String(), folder, "$FOLDER")
}

func parseFlags(args []string, env string) (Config, error) {
	fs := flag.NewFlagSet("iptables", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	var f Flags
	f.Register(fs)
	if err := fs.Parse(args); err != nil {
		return Config{}, err
	}
	return f.Config(func(name string) string {
		for line := range strings.Lines(env) {
			if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+"="); ok {
				return value
			}
		}
		return ""
	})
}

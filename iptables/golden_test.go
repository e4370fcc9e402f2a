package iptables

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the last section of testdata/*.txtar")

// Each archive holds flags (one a line), perhaps an environment and a task definition, and what Print writes or why the
// flags are refused.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := golden(t, sections(string(archive)))
			before, want, _ := strings.Cut(string(archive), "-- want --\n")
			if *update {
				if err := os.WriteFile(file, []byte(before+"-- want --\n"+got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// sections splits a txtar archive into its files by name.
func sections(archive string) map[string]string {
	files, name := map[string]string{}, ""
	for line := range strings.Lines(archive) {
		if rest, ok := strings.CutPrefix(line, "-- "); ok && strings.HasSuffix(rest, " --\n") {
			name = strings.TrimSuffix(rest, " --\n")
			continue
		}
		files[name] += line
	}
	return files
}

func golden(t *testing.T, files map[string]string) string {
	folder := t.TempDir()
	if text, ok := files["task-definition.json"]; ok {
		if err := os.WriteFile(folder+"/task-definition.json", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	args := strings.Split(strings.TrimSpace(files["flags"]), "\n")
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "$FOLDER", folder)
	}
	var b bytes.Buffer
	cfg, err := parseFlags(args, files["env"])
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

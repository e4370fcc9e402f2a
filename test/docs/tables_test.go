package docs

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/app"
	"github.com/outrider-mesh/outrider/internal/appmesh"
	"github.com/outrider-mesh/outrider/internal/config"
)

// tables are the generated parts of documents by the name in their marks.
var tables = []struct {
	file, name string
	make       func() string
}{
	{"docs/configuration.md", "settings", settings},
	{"docs/configuration.md", "commands", commands},
	{"docs/configuration.md", "variables", variables},
	{"docs/configuration.md", "fields", fields},
}

// TestTablesAreThoseOfTheCode: a table that differs from what the code says is
// a mistake of the document.
func TestTablesAreThoseOfTheCode(t *testing.T) {
	for _, table := range tables {
		file := filepath.Join(top, table.file)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		begin, end := []byte("<!-- generated: "+table.name+" -->\n"), []byte("<!-- end of "+table.name+" -->\n")
		from, to := bytes.Index(text, begin), bytes.Index(text, end)
		if from < 0 || to < from {
			t.Errorf("%s has no marks of %q", table.file, table.name)
			continue
		}
		from += len(begin)
		want := table.make()
		if string(text[from:to]) == want {
			continue
		}
		if !*update {
			t.Errorf("%s: the table of %s is not what the code says: go test ./test/docs -run Tables -update", table.file, table.name)
			continue
		}
		text = append(append(append([]byte(nil), text[:from]...), want...), text[to:]...)
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// settings are the flags of outrider run.
func settings() string {
	var b strings.Builder
	b.WriteString("| flag | variable | default | meaning | also set by |\n|---|---|---|---|---|\n")
	for _, s := range config.Settings() {
		flag := s.Flag
		if s.Arg != "" {
			flag += " " + s.Arg
		}
		row(&b, code(flag), code(s.Variable), cell(s.Default), cell(s.Meaning), codes(s.Also))
	}
	return b.String()
}

// flagLine and defaultEnd are of a flag's help: "  -wait duration" and, at the
// end of what it means, "(default 15001)".
var (
	flagLine   = regexp.MustCompile(`^  -(\S+)(?: (\S+))?$`)
	defaultEnd = regexp.MustCompile(` \(default "?([^()]*?)"?\)$`)
)

// commands are the flags of the commands beside run, as their help tells them;
// those that mean the same in several are one line.
func commands() string {
	type line struct{ flag, otherwise, meaning string }
	var lines []line
	of := make(map[line][]string)
	for _, command := range []string{"validate", "check", "explain", "diff", "export", "schema", "doctor", "iptables", "health"} {
		args := []string{command, "--help"}
		if command == "iptables" {
			args = []string{command, "print", "--help"}
		}
		var help bytes.Buffer
		if code := app.Main(context.Background(), &app.Process{Args: args, Stdout: &help, Stderr: &help}); code != app.ExitFine {
			return fmt.Sprintf("outrider %s: exit code %d", strings.Join(args, " "), code)
		}
		flag := ""
		for text := range strings.Lines(help.String()) {
			text = strings.TrimSuffix(text, "\n")
			if found := flagLine.FindStringSubmatch(text); found != nil {
				if flag = "--" + found[1]; len(found[1]) == 1 {
					flag = "-" + found[1]
				}
				flag = strings.TrimSpace(flag + " " + strings.ToUpper(found[2]))
				continue
			}
			meaning, told := strings.CutPrefix(text, "    \t")
			if !told || flag == "" {
				continue
			}
			l := line{flag: flag, meaning: meaning}
			if found := defaultEnd.FindStringSubmatch(meaning); found != nil {
				l.otherwise, l.meaning = found[1], strings.TrimSuffix(meaning, found[0])
			}
			if of[l] == nil {
				lines = append(lines, l)
			}
			of[l] = append(of[l], command)
			flag = ""
		}
	}
	var b strings.Builder
	b.WriteString("| flag | commands | default | meaning |\n|---|---|---|---|\n")
	for _, l := range lines {
		row(&b, code(l.flag), strings.Join(of[l], ", "), cell(l.otherwise), cell(l.meaning))
	}
	return b.String()
}

// variables are those of an App Mesh task.
func variables() string {
	var b strings.Builder
	b.WriteString("| variable | what it does here |\n|---|---|\n")
	for _, v := range config.AppMeshVariables() {
		effect := "as it did"
		switch {
		case v.Acts:
		case v.Instead != "":
			effect = "nothing: would have " + v.Effect + "; " + v.Instead
		default:
			effect = "not yet: would have " + v.Effect
		}
		if v.Needs != "" {
			effect += " (with " + code(v.Needs) + ")"
		}
		row(&b, code(v.Name), cell(effect))
	}
	return b.String()
}

// fields are those that documents may say, a table for each kind.
func fields() string {
	var b strings.Builder
	of := ""
	for _, f := range appmesh.SpecFields() {
		if f.Of != of {
			of = f.Of
			b.WriteString("\n### " + of + "\n\n| field | takes | default | meaning |\n|---|---|---|---|\n")
		}
		otherwise := f.Default
		if f.Required {
			otherwise = "required"
		}
		row(&b, code(f.Path), cell(f.Takes), cell(otherwise), cell(f.Meaning))
	}
	return b.String()
}

func row(b *strings.Builder, cells ...string) {
	fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
}

func code(s string) string { return "`" + s + "`" }

func codes(all []string) string {
	quoted := make([]string, len(all))
	for i, s := range all {
		quoted[i] = code(s)
	}
	return strings.Join(quoted, ", ")
}

// cell keeps a text from ending its cell.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

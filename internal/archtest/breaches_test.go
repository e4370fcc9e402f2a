package archtest

import (
	"strings"
	"testing"
)

// TestLawsCatch breaks every law in a few lines and wants it to say so.
func TestLawsCatch(t *testing.T) {
	lines := func(n int) string { return strings.Repeat("\n", n) }
	of := func(dir string) string { return "import _ \"" + module + "/" + dir + "\"\n" }
	for _, tt := range []struct {
		law, says, path, source string
		want                    string // part of the one violation; empty: none
	}{
		{"who may import whom", "the vocabulary imports the engine", "internal/mesh/a.go", "package mesh\n" + of("proxy"), "internal/mesh imports proxy; it may import nothing of ours"},
		{"who may import whom", "a library imports a library", "lb/a.go", "package lb\n" + of("internal/stat"), "lb imports internal/stat"},
		{"who may import whom", "a message model imports its codec", "proxy/l7/a.go", "package l7\n" + of("proxy/l7/h1"), "proxy/l7 imports proxy/l7/h1"},
		{"who may import whom", "a command imports the engine", "cmd/outrider/main.go", "package main\n" + of("proxy"), "it may import internal/app"},
		{"who may import whom", "a package nobody planned", "internal/misc/a.go", "package misc\n", "has no row"},
		{"who may import whom", "as the table has it", "proxy/upstream/a.go", "package upstream\n" + of("proxy/l7/h1"), ""},
		{"who may import whom", "the engine imports a part of itself", "proxy/a.go", "package proxy\n" + of("proxy/l4"), ""},
		{"who may import whom", "a part imports its own part", "internal/appmesh/a.go", "package appmesh\n" + of("internal/appmesh/tree"), ""},
		{"who may import whom", "a test imports what it likes", "lb/a_test.go", "package lb\n" + of("proxy"), ""},
		{"tests stay out of the sidecar", "the wiring imports the kit", "internal/app/a.go", "package app\n" + of("internal/testkit"), "which is for tests"},
		{"tests stay out of the sidecar", "a bench imports the kit", "bench/a.go", "package main\n" + of("internal/testkit"), ""},
		{"one door per dependency", "Prometheus by the wrong door", "admin/a.go", "package admin\nimport _ \"github.com/prometheus/client_golang/prometheus\"\n", "whose door is internal/telemetry"},
		{"one door per dependency", "Prometheus by its door", "internal/telemetry/a.go", "package telemetry\nimport _ \"github.com/prometheus/client_golang/prometheus\"\n", ""},
		{"one door per dependency", "a stranger", "admin/a.go", "package admin\nimport _ \"example.com/x\"\n", "has no door"},
		{"one door per dependency", "a leak check in the sidecar", "admin/a.go", "package admin\nimport _ \"go.uber.org/goleak\"\n", "for tests and measurements only"},
		{"no init", "an init", "lb/a.go", "package lb\nfunc init() {}\n", "lb/a.go:2: has a func init"},
		{"no init", "a method called init", "lb/a.go", "package lb\nfunc (p *P) init() {}\n", ""},
		{"no cgo", "cgo", "lb/a.go", "package lb\nimport \"C\"\n", "imports C"},
		{"no templates, no methods by name", "a template", "admin/a.go", "package admin\nimport _ \"html/template\"\n", "imports html/template"},
		{"no templates, no methods by name", "a method by name", "admin/a.go", "package admin\nvar f = reflect.ValueOf(x).MethodByName(y)\n", "MethodByName"},
		{"package comments", "none", "lb/a.go", "package lb\n", "package lb has no doc comment"},
		{"package comments", "one", "lb/a.go", "// Package lb chooses.\npackage lb\n", ""},
		{"package comments", "a directory of tests", "test/e2e/a_test.go", "// Package e2e runs the binary.\npackage e2e\n", ""},
		{"package names", "a drawer", "proxy/util/a.go", "package util\n", "name what it does"},
		{"file lengths", "too long", "lb/a.go", "// This file is long because of a law.\npackage lb\n" + lines(800), "has 802 lines"},
		{"file lengths", "long without a word", "lb/a.go", "package lb\n" + lines(500), "does not say why"},
		{"file lengths", "long with a word", "lb/a.go", "// This file is long\n// because of a table.\npackage lb\n" + lines(500), ""},
		{"gofmt", "crooked", "lb/a.go", "package lb\nvar  x int\n", "not as gofmt"},
		{"no sleeping in tests", "a nap", "lb/a_test.go", "package lb\nfunc f() { time.Sleep(1) }\n", "time.Sleep"},
		{"no sleeping in tests", "a nap by another name", "lb/a_test.go", "package lb\nfunc f() { <-time.After(1) }\n", "time.After"},
		{"no sleeping in tests", "a nap in the kit", "internal/testkit/a.go", "package testkit\nfunc f() { time.Sleep(1) }\n", "time.Sleep"},
		{"no sleeping in tests", "a nap in a bubble", "lb/a_test.go", "package lb\nfunc f(t *testing.T) { synctest.Test(t, func(t *testing.T) { time.Sleep(1) }) }\n", ""},
		{"no sleeping in tests", "a guard against hanging", "lb/a_test.go", "package lb\nfunc f() { select { case <-c: case <-time.After(1): } }\n", ""},
		{"leak checks", "none", "lb/a_test.go", "package lb\n", "do not check for leaked goroutines"},
		{"leak checks", "one", "lb/a_test.go", "package lb\nimport \"go.uber.org/goleak\"\nfunc TestMain(m *testing.M) { goleak.VerifyTestMain(m) }\n", ""},
	} {
		t.Run(tt.law+"/"+tt.says, func(t *testing.T) {
			tr := parse(t, map[string][]byte{tt.path: []byte(tt.source)})
			broken := lawNamed(t, tt.law).broken(tr)
			switch {
			case tt.want == "" && len(broken) > 0:
				t.Errorf("found %q, want nothing", broken)
			case tt.want != "" && (len(broken) != 1 || !strings.Contains(broken[0], tt.want)):
				t.Errorf("found %q, want one that says %q", broken, tt.want)
			}
		})
	}
}

func lawNamed(t *testing.T, name string) law {
	t.Helper()
	for _, l := range laws {
		if l.name == name {
			return l
		}
	}
	t.Fatalf("there is no law %q", name)
	return law{}
}

func TestMachineWordsAreFound(t *testing.T) {
	words := map[string]string{"packages.example": "the host of a package registry"}
	if got := spokenOf([]byte("GOPROXY=https://packages.example/go"), words); got == "" {
		t.Error("a registry host was not found")
	}
	if got := spokenOf([]byte("GOPROXY=https://proxy.golang.org"), words); got != "" {
		t.Errorf("found %s in a line that has none", got)
	}
}

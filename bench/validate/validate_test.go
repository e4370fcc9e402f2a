//go:build linux

package validate

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/appmesh"
	"github.com/outrider-mesh/outrider/internal/mesh"
)

// Every form is the same mesh, without a finding: else their times could not be compared.
func TestTheFormsAreOneMesh(t *testing.T) {
	documents, err := write(t.TempDir(), 5)
	if err != nil {
		t.Fatal(err)
	}
	version := ""
	for _, d := range documents {
		sources, _, err := appmesh.ReadPaths([]string{d.path})
		if err != nil {
			t.Fatal(err)
		}
		docs := appmesh.Parse(sources)
		if fs := docs.Check(); len(fs) > 0 || docs.Resources() != 21 {
			t.Errorf("%s: %d resources, findings %+v", d.form, docs.Resources(), fs)
		}
		s, fs := docs.Compile(mesh.Resource{Mesh: "shop", Name: "shop-node-1"}, appmesh.Options{})
		if s == nil {
			t.Fatalf("%s: %+v", d.form, fs)
		}
		if version == "" {
			version = s.Version
		}
		if s.Version != version {
			t.Errorf("%s is another mesh", d.form)
		}
	}
}

func TestAProgramThatFailsIsNotMeasured(t *testing.T) {
	program := filepath.Join(t.TempDir(), "outrider")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho \"$2: error: no\"\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	v := Validate{Program: program, Nodes: 2, Runs: 1, Dir: t.TempDir(), Progress: io.Discard}
	if _, err := v.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "CloudFormation with functions: exit status 1: ") {
		t.Errorf("got %v", err)
	}
}

func TestTheTargetIsForLargeMeshesInCloudFormation(t *testing.T) {
	for nodes, want := range map[int]int{2: 0, 2000: 2} {
		v := Validate{Program: "/bin/true", Nodes: nodes, Runs: 1, Dir: t.TempDir(), Progress: io.Discard}
		facts, err := v.Run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		targets := 0
		for _, f := range facts {
			if f.AtMost > 0 {
				targets++
			}
		}
		if targets != want || len(facts) != 5 {
			t.Errorf("%d nodes: %d of %d facts have a target, want %d", nodes, targets, len(facts), want)
		}
	}
}

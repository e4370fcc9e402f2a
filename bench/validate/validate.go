//go:build linux

// Package validate measures how long `outrider validate` takes over a large mesh, and how much memory, in each form
// that documents come in. One mesh (mesh.go) is written as a CloudFormation template with references and functions in every
// name; the other forms are what `outrider export` makes of it, and a Terraform state. The program itself is run, a
// process for each time, and asked what it needed: the clock from start to exit, and the kernel's count of its
// largest resident memory.
package validate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/outrider-mesh/outrider/bench/report"
)

// Validate is a measurement of one mesh in every form.
type Validate struct {
	Program  string // Outrider's
	Nodes    int    // of the mesh; each has a router, a route and a service beside it
	Runs     int    // to take the median of
	Dir      string // for the documents; the caller removes it
	Progress io.Writer
}

// AtMost is the target for 2,000 nodes in CloudFormation, in seconds.
const AtMost = 2

// Run measures. That a document has an error is an error here: the time would be that of something else.
func (v Validate) Run(ctx context.Context) ([]report.Fact, error) {
	documents, err := write(v.Dir, v.Nodes)
	if err != nil {
		return nil, err
	}
	var facts []report.Fact
	for _, d := range documents {
		fmt.Fprintf(v.Progress, "validate: %s\n", d.form)
		seconds, memory, err := v.runs(ctx, d.path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", d.form, err)
		}
		fact := report.Fact{What: fmt.Sprintf("validate %d nodes, %s", v.Nodes, d.form), Value: seconds, Unit: "s",
			Note: fmt.Sprintf("%.1f MiB of text, at most %.0f MiB resident, median of %d", float64(d.size)/(1<<20), memory, v.Runs)}
		if d.target && v.Nodes >= 2000 {
			fact.AtMost = AtMost
		}
		facts = append(facts, fact)
	}
	return facts, nil
}

// runs gives the median seconds, and the median of the largest memory in MiB.
func (v Validate) runs(ctx context.Context, path string) (seconds, memory float64, err error) {
	var times, sizes []float64
	for range v.Runs {
		cmd := exec.CommandContext(ctx, v.Program, "validate", path)
		begun := time.Now()
		said, err := cmd.CombinedOutput()
		took := time.Since(begun)
		if err != nil {
			return 0, 0, fmt.Errorf("%w: %s", err, said[:min(len(said), 500)])
		}
		usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		if !ok {
			return 0, 0, errors.New("the kernel says nothing of the process's memory")
		}
		times, sizes = append(times, took.Seconds()), append(sizes, float64(usage.Maxrss)/1024)
	}
	slices.Sort(times)
	slices.Sort(sizes)
	return times[len(times)/2], sizes[len(sizes)/2], nil
}

// document is the mesh in one form.
type document struct {
	form   string
	path   string
	size   int
	target bool
}

func write(dir string, nodes int) ([]document, error) {
	var all []document
	for _, f := range forms(nodes) {
		text, err := f.text()
		if err != nil {
			return nil, fmt.Errorf("writing the mesh as %s: %w", f.form, err)
		}
		path := filepath.Join(dir, f.file)
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return nil, err
		}
		all = append(all, document{f.form, path, len(text), f.target})
	}
	return all, nil
}

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

var interrupt = os.Interrupt

// event is a line of `go test -json`.
type event struct {
	Action, Package, Test, Output, ImportPath string
}

// goTest runs go test and counts top-level tests. A package that cannot be built, or fails outside its tests, counts as one failure.
func (s *session) goTest(ctx context.Context, env []string, args ...string) tally {
	args = append([]string{"test", "-json", "-timeout=6m"}, args...)
	cmd := s.command(ctx, env, "go", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return failed("go test", err.Error())
	}
	c := counter{said: map[string]*bytes.Buffer{}, failedIn: map[string]bool{}}
	c.read(stdout)
	err = cmd.Wait()
	if err != nil && c.total.failed == 0 {
		return failed("go "+strings.Join(args, " "), tail(stderr.Bytes(), 40)+"\n"+err.Error())
	}
	return c.total
}

// counter turns events into a tally. It keeps what each test said until that test has passed.
type counter struct {
	total    tally
	said     map[string]*bytes.Buffer // by package and top-level test
	failedIn map[string]bool          // packages of which a test has failed
}

func (c *counter) read(r io.Reader) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		var e event
		if json.Unmarshal(line, &e) == nil && e.Action != "" {
			c.see(e)
		}
		if err != nil {
			return
		}
	}
}

func (c *counter) see(e event) {
	top, _, isSub := strings.Cut(e.Test, "/")
	key := e.Package + e.ImportPath + " " + top
	switch e.Action {
	case "output", "build-output":
		if c.said[key] == nil {
			c.said[key] = &bytes.Buffer{}
		}
		c.said[key].WriteString(e.Output)
	case "pass", "fail", "skip":
		switch {
		case isSub:
		case e.Test == "":
			c.endPackage(e, key)
		default:
			c.endTest(e, key)
		}
	}
}

func (c *counter) endTest(e event, key string) {
	said := c.text(key)
	delete(c.said, key)
	switch e.Action {
	case "pass":
		c.total.passed++
	case "skip":
		c.total.skipped++
		c.total.leftOut = append(c.total.leftOut, fmt.Sprintf("%s %s: %s", short(e.Package), e.Test, reason(said)))
	case "fail":
		c.failedIn[e.Package] = true
		c.total.add(failed(short(e.Package)+" "+e.Test, tail([]byte(essence(said)), 60)))
	}
}

// essence leaves out the lines that say that all is well.
func essence(said string) string {
	var kept strings.Builder
	for line := range strings.Lines(said) {
		start := strings.TrimSpace(line)
		if !strings.HasPrefix(start, "=== ") && !strings.HasPrefix(start, "--- PASS: ") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// endPackage counts a failure that belongs to no test: a build, TestMain, a leak, a timeout.
func (c *counter) endPackage(e event, key string) {
	if e.Action != "fail" || c.failedIn[e.Package] {
		return
	}
	text := ""
	for k := range c.said {
		if k == key || strings.HasPrefix(k, e.Package+" ") || strings.HasPrefix(k, e.Package+".test ") {
			text += c.text(k)
		}
	}
	c.total.add(failed(short(e.Package), tail([]byte(text), 60)))
}

// text is what a test has said so far.
func (c *counter) text(key string) string {
	if said := c.said[key]; said != nil {
		return said.String()
	}
	return ""
}

// reason is what a test said when it skipped itself.
func reason(said string) string {
	var why []string
	for line := range strings.Lines(essence(said)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "--- SKIP: ") {
			why = append(why, line)
		}
	}
	text := strings.Join(why, " ")
	if len(text) > 200 {
		text = text[:200] + "..."
	}
	return text
}

func short(pkg string) string {
	return strings.TrimPrefix(strings.TrimPrefix(pkg, "github.com/outrider-mesh/outrider"), "/")
}

func (s *session) goList(ctx context.Context, args ...string) ([]string, error) {
	output, err := s.command(ctx, nil, "go", append([]string{"list"}, args...)...).Output()
	return strings.Fields(string(output)), err
}

package iptables

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// runner is the machine as this package sees it. Tests put a fake in its place.
type runner interface {
	// find returns the path of a program, or a *MissingError.
	find(program string) (path string, err error)
	// run runs it to its end and returns its standard output; the error is a *PrivilegeError or a *CommandError.
	run(ctx context.Context, c command) (stdout string, err error)
	// read returns a small file's contents, with the errors of package os.
	read(path string) (string, error)
}

// command is one program to run.
type command struct {
	path  string
	args  []string
	stdin string
}

func (c command) String() string { return strings.Join(append([]string{c.path}, c.args...), " ") }

// system is the real machine. Programs run in the network namespace of the calling thread.
type system struct{}

// find looks through PATH, and then where administrators' programs are: an ordinary user's PATH often lacks these,
// and "not installed" would be the wrong answer to a missing privilege.
func (system) find(program string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	for _, folder := range []string{"/usr/local/sbin", "/usr/sbin", "/sbin"} {
		if path, err := exec.LookPath(folder + "/" + program); err == nil {
			return path, nil
		}
	}
	return "", &MissingError{Program: program, Package: "iptables"}
}

func (system) read(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, 1<<20))
	return string(text), err
}

// Bounds for one program.
const (
	commandTime = 30 * time.Second // longer than waitSeconds
	maxStdout   = 64 << 20         // bytes; a node of a large Kubernetes cluster saves some 10 MiB
	maxStderr   = 4 << 10          // bytes; enough to say what is wrong
)

func (system) run(ctx context.Context, c command) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	stdout, stderr := bounded{left: maxStdout}, bounded{left: maxStderr}
	cmd := exec.CommandContext(ctx, c.path, c.args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C") // Answers are read by refused, in English.
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(c.stdin), &stdout, &stderr
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return "", &CommandError{Command: c.String(), Answer: "stopped: " + context.Cause(ctx).Error()}
	case err != nil:
		return "", explain(c, stderr.text.String(), err)
	case stdout.left == 0:
		return "", &CommandError{Command: c.String(), Answer: fmt.Sprintf("its answer is larger than %d bytes", maxStdout)}
	}
	return stdout.text.String(), nil
}

// explain turns a failed run into an error that says its consequence.
func explain(c command, stderr string, err error) error {
	answer := strings.TrimSpace(stderr)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || answer == "" {
		answer = strings.TrimSpace(answer + " " + err.Error())
	}
	if refused(answer) {
		return &PrivilegeError{Doing: "running " + c.String(), Answer: answer}
	}
	return &CommandError{Command: c.String(), Answer: answer}
}

func refused(answer string) bool {
	for _, words := range []string{"Permission denied", "permission denied", "Operation not permitted", "operation not permitted", "you must be root"} {
		if strings.Contains(answer, words) {
			return true
		}
	}
	return false
}

// bounded keeps the first bytes and swallows the rest, so that the program is not blocked by us.
type bounded struct {
	text bytes.Buffer
	left int // bytes it still takes
}

func (b *bounded) Write(p []byte) (int, error) {
	n := min(len(p), b.left)
	b.text.Write(p[:n])
	b.left -= n
	return len(p), nil
}

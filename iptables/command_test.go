package iptables

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
)

func TestTheSystemFindsRunsAndReads(t *testing.T) {
	var host system
	var missing *MissingError
	if _, err := host.find("outrider-has-no-such-program"); !errors.As(err, &missing) || missing.Package != "iptables" {
		t.Errorf("find: %v", err)
	}
	sh, err := host.find("sh")
	if err != nil {
		t.Fatal(err)
	}
	out, err := host.run(t.Context(), command{path: sh, args: []string{"-c", "echo got; cat; echo $LC_ALL"}, stdin: "in\n"})
	if err != nil || out != "got\nin\nC\n" {
		t.Errorf("run: %q, %v", out, err)
	}
	if _, err := host.read("/outrider/no/such/file"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("read: %v", err)
	}
}

func TestAFailedProgramIsQuotedAndBounded(t *testing.T) {
	var failed *CommandError
	_, err := system{}.run(t.Context(), command{path: "/bin/sh", args: []string{"-c", "yes why | head -n 100000 >&2; exit 3"}})
	if !errors.As(err, &failed) || !strings.HasPrefix(failed.Answer, "why\nwhy") || len(failed.Answer) > maxStderr {
		t.Errorf("got %.200v", err)
	}
	_, err = system{}.run(t.Context(), command{path: "/bin/sh", args: []string{"-c", "exit 3"}})
	if !errors.As(err, &failed) || !strings.Contains(failed.Answer, "exit status 3") {
		t.Errorf("got %v", err)
	}
}

func TestAProgramEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errBroken)
	_, err := system{}.run(ctx, command{path: "/bin/sh", args: []string{"-c", "sleep 1000"}})
	var failed *CommandError
	if !errors.As(err, &failed) || !strings.Contains(failed.Answer, errBroken.Error()) {
		t.Errorf("got %v", err)
	}
}

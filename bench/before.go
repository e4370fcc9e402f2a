//go:build linux

package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// beforeHTTP2 is the revision whose program runs beside today's over HTTP/1.1: the last commit before HTTP/2.
const beforeHTTP2 = "9578d12"

// earlierProgram returns the path of an earlier Outrider: what is a program, or a revision of the history that the current directory belongs to,
// whose program is then built below dir, from a copy of its source and with the modules at hand (nothing is fetched).
func earlierProgram(ctx context.Context, what, dir string) (string, error) {
	if info, err := os.Stat(what); err == nil && info.Mode().IsRegular() {
		return filepath.Abs(what)
	}
	source, program := filepath.Join(dir, "source"), filepath.Join(dir, "outrider")
	if err := checkOut(ctx, what, source); err != nil {
		return "", fmt.Errorf("%q is neither a program nor a revision that can be had: %w", what, err)
	}
	build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-trimpath", "-tags", "grpcnotrace", "-ldflags", "-s -w", "-o", program, "./cmd/outrider")
	build.Dir = source
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOPROXY=off", "GOFLAGS=", "GOWORK=off")
	if said, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build revision %s: %w: %s", what, err, short(said))
	}
	return program, nil
}

// checkOut copies the files of a revision into a folder. The repository is only read.
func checkOut(ctx context.Context, revision, folder string) error {
	top, err := git(ctx, "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	files, err := git(ctx, "-C", strings.TrimSpace(string(top)), "archive", "--format=tar", revision)
	if err != nil {
		return err
	}
	for archive := tar.NewReader(bytes.NewReader(files)); ; {
		entry, err := archive.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if entry.Typeflag != tar.TypeReg || !filepath.IsLocal(entry.Name) {
			continue
		}
		path := filepath.Join(folder, entry.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		text, err := io.ReadAll(archive)
		if err == nil {
			err = os.WriteFile(path, text, 0o644)
		}
		if err != nil {
			return err
		}
	}
}

func git(ctx context.Context, args ...string) ([]byte, error) {
	said, err := exec.CommandContext(ctx, "git", args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("git: %s", short(exit.Stderr))
	}
	return said, err
}

// short is the last line of what a program said.
func short(said []byte) string {
	text := strings.TrimSpace(string(said))
	return text[strings.LastIndexByte(text, '\n')+1:]
}

package tools

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Install gets the missing tools of a list and returns those that this machine still lacks, with the first reason. It
// says on out what it installs, and nothing when all is there. Packages need root and apt-get.
func Install(ctx context.Context, out io.Writer, list []Tool) (lacking []Tool, err error) {
	missing := Missing(list)
	if len(missing) == 0 {
		return nil, nil
	}
	if packages := packagesOf(missing); len(packages) > 0 {
		allow := func() error { return nil }
		if slices.ContainsFunc(missing, func(t Tool) bool { return t.Service }) && os.Geteuid() == 0 {
			allow, err = forbidServices()
		}
		if err == nil {
			err = errors.Join(installPackages(ctx, out, packages), allow())
		}
	}
	for _, tool := range missing {
		if tool.Module == "" {
			continue
		}
		fmt.Fprintf(out, "installing %s\n", tool.Module)
		if failed := installModule(ctx, tool); failed != nil {
			err = errors.Join(err, failed)
		}
	}
	return Missing(missing), err
}

// installModule installs a Go program, in a module made for it if there are pins.
func installModule(ctx context.Context, tool Tool) error {
	if tool.Pins == "" {
		return run(ctx, nil, "go", "install", tool.Module)
	}
	dir, err := os.MkdirTemp("", "pins")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, kind := range []string{".mod", ".sum"} {
		text, err := pins.ReadFile(tool.Pins + kind)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "go"+kind), text, 0o644); err != nil {
			return err
		}
	}
	return run(ctx, nil, "go", "-C", dir, "install", tool.Module)
}

func packagesOf(list []Tool) []string {
	var packages []string
	for _, tool := range list {
		if tool.Package != "" && !slices.Contains(packages, tool.Package) {
			packages = append(packages, tool.Package)
		}
		if tool.Program == "gcc" {
			packages = append(packages, headers)
		}
	}
	return packages
}

func installPackages(ctx context.Context, out io.Writer, packages []string) error {
	command := "apt-get install -y --no-install-recommends " + strings.Join(packages, " ")
	if _, found := exec.LookPath("apt-get"); found != nil {
		return fmt.Errorf("this is no Debian; install what %q would", command)
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("not root; run: sudo %s", command)
	}
	fmt.Fprintln(out, "installing "+strings.Join(packages, " "))
	env := []string{"DEBIAN_FRONTEND=noninteractive"}
	install := append([]string{"apt-get", "install", "-qq", "-y", "--no-install-recommends"}, packages...)
	if run(ctx, env, install...) == nil {
		return nil
	}
	if err := run(ctx, env, "apt-get", "update", "-qq"); err != nil { // the lists of a fresh machine are empty or old
		return err
	}
	return run(ctx, env, install...)
}

// policy is what Debian asks before a package starts a service; 101 answers: not allowed.
const policy = "/usr/sbin/policy-rc.d"

// forbidServices keeps packages from starting services (nginx, haproxy) until allow is called. A policy that is there already stays.
func forbidServices() (allow func() error, err error) {
	file, err := os.OpenFile(policy, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	switch {
	case errors.Is(err, fs.ErrExist):
		return func() error { return nil }, nil
	case err != nil:
		return nil, fmt.Errorf("keep services from being started: %w", err)
	}
	_, err = file.WriteString("#!/bin/sh\nexit 101\n")
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, errors.Join(err, os.Remove(policy))
	}
	return func() error { return os.Remove(policy) }, nil
}

func run(ctx context.Context, env []string, command ...string) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), env...)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), err, output)
	}
	return nil
}

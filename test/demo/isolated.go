//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// The cables between the machines. Each namespace is private, so every run has the same addresses.
//
//	driver 10.77.0.1 -- 10.77.0.2 front 10.77.1.1 -- 10.77.1.2 user-v1
//	                                    10.77.2.1 -- 10.77.2.2 user-v2
//	                                    10.77.5.1 -- 10.77.5.2 greeter
//	driver 10.77.3.1 -- 10.77.3.2 user-v1,  driver 10.77.4.1 -- 10.77.4.2 user-v2,  driver 10.77.6.1 -- 10.77.6.2 greeter
//
// The database runs beside the driver, on 10.77.0.1.
var cables = []struct{ a, addressA, b, addressB string }{
	{"", "10.77.0.1", "front", "10.77.0.2"},
	{"front", "10.77.1.1", "user-v1", "10.77.1.2"},
	{"front", "10.77.2.1", "user-v2", "10.77.2.2"},
	{"", "10.77.3.1", "user-v1", "10.77.3.2"},
	{"", "10.77.4.1", "user-v2", "10.77.4.2"},
	{"front", "10.77.5.1", "greeter", "10.77.5.2"},
	{"", "10.77.6.1", "greeter", "10.77.6.2"},
}

// hosts is everybody's /etc/hosts. The names that the app calls lead to an address that nobody has: only the
// sidecar's routes decide who answers. The last five are the discovery names of the mesh documents.
const hosts = `127.0.0.1  localhost
::1        localhost
10.77.9.1  user-service.local
10.77.9.2  orders-service.local
10.77.9.3  database-service.local
10.77.9.4  greeter-service.local
10.77.0.2  frontend.example.com
10.77.1.2  user-service.my-namespace
10.77.2.2  user-service-v2.my-namespace
10.77.5.2  greeter.example.com
10.77.0.1  database.example.com
`

// isolate makes the namespaces. The stage is the first process of a process namespace of its own here.
func (w *world) isolate(ctx context.Context) error {
	if os.Getpid() != 1 {
		return errors.New("the stage must be the first process of its namespace")
	}
	var err error
	if w.outerProc, err = os.OpenRoot("/proc"); err != nil {
		return err
	}
	if err := settle(); err != nil {
		return err
	}
	folder := w.options.folder
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	// Any user must be able to run them, wherever the checkout lies.
	for from, name := range map[string]string{w.options.outrider: "outrider", "/proc/self/exe": "demo"} {
		if err := copyProgram(from, filepath.Join(folder, name)); err != nil {
			return err
		}
	}
	w.options.outrider = filepath.Join(folder, "outrider")
	if err := ip(ctx, "link set lo up"); err != nil {
		return err
	}
	for _, m := range w.members {
		m.namespace = m.name
		if err := ip(ctx, "netns add "+m.name, "-n "+m.name+" link set lo up"); err != nil {
			return err
		}
	}
	if err := layCables(ctx); err != nil {
		return err
	}
	return w.addressNamespaces(ctx)
}

// settle makes mounts, processes, /run and the two files of name resolution private.
func settle() error {
	steps := []struct {
		doing, source, target, kind string
		flags                       uintptr
		data                        string
	}{
		{"making mounts private", "", "/", "", unix.MS_REC | unix.MS_PRIVATE, ""},
		{"mounting /proc", "proc", "/proc", "proc", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
		{"mounting /run", "tmpfs", "/run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=0755"},
	}
	for _, s := range steps {
		if err := unix.Mount(s.source, s.target, s.kind, s.flags, s.data); err != nil {
			return fmt.Errorf("%s: %w", s.doing, err)
		}
	}
	for target, text := range map[string]string{"/etc/hosts": hosts, "/etc/resolv.conf": "# no DNS server here: all names stand in /etc/hosts\n"} {
		if err := cover(target, text); err != nil {
			return err
		}
	}
	return nil
}

// cover puts a file over another. A link into the /run of the machine has lost its target; that is made anew.
func cover(target, text string) error {
	if link, err := filepath.EvalSymlinks(target); err == nil {
		target = link
	} else if link, err := os.Readlink(target); err == nil {
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(target), link)
		}
		if !strings.HasPrefix(link, "/run/") {
			return nil
		}
		return errors.Join(os.MkdirAll(filepath.Dir(link), 0o755), os.WriteFile(link, []byte(text), 0o644))
	} else {
		return nil // the machine has no such file, so nobody reads it
	}
	private := "/run/" + filepath.Base(target)
	if err := os.WriteFile(private, []byte(text), 0o644); err != nil {
		return err
	}
	if err := unix.Mount(private, target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("putting %s over %s: %w", private, target, err)
	}
	return nil
}

func copyProgram(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}

func layCables(ctx context.Context) error {
	for i, c := range cables {
		a, b := fmt.Sprintf("cable%da", i), fmt.Sprintf("cable%db", i)
		if err := ip(ctx, fmt.Sprintf("link add %s type veth peer name %s", a, b)); err != nil {
			return err
		}
		for device, end := range map[string][2]string{a: {c.a, c.addressA}, b: {c.b, c.addressB}} {
			in := ""
			if end[0] != "" {
				in = "-n " + end[0] + " "
				if err := ip(ctx, "link set "+device+" netns "+end[0]); err != nil {
					return err
				}
			}
			if err := ip(ctx, in+"address add "+end[1]+"/24 dev "+device, in+"link set "+device+" up"); err != nil {
				return err
			}
		}
	}
	return nil
}

// addressNamespaces says where everybody is, and who is caught: the guide's task definition, as ECS would program it.
func (w *world) addressNamespaces(ctx context.Context) error {
	task := filepath.Join(w.options.folder, "task-definition.json")
	if err := copyProgram(filepath.Join(w.options.documents, "..", "ecs", "task-definition.json"), task); err != nil {
		return err
	}
	gateways := map[string][2]string{"front": {"10.77.0.2", "10.77.0.1"}, "user-v1": {"10.77.3.2", "10.77.3.1"}, "user-v2": {"10.77.4.2", "10.77.4.1"},
		"greeter": {"10.77.6.2", "10.77.6.1"}}
	w.databaseAddr = netip.MustParseAddrPort("10.77.0.1:5432")
	for _, m := range w.members {
		address := netip.MustParseAddr(gateways[m.name][0])
		m.call = netip.AddrPortFrom(address, m.appPort)
		m.admin = netip.AddrPortFrom(address, 9901)
		m.health = "localhost:9901"
		m.appAddr = netip.AddrPortFrom(netip.IPv4Unspecified(), m.appPort)
		m.interception = []string{"--task-definition", task}
		if m.appPort != 8080 { // the guide's task definition names its user-service's port
			m.interception = append(m.interception, "--app-ports", fmt.Sprint(m.appPort))
		}
		// Whoever calls an address that nobody has must have a way out of the machine, as every task has.
		if err := ip(ctx, "-n "+m.name+" route add default via "+gateways[m.name][1]); err != nil {
			return err
		}
	}
	return nil
}

// ip runs iproute2 commands.
func ip(ctx context.Context, commands ...string) error {
	for _, command := range commands {
		if output, err := exec.CommandContext(ctx, "ip", strings.Fields(command)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", command, err, output)
		}
	}
	return nil
}

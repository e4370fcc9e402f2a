//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// world is the four members and a database outside the mesh, made real by isolated.go or direct.go.
type world struct {
	options options
	began   time.Time
	members []*member
	// database has no sidecar. databaseAddr is where it listens.
	database     *process
	databaseAddr netip.AddrPort
	routes       string // the document that the canary edits, as it was
	// outerProc is the machine's /proc, opened before ours was mounted over it; nil in direct mode.
	outerProc *os.Root
}

// member is one machine: an app and its sidecar.
type member struct {
	name string // front, user-v1, user-v2, greeter
	node string // its virtual node
	// appPort is the app's, and the node's listener port.
	appPort uint16
	// call is where others, the driver among them, reach the member's app: through its sidecar.
	call netip.AddrPort
	// admin is where the driver reaches the sidecar's admin interface; health is how the member itself names it.
	admin  netip.AddrPort
	health string
	app    *process
	// appAddr is where the app listens; egress is set where the app has to name its sidecar (direct mode).
	appAddr, egress netip.AddrPort
	// sidecarFlags and interception differ between the two ways to run.
	sidecarFlags []string
	interception []string // arguments of outrider iptables apply
	sidecar      *process
	namespace    string // "" is the stage's own
}

const (
	sidecarUser = 1337 // as in the task definition: IgnoredUID
	appUser     = 1000
)

func cast() []*member {
	return []*member{
		{name: "front", node: "frontend-service", appPort: 3000},
		{name: "user-v1", node: "user-service-v1", appPort: 8080},
		{name: "user-v2", node: "user-service-v2", appPort: 8080},
		{name: "greeter", node: "greeter-service", appPort: 50051},
	}
}

func (w *world) member(name string) *member {
	for _, m := range w.members {
		if m.name == name {
			return m
		}
	}
	return w.members[0]
}

// make brings everything up, and returns when the sidecars are ready and the apps answer.
func (w *world) make(ctx context.Context) error {
	w.members = cast()
	setUp := w.isolate
	if w.options.direct {
		setUp = w.layOut
	}
	if err := setUp(ctx); err != nil {
		return err
	}
	if err := w.copyDocuments(); err != nil {
		return err
	}
	if err := w.startDatabase(); err != nil {
		return err
	}
	for _, m := range w.members {
		if err := w.startMember(ctx, m); err != nil {
			return err
		}
	}
	for _, m := range w.members {
		if err := w.awaitMember(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) copyDocuments() error {
	if err := os.CopyFS(w.meshFolder(), os.DirFS(w.options.documents)); err != nil {
		return err
	}
	text, err := os.ReadFile(w.routesFile())
	if err != nil {
		return err
	}
	w.routes = string(text)
	return w.addGreeter()
}

func (w *world) meshFolder() string { return filepath.Join(w.options.folder, "mesh") }
func (w *world) routesFile() string { return filepath.Join(w.meshFolder(), "routes.json") }

// startDatabase runs the TCP server in the stage's own namespace.
func (w *world) startDatabase() (err error) {
	outside := &member{name: "database"}
	w.database, err = w.in(outside, appUser, nil, w.self(), "database", "-listen", w.databaseAddr.String()).start(w.logFile(outside, "app"))
	return err
}

// startMember programs the interception and starts app and sidecar, in the order of an ECS task with dependsOn HEALTHY
// turned around: the app may start first, for it calls nobody yet.
func (w *world) startMember(ctx context.Context, m *member) (err error) {
	if m.interception != nil {
		rules := append([]string{w.options.outrider, "iptables", "apply"}, m.interception...)
		if output, err := w.in(m, 0, nil, rules...).output(ctx); err != nil {
			return fmt.Errorf("%s: %s: %w\n%s", m.name, strings.Join(rules, " "), err, output)
		}
	}
	app := []string{w.self(), "user", "-listen", m.appAddr.String(), "-version", m.name}
	env := []string{}
	switch m.name {
	case "front":
		app = []string{w.self(), "front", "-listen", m.appAddr.String()}
		if m.egress.IsValid() {
			env = append(env, "HTTP_PROXY=http://"+m.egress.String(), "HTTPS_PROXY=http://"+m.egress.String())
		}
	case "greeter":
		app = []string{w.self(), "greeter", "-listen", m.appAddr.String()}
	}
	if m.app, err = w.in(m, appUser, env, app...).start(w.logFile(m, "app")); err != nil {
		return err
	}
	sidecar := append([]string{w.options.outrider, "run", "--mesh", w.meshFolder()}, m.sidecarFlags...)
	// The one variable of the guide's task definition.
	env = []string{"APPMESH_VIRTUAL_NODE_NAME=mesh/my-mesh/virtualNode/" + m.node}
	m.sidecar, err = w.in(m, sidecarUser, env, sidecar...).start(w.logFile(m, "sidecar"))
	return err
}

func (w *world) logFile(m *member, what string) string {
	return filepath.Join(w.options.folder, m.name+"-"+what+".log")
}

// self is this program, as the apps run it.
func (w *world) self() string {
	if w.options.direct {
		return "/proc/self/exe"
	}
	return filepath.Join(w.options.folder, "demo")
}

// awaitMember polls until sidecar and app answer.
func (w *world) awaitMember(ctx context.Context, m *member) error {
	ready := func() bool { status, _, _ := fetch(ctx, "http://"+m.admin.String()+"/ready"); return status == 200 }
	if err := w.poll(ctx, 15*time.Second, ready, m.sidecar); err != nil {
		return fmt.Errorf("%s: the sidecar is not ready: %w\n%s", m.name, err, strings.Join(m.sidecar.tail(20), "\n"))
	}
	answers := func() bool { status, _, _ := fetch(ctx, "http://"+m.call.String()+"/health"); return status == 200 }
	if m.name == "greeter" {
		answers = func() bool { return callGRPC(ctx, order{URL: m.call.String(), N: 1}).Done == 1 }
	}
	if err := w.poll(ctx, 15*time.Second, answers, m.app); err != nil {
		return fmt.Errorf("%s: the app does not answer at %s: %w\n%s", m.name, m.call, err, strings.Join(m.sidecar.tail(20), "\n"))
	}
	return nil
}

// poll asks until yes. It gives up at once when one of the processes has ended.
func (w *world) poll(ctx context.Context, patience time.Duration, ask func() bool, needs ...*process) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ask() {
		for _, p := range needs {
			if err := p.ended(); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return errors.New("gave up after " + patience.String())
		case <-tick.C:
		}
	}
	return nil
}

// end stops the processes; isolated, the kernel does the rest.
func (w *world) end() {
	if w.outerProc != nil {
		w.outerProc.Close()
	}
	for _, m := range w.members {
		for _, p := range []*process{m.sidecar, m.app} {
			p.kill()
		}
	}
	w.database.kill()
	if w.options.direct {
		os.RemoveAll(w.options.folder)
	}
}

//go:build linux

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The variables of an App Mesh task name a gateway as they name a node, and validate takes it too.
func TestGatewayIsNamedByVariables(t *testing.T) {
	needCurl(t)
	for _, variable := range []string{"APPMESH_RESOURCE_ARN=arn:aws:appmesh:eu-west-1:111122223333:mesh/m/virtualGateway/edge",
		"APPMESH_RESOURCE_NAME=mesh/m/virtualGateway/edge", "APPMESH_VIRTUAL_NODE_NAME=mesh/m/virtualGateway/edge"} {
		n, door := newNetwork(t), newDoor(t)
		s := prepare(t, n, append(behind("a"), gateway(door, "http"), all("a.local")), mirrors(t, n, "a"))
		cmd := exec.Command(binary, "run", "--mesh", s.meshFile, "--endpoints", s.endpointsFile, "--admin-addr", s.admin.String())
		s.run(cmd, variable)
		s.await("ready", func() bool { return s.status("GET", "/ready") == 200 })
		if r := curl(t, n.at(sidecarHost, door), "http://shop.example.com/x"); r.short() != "a GET /x" {
			t.Errorf("%s: %q", variable, r.short())
		}
		if code, output := outrider(t, "validate", "--node", "mesh/m/virtualGateway/edge", s.meshFile); code != 0 {
			t.Errorf("validate: %d %s", code, output)
		}
		if code, output := outrider(t, "validate", "--node", "mesh/m/virtualGateway/edg", s.meshFile); code != 1 || !strings.Contains(output, `did you mean "edge"`) {
			t.Errorf("validate: %d %s", code, output)
		}
	}
}

// A changed document brings and takes gateway routes and listeners; what was asked before is served to its end.
func TestGatewayReload(t *testing.T) {
	needCurl(t)
	n, door, second := newNetwork(t), newDoor(t), newDoor(t)
	held := make(chan struct{})
	show := showing("a")
	app := newBackend(t, "a", n.at(31, 8080), func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/hang") {
			select {
			case <-held:
			case <-r.Context().Done():
			}
		}
		return show(w, r)
	})
	under := func(prefix string) object { return gatewayRoute("x", object{"prefix": prefix}, "a.local", nil) }
	s := startGateway(t, n, append(behind("a"), gateway(door, "http"), under("/old/")), endpoints{"a.test": {app.addr.String()}})
	to := n.at(sidecarHost, door)
	answer := make(chan reply, 1)
	go func() {
		r, _ := tryCurl(t, to, "http://shop.example.com/old/hang") // judged by what it says
		answer <- r
	}()
	s.await("it is under way", func() bool { return app.served.Load() == 1 })

	append(behind("a"), gateway(second, "http"), under("/new/")).write(t, s.meshFile)
	s.await("the new listener serves", func() bool {
		r, err := tryCurl(t, n.at(sidecarHost, second), "http://shop.example.com/new/x")
		return err == nil && r.short() == "a GET /x"
	})
	s.await("the old one is gone", func() bool {
		_, err := tryCurl(t, to, "http://shop.example.com/old/x")
		return err != nil
	})
	close(held)
	if r := <-answer; r.short() != "a GET /hang" {
		t.Errorf("what was under way: %q %s", r.short(), r.body)
	}
	// A broken document changes nothing.
	append(behind("a"), gateway(second, "http"), gatewayRoute("x", object{"prefix": "/new/"}, "nobody.local", nil)).write(t, s.meshFile)
	s.await("the documents are refused", func() bool { return strings.Contains(s.log.String(), "no such virtual service") })
	if r := curl(t, n.at(sidecarHost, second), "http://shop.example.com/new/x"); r.short() != "a GET /x" {
		t.Errorf("after a refused reload: %q", r.short())
	}
}

// A gateway has no app to wait for: it drains until its exchanges have ended.
func TestGatewayDrain(t *testing.T) {
	needCurl(t)
	s, ask, release := full(t, "http", object{"maxConnections": 2})
	answer := make(chan reply, 1)
	go func() { answer <- ask() }()
	s.await("it is under way", func() bool { return s.stat("http.ingress.downstream_rq_active") == 1 })
	s.signal(syscall.SIGTERM)
	s.await("it drains", func() bool { return s.status("GET", "/ready") == 503 })
	release()
	if r := <-answer; r.status != 200 {
		t.Errorf("what was under way: %d %s", r.status, r.body)
	}
	if code := s.exit(10 * time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// The port of a listener below 1024 is refused to who is not root, with what to do about it.
func TestGatewayPortsBelow1024(t *testing.T) {
	if first, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start"); err != nil || strings.TrimSpace(string(first)) != "1024" {
		t.Skipf("anybody may bind from port %s on here", strings.TrimSpace(string(first)))
	}
	dir := t.TempDir()
	mesh := filepath.Join(dir, "mesh.json")
	append(behind("a"), gateway(81, "http"), all("a.local")).write(t, mesh)
	text, err := os.ReadFile(mesh)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "run", "--node", "mesh/m/virtualGateway/edge", "--admin-addr", newNetwork(t).at(sidecarHost, 9901).String())
	cmd.Env = bare(fmt.Sprintf("OUTRIDER_MESH_INLINE=%s", text))
	cmd.Dir = "/"
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	output, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	if code := cmd.ProcessState.ExitCode(); code != 3 || !strings.Contains(string(output), "CAP_NET_BIND_SERVICE") {
		t.Errorf("exit code %d, %s", code, output)
	}
}

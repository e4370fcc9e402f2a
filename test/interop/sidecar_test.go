//go:build linux

package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// object is a JSON object.
type object = map[string]any

// meshOf is "front", which calls svc.local, and "app", which is svc.local. All listeners have one protocol and port 8080.
func meshOf(protocol string) []object {
	document := func(kind, name string, spec object) object { return object{"meshName": "m", kind: name, "spec": spec} }
	listeners := []object{{"portMapping": object{"port": 8080, "protocol": protocol}}}
	node := func(name string, backends ...object) object {
		return document("virtualNodeName", name, object{"listeners": listeners, "backends": backends,
			"serviceDiscovery": object{"dns": object{"hostname": name + ".test", "responseType": "ENDPOINTS"}}})
	}
	match := object{"prefix": "/"}
	if protocol == "grpc" {
		match = object{} // everything
	}
	route := document("routeName", "all", object{protocol + "Route": object{"match": match,
		"action": object{"weightedTargets": []object{{"virtualNode": "app", "weight": 1}}}}})
	route["virtualRouterName"] = "router"
	return []object{
		{"meshName": "m", "spec": object{"egressFilter": object{"type": "DROP_ALL"}}},
		node("front", object{"virtualService": object{"virtualServiceName": "svc.local"}}),
		node("app"),
		document("virtualServiceName", "svc.local", object{"provider": object{"virtualRouter": object{"virtualRouterName": "router"}}}),
		document("virtualRouterName", "router", object{"listeners": listeners}),
		route,
	}
}

// sidecar is a running Outrider in direct mode.
type sidecar struct{ ingress, egress, admin netip.AddrPort }

// start runs a sidecar for a node of meshOf(protocol). peer is where app.test is found; app where the node's own app listens,
// on port 8080. It returns when the sidecar is ready; it ends with the test.
func start(t *testing.T, node, protocol string, peer netip.AddrPort, app netip.Addr) sidecar {
	t.Helper()
	at := network(t)
	s := sidecar{ingress: netip.AddrPortFrom(at, 15000), egress: netip.AddrPortFrom(at, 15001), admin: netip.AddrPortFrom(at, 9901)}
	dir := t.TempDir()
	meshFile, endpointsFile := filepath.Join(dir, "mesh.json"), filepath.Join(dir, "endpoints.yaml")
	text, err := json.Marshal(meshOf(protocol))
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{meshFile: string(text), endpointsFile: fmt.Sprintf("app.test: [%q]\n", peer)} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	launch(t, s, "run", "--mesh", meshFile, "--endpoints", endpointsFile, "--node", "mesh/m/virtualNode/"+node, "--ingress-addr", s.ingress.String(),
		"--egress-addr", s.egress.String(), "--admin-addr", s.admin.String(), "--app-addr", app.String())
	return s
}

func launch(t *testing.T, s sidecar, args ...string) {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/"}
	said := &transcript{}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended is in ProcessState
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
		if bad := said.alarming(); bad || t.Failed() {
			t.Logf("the sidecar's last words:\n%s", tail([]byte(said.String()), 12))
			if bad {
				t.Error("a data race or a panic")
			}
		}
	})
	await(t, said, ended, func() bool {
		transport := &http.Transport{DisableKeepAlives: true}
		response, err := (&http.Client{Transport: transport, Timeout: 5 * time.Second}).Get("http://" + s.admin.String() + "/ready")
		if err == nil {
			response.Body.Close()
		}
		return err == nil && response.StatusCode == http.StatusOK
	})
}

func await(t *testing.T, said *transcript, ended <-chan struct{}, ready func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ready() {
		select {
		case <-ended:
			t.Fatalf("the sidecar has ended:\n%s", said)
		case <-deadline:
			t.Fatalf("the sidecar is not ready:\n%s", said)
		case <-tick.C:
		}
	}
}

// transcript keeps what a process says; safe for concurrent use.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *transcript) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *transcript) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *transcript) alarming() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.text.Bytes(), []byte("DATA RACE")) || bytes.Contains(l.text.Bytes(), []byte("panic: "))
}

var networks atomic.Uint32

// network draws a loopback address that nobody else has, and keeps it for the test.
func network(t *testing.T) netip.Addr {
	t.Helper()
	for range 50 {
		seed := uint32(os.Getpid())*2654435761 + networks.Add(1)
		candidate := netip.AddrFrom4([4]byte{127, byte(1 + (seed>>8)%250), byte(1 + seed%250), 77})
		// One port of it, held, marks it as taken.
		if listener, err := net.Listen("tcp", netip.AddrPortFrom(candidate, 9999).String()); err == nil {
			t.Cleanup(func() { listener.Close() })
			return candidate
		}
	}
	t.Fatal("no free address on loopback")
	return netip.Addr{}
}

//go:build linux

package e2e

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	kit "github.com/outrider-mesh/outrider/internal/testkit/netns"
)

// The whole of it once, for both families: the rules of `outrider iptables apply`, a sidecar under user 1337 with the addresses it
// has by default, an app that knows nothing of it, and the rest of the world.
func TestInterceptedTrafficOfBothFamilies(t *testing.T) {
	if !kit.Isolated(t) {
		return
	}
	world := kit.New(t, "world")
	kit.Connect(t, kit.End{Device: "eth0", Addresses: []string{"10.99.0.1/24", "fd99::1/64"}},
		kit.End{In: world, Device: "eth0", Addresses: []string{"10.99.0.2/24", "fd99::2/64"}})
	app := newBackend(t, "app", netip.MustParseAddrPort("[::]:8080"), nil)
	outside := in(t, world, "[::]:8080", "v1")
	other := in(t, world, "[::]:9090", "other")
	runIntercepted(t, endpoints{"v1.test": {"10.99.0.2:8080"}})

	for family, self := range map[string]string{"IPv4": "10.99.0.1", "IPv6": "[fd99::1]"} {
		peer := map[string]string{"IPv4": "10.99.0.2", "IPv6": "[fd99::2]"}[family]
		nobody := map[string]string{"IPv4": "10.99.0.9", "IPv6": "[fd99::9]"}[family]
		t.Run(family, func(t *testing.T) {
			// Outgoing: a service by an address that nobody has, and an unlisted name.
			c := dialing(t, nil, nobody+":8080")
			want(t, c, svc+"/", 200, "v1")
			want(t, c, "http://unlisted.local:8080/", 404, "")
			// What is no backend's port passes as bytes.
			want(t, dialing(t, nil, peer+":9090"), "http://whatever.example:9090/", 200, "other")
			// Incoming: through the sidecar to the app; its own address is left alone.
			status, body, header, err := get(dialing(t, world, self+":8080"), "http://front.local:8080/")
			if err != nil || status != 200 || body != "app" || header.Get("Server") != "envoy" {
				t.Errorf("from outside: %d %q %v %v", status, body, header, err)
			}
			_, _, header, err = get(dialing(t, nil, self+":8080"), "http://front.local:8080/")
			if err != nil || header.Get("Server") == "envoy" {
				t.Errorf("the app's own address went through the sidecar: %v %v", header, err)
			}
		})
	}
	if app.served.Load() != 4 || outside.served.Load() != 2 || other.served.Load() != 2 {
		t.Errorf("the app served %d, v1 %d, the other %d", app.served.Load(), outside.served.Load(), other.served.Load())
	}
}

// runIntercepted programs the rules and runs a sidecar as ECS would; it ends with the test's namespaces.
func runIntercepted(t *testing.T, ends endpoints) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	meshFile, endpointsFile := filepath.Join(dir, "mesh.json"), filepath.Join(dir, "endpoints.yaml")
	userMesh("v1", 100).write(t, meshFile)
	ends.write(t, endpointsFile)
	kit.Here.Run(t, binary, "iptables", "apply", "--task-definition", taskDefinition)
	cmd := exec.Command(binary, "run", "--mesh", meshFile, "--endpoints", endpointsFile)
	cmd.Env = bare("APPMESH_VIRTUAL_NODE_NAME=mesh/m/virtualNode/front")
	live(t, cmd, 1337)
}

// live starts a sidecar as a user, waits until it is LIVE, and kills it when the test ends.
func live(t *testing.T, cmd *exec.Cmd, uid uint32) {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	said, ended := &transcript{}, make(chan struct{})
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("the sidecar said:\n%s", said)
		}
	})
	ready := func() bool { return exec.Command(binary, "health").Run() == nil }
	if err := poll(20*time.Second, ended, ready); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
}

// in is a backend in another namespace.
func in(t *testing.T, where *kit.Namespace, addr, name string) *backend {
	t.Helper()
	b := &backend{name: name}
	var listener net.Listener
	if err := where.Do(func() (err error) { listener, err = net.Listen("tcp", addr); return err }); err != nil {
		t.Fatal(err)
	}
	b.server = &http.Server{Handler: b}
	go b.server.Serve(listener)
	t.Cleanup(func() { b.server.Close() })
	return b
}

// dialing is a client in a namespace that reaches one address whatever the URL says, as a name would lead it there.
func dialing(t *testing.T, from *kit.Namespace, to string) *http.Client {
	transport := &http.Transport{DialContext: func(context.Context, string, string) (conn net.Conn, err error) {
		err = from.Do(func() (err error) { conn, err = net.DialTimeout("tcp", to, 10*time.Second); return err })
		return conn, err
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

//go:build linux

package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	testgrpc "google.golang.org/grpc/interop/grpc_testing"
)

// nginx as it is found in the world: an HTTP/2 server behind a sidecar, and a gRPC proxy before one.
func TestNginxOnEitherSide(t *testing.T) {
	if _, err := exec.LookPath("nginx"); err != nil {
		t.Skip("nginx is not installed: apt-get install nginx-light")
	}
	n := newNetwork(t)
	v1 := n.at(31, 8080)
	runNginx(t, v1, fmt.Sprintf(`server { listen %s http2; location / { return 200 "nginx $server_protocol\n"; } location = /big { } }`, v1))
	newGRPCApp(t, "app", n.at(appHost, 8080))
	docs := inProtocol("http2", userMesh("v1", 100))
	docs[1] = speaking("grpc", node("front", "svc.local"))
	s := start(t, n, docs, endpoints{"v1.test": {v1.String()}})
	for _, c := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run("behind, asked in "+c, func(t *testing.T) {
			client := clients[c](t, s.egress)
			want(t, client, svc+"/", 200, "nginx HTTP/2.0")
			status, body, _, err := get(client, svc+"/big")
			if err != nil || status != 200 || len(body) != bigFile {
				t.Errorf("a large file: %d, %d bytes, %v", status, len(body), err)
			}
		})
	}
	before := n.at(50, 8080)
	runNginx(t, before, fmt.Sprintf(`server { listen %s http2; client_max_body_size 0; location / { grpc_pass grpc://%s; } }`, before, s.ingress))
	t.Run("before, with gRPC", func(t *testing.T) {
		c := testgrpc.NewTestServiceClient(dialGRPC(t, before))
		if reply, err := c.UnaryCall(calling(t), &testgrpc.SimpleRequest{Payload: payload(500_000)}); err != nil || reply.GetServerId() != "app" || len(reply.GetPayload().GetBody()) != 500_000 {
			t.Errorf("unary: %q %v", reply.GetServerId(), err)
		}
		if err := pingPong(calling(t), c, 20); err != nil {
			t.Error(err)
		}
	})
}

const bigFile = 3 << 20

func listens(addr netip.AddrPort) bool {
	conn, err := net.Dial("tcp", addr.String())
	if err == nil {
		conn.Close()
	}
	return err == nil
}

// runNginx runs a server of one process; it ends with the test.
func runNginx(t *testing.T, addr netip.AddrPort, server string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "big"), make([]byte, bigFile), 0o644); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf("daemon off; master_process off; pid %[1]s/pid; error_log stderr;\nevents {}\nhttp { access_log off; root %[1]s; client_body_temp_path %[1]s/a; "+
		"proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;\n%[2]s\n}\n", dir, server)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("nginx", "-p", dir, "-c", config)
	said := &transcript{}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended does not matter
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
		if t.Failed() {
			t.Logf("nginx said:\n%s", said)
		}
	})
	if err := poll(20*time.Second, ended, func() bool { return listens(addr) }); err != nil {
		t.Fatalf("nginx: %v\n%s", err, said)
	}
}

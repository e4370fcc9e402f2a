//go:build linux

package peers

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// startOutrider writes the documents and starts the sidecar as a task would, with the real pipeline. It waits for LIVE,
// asking every half millisecond, and tells how long that took from before the process was made.
func (s Stage) startOutrider(ctx context.Context, peer *Peer, dir string, backends int) (time.Duration, error) {
	mesh, err := WriteMesh(dir, peer.Protocol, backends, peer.backend)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := s.launchOutrider(peer, mesh); err != nil {
		return 0, err
	}
	err = peer.process.Await(ctx, 15*time.Second, 500*time.Microsecond, peer.live)
	return time.Since(began), err
}

// StartMesh starts Outrider with a mesh of so many backends, all answered for by back, and measures the time to LIVE.
func (s Stage) StartMesh(ctx context.Context, backends int, back netip.AddrPort) (*Peer, time.Duration, error) {
	peer, dir, err := s.peer(Outrider, HTTP1, back)
	if err != nil {
		return nil, 0, err
	}
	took, err := s.startOutrider(ctx, peer, dir, backends)
	return peer, took, err
}

// launchOutrider runs the program, and does not wait.
func (s Stage) launchOutrider(peer *Peer, mesh Mesh) error {
	other, err := freeAddr()
	if err != nil {
		return err
	}
	egress, ingress := peer.Addr, other
	if peer.Protocol == TCP {
		egress, ingress = other, peer.Addr
	}
	if peer.Admin, err = freeAddr(); err != nil {
		return err
	}
	cmd := exec.Command(s.Programs.Path(peer.Name), "run", "--mesh", mesh.Documents, "--node", "mesh/bench/virtualNode/front",
		"--endpoints", mesh.Endpoints, "--egress-addr", egress.String(), "--ingress-addr", ingress.String(),
		"--admin-addr", peer.Admin.String(), "--log-level", "off")
	cmd.Env = environment(os.Environ())
	peer.process, err = s.Spawner.Start(peer.Name, s.ProxyCPU, cmd)
	return err
}

// environment is ours without what would configure the sidecar or its runtime: pinning alone decides its GOMAXPROCS.
func environment(ours []string) []string {
	var kept []string
	for _, v := range ours {
		name, _, _ := strings.Cut(v, "=")
		switch {
		case strings.HasPrefix(name, "APPMESH_"), strings.HasPrefix(name, "ENVOY_"), strings.HasPrefix(name, "OUTRIDER_"),
			strings.HasPrefix(name, "ECS_"), name == "GOMAXPROCS", name == "GOGC", name == "GOMEMLIMIT", name == "GODEBUG":
		default:
			kept = append(kept, v)
		}
	}
	return kept
}

// live is content when the sidecar answers 200 on /ready. It asks with as little ceremony as can be, for it is asked often.
func (p *Peer) live(ctx context.Context) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", p.Admin.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second)) // a fresh socket: cannot fail
	if _, err := conn.Write([]byte("GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")); err != nil {
		return err
	}
	status := make([]byte, len("HTTP/1.1 200"))
	if _, err := io.ReadFull(conn, status); err != nil {
		return err
	}
	if string(status[9:]) != "200" {
		return fmt.Errorf("/ready says %s", status)
	}
	return nil
}

func version(programs Programs, name string) string {
	arg := "-v"
	if name == Outrider || name == Before {
		arg = "version"
	}
	said, err := exec.Command(programs.Path(name), arg).CombinedOutput()
	if err != nil {
		return filepath.Base(programs.Path(name))
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(said)), "\n")
	first = strings.TrimPrefix(first, "nginx version: ")
	if name, release, ok := strings.Cut(first, " version "); ok {
		release, _, _ = strings.Cut(release, " ")
		first = name + " " + release
	}
	if name == Before {
		return Before + ": " + first
	}
	return first
}

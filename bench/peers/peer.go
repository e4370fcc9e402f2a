//go:build linux

package peers

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/outrider-mesh/outrider/bench/backend"
	"github.com/outrider-mesh/outrider/bench/conf"
)

// The peers by name.
const (
	Outrider = "outrider"
	Nginx    = "nginx"
	HAProxy  = "haproxy"
	Direct   = "direct" // no proxy: generator straight to backend
)

// Names are all of them, in the order they take turns.
var Names = []string{Outrider, Nginx, HAProxy, Direct}

// Authority is the Host every benchmark request bears; Outrider routes by it.
const Authority = "backend.local:8080"

// Peer is a running proxy (or none: Direct) in front of a listener of the backend that is its alone.
type Peer struct {
	Name    string
	Addr    netip.AddrPort // where to send requests
	Admin   netip.AddrPort // Outrider's only
	Version string
	process *Process
	backend netip.AddrPort
}

// PIDs are the processes to measure; none for Direct.
func (p *Peer) PIDs() []int {
	if p.process == nil {
		return nil
	}
	return p.process.PIDs()
}

// Ended reports a peer whose process has ended.
func (p *Peer) Ended() error {
	if p.process == nil {
		return nil
	}
	return p.process.Ended()
}

// Stop ends the peer's process and waits until it is gone.
func (p *Peer) Stop() {
	if p.process != nil {
		p.process.Stop()
	}
}

// Upstream asks the backend what it has counted for this peer.
func (p *Peer) Upstream(ctx context.Context) (backend.Counters, error) {
	var n backend.Counters
	text, err := Get(ctx, p.backend, "/stats")
	if err == nil {
		err = json.Unmarshal(text, &n)
	}
	return n, err
}

// Programs says where the peers' programs are.
type Programs struct {
	Outrider, Nginx, HAProxy string
}

// Path is the program of a peer, empty for Direct.
func (p Programs) Path(name string) string {
	return map[string]string{Outrider: p.Outrider, Nginx: p.Nginx, HAProxy: p.HAProxy}[name]
}

// Stage starts peers: where, on which processor, from which programs. Dir is a temporary folder of the caller's.
type Stage struct {
	Spawner  *Spawner
	Programs Programs
	Dir      string
	ProxyCPU int
}

// Start starts the named peer in front of a backend listener and waits until requests pass through it.
func (s Stage) Start(ctx context.Context, name string, back netip.AddrPort) (*Peer, error) {
	if name == Direct {
		return &Peer{Name: name, Addr: back, backend: back}, nil
	}
	peer, dir, err := s.peer(name, back)
	if err != nil {
		return nil, err
	}
	switch name {
	case Nginx:
		err = s.startConfigured(peer, filepath.Join(dir, "nginx.conf"), conf.Nginx(peer.Addr.String(), back.String()),
			"-p", dir, "-e", "stderr", "-c")
	case HAProxy:
		err = s.startConfigured(peer, filepath.Join(dir, "haproxy.cfg"), conf.HAProxy(peer.Addr.String(), back.String()),
			"-db", "-f")
	case Outrider:
		_, err = s.startOutrider(ctx, peer, dir, 1)
	default:
		err = fmt.Errorf("unknown peer %q", name)
	}
	if err != nil {
		return nil, err
	}
	return peer, peer.process.Await(ctx, 10*time.Second, 20*time.Millisecond, func(ctx context.Context) error {
		_, err := Get(ctx, peer.Addr, "/1k")
		return err
	})
}

// peer prepares a peer that has yet to start, and a folder for it.
func (s Stage) peer(name string, back netip.AddrPort) (*Peer, string, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, "", err
	}
	dir, err := os.MkdirTemp(s.Dir, name+"-")
	return &Peer{Name: name, Addr: addr, backend: back, Version: version(s.Programs, name)}, dir, err
}

// startConfigured writes the configuration and runs the program with its path as the last argument.
func (s Stage) startConfigured(peer *Peer, path, text string, args ...string) error {
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return err
	}
	var err error
	peer.process, err = s.Spawner.Start(peer.Name, s.ProxyCPU, exec.Command(s.Programs.Path(peer.Name), append(args, path)...))
	return err
}

// Get fetches a page from a peer, its backend or its admin port, by a connection of its own; any status but 200 is an error.
func Get(ctx context.Context, addr netip.AddrPort, path string) ([]byte, error) {
	return ask(ctx, http.MethodGet, addr, path)
}

// Post is Get for pages that change something.
func Post(ctx context.Context, addr netip.AddrPort, path string) ([]byte, error) {
	return ask(ctx, http.MethodPost, addr, path)
}

func ask(ctx context.Context, method string, addr netip.AddrPort, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://"+addr.String()+path, nil)
	if err != nil {
		return nil, err
	}
	request.Close = true
	if path == "/1k" {
		request.Host = Authority
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 16<<20))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s%s: status %d: %.200s", method, addr, path, response.StatusCode, text)
	}
	return text, err
}

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

	"golang.org/x/net/http2/hpack"

	"github.com/outrider-mesh/outrider/bench/backend"
	"github.com/outrider-mesh/outrider/bench/closed"
	"github.com/outrider-mesh/outrider/bench/conf"
	"github.com/outrider-mesh/outrider/bench/unary"
)

// The peers by name.
const (
	Outrider     = "outrider"
	Before       = "before" // an earlier Outrider
	Nginx        = "nginx"
	HAProxy      = "haproxy"
	HAProxyPipes = "haproxy-pipes" // with larger pipes for splicing
	Direct       = "direct"        // no proxy: generator straight to backend
)

// Names are all of them.
var Names = []string{Outrider, Before, Nginx, HAProxy, HAProxyPipes, Direct}

// Protocol is what a peer speaks on both sides.
type Protocol int

// The protocols. WebSocket begins as HTTP1.
const (
	HTTP1 Protocol = iota
	HTTP2
	GRPC
	TCP
)

// Protocols are all of them.
var Protocols = []Protocol{HTTP1, HTTP2, GRPC, TCP}

// String is App Mesh's name of the protocol.
func (p Protocol) String() string { return [...]string{"http", "http2", "grpc", "tcp"}[p] }

// Peers are those that can be measured with the protocol, in the order they take turns.
func (p Protocol) Peers() []string {
	switch p {
	case HTTP1:
		return []string{Outrider, Before, Nginx, HAProxy, Direct}
	case TCP:
		return []string{Outrider, HAProxy, HAProxyPipes, Direct}
	}
	return []string{Outrider, Nginx, HAProxy, Direct}
}

// Authority is the Host every benchmark request bears; Outrider routes by it.
const Authority = "backend.local:8080"

// Peer is a running proxy (or none: Direct) in front of a listener of the backend that is its alone.
type Peer struct {
	Name     string
	Protocol Protocol
	Addr     netip.AddrPort // where to send requests
	Admin    netip.AddrPort // Outrider's only
	Version  string
	process  *Process
	backend  netip.AddrPort
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
	if p.Protocol == GRPC {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		return unary.Stats(ctx, p.backend)
	}
	var n backend.Counters
	text, err := Get(ctx, p.backend, "/stats")
	if err == nil {
		err = json.Unmarshal(text, &n)
	}
	return n, err
}

// Programs says where the peers' programs are.
type Programs struct {
	Outrider, Before, Nginx, HAProxy string
}

// Path is the program of a peer, empty for Direct.
func (p Programs) Path(name string) string {
	return map[string]string{Outrider: p.Outrider, Before: p.Before, Nginx: p.Nginx, HAProxy: p.HAProxy, HAProxyPipes: p.HAProxy}[name]
}

// Stage starts peers: where, on which processor, from which programs. Dir is a temporary folder of the caller's.
type Stage struct {
	Spawner  *Spawner
	Programs Programs
	Dir      string
	ProxyCPU int
}

// Start starts the named peer in front of a backend listener of the protocol and waits until requests pass through it.
func (s Stage) Start(ctx context.Context, name string, protocol Protocol, back netip.AddrPort) (*Peer, error) {
	if name == Direct {
		return &Peer{Name: name, Protocol: protocol, Addr: back, backend: back}, nil
	}
	peer, dir, err := s.peer(name, protocol, back)
	if err != nil {
		return nil, err
	}
	switch name {
	case Outrider, Before:
		_, err = s.startOutrider(ctx, peer, dir, 1)
	default:
		err = s.startOther(peer, dir)
	}
	if err != nil {
		return nil, err
	}
	return peer, peer.process.Await(ctx, 10*time.Second, 20*time.Millisecond, peer.passes)
}

// startOther runs a proxy that is not ours, with the configuration for its protocol.
func (s Stage) startOther(peer *Peer, dir string) error {
	type kind struct {
		name     string
		protocol Protocol
	}
	text := map[kind]func(listen, backend string) string{
		{Nginx, HTTP1}: conf.Nginx, {Nginx, HTTP2}: conf.NginxHTTP2, {Nginx, GRPC}: conf.NginxHTTP2,
		{HAProxy, HTTP1}: conf.HAProxy, {HAProxy, HTTP2}: conf.HAProxyHTTP2, {HAProxy, GRPC}: conf.HAProxyHTTP2,
		{HAProxy, TCP}: conf.HAProxyTCP, {HAProxyPipes, TCP}: conf.HAProxyTCPPipes,
	}[kind{peer.Name, peer.Protocol}]
	if text == nil {
		return fmt.Errorf("no peer %q for %v", peer.Name, peer.Protocol)
	}
	path, args := filepath.Join(dir, "haproxy.cfg"), []string{"-db", "-f"}
	if peer.Name == Nginx {
		path, args = filepath.Join(dir, "nginx.conf"), []string{"-p", dir, "-e", "stderr", "-c"}
	}
	return s.startConfigured(peer, path, text(peer.Addr.String(), peer.backend.String()), args...)
}

// passes is content when a request passes through the peer, in its protocol.
func (p *Peer) passes(ctx context.Context) error {
	switch p.Protocol {
	case GRPC:
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		return unary.Try(ctx, p.Addr, Authority)
	case HTTP2:
		result, err := closed.Run(ctx, closed.Config{Addr: p.Addr, Speak: closed.HTTP2{Fields: HTTP2Fields("/1k"), Streams: 1, Size: 1 << 10},
			Requests: 1, Duration: time.Second, Timeout: time.Second})
		if err == nil && result.Succeeded != 1 {
			err = fmt.Errorf("a request over HTTP/2 failed: %v", result.Failures)
		}
		return err
	}
	_, err := Get(ctx, p.Addr, "/1k")
	return err
}

// HTTP2Fields are the header fields of a benchmark's request over HTTP/2: about what an application's client sends.
func HTTP2Fields(path string) []hpack.HeaderField {
	return []hpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "http"}, {Name: ":authority", Value: Authority},
		{Name: ":path", Value: path}, {Name: "user-agent", Value: "bench/1"}, {Name: "accept", Value: "*/*"}, {Name: "accept-encoding", Value: "gzip"},
		{Name: "x-tenant", Value: "t-4711"}, {Name: "traceparent", Value: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}
}

// peer prepares a peer that has yet to start, and a folder for it.
func (s Stage) peer(name string, protocol Protocol, back netip.AddrPort) (*Peer, string, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, "", err
	}
	dir, err := os.MkdirTemp(s.Dir, name+"-")
	return &Peer{Name: name, Protocol: protocol, Addr: addr, backend: back, Version: version(s.Programs, name)}, dir, err
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

//go:build linux

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// backend is a real HTTP server. It says its name, and counts what it has served.
type backend struct {
	name   string
	served atomic.Int64
	addr   netip.AddrPort
	server *http.Server
	// first, if set, answers before the standard handler; it says whether it has.
	first func(http.ResponseWriter, *http.Request) bool
}

func newBackend(t *testing.T, name string, addr netip.AddrPort, first func(http.ResponseWriter, *http.Request) bool) *backend {
	t.Helper()
	b := &backend{name: name, addr: addr, first: first}
	listener, err := net.Listen("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	b.server = &http.Server{Handler: b}
	go b.server.Serve(listener)
	t.Cleanup(func() { b.server.Close() })
	return b
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.served.Add(1)
	w.Header().Set("X-Backend", b.name)
	if b.first != nil && b.first(w, r) {
		return
	}
	switch r.URL.Path {
	case "/echo":
		b.echo(w, r)
	case "/upload":
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%d %v", n, err)
	default:
		_, _ = io.Copy(io.Discard, r.Body)
		fmt.Fprintln(w, b.name)
	}
}

// echo is what a WebSocket server does with the connection, without the frames.
func (b *backend) echo(w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		http.Error(w, "Upgrade: websocket is wanted", http.StatusBadRequest)
		return
	}
	conn, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	_, _ = io.Copy(conn, buffered)
}

// client calls through a sidecar's egress, as an app with HTTP_PROXY does; connections are reused.
func client(t *testing.T, proxy netip.AddrPort) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 64, Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: proxy.String()})}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 60 * time.Second}
}

// plain calls an address and names another host: what a connection made straight to the sidecar looks like.
func plain(t *testing.T, to netip.AddrPort) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, to.String())
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 60 * time.Second}
}

// get returns status, body and header. edits change the request.
func get(c *http.Client, target string, edits ...func(*http.Request)) (status int, body string, header http.Header, err error) {
	request, err := http.NewRequest(http.MethodGet, target, nil)
	if err != nil {
		return 0, "", nil, err
	}
	for _, edit := range edits {
		edit(request)
	}
	response, err := c.Do(request)
	if err != nil {
		return 0, "", nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, strings.TrimSpace(string(text)), response.Header, err
}

func want(t *testing.T, c *http.Client, target string, status int, body string, edits ...func(*http.Request)) {
	t.Helper()
	gotStatus, gotBody, _, err := get(c, target, edits...)
	if err != nil || gotStatus != status || gotBody != body {
		t.Errorf("GET %s: %d %q %v, want %d %q", target, gotStatus, gotBody, err, status, body)
	}
}

// webSocket is an upgraded connection through a sidecar's egress.
type webSocket struct {
	conn net.Conn
	in   *bufio.Reader
}

func dialWebSocket(t *testing.T, to netip.AddrPort, host string) *webSocket {
	t.Helper()
	conn, err := net.Dial("tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "GET /echo HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n", host)
	ws := &webSocket{conn, bufio.NewReader(conn)}
	response, err := http.ReadResponse(ws.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusSwitchingProtocols || !strings.EqualFold(response.Header.Get("Upgrade"), "websocket") {
		t.Fatalf("upgrade: %s %v", response.Status, response.Header)
	}
	return ws
}

// echo sends a line and wants it back.
func (ws *webSocket) echo(line string) error {
	if err := ws.conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(ws.conn, line); err != nil {
		return err
	}
	back, err := ws.in.ReadString('\n')
	if err == nil && back != line+"\n" {
		err = fmt.Errorf("%q came back as %q", line, back)
	}
	return err
}

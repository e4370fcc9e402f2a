package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
)

// listen serves s on a loopback port until the test ends.
func listen(t *testing.T, s *Server, network, address string) net.Addr {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr()
}

func get(t *testing.T, c *http.Client, url string) (int, string) {
	t.Helper()
	r, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(body)
}

func TestTheHealthCommandOfAppMeshTaskDefinitionsHolds(t *testing.T) {
	for _, tool := range []string{"sh", "curl", "grep"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("cannot run the guide's command: ", err)
		}
	}
	for state, want := range map[State]bool{Live: true, Draining: false, PreInitializing: false, Initializing: false} {
		t.Run(state.String(), func(t *testing.T) {
			s, f := newTest()
			f.state = state
			address := listen(t, s, "tcp", "127.0.0.1:0").(*net.TCPAddr)
			command := fmt.Sprintf("curl -s http://localhost:%d/server_info | grep state | grep -q LIVE", address.Port)
			err := exec.Command("sh", "-c", command).Run()
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if (err == nil) != want {
				t.Errorf("%s: %v", command, err)
			}
		})
	}
}

func TestTheAdminPageIsServedOnAUnixSocket(t *testing.T) {
	s, _ := newTest()
	path := t.TempDir() + "/admin.sock"
	listen(t, s, "unix", path)
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	defer transport.CloseIdleConnections()
	if code, body := get(t, &http.Client{Transport: transport}, "http://admin/ready"); code != 200 || body != "LIVE\n" {
		t.Error(code, body)
	}
}

func TestAHugeHeaderIsRefused(t *testing.T) {
	s, _ := newTest()
	c, err := net.Dial("tcp", listen(t, s, "tcp", "127.0.0.1:0").String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	go func() {
		_, _ = io.WriteString(c, "GET /ready HTTP/1.1\r\nHost: localhost\r\nX: "+strings.Repeat("x", 64<<10))
	}()
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close()
	if r.StatusCode != 431 {
		t.Error(r.Status)
	}
}

// queue is a listener that gives out connections with chosen peers.
type queue struct {
	conns []net.Conn
}

func (q *queue) Accept() (net.Conn, error) {
	if len(q.conns) == 0 {
		return nil, net.ErrClosed
	}
	c := q.conns[0]
	q.conns = q.conns[1:]
	return c, nil
}

func (q *queue) Close() error   { return nil }
func (q *queue) Addr() net.Addr { return nil }

type peerConn struct {
	net.Conn
	peer   string
	closed int
}

func (c *peerConn) RemoteAddr() net.Addr {
	a, _ := net.ResolveTCPAddr("tcp", c.peer)
	return a
}

func (c *peerConn) Close() error { c.closed++; return nil }

func TestPeersFromElsewhereCannotShutOutTheHealthCheck(t *testing.T) {
	var q queue
	remote := make([]*peerConn, maxRemote+10)
	for i := range remote {
		remote[i] = &peerConn{peer: "10.0.0.9:5"}
		q.conns = append(q.conns, remote[i])
	}
	local := &peerConn{peer: "127.0.0.1:5"}
	q.conns = append(q.conns, local)
	l := &listener{Listener: &q}
	var open []net.Conn
	for {
		c, err := l.Accept()
		if err != nil {
			break
		}
		open = append(open, c)
	}
	if len(open) != maxRemote+1 || local.closed != 0 {
		t.Errorf("%d connections are open, the health check's closed %d times", len(open), local.closed)
	}
	for i, c := range remote {
		if want := i >= maxRemote; (c.closed == 1) != want {
			t.Errorf("connection %d closed %d times", i, c.closed)
		}
	}
	_ = open[0].Close()
	_ = open[0].Close() // gives one place back, not two
	q.conns = []net.Conn{&peerConn{peer: "10.0.0.9:5"}, &peerConn{peer: "10.0.0.9:5"}}
	if _, err := l.Accept(); err != nil {
		t.Error("a place was given back and is not there")
	}
	if _, err := l.Accept(); err == nil {
		t.Error("one place was given back twice")
	}
}

func TestMemoryIsToldInBytes(t *testing.T) {
	s, _ := newTest()
	for method, path := range map[string]string{"GET": "/memory", "POST": "/outrider/gc"} {
		var got map[string]string
		if err := json.Unmarshal(ask(s, method, path).Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if got["total_physical_bytes"] == "0" || got["allocated"]+got["heap_alloc"] == "0" {
			t.Errorf("%s: %v", path, got)
		}
	}
}

//go:build linux

package e2e

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// tcpBackend is a TCP server that hands each connection to serve, which closes it; it counts them.
type tcpBackend struct {
	addr  netip.AddrPort
	calls atomic.Int64
}

func newTCPBackend(t *testing.T, addr netip.AddrPort, serve func(*net.TCPConn)) *tcpBackend {
	t.Helper()
	listener, err := net.Listen("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	b := &tcpBackend{addr: addr}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			b.calls.Add(1)
			serving.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
				serve(conn.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() { listener.Close(); serving.Wait() })
	return b
}

const tcpPort = 5432

// tcpMesh is front, whose listener and whose backend db.local are TCP.
func tcpMesh(targets ...any) documents {
	docs := userMesh(targets...)
	for _, d := range docs {
		spec := d["spec"].(object)
		if listeners, ok := spec["listeners"].([]object); ok {
			listeners[0]["portMapping"] = object{"port": tcpPort, "protocol": "tcp"}
		}
		if route, ok := spec["httpRoute"].(object); ok {
			delete(route, "match")
			delete(spec, "httpRoute")
			spec["tcpRoute"] = route
		}
	}
	return docs
}

// accessLog has a node write a line of that format for each connection and request, and gives the reader of all lines.
func accessLog(d object, folder, format string) (lines func() string) {
	path := filepath.Join(folder, "access.log")
	with(d, object{"accessLog": object{"file": object{"path": path, "format": object{"text": format + "\n"}}}}, "spec", "logging")
	return func() string {
		text, _ := os.ReadFile(path) // it is not there before the first line
		return string(text)
	}
}

// ways are how a TCP connection gets into a sidecar that nothing redirects to: the first reaches the node's app, the
// second svc.local.
var ways = map[string]func(*testing.T, *sidecar) *net.TCPConn{
	"ingress": func(t *testing.T, s *sidecar) *net.TCPConn { return dialRaw(t, s.ingress) },
	"CONNECT": func(t *testing.T, s *sidecar) *net.TCPConn {
		conn := dialRaw(t, s.egress)
		if status := tunnel(t, conn, database); status != 200 {
			t.Fatalf("CONNECT: %d", status)
		}
		return conn
	},
}

const database = "svc.local:5432"

// tunnel asks for a tunnel and reads no byte beyond the answer.
func tunnel(t *testing.T, conn net.Conn, to string) (status int) {
	t.Helper()
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", to, to)
	var head strings.Builder
	for b := make([]byte, 1); !strings.HasSuffix(head.String(), "\r\n\r\n"); head.Write(b) {
		if _, err := conn.Read(b); err != nil {
			t.Fatalf("CONNECT: %q, %v", head.String(), err)
		}
	}
	response, err := http.ReadResponse(bufio.NewReader(strings.NewReader(head.String())), nil)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode
}

// eachWay runs a test in both ways, with the same server at their ends.
func eachWay(t *testing.T, serve func(*net.TCPConn), test func(t *testing.T, s *sidecar, conn *net.TCPConn)) {
	n := newNetwork(t)
	newTCPBackend(t, n.at(appHost, tcpPort), serve)
	v1 := newTCPBackend(t, n.at(31, tcpPort), serve)
	s := start(t, n, tcpMesh("v1", 100), endpoints{"v1.test": {v1.addr.String()}})
	for way, dial := range ways {
		t.Run(way, func(t *testing.T) { test(t, s, dial(t, s)) })
	}
}

func TestTCPHalfClosesAreKept(t *testing.T) {
	eachWay(t, func(c *net.TCPConn) {
		heard, err := io.ReadAll(c)
		fmt.Fprintf(c, "heard %d bytes, %v", len(heard), err)
	}, func(t *testing.T, s *sidecar, conn *net.TCPConn) {
		io.WriteString(conn, strings.Repeat("x", 100_000))
		if err := conn.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(conn); string(got) != "heard 100000 bytes, <nil>" || err != nil {
			t.Errorf("after our FIN: %q, %v", got, err)
		}
	})
	var heard atomic.Int64
	eachWay(t, func(c *net.TCPConn) {
		io.WriteString(c, "all that I say")
		_ = c.CloseWrite()
		all, _ := io.ReadAll(c)
		heard.Store(int64(len(all)))
	}, func(t *testing.T, s *sidecar, conn *net.TCPConn) {
		heard.Store(0)
		if got, err := io.ReadAll(conn); string(got) != "all that I say" || err != nil {
			t.Fatalf("up to its FIN: %q, %v", got, err)
		}
		io.WriteString(conn, strings.Repeat("y", 50_000))
		if err := conn.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		s.await("the server heard what we said after its FIN", func() bool { return heard.Load() == 50_000 })
	})
}

func TestTCPServersMaySpeakFirst(t *testing.T) {
	eachWay(t, func(c *net.TCPConn) {
		io.WriteString(c, "220 ready\r\n")
		line, _ := bufio.NewReader(c).ReadString('\n')
		io.WriteString(c, "250 "+line)
	}, func(t *testing.T, s *sidecar, conn *net.TCPConn) {
		in := bufio.NewReader(conn)
		if greeting, err := in.ReadString('\n'); greeting != "220 ready\r\n" {
			t.Fatalf("greeted with %q, %v", greeting, err)
		}
		io.WriteString(conn, "QUIT\n")
		if answer, err := in.ReadString('\n'); answer != "250 QUIT\n" {
			t.Errorf("answered %q, %v", answer, err)
		}
		if rest, err := io.ReadAll(in); len(rest) > 0 || err != nil {
			t.Errorf("then %q, %v", rest, err)
		}
	})
}

// Eight megabytes each way at once arrive as they are, and are counted to the byte.
func TestTCPBytesAreExact(t *testing.T) {
	const size = 8 << 20
	n := newNetwork(t)
	sum := func(r io.Reader) (digest [sha256.Size]byte, n int64, err error) {
		h := sha256.New()
		n, err = io.Copy(h, r)
		h.Sum(digest[:0])
		return digest, n, err
	}
	data := func(seed byte) io.Reader { return io.LimitReader(rand.NewChaCha8([32]byte{seed}), size) }
	up, _, _ := sum(data(1))
	down, _, _ := sum(data(2))
	heard := make(chan error, 2)
	serve := func(c *net.TCPConn) {
		var saying sync.WaitGroup
		saying.Go(func() {
			_, _ = io.Copy(c, data(2)) // the client knows what it got
			_ = c.CloseWrite()
		})
		defer saying.Wait()
		got, n, err := sum(c)
		if got != up {
			err = errors.Join(err, fmt.Errorf("the server heard %d bytes, not what was sent", n))
		}
		heard <- err
	}
	newTCPBackend(t, n.at(appHost, tcpPort), serve)
	v1 := newTCPBackend(t, n.at(31, tcpPort), serve)
	docs := tcpMesh("v1", 100)
	lines := accessLog(docs[1], t.TempDir(), "%REQ(:METHOD)% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %UPSTREAM_CLUSTER% %SNIFFED_PROTOCOL%")
	s := start(t, n, docs, endpoints{"v1.test": {v1.addr.String()}})
	for way, names := range map[string][2]string{"ingress": {"ingress", "cds_ingress_m_front_tcp_5432"}, "CONNECT": {"egress", "cds_egress_m_v1_tcp_5432"}} {
		cluster := names[1]
		t.Run(way, func(t *testing.T) {
			conn := ways[way](t, s)
			go func() {
				_, _ = io.Copy(conn, data(1)) // the server knows what it heard
				_ = conn.CloseWrite()
			}()
			if got, n, err := sum(conn); got != down || err != nil {
				t.Errorf("the client heard %d bytes, %v, not what was sent", n, err)
			}
			if err := <-heard; err != nil {
				t.Error(err)
			}
			line := fmt.Sprintf("- - %d %d %s -\n", size, size, cluster)
			s.await("it is in the log", func() bool { return strings.Contains(lines(), cluster) })
			if !strings.Contains(lines(), line) {
				t.Errorf("the log is\n%s\nwant %s", lines(), line)
			}
			for _, name := range []string{"cluster." + cluster + ".upstream_cx_rx_bytes_total", "cluster." + cluster + ".upstream_cx_tx_bytes_total",
				"tcp." + names[0] + ".downstream_cx_rx_bytes_total", "tcp." + names[0] + ".downstream_cx_tx_bytes_total"} {
				if got := s.stat(name); got != size {
					t.Errorf("%s is %d, want %d", name, got, size)
				}
			}
		})
	}
}

// What goes to no backend under ALLOW_ALL is labeled by what went by.
func TestAStrangersProtocolIsInTheAccessLog(t *testing.T) {
	n := newNetwork(t)
	stranger := newTCPBackend(t, n.at(41, 3306), func(c *net.TCPConn) {
		io.WriteString(c, "greeting\n")
		_, _ = io.Copy(c, c) // it ends by its client
	})
	docs := tcpMesh("v1", 100)
	lines := accessLog(docs[1], t.TempDir(), "%RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %UPSTREAM_CLUSTER% %UPSTREAM_HOST% %SNIFFED_PROTOCOL%")
	s := start(t, n, docs, endpoints{})
	conn := dialRaw(t, s.egress)
	if status := tunnel(t, conn, stranger.addr.String()); status != 200 {
		t.Fatalf("CONNECT: %d", status)
	}
	in := bufio.NewReader(conn)
	if greeting, err := in.ReadString('\n'); greeting != "greeting\n" {
		t.Fatalf("greeted with %q, %v", greeting, err)
	}
	io.WriteString(conn, "hello\n")
	_ = conn.CloseWrite()
	if rest, err := io.ReadAll(in); string(rest) != "hello\n" || err != nil {
		t.Errorf("then %q, %v", rest, err)
	}
	line := fmt.Sprintf("- 6 15 cds_egress_m_mesh-allow-all %s server-first\n", stranger.addr)
	s.await("it is in the log", func() bool { return strings.Contains(lines(), "server-first") })
	if !strings.Contains(lines(), line) {
		t.Errorf("the log is\n%s\nwant %s", lines(), line)
	}
	if got := s.stat("sniff.server_first"); got != 1 {
		t.Errorf("sniff.server_first is %d", got)
	}
}

func TestAnIdleTCPConnectionEnds(t *testing.T) {
	n := newNetwork(t)
	echo := func(c *net.TCPConn) { _, _ = io.Copy(c, c) } // it ends by its client
	newTCPBackend(t, n.at(appHost, tcpPort), echo)
	v1 := newTCPBackend(t, n.at(31, tcpPort), echo)
	docs := tcpMesh("v1", 100)
	idle := object{"idle": object{"value": 1, "unit": "s"}}
	docs[1]["spec"].(object)["listeners"].([]object)[0]["timeout"] = object{"tcp": idle}
	with(docs[4], idle, "spec", "tcpRoute", "timeout")
	s := start(t, n, docs, endpoints{"v1.test": {v1.addr.String()}})
	for way, dial := range ways {
		t.Run(way, func(t *testing.T) {
			conn := dial(t, s)
			begun := time.Now()
			for range 3 { // each byte starts it anew
				b := []byte("x")
				if _, err := conn.Write(b); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(conn, b); err != nil {
					t.Fatal(err)
				}
			}
			rest, _ := io.ReadAll(conn)
			if lasted := time.Since(begun); len(rest) > 0 || lasted < time.Second {
				t.Errorf("it ended after %s with %q", lasted, rest)
			}
		})
	}
}

func TestATCPServerThatIsNotThere(t *testing.T) {
	n := newNetwork(t)
	docs := tcpMesh("v1", 100)
	lines := accessLog(docs[1], t.TempDir(), "%RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %UPSTREAM_CLUSTER%")
	s := start(t, n, docs, endpoints{"v1.test": {n.at(31, tcpPort).String()}})
	conn := dialRaw(t, s.ingress)
	if got, _ := io.ReadAll(conn); len(got) > 0 {
		t.Errorf("ingress said %q", got)
	}
	s.await("it is in the log", func() bool { return strings.Contains(lines(), "0 UF,URX 0 0 cds_ingress_m_front_tcp_5432\n") })
	if status := tunnel(t, dialRaw(t, s.egress), database); status != 503 {
		t.Errorf("CONNECT: %d, want 503", status)
	}
	s.await("the other one is too", func() bool { return strings.Contains(lines(), "503 UF 0") })
	for _, cluster := range []string{"cds_ingress_m_front_tcp_5432", "cds_egress_m_v1_tcp_5432"} {
		if got := s.stat(cluster + ".upstream_cx_connect_fail"); got != 1 {
			t.Errorf("%s.upstream_cx_connect_fail is %d", cluster, got)
		}
	}
}

func TestAWeightedSplitOfTCPConnections(t *testing.T) {
	n := newNetwork(t)
	var served [2]*tcpBackend
	for i := range served {
		served[i] = newTCPBackend(t, n.at(byte(31+i), tcpPort), func(c *net.TCPConn) { fmt.Fprintf(c, "v%d", i+1) })
	}
	s := start(t, n, tcpMesh("v1", 75, "v2", 25), endpoints{"v1.test": {served[0].addr.String()}, "v2.test": {served[1].addr.String()}})
	const connections = 400
	for range connections {
		conn := ways["CONNECT"](t, s)
		if got, err := io.ReadAll(conn); err != nil || len(got) != 2 {
			t.Fatalf("%q, %v", got, err)
		}
		conn.Close()
	}
	// 300 are expected of the first; 52 are six standard deviations.
	first, second := served[0].calls.Load(), served[1].calls.Load()
	if first+second != connections || first < 300-52 || first > 300+52 {
		t.Errorf("%d and %d of %d connections, want 300 and 100", first, second, connections)
	}
}

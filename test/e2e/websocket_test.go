//go:build linux

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// webSocketApp is an app with a WebSocket server by a library that many use:
//
//	/ws         greets and sends every message back
//	/goodbye    closes with code 1013 once it has heard something
//	/no/<code>  refuses the upgrade
func webSocketApp(w http.ResponseWriter, r *http.Request) bool {
	var refusal int
	if n, _ := fmt.Sscanf(r.URL.Path, "/no/%d", &refusal); n == 1 {
		http.Error(w, "no WebSocket here", refusal)
		return true
	}
	if r.URL.Path != "/ws" && r.URL.Path != "/goodbye" {
		return false
	}
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return true
	}
	defer c.CloseNow()
	c.SetReadLimit(2 * megabyte)
	ctx := context.Background()
	if c.Write(ctx, websocket.MessageText, []byte("hello")) != nil {
		return true
	}
	for {
		kind, message, err := c.Read(ctx)
		if r.URL.Path == "/goodbye" && err == nil {
			_ = c.Close(websocket.StatusTryAgainLater, "come back")
		}
		if err != nil || echoFragments(ctx, c, kind, message) != nil {
			return true
		}
	}
}

const megabyte = 1 << 20

// echoFragments sends a message as a first frame and a continuation of each
// further 100 KB, with an empty one at the end.
func echoFragments(ctx context.Context, c *websocket.Conn, kind websocket.MessageType, message []byte) error {
	w, err := c.Writer(ctx, kind)
	if err != nil {
		return err
	}
	for len(message) > 0 {
		n := min(len(message), 100_000)
		if _, err := w.Write(message[:n]); err != nil {
			return err
		}
		message = message[n:]
	}
	return w.Close()
}

// webSockets is a sidecar between clients, the app of its node and another node.
func webSockets(t *testing.T, timeout object, flags ...string) *sidecar {
	t.Helper()
	n := newNetwork(t)
	newBackend(t, "app", n.at(appHost, 8080), webSocketApp)
	v1 := newBackend(t, "v1", n.at(31, 8080), webSocketApp)
	docs := userMesh("v1", 100)
	if timeout != nil {
		with(docs[4], timeout, "spec", "httpRoute", "timeout")
	}
	return start(t, n, docs, endpoints{"v1.test": {v1.addr.String()}}, flags...)
}

// openWebSocket is a WebSocket to svc.local, greeted.
func openWebSocket(t *testing.T, to netip.AddrPort, path string) (*websocket.Conn, error) {
	c, _, err := websocket.Dial(t.Context(), "ws://svc.local:8080"+path, &websocket.DialOptions{HTTPClient: plain(t, to)})
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { c.CloseNow() })
	c.SetReadLimit(2 * megabyte)
	_, greeting, err := c.Read(t.Context())
	if err == nil && string(greeting) != "hello" {
		err = fmt.Errorf("greeted with %q", greeting)
	}
	return c, err
}

// exchangeMessage sends a message in fragments and wants it back.
func exchangeMessage(ctx context.Context, c *websocket.Conn, message []byte) error {
	sent := make(chan error, 1)
	go func() { sent <- echoFragments(ctx, c, websocket.MessageBinary, message) }()
	kind, back, err := c.Read(ctx)
	if err == nil && (kind != websocket.MessageBinary || !bytes.Equal(back, message)) {
		err = fmt.Errorf("%d bytes came back as %d other ones", len(message), len(back))
	}
	return errors.Join(err, <-sent)
}

// ping wants a pong, for which somebody has to read.
func ping(ctx context.Context, c *websocket.Conn) error {
	reading, done := context.WithCancel(ctx)
	defer done()
	c.CloseRead(reading)
	return c.Ping(ctx)
}

// 200 at a time, half of them each way: messages small and large, in fragments, pings, close codes.
func TestTwoHundredWebSockets(t *testing.T) {
	s := webSockets(t, nil)
	const each = 100
	met := make(chan error, 2*each)
	closing := make(chan struct{})
	for i := range 2 * each {
		to := s.egress
		if i%2 == 1 {
			to = s.ingress
		}
		go func() {
			c, err := openWebSocket(t, to, "/ws")
			if err == nil {
				size := 1000 * (i + 1)
				if i%10 < 2 {
					size = megabyte
				}
				err = errors.Join(exchangeMessage(t.Context(), c, bytes.Repeat([]byte{byte(i)}, size)),
					exchangeMessage(t.Context(), c, []byte("small")))
			}
			met <- err
			if <-closing; err != nil {
				met <- nil
				return
			}
			if err = ping(t.Context(), c); err == nil {
				err = c.Close(4000+websocket.StatusCode(i), "enough")
			}
			met <- err
		}()
	}
	collect := func() {
		t.Helper()
		for range 2 * each {
			if err := <-met; err != nil {
				t.Error(err)
			}
		}
	}
	collect()
	for _, direction := range []string{"ingress", "egress"} {
		for _, name := range []string{"downstream_cx_upgrades_active", "downstream_cx_upgrades_total"} {
			if n := s.stat("http." + direction + "." + name); n != each {
				t.Errorf("%s %s is %d, want %d", direction, name, n, each)
			}
		}
	}
	close(closing)
	collect()
	s.await("all are closed", func() bool { return s.stat("downstream_cx_upgrades_active") == 0 })
	s.await("nothing is open upstream", func() bool {
		return s.stat("v1_http_8080.upstream_cx_active") == 0 && s.stat("downstream_rq_active") == 0
	})
	if n := s.stat("downstream_cx_upgrades_total"); n != 2*each {
		t.Errorf("downstream_cx_upgrades_total is %d", n)
	}
}

// Both sides see the other's code and its reason.
func TestWebSocketCloseCodesPass(t *testing.T) {
	n := newNetwork(t)
	codes := make(chan websocket.StatusCode, 1)
	v1 := newBackend(t, "v1", n.at(31, 8080), func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/goodbye" {
			return webSocketApp(w, r)
		}
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return true
		}
		_ = c.Write(context.Background(), websocket.MessageText, []byte("hello"))
		_, _, err = c.Read(context.Background())
		codes <- websocket.CloseStatus(err)
		return true
	})
	s := start(t, n, userMesh("v1", 100), endpoints{"v1.test": {v1.addr.String()}})
	c, err := openWebSocket(t, s.egress, "/ws")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(4321, "the client's reason"); err != nil {
		t.Error(err)
	}
	if code := <-codes; code != 4321 {
		t.Errorf("the server saw code %d", code)
	}
	if c, err = openWebSocket(t, s.egress, "/goodbye"); err != nil {
		t.Fatal(err)
	}
	if err := c.Write(t.Context(), websocket.MessageText, []byte("x")); err != nil {
		t.Error(err)
	}
	_, _, err = c.Read(t.Context())
	if said := (websocket.CloseError{}); !errors.As(err, &said) || said.Code != websocket.StatusTryAgainLater || said.Reason != "come back" {
		t.Errorf("the client saw %v", err)
	}
}

const handshake = "Host: svc.local:8080\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

// A client that does not wait for the 101 loses nothing: neither a whole frame nor the beginning of one.
func TestAFrameRightBehindTheHandshake(t *testing.T) {
	s := webSockets(t, nil)
	for _, size := range []int{5, 40_000, megabyte} {
		message := bytes.Repeat([]byte("m"), size)
		frame := maskedFrame(message)
		for _, behind := range []int{1, 7, len(frame)} {
			conn := dialRaw(t, s.egress)
			behind = min(behind, len(frame))
			first := append([]byte("GET /ws HTTP/1.1\r\n"+handshake), frame[:behind]...)
			sent := make(chan error, 1)
			go func() {
				_, err := conn.Write(first)
				if err == nil {
					_, err = conn.Write(frame[behind:])
				}
				sent <- err
			}()
			in := bufio.NewReader(conn)
			response, err := http.ReadResponse(in, nil)
			if err != nil || response.StatusCode != 101 || response.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
				t.Fatalf("%v %+v", err, response)
			}
			for _, want := range []string{"hello", string(message)} {
				if got, err := readMessage(in); err != nil || got != want {
					t.Errorf("%d bytes, %d right behind: %d bytes came, %v", size, behind, len(got), err)
				}
			}
			if err := <-sent; err != nil {
				t.Error(err)
			}
			conn.Close()
		}
	}
}

func dialRaw(t *testing.T, to netip.AddrPort) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// maskedFrame is a client's binary message in one frame (RFC 6455 5.2), masked with zeros.
func maskedFrame(message []byte) []byte {
	size := len(message)
	frame := []byte{0x82, 0x80 | 127, 0, 0, 0, 0, byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size)}
	if size < 126 {
		frame = []byte{0x82, 0x80 | byte(size)}
	}
	return append(append(frame, 0, 0, 0, 0), message...)
}

// readMessage reads a server's frames up to the last of a message.
func readMessage(in *bufio.Reader) (string, error) {
	var message []byte
	for {
		head := make([]byte, 2)
		if _, err := io.ReadFull(in, head); err != nil {
			return string(message), err
		}
		size := int(head[1])
		if more := map[int]int{126: 2, 127: 8}[size]; more > 0 {
			size = 0
			for range more {
				b, err := in.ReadByte()
				if err != nil {
					return string(message), err
				}
				size = size<<8 | int(b)
			}
		}
		part := make([]byte, size)
		if _, err := io.ReadFull(in, part); err != nil {
			return string(message), err
		}
		if message = append(message, part...); head[0]&0x80 != 0 {
			return string(message), nil
		}
	}
}

// An app that wants no WebSocket answers like to any request, and the connection serves the next.
func TestARefusedUpgradeIsAnOrdinaryResponse(t *testing.T) {
	s := webSockets(t, nil)
	for _, status := range []int{200, 400, 403, 404, 426} {
		path := fmt.Sprintf("/no/%d", status)
		_, response, err := websocket.Dial(t.Context(), "ws://svc.local:8080"+path, &websocket.DialOptions{HTTPClient: plain(t, s.egress)})
		if err == nil || response == nil || response.StatusCode != status {
			t.Errorf("%d: %v %v", status, response, err)
		}
		conn := dialRaw(t, s.egress)
		in := bufio.NewReader(conn)
		for range 2 {
			fmt.Fprintf(conn, "GET %s HTTP/1.1\r\n%s", path, handshake)
			response, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(response.Body)
			if err != nil || response.StatusCode != status || string(body) != "no WebSocket here\n" || response.Close {
				t.Errorf("%d: %s %q %v", status, response.Status, body, err)
			}
		}
	}
	if n := s.stat("downstream_cx_upgrades_total"); n != 0 {
		t.Errorf("downstream_cx_upgrades_total is %d", n)
	}
}

// The request's timeout ends with the 101. Another request, begun later, shows that it has passed.
func TestAWebSocketOutlivesTheRequestTimeout(t *testing.T) {
	n := newNetwork(t)
	v1 := newBackend(t, "v1", n.at(31, 8080), func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/silent" {
			<-r.Context().Done()
			return true
		}
		return webSocketApp(w, r)
	})
	docs := userMesh("v1", 100)
	with(docs[4], object{"perRequest": object{"value": 1, "unit": "s"}}, "spec", "httpRoute", "timeout")
	s := start(t, n, docs, endpoints{"v1.test": {v1.addr.String()}})
	c, err := openWebSocket(t, s.egress, "/ws")
	if err != nil {
		t.Fatal(err)
	}
	want(t, plain(t, s.egress), svc+"/silent", 504, "upstream request timeout")
	if err := exchangeMessage(t.Context(), c, []byte("still there")); err != nil {
		t.Error(err)
	}
}

// The route's idle timeout goes on.
func TestAnIdleWebSocketEnds(t *testing.T) {
	s := webSockets(t, object{"idle": object{"value": 1, "unit": "s"}, "perRequest": object{"value": 0, "unit": "s"}})
	begun := time.Now()
	c, err := openWebSocket(t, s.egress, "/ws")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = c.Read(t.Context())
	if err == nil || websocket.CloseStatus(err) != -1 {
		t.Errorf("it ended by %v, want the connection's end without a close frame", err)
	}
	if lasted := time.Since(begun); lasted < time.Second {
		t.Errorf("it ended after %s", lasted)
	}
	s.await("it is forgotten", func() bool { return s.stat("downstream_cx_upgrades_active") == 0 })
}

// WebSockets go on while the sidecar drains, new ones are opened, and the end of the drain time ends them all.
func TestADrainEndsWebSocketsByItsTime(t *testing.T) {
	s := webSockets(t, nil, "--drain-time", "3s")
	before, err := openWebSocket(t, s.egress, "/ws")
	if err != nil {
		t.Fatal(err)
	}
	s.signal(syscall.SIGTERM)
	s.await("it drains", func() bool { return s.status("GET", "/ready") == 503 })
	if err := exchangeMessage(t.Context(), before, []byte("during the drain")); err != nil {
		t.Error("an open one:", err)
	}
	during, err := openWebSocket(t, s.egress, "/ws")
	if err == nil {
		err = exchangeMessage(t.Context(), during, bytes.Repeat([]byte("x"), 100_000))
	}
	if err != nil {
		t.Fatal("a new one:", err)
	}
	for _, c := range []*websocket.Conn{before, during} {
		if _, _, err := c.Read(t.Context()); err == nil {
			t.Error("a message came")
		}
	}
	if code := s.exit(10 * time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// What ended is told: bytes both ways, after the handshake.
func TestAWebSocketsBytesAreInTheAccessLog(t *testing.T) {
	n := newNetwork(t)
	v1 := newBackend(t, "v1", n.at(31, 8080), webSocketApp)
	docs := userMesh("v1", 100)
	line := accessLog(docs[1], t.TempDir(), "%RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %UPSTREAM_CLUSTER%")
	s := start(t, n, docs, endpoints{"v1.test": {v1.addr.String()}})
	conn := dialRaw(t, s.egress)
	message := bytes.Repeat([]byte("m"), megabyte)
	frame := maskedFrame(message)
	go func() { fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\n%s%s", handshake, frame) }()
	in := bufio.NewReader(conn)
	if _, err := http.ReadResponse(in, nil); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := readMessage(in); err != nil {
			t.Fatal(err)
		}
	}
	conn.Close()
	s.await("there is a line", func() bool { return strings.HasSuffix(line(), "\n") })
	// "hello" has 2 bytes before it; ten fragments of 100 KB and one of 48,576 have 10 and 4; the last one has 2.
	want := fmt.Sprintf("101 - %d %d cds_egress_m_v1_http_8080\n", len(frame), 2+5+10*10+4+2+megabyte)
	if got := line(); got != want {
		t.Errorf("the line is %q, want %q", got, want)
	}
}

//go:build linux

package backend

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// start runs a backend until the test ends and returns its listeners' addresses.
func start(t *testing.T, listeners int) []netip.AddrPort {
	t.Helper()
	addrs := make([]netip.AddrPort, listeners)
	for i := range addrs {
		addrs[i] = netip.MustParseAddrPort("127.0.0.1:0")
	}
	server, err := Listen(addrs...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- server.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return server.Addrs()
}

func TestPathsAnswerWithTheirSizes(t *testing.T) {
	addr := start(t, 1)[0]
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for path, want := range map[string]int64{"/1k": 1024, "/16k": 16384, "/ping32": 32, "/bulk?bytes=1000000": 1_000_000, "/bulk?bytes=0": 0, "/1k?x=y": 1024} {
		response, err := client.Get("http://" + addr.String() + path)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if err != nil || n != want || response.StatusCode != 200 {
			t.Errorf("%s: %d bytes, status %d, %v", path, n, response.StatusCode, err)
		}
	}
	for path, want := range map[string]int{"/nothing": 404, "/bulk?bytes=-1": 400, "/bulk?bytes=x": 400} {
		response, err := client.Get("http://" + addr.String() + path)
		if err != nil || response.StatusCode != want {
			t.Errorf("%s: %v, %v", path, response, err)
			continue
		}
		_ = response.Body.Close()
	}
	response, err := client.Post("http://"+addr.String()+"/sink", "", io.MultiReader(strings.NewReader(strings.Repeat("x", 200_000)))) // chunked
	if err != nil || response.StatusCode != 200 {
		t.Fatal(response, err)
	}
	_ = response.Body.Close()
}

func TestRequestsInOneSegmentAreAnsweredInOrder(t *testing.T) {
	conn := dial(t, start(t, 1)[0])
	send(t, conn, "GET /ping32 HTTP/1.1\r\n\r\nGET /bulk?bytes=3000000 HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /1k HTTP/1.1\r\nConnection: close\r\n\r\nGET /never HTTP/1.1\r\n\r\n")
	reader := bufio.NewReader(conn)
	for _, want := range []int64{32, 3_000_000, 2, 1024} {
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, response.Body); n != want || err != nil {
			t.Fatalf("%d bytes, want %d: %v", n, want, err)
		}
	}
	if _, err := reader.ReadByte(); err != io.EOF {
		t.Errorf("after Connection: close comes %v", err)
	}
}

func TestARequestInPiecesIsAnsweredOnce(t *testing.T) {
	conn := dial(t, start(t, 1)[0])
	for _, b := range []byte("PUT /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n") {
		send(t, conn, string(b))
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || response.StatusCode != 200 || response.ContentLength != 2 {
		t.Errorf("%v, %v", response, err)
	}
}

func TestWhatCannotBeReadIsRefusedAndClosed(t *testing.T) {
	conn := dial(t, start(t, 1)[0])
	send(t, conn, "nonsense\r\n\r\n")
	text, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 400 ") {
		t.Errorf("%q, %v", text, err)
	}
}

func TestEachListenerCountsItsOwn(t *testing.T) {
	addrs := start(t, 2)
	for range 3 {
		conn := dial(t, addrs[0])
		send(t, conn, "GET /ping32 HTTP/1.1\r\n\r\nGET /ping32 HTTP/1.1\r\n\r\n")
		reader := bufio.NewReader(conn)
		for range 2 {
			response, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, response.Body)
		}
	}
	for i, want := range []Counters{{Accepted: 3, Open: 3, Requests: 6}, {}} {
		conn := dial(t, addrs[i])
		send(t, conn, "GET /stats HTTP/1.1\r\nConnection: close\r\n\r\n")
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		var got Counters
		if err := json.NewDecoder(response.Body).Decode(&got); err != nil || got != want {
			t.Errorf("listener %d: %+v, want %+v: %v", i, got, want, err)
		}
	}
}

func TestAnAddressInUseIsRefused(t *testing.T) {
	addr := start(t, 1)[0]
	if _, err := Listen(addr); err == nil {
		t.Error("two backends on one address")
	}
}

func dial(t *testing.T, addr netip.AddrPort) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn
}

func send(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := conn.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

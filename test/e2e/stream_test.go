//go:build linux

package e2e

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestAnUpgradedConnectionCarriesBytesBothWays(t *testing.T) {
	n := newNetwork(t)
	_, _, ends := twoVersions(t, n)
	s := start(t, n, userMesh("v1", 100), ends)
	ws := dialWebSocket(t, s.egress, "svc.local:8080")
	for i := range 100 {
		if err := ws.echo(fmt.Sprintf("line %d %s", i, strings.Repeat("x", i*100))); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.stat("http.egress.downstream_cx_upgrades_active"); got != 1 {
		t.Errorf("downstream_cx_upgrades_active is %d", got)
	}
}

func TestAnAnswerLongerThanItsTimeoutIsCutOff(t *testing.T) {
	n := newNetwork(t)
	// An answer that would take for ever, and one that never begins.
	never := make(chan struct{})
	v1 := newBackend(t, "v1", n.at(31, 8080), func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/begins" {
			fmt.Fprintln(w, "first line")
			_ = http.NewResponseController(w).Flush() // the client has gone, then
		}
		select {
		case <-never:
		case <-r.Context().Done():
		}
		return true
	})
	t.Cleanup(func() { close(never) })
	docs := userMesh("v1", 100)
	with(docs[4], object{"perRequest": object{"value": 300, "unit": "ms"}}, "spec", "httpRoute", "timeout")
	s := start(t, n, docs, endpoints{"v1.test": {v1.addr.String()}})
	c := plain(t, s.egress)
	want(t, c, svc+"/silent", 504, "upstream request timeout")
	status, body, _, err := get(c, svc+"/begins")
	if status != 200 || err == nil {
		t.Errorf("an answer that had begun: %d %q %v, want 200, a line, and the connection closed", status, body, err)
	}
	if got := s.stat("v1_http_8080.upstream_rq_timeout"); got != 2 {
		t.Errorf("upstream_rq_timeout is %d, want 2", got)
	}
}

func TestLargeBodiesPassWhole(t *testing.T) {
	n := newNetwork(t)
	const size = 32 << 20
	v1 := newBackend(t, "v1", n.at(31, 8080), func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/mirror" {
			return false
		}
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
			panic(err)
		}
		_, _ = io.Copy(w, r.Body) // the counts will tell
		return true
	})
	s := start(t, n, userMesh("v1", 100), endpoints{"v1.test": {v1.addr.String()}})
	c := plain(t, s.egress)
	response, err := c.Post(svc+"/mirror", "application/octet-stream", io.LimitReader(rand.Reader, size))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got, err := io.Copy(io.Discard, response.Body); err != nil || got != size {
		t.Errorf("%d bytes came back of %d: %v", got, size, err)
	}
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	n := newNetwork(t)
	v1 := newBackend(t, "v1", n.at(31, 8080), func(w http.ResponseWriter, r *http.Request) bool {
		fmt.Fprint(w, r.URL.Path)
		return true
	})
	s := start(t, n, userMesh("v1", 100), endpoints{"v1.test": {v1.addr.String()}})
	conn, err := net.Dial("tcp", s.egress.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	const requests = 50
	var text strings.Builder
	for i := range requests {
		fmt.Fprintf(&text, "GET /%d HTTP/1.1\r\nHost: svc.local:8080\r\n\r\n", i)
	}
	if _, err := io.WriteString(conn, text.String()); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	for i := range requests {
		response, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(i, err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil || string(body) != fmt.Sprintf("/%d", i) {
			t.Fatalf("answer %d is %q, %v", i, body, err)
		}
	}
}

// What request smuggling lives on is refused before any app sees it.
func TestAmbiguousFramingIsRefused(t *testing.T) {
	n := newNetwork(t)
	v1, _, ends := twoVersions(t, n)
	s := start(t, n, userMesh("v1", 100), ends)
	for name, request := range map[string]string{
		"length and chunks":  "POST / HTTP/1.1\r\nHost: svc.local\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"two lengths":        "POST / HTTP/1.1\r\nHost: svc.local\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
		"a blank before ':'": "GET / HTTP/1.1\r\nHost : svc.local\r\n\r\n",
		"no host":            "GET / HTTP/1.1\r\n\r\n",
		"two hosts":          "GET / HTTP/1.1\r\nHost: svc.local\r\nHost: svc.local\r\n\r\n",
		"a folded line":      "GET / HTTP/1.1\r\nHost: svc.local\r\nX-A: b\r\n c\r\n\r\n",
		"bare line feeds":    "GET / HTTP/1.1\nHost: svc.local\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", s.egress.String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, request); err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(conn) // to its end: the connection is closed
			if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") {
				t.Errorf("%q %v, want 400 and close", answer, err)
			}
		})
	}
	if v1.served.Load() != 0 {
		t.Errorf("%d reached the app", v1.served.Load())
	}
}

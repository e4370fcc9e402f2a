//go:build linux

package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/textproto"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// newH2Backend is a server that speaks HTTP/2 by prior knowledge alone.
func newH2Backend(t *testing.T, name string, addr netip.AddrPort, first func(http.ResponseWriter, *http.Request) bool) *backend {
	t.Helper()
	b := &backend{name: name, addr: addr, first: first}
	listener, err := net.Listen("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	b.server = &http.Server{Handler: b, Protocols: new(http.Protocols)}
	b.server.Protocols.SetUnencryptedHTTP2(true)
	go b.server.Serve(listener)
	t.Cleanup(func() { b.server.Close() })
	return b
}

// priorKnowledge is plain for HTTP/2.
func priorKnowledge(t *testing.T, to netip.AddrPort) *http.Client {
	transport := &http.Transport{Protocols: new(http.Protocols), DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, to.String())
	}}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 60 * time.Second}
}

// inProtocol is a mesh of http in which everybody speaks another protocol of HTTP.
func inProtocol(protocol string, docs documents) documents {
	for _, d := range docs {
		spec := d["spec"].(object)
		if spec["listeners"] != nil {
			speaking(protocol, d)
		}
		if body := spec["httpRoute"]; body != nil && protocol != "http" {
			delete(spec, "httpRoute")
			spec[protocol+"Route"] = body
		}
	}
	return docs
}

// sides are the two ends of a bridge: what the client speaks, and what the node behind it does.
var (
	clients = map[string]func(*testing.T, netip.AddrPort) *http.Client{"HTTP/1.1": plain, "HTTP/2.0": priorKnowledge}
	servers = map[string]func(*testing.T, string, netip.AddrPort, func(http.ResponseWriter, *http.Request) bool) *backend{"http": newBackend, "http2": newH2Backend}
)

// bridges runs a test over each of the four bridges between HTTP/1 and HTTP/2. Client and app must do with either version.
func bridges(t *testing.T, app func(http.ResponseWriter, *http.Request), test func(*testing.T, *http.Client)) {
	for version, dial := range clients {
		for protocol, serve := range servers {
			t.Run(version+" to "+protocol, func(t *testing.T) {
				n := newNetwork(t)
				v1 := serve(t, "v1", n.at(31, 8080), func(w http.ResponseWriter, r *http.Request) bool {
					if got := map[string]string{"HTTP/1.1": "http", "HTTP/2.0": "http2"}[r.Proto]; got != protocol {
						t.Errorf("a node that speaks %s is asked in %s", protocol, r.Proto)
					}
					app(w, r)
					return true
				})
				s := start(t, n, inProtocol(protocol, userMesh("v1", 100)), endpoints{"v1.test": {v1.addr.String()}})
				test(t, dial(t, s.egress))
			})
		}
	}
}

func TestBodiesCrossEveryBridge(t *testing.T) {
	mirror := func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex() // HTTP/2 always is
		w.Header().Set("X-Host", r.Host)
		_, _ = io.Copy(w, r.Body) // the caller counts
	}
	sent := make([]byte, 5<<20)
	_, _ = rand.Read(sent) // it never fails
	bridges(t, mirror, func(t *testing.T, c *http.Client) {
		for name, size := range map[string]int{"none": 0, "one byte": 1, "a few KB": 5000, "5 MB": len(sent)} {
			for framing, length := range map[string]int64{"announced": int64(size), "of unknown length": -1} {
				request, err := http.NewRequest(http.MethodPost, svc+"/", io.MultiReader(bytes.NewReader(sent[:size])))
				if err != nil {
					t.Fatal(err)
				}
				request.ContentLength = length
				if size == 0 && length == 0 {
					request.Body = http.NoBody
				}
				response, err := c.Do(request)
				if err != nil {
					t.Fatalf("%s, %s: %v", name, framing, err)
				}
				got, err := io.ReadAll(response.Body)
				response.Body.Close()
				if err != nil || response.StatusCode != 200 || !bytes.Equal(got, sent[:size]) || response.Header.Get("X-Host") != "svc.local:8080" {
					t.Errorf("%s, %s: %s, %d bytes, %v, host %q", name, framing, response.Status, len(got), err, response.Header.Get("X-Host"))
				}
			}
		}
	})
}

func TestTrailersCrossEveryBridge(t *testing.T) {
	app := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the trailer will tell
		w.Header().Set("Trailer", "X-After")
		fmt.Fprintln(w, "body")
		_ = http.NewResponseController(w).Flush()
		w.Header().Set("X-After", "saw "+r.Trailer.Get("X-Sum"))
	}
	bridges(t, app, func(t *testing.T, c *http.Client) {
		request, err := http.NewRequest(http.MethodPost, svc+"/", io.MultiReader(strings.NewReader("hello")))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Te", "trailers")
		request.Trailer = http.Header{"X-Sum": {"5"}}
		response, err := c.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if body, err := io.ReadAll(response.Body); err != nil || string(body) != "body\n" || response.Trailer.Get("X-After") != "saw 5" {
			t.Errorf("%q %v, trailer %v", body, err, response.Trailer)
		}
	})
}

func TestHeadsCrossEveryBridge(t *testing.T) {
	app := func(w http.ResponseWriter, r *http.Request) {
		w.Header()["X-Cookies"] = []string{fmt.Sprint(len(r.Header["Cookie"])), r.Header.Get("Cookie")}
		w.Header()["Set-Cookie"] = []string{"a=1", "b=2"}
		w.Header().Set("X-Hop", r.Header.Get("X-Named")+r.Header.Get("Keep-Alive")+r.Header.Get("Connection"))
		switch r.URL.Path {
		case "/hint":
			w.Header().Set("Link", "</style.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
		case "/nothing":
			w.WriteHeader(http.StatusNoContent)
			return
		case "/same":
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Length", "5")
		if r.Method != http.MethodHead {
			fmt.Fprint(w, "hello")
		}
	}
	bridges(t, app, func(t *testing.T, c *http.Client) {
		for name, test := range map[string]struct {
			method, path string
			status       int
			body         string
		}{
			"GET": {"GET", "/?q=%20x", 200, "hello"}, "HEAD": {"HEAD", "/", 200, ""}, "204": {"GET", "/nothing", 204, ""},
			"304": {"GET", "/same", 304, ""}, "103 before 200": {"GET", "/hint", 200, "hello"},
		} {
			var hints []int
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
				hints = append(hints, code)
				return nil
			}})
			request, err := http.NewRequestWithContext(ctx, test.method, svc+test.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Cookie", "one=1; two=2; three=3") // HTTP/2 sends crumbs
			response, err := c.Do(request)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			body, err := io.ReadAll(response.Body)
			response.Body.Close()
			if err != nil || response.StatusCode != test.status || string(body) != test.body {
				t.Errorf("%s: %s %q %v", name, response.Status, body, err)
			}
			if got := response.Header["X-Cookies"]; !slices.Equal(got, []string{"1", "one=1; two=2; three=3"}) {
				t.Errorf("%s: the app saw cookies %q", name, got)
			}
			if got := response.Header["Set-Cookie"]; !slices.Equal(got, []string{"a=1", "b=2"}) {
				t.Errorf("%s: Set-Cookie %q", name, got)
			}
			if response.Header.Get("Server") != "envoy" {
				t.Errorf("%s: server %q", name, response.Header.Get("Server"))
			}
			if hinted := slices.Equal(hints, []int{103}); hinted != (test.path == "/hint") {
				t.Errorf("%s: informational answers %v", name, hints)
			}
		}
	})
}

// An app that answers before it has read the request, as one does that finds it too large.
func TestEarlyAnswersCrossEveryBridge(t *testing.T) {
	app := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close") // HTTP/1: what has not been read is lost
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
	}
	bridges(t, app, func(t *testing.T, c *http.Client) {
		reader, writer := io.Pipe()
		go func() {
			defer writer.Close()
			_, _ = writer.Write(make([]byte, 1<<10))
		}()
		response, err := c.Post(svc+"/", "application/octet-stream", reader)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if body, err := io.ReadAll(response.Body); response.StatusCode != http.StatusRequestEntityTooLarge || string(body) != "too large\n" {
			t.Errorf("%s %q %v", response.Status, body, err)
		}
	})
}

func TestAHundredStreamsAtOnce(t *testing.T) {
	const streams = 100
	for protocol, serve := range servers {
		t.Run("to "+protocol, func(t *testing.T) {
			n := newNetwork(t)
			var arrived atomic.Int64
			all := make(chan struct{})
			v1 := serve(t, "v1", n.at(31, 8080), func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == "/" {
					return false
				}
				if arrived.Add(1) == streams {
					close(all)
				}
				select {
				case <-all: // they are all open at once
				case <-r.Context().Done():
				}
				fmt.Fprint(w, r.URL.Path)
				return true
			})
			s := start(t, n, inProtocol(protocol, userMesh("v1", 100)), endpoints{"v1.test": {v1.addr.String()}})
			c := priorKnowledge(t, s.egress)
			want(t, c, svc+"/", 200, "v1") // one connection for all: Go's client dials several when many begin at once
			var calls sync.WaitGroup
			for i := range streams {
				calls.Go(func() {
					path := fmt.Sprintf("/%d", i)
					if status, body, _, err := get(c, svc+path); err != nil || status != 200 || body != path {
						t.Errorf("%d %q %v, want 200 %q", status, body, err, path)
					}
				})
			}
			calls.Wait()
			if got := s.stat("http.egress.downstream_cx_http2_total"); got != 1 {
				t.Errorf("downstream_cx_http2_total is %d, want 1", got)
			}
			if got := s.stat("v1_" + protocol + "_8080.upstream_cx_http2_total"); protocol == "http2" && got != 1 {
				t.Errorf("upstream_cx_http2_total is %d, want 1", got)
			}
		})
	}
}

// Real curl, in each version, to listeners of every protocol of HTTP: whatever is declared, the preface decides.
func TestCurlByPriorKnowledge(t *testing.T) {
	needCurl(t)
	for _, protocol := range []string{"http", "http2"} {
		n := newNetwork(t)
		servers[protocol](t, "app", n.at(appHost, 8080), nil)
		v1 := servers[protocol](t, "v1", n.at(31, 8080), nil)
		docs := inProtocol(protocol, userMesh("v1", 100))
		with(docs[1], object{"accessLog": object{"file": object{"path": "/dev/stdout"}}}, "spec", "logging")
		s := start(t, n, docs, endpoints{"v1.test": {v1.addr.String()}})
		for port, at := range map[string]netip.AddrPort{"app": s.ingress, "v1": s.egress} {
			for flag, version := range map[string]string{"--http2-prior-knowledge": "2", "--http1.1": "1.1"} {
				for what, test := range map[string]struct {
					args []string
					want string
				}{
					"GET":    {nil, port + " 200 " + version},
					"POST":   {[]string{"-d", "hello"}, "5 <nil> 200 " + version},
					"chunks": {[]string{"-H", "Transfer-Encoding: chunked", "-d", "hello"}, "5 <nil> 200 " + version},
				} {
					path := "/"
					if strings.Contains(test.want, "nil") {
						path = "/upload"
					}
					args := []string{"-sS", "--max-time", "20", flag, "--connect-to", "::" + at.String(), "-w", " %{http_code} %{http_version} ", "http://svc.local:8080" + path}
					cmd := exec.CommandContext(t.Context(), "curl", append(args, test.args...)...)
					cmd.Env = bare()
					output, err := cmd.CombinedOutput()
					if got := strings.Join(strings.Fields(string(output)), " "); err != nil || got != test.want {
						t.Errorf("%s to a %s listener, %s: %q %v, want %q", flag, protocol, what, got, err, test.want)
					}
				}
			}
		}
		for _, line := range []string{`"GET / HTTP/2" 200`, `"GET / HTTP/1.1" 200`} {
			s.await("the access log says "+line, func() bool { return strings.Contains(s.log.String(), line) })
		}
	}
	// A gRPC listener takes any HTTP request too, when a route does.
	n := newNetwork(t)
	app := newH2Backend(t, "app", n.at(appHost, 8080), nil)
	s := start(t, n, grpcMesh("v1"), endpoints{"v1.test": {app.addr.String()}})
	for _, c := range []*http.Client{priorKnowledge(t, s.ingress), plain(t, s.ingress)} {
		want(t, c, "http://front.local:8080/", 200, "app")
	}
}

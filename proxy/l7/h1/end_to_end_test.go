package h1

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// through starts a real server behind a proxy and gives the proxy's URL and a
// real client, whose connections are closed when the test ends.
func through(t testing.TB, handler http.HandlerFunc) (url string, client *http.Client) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	addr, _ := startProxy(t, server.Listener.Addr().String())
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return "http://" + addr, &http.Client{Transport: transport}
}

// raw starts an upstream that is handed each connection, behind a proxy.
func raw(t testing.TB, upstream func(c *net.TCPConn, r *bufio.Reader)) (addr string, p *proxy) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			upstream(c.(*net.TCPConn), bufio.NewReader(c))
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return startProxy(t, l.Addr().String())
}

func dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

func echo(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength >= 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	}
	http.NewResponseController(w).EnableFullDuplex()
	io.Copy(flusher{w}, r.Body)
}

type flusher struct{ http.ResponseWriter }

func (f flusher) Write(p []byte) (int, error) {
	n, err := f.ResponseWriter.Write(p)
	http.NewResponseController(f.ResponseWriter).Flush()
	return n, err
}

// zeros is so many bytes, without their length being known.
func zeros(n int64) io.Reader { return io.LimitReader(zeroReader{}, n) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestBodiesOfEachSizeBothWays(t *testing.T) {
	url, client := through(t, echo)
	for _, size := range []int{0, 1, 4 << 10, 16 << 10, 20 << 10, 1 << 20} {
		data := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
		for what, body := range map[string]io.Reader{"with a length": bytes.NewReader(data), "chunked": struct{ io.Reader }{bytes.NewReader(data)}} {
			resp, err := client.Post(url, "", body)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(resp.Body)
			if resp.Body.Close(); !bytes.Equal(got, data) || err != nil {
				t.Errorf("%d bytes %s: %d came back, %v", size, what, len(got), err)
			}
			if size > 0 && (resp.ContentLength < 0) != (what == "chunked") {
				t.Errorf("%d bytes %s: the answer's length is %d", size, what, resp.ContentLength)
			}
		}
	}
}

func TestAHundredMegabytesPassInBoundedMemory(t *testing.T) {
	const size = 100 << 20
	url, client := through(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if n != size {
			t.Errorf("the server read %d bytes, %v", n, err)
		}
		w.Header().Set("Content-Length", strconv.Itoa(size))
		io.Copy(w, zeros(size))
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	req, _ := http.NewRequest("POST", url, zeros(size))
	req.ContentLength = size
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	runtime.ReadMemStats(&after)
	if n != size || err != nil {
		t.Errorf("the client read %d bytes, %v", n, err)
	}
	if all := after.TotalAlloc - before.TotalAlloc; all > 8<<20 {
		t.Errorf("%d KiB were allocated for 200 MB", all>>10)
	}
}

func TestTrailersPassBothWays(t *testing.T) {
	url, client := through(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Down")
		io.Copy(w, r.Body)
		w.Header().Set("X-Down", r.Trailer.Get("X-Up"))
	})
	req, _ := http.NewRequest("POST", url, struct{ io.Reader }{strings.NewReader("body")})
	req.Trailer = http.Header{"X-Up": {"sum"}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, _ := io.ReadAll(resp.Body); string(got) != "body" || resp.Trailer.Get("X-Down") != "sum" {
		t.Errorf("%q, trailer %v", got, resp.Trailer)
	}
}

func TestFullDuplex(t *testing.T) {
	url, client := through(t, echo)
	r, w := io.Pipe()
	req, _ := http.NewRequest("POST", url, r)
	go w.Write([]byte("0"))
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	p := make([]byte, 2)
	io.ReadFull(resp.Body, p[:1])
	for i := range 100 { // each answer comes before the next piece of the request
		ping := fmt.Sprintf("%02d", i)
		w.Write([]byte(ping))
		if _, err := io.ReadFull(resp.Body, p); err != nil || string(p) != ping {
			t.Fatalf("sent %q, got %q, %v", ping, p, err)
		}
	}
	w.Close()
	if rest, err := io.ReadAll(resp.Body); len(rest) > 0 || err != nil {
		t.Errorf("at the end: %q, %v", rest, err)
	}
}

func TestAnEarlyResponseEndsTheRequest(t *testing.T) {
	url, _ := through(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		http.Error(w, "too much", http.StatusRequestEntityTooLarge)
	})
	c := dial(t, strings.TrimPrefix(url, "http://"))
	fmt.Fprintf(c, "%sContent-Length: %d\r\n\r\n%s", post, 1<<30, strings.Repeat("x", 10<<10))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode != 413 || string(body) != "too much\n" || err != nil {
		t.Errorf("%d, %q, %v", resp.StatusCode, body, err)
	}
	c.CloseWrite()
	if rest, err := io.ReadAll(c); len(rest) > 0 || err != nil {
		t.Errorf("after the response: %q, %v; want the end", rest, err)
	}
}

func TestExpectContinueIsAnsweredOnceAndTheBodyComes(t *testing.T) {
	var expected atomic.Value
	url, _ := through(t, func(w http.ResponseWriter, r *http.Request) {
		expected.Store(r.Header.Get("Expect"))
		io.Copy(w, r.Body)
	})
	c := dial(t, strings.TrimPrefix(url, "http://"))
	r := bufio.NewReader(c)
	fmt.Fprintf(c, "%sExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", post)
	line, _ := r.ReadString('\n')
	if empty, _ := r.ReadString('\n'); line+empty != "HTTP/1.1 100 Continue\r\n\r\n" {
		t.Fatalf("got %q", line)
	}
	io.WriteString(c, "hello")
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 || string(body) != "hello" || expected.Load() != "" {
		t.Errorf("%d, %q; the server saw Expect %q", resp.StatusCode, body, expected.Load())
	}
}

func TestEarlyHintsPassThrough(t *testing.T) {
	url, _ := through(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</x>")
		w.WriteHeader(103)
		w.WriteHeader(204)
	})
	c := dial(t, strings.TrimPrefix(url, "http://"))
	io.WriteString(c, get+"Connection: close\r\n\r\n")
	all, err := io.ReadAll(c)
	first, rest, _ := strings.Cut(string(all), "\r\n\r\n")
	if !strings.HasPrefix(first, "HTTP/1.1 103 Early Hints\r\n") || !strings.HasPrefix(rest, "HTTP/1.1 204 ") || err != nil {
		t.Errorf("%q, %v", all, err)
	}
}

func TestAHeadThatComesByteByByte(t *testing.T) {
	url, _ := through(t, echo)
	c := dial(t, strings.TrimPrefix(url, "http://"))
	for _, b := range []byte(post + "Content-Length: 3\r\nConnection: close\r\n\r\nabc") {
		c.Write([]byte{b}) // Go's default is TCP_NODELAY
	}
	if all, err := io.ReadAll(c); !strings.HasSuffix(string(all), "\r\n\r\nabc") || err != nil {
		t.Errorf("%q, %v", all, err)
	}
}

func TestTwentyRequestsInOneSegmentAreAnsweredInOrder(t *testing.T) {
	url, _ := through(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s=%s;", r.URL.Path, body)
	})
	c := dial(t, strings.TrimPrefix(url, "http://"))
	var all strings.Builder
	for i := range 20 {
		fmt.Fprintf(&all, "POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n%02d", i, i)
	}
	io.WriteString(c, all.String())
	r := bufio.NewReader(c)
	for i := range 20 {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("response %d: %v", i, err)
		}
		if body, _ := io.ReadAll(resp.Body); string(body) != fmt.Sprintf("/%d=%02d;", i, i) {
			t.Errorf("response %d: %q", i, body)
		}
	}
}

func TestDataAndFINInOneSegment(t *testing.T) {
	addr, p := raw(t, func(c *net.TCPConn, r *bufio.Reader) {
		http.ReadRequest(r)
		io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\nbye") // and then closed
	})
	for range 20 {
		c := dial(t, addr)
		io.WriteString(c, get+"\r\n")
		c.CloseWrite()
		if all, err := io.ReadAll(c); string(all) != ok+"transfer-encoding: chunked\r\n\r\n3\r\nbye\r\n0\r\n\r\n" || err != nil {
			t.Errorf("%q, %v", all, err)
		}
	}
	if n := p.dials.Load(); n != 20 {
		t.Errorf("%d dials, want 20", n)
	}
}

func TestHTTP10UpstreamIsKeptOnlyIfItSaysSo(t *testing.T) {
	for _, test := range []struct {
		answer string
		dials  int64
	}{
		{"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi", 1},
		{"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", 3},
		{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi", 3},
		{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 1},
	} {
		addr, p := raw(t, func(c *net.TCPConn, r *bufio.Reader) {
			for {
				if _, err := http.ReadRequest(r); err != nil {
					return
				}
				io.WriteString(c, test.answer)
			}
		})
		c := dial(t, addr)
		r := bufio.NewReader(c)
		for range 3 {
			io.WriteString(c, get+"\r\n")
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			if body, _ := io.ReadAll(resp.Body); string(body) != "hi" {
				t.Errorf("%q: got %q", test.answer, body)
			}
		}
		c.Close()
		if n := p.dials.Load(); n != test.dials {
			t.Errorf("%q: %d dials, want %d", test.answer, n, test.dials)
		}
	}
}

func TestAnUpstreamThatBreaksOffIsNotAnEndForTheClient(t *testing.T) {
	addr, _ := raw(t, func(c *net.TCPConn, r *bufio.Reader) {
		http.ReadRequest(r)
		io.WriteString(c, ok+"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
	})
	c := dial(t, addr)
	io.WriteString(c, get+"\r\n")
	if all, err := io.ReadAll(c); err == nil {
		t.Errorf("%q and a clean end; want a reset", all)
	}
}

func TestAResponseThatCameBeforeItsRequestIsNeverUsed(t *testing.T) {
	addr, p := raw(t, func(c *net.TCPConn, r *bufio.Reader) {
		http.ReadRequest(r)
		io.WriteString(c, ok+"Content-Length: 1\r\n\r\nA"+ok+"Content-Length: 6\r\n\r\npoison")
	})
	c := dial(t, addr)
	r := bufio.NewReader(c)
	for range 3 {
		io.WriteString(c, get+"\r\n")
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := io.ReadAll(resp.Body); string(body) != "A" {
			t.Errorf("got %q", body)
		}
	}
	if n := p.dials.Load(); n != 3 {
		t.Errorf("%d dials, want 3", n)
	}
}

func TestAWebSocketPasses(t *testing.T) {
	url, _ := through(t, func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil || r.Header.Get("Connection") != "upgrade" || r.Header.Get("Upgrade") != "websocket" {
			t.Errorf("%v, %v", err, r.Header)
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello ")
		io.Copy(c, rw)
	})
	c := dial(t, strings.TrimPrefix(url, "http://"))
	io.WriteString(c, get+"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\nearly ")
	io.WriteString(c, "late")
	c.CloseWrite()
	all, err := io.ReadAll(c)
	if !strings.HasSuffix(string(all), "connection: upgrade\r\n\r\nhello early late") || err != nil {
		t.Errorf("%q, %v", all, err)
	}
}

func TestAClientThatReadsSlowlyHoldsBackTheServer(t *testing.T) {
	const size, step = 32 << 20, 1 << 20
	url, client := through(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, zeros(size)) })
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	p := make([]byte, step)
	for range size / step {
		if _, err := io.ReadFull(resp.Body, p); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&now)
		if grown := int64(now.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
			t.Fatalf("the heap grew by %d KiB", grown>>10)
		}
	}
	if n, err := resp.Body.Read(p); n != 0 || err != io.EOF {
		t.Errorf("at the end: %d, %v", n, err)
	}
}

func TestABadRequestIsAnsweredAndNothingOfItGoesUpstream(t *testing.T) {
	for raw, status := range map[string]string{
		post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n": "400 Bad Request",
		post + "Transfer-Encoding: xchunked\r\n\r\n":                   "501 Not Implemented",
		"GET / HTTP/3.0\r\nHost: a\r\n\r\n":                            "505 HTTP Version Not Supported",
		get + "X: " + strings.Repeat("x", 70<<10) + "\r\n\r\n":         "431 Request Header Fields Too Large",
		"GET / HTTP/1.1\r\n\r\n" + "GET / HTTP/1.1\r\nHost: a\r\n\r\n": "400 Bad Request",
	} {
		url, _ := through(t, func(http.ResponseWriter, *http.Request) { t.Error("a request reached the server") })
		c := dial(t, strings.TrimPrefix(url, "http://"))
		io.WriteString(c, raw)
		c.CloseWrite()
		want := "HTTP/1.1 " + status + "\r\ncontent-length: 11\r\nconnection: close\r\n\r\nproxy error"
		if all, err := io.ReadAll(c); string(all) != want || err != nil {
			t.Errorf("%.60q: %q, %v", raw, all, err)
		}
	}
}

package h2_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"

	"github.com/outrider-mesh/outrider/internal/testkit"
)

// app starts net/http's server, for cleartext HTTP/2.
func app(t testing.TB, handler http.HandlerFunc) netip.AddrPort {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: handler, Protocols: new(http.Protocols), HTTP2: &http.HTTP2Config{
		// By its defaults one stalled upload fills its connection's window.
		MaxReceiveBufferPerConnection: 8 << 20, MaxReceiveBufferPerStream: 256 << 10}}
	srv.Protocols.SetUnencryptedHTTP2(true)
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.Serve(ln)
	}()
	t.Cleanup(func() {
		srv.Close()
		<-done
	})
	return ln.Addr().(*net.TCPAddr).AddrPort()
}

// browser is net/http's client, for cleartext HTTP/2.
func browser(t testing.TB) *http.Client {
	tr := &http.Transport{Protocols: new(http.Protocols), DisableCompression: true}
	tr.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// bridge is a server that forwards to an app over one connection.
func bridge(t testing.TB, handler http.HandlerFunc) *served {
	addr := app(t, handler)
	return serve(t, forward(dialTo(t, config(t), addr)))
}

func TestRealPeersTalkThroughTheBridge(t *testing.T) {
	s := bridge(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		w.Header().Set("X-Seen", r.Method+" "+r.URL.String()+" "+r.Host+" "+r.Header.Get("X-Name"))
		if r.URL.Path == "/early" {
			w.WriteHeader(http.StatusEarlyHints)
		}
		n, err := io.Copy(w, r.Body)
		if err != nil {
			t.Errorf("reading the request: %v", err)
		}
		w.Header().Set("X-Sum", fmt.Sprint(n, " ", r.Trailer.Get("X-End")))
	})
	client := browser(t)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			for _, size := range []int{0, 1, 1 << 10, 100 << 10, 3 << 20} {
				body := bytes.Repeat([]byte{byte(i)}, size)
				req, _ := http.NewRequest("POST", fmt.Sprintf("http://%s/early?%d", s.addr, size), io.NopCloser(bytes.NewReader(body)))
				req.Host, req.Trailer = "shop", http.Header{"X-End": {"end"}}
				req.Header.Set("X-Name", "value")
				resp, err := client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || !bytes.Equal(got, body) {
					t.Errorf("%d bytes came back as %d: %v", size, len(got), err)
				}
				if seen := resp.Header.Get("X-Seen"); seen != fmt.Sprintf("POST /early?%d shop value", size) {
					t.Errorf("the app saw %q", seen)
				}
				if sum := resp.Trailer.Get("X-Sum"); sum != fmt.Sprint(size, " end") {
					t.Errorf("trailer %q for %d bytes", sum, size)
				}
			}
		})
	}
	wg.Wait()
}

// TestAStalledDownstreamDoesNotSlowOthersOfItsUpstream: A takes nothing, on a
// connection of its own; B shares the upstream connection with it.
func TestAStalledDownstreamDoesNotSlowOthersOfItsUpstream(t *testing.T) {
	var made sync.Map
	s := bridge(t, func(w http.ResponseWriter, r *http.Request) {
		n := 0
		for range 512 {
			m, err := w.Write(zeros[:16<<10])
			n += m
			made.Store(r.Header.Get("X-Who"), n)
			if err != nil {
				return
			}
		}
	})
	var stalled []*peer
	for range 4 {
		a := s.connect()
		a.mean = true
		for id := uint32(1); id < 20; id += 2 {
			a.headers(id, true, get("x-who", "a")...)
		}
		a.until("as much as the window of the connection allows", func() bool {
			n := 0
			for id := uint32(1); id < 20; id += 2 {
				n += len(a.stream(id).data)
			}
			return n > 32<<10
		})
		a.sync()
		stalled = append(stalled, a)
	}
	b := s.connect()
	for id := uint32(1); id < 10; id += 2 {
		b.headers(id, true, get("x-who", "b")...)
		if h := b.ok(id, "200"); len(h.data) != 8<<20 {
			t.Errorf("B got %d bytes", len(h.data))
		}
		b.stream(id).data = nil
	}
	if n, _ := made.Load("a"); n.(int) > 4<<20 {
		t.Errorf("%d bytes were made for a client that takes nothing", n)
	}
	for _, a := range stalled {
		a.conn.Close()
	}
}

// TestAStalledUpstreamStreamDoesNotSlowItsNeighbours: the app does not read one
// upload; others on the same two connections go on, and the stalled one's client
// is slowed.
func TestAStalledUpstreamStreamDoesNotSlowItsNeighbours(t *testing.T) {
	may := make(chan struct{})
	s := bridge(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Stall") != "" {
			select {
			case <-may:
			case <-r.Context().Done():
			}
		}
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	})
	p := s.connect()
	p.headers(1, false, post("x-stall", "1")...)
	p.sync()
	sent := int64(0)
	for stuck := 0; stuck < 50; stuck++ { // as much as is taken
		p.sync()
		if n := min(p.left(1), 16<<10); n > 0 {
			p.data(1, false, zeros[:n])
			sent, stuck = sent+n, 0
		}
		if sent > 64<<20 {
			t.Fatal("the client of a stalled upload is not slowed")
		}
	}
	p.post(3)
	p.upload(3, true, 8<<20)
	if h := p.ok(3, "200"); string(h.data) != fmt.Sprint(8<<20) {
		t.Errorf("the neighbour's app read %s bytes", h.data)
	}
	close(may)
	p.upload(1, true, 1<<20)
	if h := p.ok(1, "200"); string(h.data) != fmt.Sprint(sent+1<<20) {
		t.Errorf("the stalled app read %s bytes of %d", h.data, sent+1<<20)
	}
}

func TestACancelPassesThroughTheBridge(t *testing.T) {
	left := make(chan struct{}, 1)
	s := bridge(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			w.(http.Flusher).Flush()
		}
		<-r.Context().Done()
		left <- struct{}{}
	})
	p := s.connect()
	p.get(1)
	p.post(3)
	p.head(3)
	for _, id := range []uint32{1, 3} {
		p.WriteRSTStream(id, http2.ErrCodeCancel)
		p.flush()
		testkit.Wait(t, "the app noticed", left)
	}
}

func TestAnAppThatBreaksOffBreaksTheAnswerOff(t *testing.T) {
	s := bridge(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "half an ")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	p := s.connect()
	p.get(1)
	if h := p.reset(1, http2.ErrCodeInternal); h.ended || strings.Contains(string(h.data), "answer") {
		t.Errorf("it ended: %q", h.data)
	}
}

// TestOneUpstreamConnectionServesManyClients, each with many streams, while some
// leave without a word.
func TestOneUpstreamConnectionServesManyClients(t *testing.T) {
	s := bridge(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		w.Write(zeros[:n+100])
	})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			p := s.connect()
			defer p.conn.Close()
			for round := range 20 {
				base := uint32(round*20 + 1)
				for id := base; id < base+20; id += 2 {
					p.post(id)
					p.data(id, true, zeros[:100*i])
				}
				if i == 7 {
					p.flush()
					return
				}
				for id := base; id < base+20; id += 2 {
					if h := p.await(id); !h.ended || len(h.data) != 100*i+100 {
						t.Errorf("client %d, stream %d: %d bytes, resets %v", i, id, len(h.data), h.resets)
						return
					}
					delete(p.streams, id)
				}
			}
		})
	}
	wg.Wait()
	testkit.Eventually(t, "no stream is left", func() bool { return s.active.Load() == 0 })
}

package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/internal/testkit/sidecar"
)

// The preface may come byte by byte, together with everything else, or behind
// CONNECT; what only begins like it is HTTP/1.
func TestTheFirstBytesDecideTheCodec(t *testing.T) {
	s := startApp(t, testkit.NewApp(t, testkit.Text("hello")))
	check := func(t *testing.T, f *framer) {
		t.Helper()
		stream := f.get("/")
		if got := f.head(stream).PseudoValue("status"); got != "200" {
			t.Errorf("status %q", got)
		}
	}
	t.Run("byte by byte", func(t *testing.T) {
		f := bareFramer(t, s.Egress)
		for i := range len(http2.ClientPreface) {
			io.WriteString(f.conn, http2.ClientPreface[i:i+1])
		}
		f.WriteSettings()
		check(t, f)
	})
	t.Run("in two parts", func(t *testing.T) {
		f := bareFramer(t, s.Egress)
		io.WriteString(f.conn, http2.ClientPreface[:10])
		io.WriteString(f.conn, http2.ClientPreface[10:])
		f.WriteSettings()
		check(t, f)
	})
	t.Run("inside a tunnel", func(t *testing.T) {
		f := bareFramer(t, s.Egress)
		io.WriteString(f.conn, "CONNECT svc:8080 HTTP/1.1\r\nhost: svc:8080\r\n\r\n"+http2.ClientPreface)
		answer := make([]byte, 0, 256)
		for !strings.HasSuffix(string(answer), "\r\n\r\n") {
			b := make([]byte, 1)
			if _, err := io.ReadFull(f.conn, b); err != nil {
				t.Fatalf("after %q: %v", answer, err)
			}
			answer = append(answer, b...)
		}
		f.WriteSettings()
		check(t, f)
	})
	for _, method := range []string{"P", "PR", "PRI", "PROPFIND", "PUT"} {
		t.Run("HTTP/1 "+method, func(t *testing.T) {
			c := testkit.Dial(t, s.Egress)
			for _, b := range method + " / HT" {
				c.Send(string(b))
			}
			c.Send("TP/1.1\r\nhost: svc\r\ncontent-length: 0\r\n\r\n")
			if got := c.Receive(method); got.Status != 200 || got.Proto != "HTTP/1.1" {
				t.Errorf("got %d %s", got.Status, got.Proto)
			}
		})
	}
	t.Run("half a preface", func(t *testing.T) {
		c := testkit.Dial(t, s.Egress)
		c.Send("PRI * HTTP/2.0\r\n\r\nS")
		c.CloseWrite()
		c.Rest()
		testkit.Eventually(t, "no connection known", func() bool { return s.Gauge("http.egress.downstream_rq_active") == 0 })
	})
	t.Run("a preface that goes wrong", func(t *testing.T) {
		c := testkit.Dial(t, s.Egress)
		c.Send("PRI * HTTP/2.0\r\n\r\nXX")
		if got := c.Receive("GET"); got.Status != 400 && got.Status != 505 || !got.Close {
			t.Errorf("got %d, close %v", got.Status, got.Close)
		}
	})
}

// An exchange that is cut short has lasted until it was cut.
func TestAnExchangeThatIsCutHasADuration(t *testing.T) {
	for _, tt := range []struct {
		what  string
		cut   func(*framer, uint32)
		flags string
	}{
		{"a stream by its client", func(f *framer, id uint32) { f.WriteRSTStream(id, http2.ErrCodeCancel) }, "DC"},
		{"a connection by its client", func(f *framer, _ uint32) { f.conn.Close() }, "DC"},
		{"a stream by a breach", func(f *framer, id uint32) { f.WriteWindowUpdate(id, 0) }, "DPE"},
		{"a connection by a breach", func(f *framer, _ uint32) { f.WriteWindowUpdate(0, 0) }, "DPE"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			app, arrived, _ := gated(t)
			s := startApp(t, app)
			f := newFramer(t, s.Egress)
			id := f.get("/")
			testkit.Wait(t, "the request", arrived)
			lasted := spend()
			tt.cut(f, id)
			if r := s.Records.Next(t); r.Flags != tt.flags || r.Duration < lasted {
				t.Errorf("flags %q after %v, it lasted %v at least", r.Flags, r.Duration, lasted)
			}
		})
	}
	t.Run("HTTP/1", func(t *testing.T) {
		app, arrived, _ := gated(t)
		s := startApp(t, app)
		c := testkit.Dial(t, s.Egress)
		c.Request("GET", "svc", "/", "")
		testkit.Wait(t, "the request", arrived)
		lasted := spend()
		c.Close()
		if r := s.Records.Next(t); r.Flags != "DC" || r.Duration < lasted {
			t.Errorf("flags %q after %v, it lasted %v at least", r.Flags, r.Duration, lasted)
		}
	})
}

// spend lets a moment pass that no coarse clock misses.
func spend() (passed time.Duration) {
	for start := sock.Now(); passed < 3*time.Millisecond; passed = sock.Now() - start {
		runtime.Gosched()
	}
	return passed
}

func TestTheIngressPortServesHTTP2(t *testing.T) {
	for app := 1; app <= 2; app++ {
		addr := webApp(t, app, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) })
		s := sidecar.Start(t, sidecar.Mesh(sidecar.App(8080, webCluster(app, addr))))
		got := fetch(t, webClient(t, 2, s.Ingress), "GET", "http://whoever/", nil)
		if want := map[int]string{1: "HTTP/1.1", 2: "HTTP/2.0"}[app]; got.StatusCode != 200 || got.body != want {
			t.Errorf("got %d %q, want %q", got.StatusCode, got.body, want)
		}
		s.Counts(map[string]uint64{"http.ingress.downstream_cx_http2_total": 1, "http.ingress.downstream_rq_http2_total": 1})
	}
}

func TestStreamsOfAConnectionAreServedAtTheSameTime(t *testing.T) {
	app, arrived, gate := gated(t)
	s := startApp(t, app)
	f := newFramer(t, s.Egress)
	var streams []uint32
	for i := range 20 {
		streams = append(streams, f.get(fmt.Sprintf("/%d", i)))
	}
	for range streams {
		testkit.Wait(t, "a request upstream", arrived)
	}
	if n, _ := s.Server.Quiet(); n != 20 || s.Gauge("http.egress.downstream_rq_active") != 20 || s.Gauge("http.egress.downstream_cx_http2_active") != 1 {
		t.Errorf("%d exchanges are under way", n)
	}
	for range streams {
		gate <- struct{}{}
	}
	seen := make(map[uint32]bool)
	for len(seen) < len(streams) {
		f.until("the last answer", func(fr http2.Frame) bool {
			if h, ok := fr.(*http2.MetaHeadersFrame); ok && h.PseudoValue("status") == "200" {
				seen[h.StreamID] = true
				return true
			}
			return false
		})
	}
	testkit.Eventually(t, "no exchange under way", func() bool { n, _ := s.Server.Quiet(); return n == 0 })
	f.conn.Close()
	testkit.Eventually(t, "no connection", func() bool {
		return s.Gauge("http.egress.downstream_cx_http2_active") == 0 && s.Gauge("http.egress.downstream_cx_active") == 0
	})
}

// Each stream finds its own chain on a connection that nothing redirected.
func TestEachStreamFindsItsOwnChain(t *testing.T) {
	var listeners []*mesh.Listener
	for i := range 4 {
		name := fmt.Sprintf("svc%d.local", i)
		addr := testkit.NewApp(t, testkit.Text(name)).Addr
		listeners = append(listeners, sidecar.Backend(name, uint16(8080+i), sidecar.Route(sidecar.Cluster(name, addr))))
	}
	s := sidecar.Start(t, sidecar.Mesh(listeners...))
	c := webClient(t, 2, s.Egress)
	done := make(chan string, 80)
	for i := range cap(done) {
		go func() {
			name := fmt.Sprintf("SVC%d.local", i%5)
			got := fetch(t, c, "GET", "http://"+name+"/", nil)
			want := strings.ToLower(name)
			if i%5 == 4 {
				want = ""
			}
			if got.body != want || (got.StatusCode == 404) != (want == "") {
				done <- fmt.Sprintf("%s got %d %q", name, got.StatusCode, got.body)
				return
			}
			done <- ""
		}()
	}
	for range cap(done) {
		if wrong := testkit.Wait(t, "an answer", done); wrong != "" {
			t.Error(wrong)
		}
	}
	s.Counts(map[string]uint64{"http.egress.no_route": 16})
}

func TestAnHTTP2StreamCarriesNoTunnel(t *testing.T) {
	s := startApp(t, testkit.NewApp(t))
	f := newFramer(t, s.Egress)
	stream := f.request(false, ":method", "CONNECT", ":authority", "svc:8080")
	if got := f.head(stream); got.PseudoValue("status") != "403" {
		t.Errorf("got %v", got)
	}
	if r := s.Records.Next(t); r.Code != 403 || r.Details != "upgrade_failed" || r.Method != "CONNECT" {
		t.Errorf("record %+v", r)
	}
}

func TestAMalformedRequestLosesItsStreamAlone(t *testing.T) {
	app, arrived, gate := gated(t)
	s := startApp(t, app)
	f := newFramer(t, s.Egress)
	good := f.get("/good")
	testkit.Wait(t, "the good request", arrived)
	for what, fields := range map[string][]string{
		"an upper-case name":     {":method", "GET", ":scheme", "http", ":path", "/", ":authority", "svc", "X-Name", "v"},
		"a line break":           {":method", "GET", ":scheme", "http", ":path", "/", ":authority", "svc", "x", "a\r\nb"},
		"no path":                {":method", "GET", ":scheme", "http", ":authority", "svc"},
		"a connection field":     {":method", "GET", ":scheme", "http", ":path", "/", ":authority", "svc", "connection", "close"},
		"an unknown pseudo one":  {":method", "GET", ":scheme", "http", ":path", "/", ":authority", "svc", ":x", "v"},
		"a blank in the method":  {":method", "GET /", ":scheme", "http", ":path", "/", ":authority", "svc"},
		"a name with a blank":    {":method", "GET", ":scheme", "http", ":path", "/", ":authority", "svc", "a b", "v"},
		"a length without data":  {":method", "POST", ":scheme", "http", ":path", "/", ":authority", "svc", "content-length", "5"},
		"te other than trailers": {":method", "GET", ":scheme", "http", ":path", "/", ":authority", "svc", "te", "gzip"},
	} {
		stream := f.request(true, fields...)
		if got := f.reset(stream); got.ErrCode != http2.ErrCodeProtocol {
			t.Errorf("%s: reset by %v", what, got.ErrCode)
		}
		if r := s.Records.Next(t); r.Code != 0 || r.Flags != "DPE" || r.Details == "" {
			t.Errorf("%s: record %+v", what, r)
		}
	}
	gate <- struct{}{}
	if got := f.head(good).PseudoValue("status"); got != "200" {
		t.Errorf("the good stream got %q", got)
	}
	if app.Calls() != 1 {
		t.Errorf("%d requests reached the app", app.Calls())
	}
	s.Counts(map[string]uint64{"http.egress.downstream_rq_rx_reset": 9, "http.egress.downstream_cx_protocol_error": 0})
}

// A body that is longer or shorter than it said never looks whole upstream.
func TestABodyThatDisagreesWithItsLengthIsCut(t *testing.T) {
	for what, data := range map[string]string{"shorter": "1234", "longer": "123456"} {
		t.Run(what, func(t *testing.T) {
			ended := make(chan error, 2)
			s := startWeb(t, 2, func(w http.ResponseWriter, r *http.Request) {
				_, err := io.ReadAll(r.Body)
				ended <- err
			})
			f := newFramer(t, s.Egress)
			stream := f.request(false, ":method", "POST", ":scheme", "http", ":path", "/", ":authority", "svc", "content-length", "5", "x-pad", "y")
			f.WriteData(stream, false, []byte("1"))
			f.WriteData(stream, true, []byte(data[1:]))
			f.reset(stream)
			select {
			case err := <-ended:
				if err == nil {
					t.Error("the app took it for whole")
				}
			default: // it never got that far
			}
			if r := s.Records.Next(t); r.Flags != "DPE" || r.Code != 0 {
				t.Errorf("record %+v", r)
			}
		})
	}
}

func TestABreachEndsTheConnectionWithALineInTheLog(t *testing.T) {
	s := startApp(t, testkit.NewApp(t))
	f := newFramer(t, s.Egress)
	f.WriteRawFrame(http2.FrameHeaders, 0, 0, nil) // on stream 0
	if got := f.goAway(); got.ErrCode != http2.ErrCodeProtocol {
		t.Errorf("GOAWAY %v", got.ErrCode)
	}
	f.over()
	if r := s.Records.Next(t); r.Flags != "DPE" || r.Code != 0 || r.Method != "" || r.Details == "" {
		t.Errorf("record %+v", r)
	}
	s.Counts(map[string]uint64{"http.egress.downstream_cx_protocol_error": 1, "http.egress.downstream_rq_total": 0})
	testkit.Eventually(t, "no connection", func() bool { return s.Gauge("http.egress.downstream_cx_http2_active") == 0 })
}

func TestABreachCutsTheStreamsUnderWay(t *testing.T) {
	arrived, gone := make(chan struct{}, 1), make(chan error, 1)
	s := startApp(t, testkit.NewApp(t, testkit.Announce(arrived, testkit.HangUntilGone(gone))))
	f := newFramer(t, s.Egress)
	f.get("/cut")
	testkit.Wait(t, "the request upstream", arrived)
	f.WriteRawFrame(http2.FramePing, 0, 0, []byte("short"))
	if got := f.goAway(); got.ErrCode != http2.ErrCodeFrameSize {
		t.Errorf("GOAWAY %v", got.ErrCode)
	}
	testkit.Wait(t, "the request cancelled upstream", gone)
	if r := s.Records.Next(t); r.Flags != "DPE" || r.Path != "/cut" || r.Code != 0 || r.Details == "" {
		t.Errorf("record %+v", r)
	}
	s.Counts(map[string]uint64{"http.egress.downstream_cx_protocol_error": 1, "http.egress.downstream_rq_rx_reset": 1})
}

func TestRapidResetsEndTheConnection(t *testing.T) {
	s := startApp(t, testkit.NewApp(t, testkit.Hang))
	s.Server.HTTP2.Limits.PrematureResetMinStreamLifetime = time.Hour // however slow the machine is
	f := newFramer(t, s.Egress)
	for range 600 {
		if f.WriteRSTStream(f.get("/"), http2.ErrCodeCancel) != nil {
			break
		}
	}
	if got := f.goAway(); got.ErrCode != http2.ErrCodeEnhanceYourCalm {
		t.Errorf("GOAWAY %v", got.ErrCode)
	}
	f.over()
	f.conn.Close()
	s.Counts(map[string]uint64{"http.egress.downstream_rq_too_many_premature_resets": 1, "http.egress.downstream_cx_protocol_error": 1})
	testkit.Eventually(t, "nothing under way", func() bool {
		return s.Gauge("http.egress.downstream_rq_active") == 0 && s.Gauge("cluster.c.upstream_rq_active") == 0
	})
}

// A client that closes its connection cancels everything on it.
func TestAClientThatClosesCancelsItsStreams(t *testing.T) {
	gone := make(chan error, 3)
	arrived := make(chan struct{}, 3)
	s := startApp(t, testkit.NewApp(t, testkit.Announce(arrived, testkit.HangUntilGone(gone))))
	f := newFramer(t, s.Egress)
	for range 3 {
		f.get("/")
	}
	for range 3 {
		testkit.Wait(t, "a request upstream", arrived)
	}
	f.conn.Close()
	for range 3 {
		testkit.Wait(t, "a request cancelled upstream", gone)
		if r := s.Records.Next(t); r.Flags != "DC" || r.Details != "downstream_remote_disconnect" || r.Code != 0 {
			t.Errorf("record %+v", r)
		}
	}
	s.Counts(map[string]uint64{"http.egress.downstream_cx_destroy_remote_active_rq": 1, "http.egress.downstream_rq_rx_reset": 3})
}

func TestAGRPCRequestGetsItsFailuresAsAStatus(t *testing.T) {
	refused := testkit.Refused(t)
	s := start(t, sidecar.Route(sidecar.Cluster("c", refused)))
	for client := 1; client <= 2; client++ {
		c := webClient(t, client, s.Egress)
		for host, code := range map[string]string{"svc": "14", "nobody": "12"} {
			got := fetch(t, c, "POST", "http://"+host+"/pkg.Service/Method", strings.NewReader("x"), "content-type", "application/grpc", "te", "trailers")
			h := got.Header
			if got.StatusCode != 200 || h.Get("content-type") != "application/grpc" || h.Get("grpc-status") != code || got.body != "" ||
				h.Get("server") != "envoy" || (code == "14") != strings.HasPrefix(h.Get("grpc-message"), "upstream connect error") {
				t.Errorf("h%d %s: %d %v %q", client, host, got.StatusCode, h, got.body)
			}
			if client == 2 && (len(got.Trailer) > 0 || h.Get("content-length") != "") {
				t.Errorf("not of trailers only: %v, %v", h, got.Trailer)
			}
			if r := s.Records.Next(t); r.Code != 200 || r.Flags != map[string]string{"14": "URX,UF", "12": "NR"}[code] {
				t.Errorf("record %+v", r)
			}
		}
	}
}

func TestTrailersOnlyEndsTheStreamWithItsHead(t *testing.T) {
	s := startApp(t, testkit.NewApp(t))
	f := newFramer(t, s.Egress)
	stream := f.request(true, ":method", "POST", ":scheme", "http", ":path", "/a.B/C", ":authority", "nobody", "content-type", "application/grpc")
	if got := f.head(stream); !got.StreamEnded() || value(got, "grpc-status") != "12" {
		t.Errorf("got %v, ended %v", got, got.StreamEnded())
	}
}

func value(h *http2.MetaHeadersFrame, name string) string {
	for _, f := range h.Fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// Cookies come in crumbs (RFC 9113 8.2.3), which are one field before anybody
// looks at it.
func TestCookieCrumbsAreJoined(t *testing.T) {
	app := testkit.NewApp(t)
	s := startApp(t, app)
	f := newFramer(t, s.Egress)
	f.head(f.get("/", "cookie", "a=1", "x", "y", "cookie", "b=2", "cookie", "c=3"))
	if got := app.Seen()[0].Header.Values("cookie"); len(got) != 1 || got[0] != "a=1; b=2; c=3" {
		t.Errorf("the app saw %q", got)
	}
}

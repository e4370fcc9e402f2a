package proxy_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/outrider-mesh/outrider/internal/testkit"
)

// bridges runs a test for each pair of client and app.
func bridges(t *testing.T, test func(t *testing.T, client, app int)) {
	for client := 1; client <= 2; client++ {
		for app := 1; app <= 2; app++ {
			t.Run(fmt.Sprintf("h%d to h%d", client, app), func(t *testing.T) { test(t, client, app) })
		}
	}
}

func TestARequestAndItsResponseCrossEveryBridge(t *testing.T) {
	bridges(t, func(t *testing.T, client, app int) {
		s := startWeb(t, app, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			for _, tt := range []struct{ what, got, want string }{
				{"method", r.Method, "POST"}, {"target", r.RequestURI, "/a/b?c=d"}, {"host", r.Host, "svc"}, {"body", string(body), "question"},
				{"version", r.Proto, map[int]string{1: "HTTP/1.1", 2: "HTTP/2.0"}[app]}, {"a field", r.Header.Get("x-name"), "value"},
				{"cookie", r.Header.Get("cookie"), "a=1; b=2"}, {"scheme", r.Header.Get("x-forwarded-proto"), "http"},
				{"te", r.Header.Get("te"), "trailers"}, {"trailer", r.Trailer.Get("x-sum"), "42"},
			} {
				if tt.got != tt.want {
					t.Errorf("%s: the app got %q, want %q", tt.what, tt.got, tt.want)
				}
			}
			if c := r.Header.Get("connection"); err != nil || c != "" && (app == 2 || c != "te") || r.Header.Get("keep-alive") != "" || len(r.Header.Get("x-request-id")) != 36 {
				t.Errorf("err %v, header %v", err, r.Header)
			}
			w.Header().Add("set-cookie", "x=1")
			w.Header().Add("set-cookie", "y=2")
			w.Header().Set("trailer", "x-end")
			w.WriteHeader(201)
			io.WriteString(w, "answer")
			w.(http.Flusher).Flush() // else a length is told, which leaves no room for a trailer on HTTP/1
			w.Header().Set("x-end", "done")
		})
		c := webClient(t, client, s.Egress)
		req, _ := http.NewRequestWithContext(t.Context(), "POST", "http://svc/a/b?c=d", io.MultiReader(strings.NewReader("ques"), strings.NewReader("tion")))
		req.Header = http.Header{"X-Name": {"value"}, "Cookie": {"a=1; b=2"}, "Te": {"trailers"}}
		req.Trailer = http.Header{"X-Sum": {"42"}}
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 201 || resp.ProtoMajor != client || string(body) != "answer" || err != nil || resp.Trailer.Get("x-end") != "done" {
			t.Errorf("got %s %d %q, %v, trailer %v", resp.Proto, resp.StatusCode, body, err, resp.Trailer)
		}
		h := resp.Header
		if got := h.Values("set-cookie"); len(got) != 2 || h.Get("server") != "envoy" || h.Get("connection") != "" || h.Get("date") == "" || h.Get("x-envoy-upstream-service-time") == "" {
			t.Errorf("header %v", h)
		}
		if r := s.Records.Next(t); r.Code != 201 || r.Path != "/a/b?c=d" || r.Authority != "svc" || r.Details != "via_upstream" || r.Flags != "" ||
			r.Received != 8 || r.Sent != 6 {
			t.Errorf("record %+v", r)
		}
		s.Counts(map[string]uint64{
			"http.egress.downstream_cx_total": 1, fmt.Sprintf("http.egress.downstream_cx_http%d_total", client): 1,
			"http.egress.downstream_rq_total": 1, fmt.Sprintf("http.egress.downstream_rq_http%d_total", client): 1,
			fmt.Sprintf("http.egress.downstream_rq_http%d_total", 3-client): 0,
			"http.egress.downstream_rq_2xx":                                 1, "http.egress.downstream_rq_completed": 1,
			"http.egress.downstream_rq_rx_reset": 0, "http.egress.downstream_rq_tx_reset": 0,
		})
	})
}

// A message of HTTP/2 may say how long its body is and have announced trailers
// behind it; on HTTP/1 it goes in chunks then.
func TestTrailersBehindALengthCrossEveryBridge(t *testing.T) {
	bridges(t, func(t *testing.T, client, app int) {
		s := startWeb(t, app, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if string(body) != "question" || err != nil || client == 2 && r.Trailer.Get("x-sum") != "42" {
				t.Errorf("the app got %q, %v, trailer %v", body, err, r.Trailer)
			}
			if chunks := client == 2 && app == 1; chunks != (r.ContentLength < 0) {
				t.Errorf("the app was told a length of %d", r.ContentLength)
			}
			w.Header().Set("trailer", "x-end")
			w.Header().Set("content-length", "6")
			io.WriteString(w, "answer")
			w.Header().Set("x-end", "done")
		})
		req, _ := http.NewRequestWithContext(t.Context(), "POST", "http://svc/", strings.NewReader("question"))
		if client == 2 { // with HTTP/1 net/http has one or the other
			req.Trailer = http.Header{"X-Sum": {"42"}}
		}
		c := webClient(t, client, s.Egress)
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(body) != "answer" || err != nil || app == 2 && resp.Trailer.Get("x-end") != "done" {
			t.Errorf("got %q, %v, trailer %v", body, err, resp.Trailer)
		}
		if chunks := client == 1 && app == 2; chunks != (resp.ContentLength < 0) {
			t.Errorf("a length of %d was told", resp.ContentLength)
		}
	})
}

func TestAnInformationalResponseCrossesEveryBridge(t *testing.T) {
	bridges(t, func(t *testing.T, client, app int) {
		s := startWeb(t, app, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("link", "</style.css>")
			w.WriteHeader(103)
			io.WriteString(w, "done")
		})
		var hints []string
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			hints = append(hints, fmt.Sprintf("%d %s", code, h.Get("link")))
			return nil
		}})
		req, _ := http.NewRequestWithContext(ctx, "GET", "http://svc/", nil)
		resp, err := webClient(t, client, s.Egress).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if body, err := io.ReadAll(resp.Body); string(body) != "done" || err != nil || fmt.Sprint(hints) != "[103 </style.css>]" {
			t.Errorf("got %q, %v after %q", body, err, hints)
		}
	})
}

func TestLargeBodiesCrossEveryBridgeAtTheSameTime(t *testing.T) {
	const size = 8 << 20
	bridges(t, func(t *testing.T, client, app int) {
		s := startWeb(t, app, func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).EnableFullDuplex()
			w.WriteHeader(200)
			io.Copy(w, r.Body)
		})
		sent := bytes.Repeat([]byte("0123456789abcdef"), size/16)
		got := fetch(t, webClient(t, client, s.Egress), "POST", "http://svc/echo", bytes.NewReader(sent))
		if got.err != nil || sha256.Sum256([]byte(got.body)) != sha256.Sum256(sent) {
			t.Errorf("got %d bytes of %d, %v", len(got.body), size, got.err)
		}
	})
}

func TestALargeUploadAndALargeDownloadCrossEveryBridge(t *testing.T) {
	const size = 4 << 20
	sent := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	bridges(t, func(t *testing.T, client, app int) {
		s := startWeb(t, app, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Write(body)
		})
		got := fetch(t, webClient(t, client, s.Egress), "PUT", "http://svc/", bytes.NewReader(sent))
		if got.err != nil || !bytes.Equal([]byte(got.body), sent) {
			t.Errorf("got %d bytes of %d, %v", len(got.body), size, got.err)
		}
		if r := s.Records.Next(t); r.Received != size || r.Sent != size {
			t.Errorf("record %+v", r)
		}
	})
}

func TestResponsesWithoutABodyCrossEveryBridge(t *testing.T) {
	bridges(t, func(t *testing.T, client, app int) {
		s := startWeb(t, app, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/head":
				w.Header().Set("content-length", "12")
			case "/204":
				w.WriteHeader(204)
			case "/304":
				w.Header().Set("etag", `"x"`)
				w.WriteHeader(304)
			}
		})
		c := webClient(t, client, s.Egress)
		for _, tt := range []struct {
			method, path string
			status       int
			length       string
		}{
			{"HEAD", "/head", 200, "12"}, {"GET", "/204", 204, ""}, {"GET", "/304", 304, ""}, {"GET", "/empty", 200, "0"},
		} {
			for range 2 { // the connections are good for another
				got := fetch(t, c, tt.method, "http://svc"+tt.path, nil)
				if got.StatusCode != tt.status || got.body != "" || got.err != nil || got.Header.Get("content-length") != tt.length {
					t.Errorf("%s %s: %d, %q, %v, %v", tt.method, tt.path, got.StatusCode, got.body, got.err, got.Header)
				}
			}
		}
		if n := s.Count("http.egress.downstream_cx_total"); n != 1 {
			t.Errorf("%d connections", n)
		}
	})
}

func TestAnEarlyResponseCrossesEveryBridge(t *testing.T) {
	bridges(t, func(t *testing.T, client, app int) {
		s := startWeb(t, app, func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).EnableFullDuplex() // else net/http reads the request first
			w.WriteHeader(413)
			io.WriteString(w, "too much")
		})
		if client == 1 {
			c := testkit.Dial(t, s.Egress)
			c.Send("POST / HTTP/1.1\r\nhost: svc\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n")
			if got := c.Receive("POST"); got.Status != 413 || got.Body != "too much" || !got.Close {
				t.Errorf("got %d %q, close %v", got.Status, got.Body, got.Close)
			}
		} else {
			f := newFramer(t, s.Egress)
			stream := f.request(false, ":method", "POST", ":scheme", "http", ":path", "/", ":authority", "svc")
			f.WriteData(stream, false, []byte("half"))
			if got := f.head(stream); got.PseudoValue("status") != "413" {
				t.Errorf("got %v", got)
			}
			if got := f.reset(stream); got.ErrCode != http2.ErrCodeNo { // RFC 9113 8.1
				t.Errorf("reset by %v", got.ErrCode)
			}
			s.Counts(map[string]uint64{"http.egress.downstream_rq_tx_reset": 1})
		}
		if r := s.Records.Next(t); r.Code != 413 {
			t.Errorf("record %+v", r)
		}
		s.Counts(map[string]uint64{"http.egress.downstream_rq_response_before_rq_complete": 1})
	})
}

// What an upstream cuts is never taken for the whole.
func TestAResponseThatIsCutIsNotTakenForTheWhole(t *testing.T) {
	bridges(t, func(t *testing.T, client, app int) {
		read := make(chan struct{})
		s := startWeb(t, app, func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "half")
			w.(http.Flusher).Flush()
			<-read
			panic(http.ErrAbortHandler)
		})
		req, _ := http.NewRequestWithContext(t.Context(), "GET", "http://svc/", nil)
		resp, err := webClient(t, client, s.Egress).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.ReadFull(resp.Body, make([]byte, 4)); err != nil {
			t.Fatal(err)
		}
		close(read)
		if rest, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("it ended well, by %q", rest)
		}
		flags := map[int]string{1: "UC", 2: "UR"}[app]
		details := map[int]string{1: "connection_termination", 2: "remote_reset"}[app]
		if r := s.Records.Next(t); r.Code != 200 || r.Flags != flags || r.Details != "upstream_reset_after_response_started{"+details+"}" {
			t.Errorf("record %+v, want flag %s, details of %s", r, flags, details)
		}
		if client == 2 {
			s.Counts(map[string]uint64{"http.egress.downstream_rq_tx_reset": 1})
		}
	})
}

func TestAClientThatCancelsCancelsUpstream(t *testing.T) {
	bridges(t, func(t *testing.T, client, app int) {
		arrived, gone := make(chan struct{}, 1), make(chan struct{}, 1)
		s := startWeb(t, app, func(w http.ResponseWriter, r *http.Request) {
			arrived <- struct{}{}
			<-r.Context().Done()
			gone <- struct{}{}
		})
		c := webClient(t, client, s.Egress)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, "GET", "http://svc/slow", nil)
		failed := make(chan error, 1)
		go func() {
			_, err := c.Do(req)
			failed <- err
		}()
		testkit.Wait(t, "the request upstream", arrived)
		cancel()
		if err := testkit.Wait(t, "the client's end", failed); err == nil {
			t.Error("no error")
		}
		testkit.Wait(t, "the request cancelled upstream", gone)
		r := s.Records.Next(t)
		want := map[int]string{1: "downstream_remote_disconnect", 2: "http2.remote_reset"}[client]
		if r.Code != 0 || r.Flags != "DC" || r.Details != want || r.Path != "/slow" {
			t.Errorf("record %+v, want details %q", r, want)
		}
		s.Counts(map[string]uint64{"http.egress.downstream_rq_rx_reset": 1, "cluster.c.upstream_rq_cancelled": 1})
	})
}

func TestAClientWithoutUpgradesNeverGets101(t *testing.T) {
	s := startApp(t, testkit.NewApp(t, testkit.Raw("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")))
	got := fetch(t, webClient(t, 2, s.Egress), "GET", "http://svc/", nil)
	if got.StatusCode != 502 {
		t.Errorf("got %d", got.StatusCode)
	}
	if r := s.Records.Next(t); r.Flags != "URX,UPE" {
		t.Errorf("record %+v", r)
	}
}

func TestCurlSpeaksHTTP2ByPriorKnowledge(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("left out: no curl on this machine")
	}
	if out, _ := exec.Command(curl, "--version").Output(); !bytes.Contains(out, []byte("nghttp2")) {
		t.Skip("left out: this curl does not speak HTTP/2")
	}
	for app := 1; app <= 2; app++ {
		s := startWeb(t, app, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
		out, err := exec.CommandContext(t.Context(), curl, "-sS", "-i", "--http2-prior-knowledge", "-H", "host: svc", "-d", "hello", "http://"+s.Egress.String()+"/").CombinedOutput()
		if err != nil || !bytes.HasPrefix(out, []byte("HTTP/2 200")) || !bytes.HasSuffix(out, []byte("\r\n\r\nhello")) {
			t.Errorf("app h%d: %v\n%s", app, err, out)
		}
	}
}

package proxy_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/internal/testkit/sidecar"
)

// protocols are those that net/http shall speak, in cleartext.
func protocols(version int) *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(version == 1)
	p.SetUnencryptedHTTP2(version == 2)
	return p
}

// webApp is an app made with net/http, which speaks one version.
func webApp(t testing.TB, version int, handle http.HandlerFunc) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: handle, Protocols: protocols(version)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Serve(l)
	}()
	t.Cleanup(func() {
		s.Close()
		<-done
	})
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// webCluster is cluster "c" of a webApp.
func webCluster(version int, app netip.AddrPort) *mesh.Cluster {
	c := sidecar.Cluster("c", app)
	if version == 2 {
		c.Protocol = mesh.HTTP2
	}
	return c
}

// startWeb starts a sidecar whose backend "svc" is a webApp.
func startWeb(t testing.TB, version int, handle http.HandlerFunc) *sidecar.Sidecar {
	t.Helper()
	return start(t, sidecar.Route(webCluster(version, webApp(t, version, handle))))
}

// webClient is a client made with net/http, which speaks one version and dials
// one address whatever it is asked for.
func webClient(t testing.TB, version int, addr netip.AddrPort) *http.Client {
	tr := &http.Transport{
		Protocols:          protocols(version),
		DisableCompression: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr.String())
		},
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: testkit.Patience}
}

// answer is a response that was read to its end.
type answer struct {
	*http.Response
	body string
	err  error
}

// fetch makes a request and reads the answer; fields are "name", "value".
func fetch(t testing.TB, c *http.Client, method, url string, body io.Reader, fields ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		req.Header.Add(fields[i], fields[i+1])
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp, string(b), err}
}

// framer is a connection of HTTP/2 that sends and sees every frame.
type framer struct {
	*http2.Framer
	conn net.Conn
	t    testing.TB
	out  bytes.Buffer
	enc  *hpack.Encoder
	next uint32
}

// newFramer connects and exchanges the first SETTINGS.
func newFramer(t testing.TB, addr netip.AddrPort) *framer {
	t.Helper()
	f := bareFramer(t, addr)
	io.WriteString(f.conn, http2.ClientPreface)
	f.WriteSettings()
	return f
}

// bareFramer connects and says nothing.
func bareFramer(t testing.TB, addr netip.AddrPort) *framer {
	t.Helper()
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(testkit.Patience))
	t.Cleanup(func() { c.Close() })
	f := &framer{Framer: http2.NewFramer(c, c), conn: c, t: t, next: 1}
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	f.AllowIllegalWrites = true
	f.enc = hpack.NewEncoder(&f.out)
	return f
}

// request opens a stream; fields are "name", "value". More is to come unless
// end.
func (f *framer) request(end bool, fields ...string) (stream uint32) {
	stream = f.next
	f.next += 2
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: f.block(fields...), EndStream: end, EndHeaders: true})
	return stream
}

// block encodes fields.
func (f *framer) block(fields ...string) []byte {
	f.out.Reset()
	for i := 0; i < len(fields); i += 2 {
		f.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return f.out.Bytes()
}

// get opens a stream with a GET request for svc.
func (f *framer) get(path string, fields ...string) uint32 {
	return f.request(true, append([]string{":method", "GET", ":scheme", "http", ":path", path, ":authority", "svc"}, fields...)...)
}

// until reads frames until one is what is waited for, and acknowledges what
// has to be.
func (f *framer) until(what string, is func(http2.Frame) bool) http2.Frame {
	f.t.Helper()
	for {
		fr, err := f.ReadFrame()
		if err != nil {
			f.t.Fatalf("waiting for %s: %v", what, err)
		}
		switch fr := fr.(type) {
		case *http2.SettingsFrame:
			if !fr.IsAck() {
				f.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !fr.IsAck() {
				f.WritePing(true, fr.Data)
			}
		}
		if is(fr) {
			return fr
		}
	}
}

// head waits for a stream's response head.
func (f *framer) head(stream uint32) *http2.MetaHeadersFrame {
	f.t.Helper()
	return f.until(fmt.Sprintf("HEADERS on %d", stream), func(fr http2.Frame) bool {
		_, ok := fr.(*http2.MetaHeadersFrame)
		return ok && fr.Header().StreamID == stream
	}).(*http2.MetaHeadersFrame)
}

// reset waits for a stream's RST_STREAM.
func (f *framer) reset(stream uint32) *http2.RSTStreamFrame {
	f.t.Helper()
	return f.until(fmt.Sprintf("RST_STREAM on %d", stream), func(fr http2.Frame) bool {
		_, ok := fr.(*http2.RSTStreamFrame)
		return ok && fr.Header().StreamID == stream
	}).(*http2.RSTStreamFrame)
}

// goAway waits for a GOAWAY.
func (f *framer) goAway() *http2.GoAwayFrame {
	f.t.Helper()
	return f.until("GOAWAY", func(fr http2.Frame) bool {
		_, ok := fr.(*http2.GoAwayFrame)
		return ok
	}).(*http2.GoAwayFrame)
}

// over waits until the connection ends.
func (f *framer) over() {
	f.t.Helper()
	for {
		if _, err := f.ReadFrame(); err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				f.t.Error("the connection did not end")
			}
			return
		}
	}
}

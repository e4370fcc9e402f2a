package h2_test

import (
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/proxy/l7/h2"
)

// wantError expects an *Error of the kind.
func wantError(t *testing.T, err error, want h2.Error) {
	t.Helper()
	var e *h2.Error
	if !errors.As(err, &e) {
		t.Errorf("failed with %v (%T), want an *Error", err, err)
		return
	}
	if e.Code != want.Code || e.Remote != want.Remote || e.Conn != want.Conn {
		t.Errorf("failed with %v (remote %v, connection %v): %v; want %v (%v, %v)",
			e.Code, e.Remote, e.Conn, e, want.Code, want.Remote, want.Conn)
	}
}

// TestAMalformedResponseIsResetAndItsNeighbourServed: RFC 9113 8.1.1.
func TestAMalformedResponseIsResetAndItsNeighbourServed(t *testing.T) {
	ok := []string{":status", "200"}
	head := func(end bool, fields ...string) func(p *peer) {
		return func(p *peer) { p.headers(1, end, fields...) }
	}
	for name, say := range map[string]func(p *peer){
		"no status":                     head(true, "a", "b"),
		"two statuses":                  head(true, ":status", "200", ":status", "200"),
		"a status of letters":           head(true, ":status", "abc"),
		"a status of two digits":        head(true, ":status", "20"),
		"a status of four digits":       head(true, ":status", "2000"),
		"a status below 100":            head(true, ":status", "099"),
		"101":                           head(false, ":status", "101"),
		"an informational that ends":    head(true, ":status", "103"),
		"a request's pseudo-header":     head(true, ":status", "200", ":path", "/"),
		"a pseudo-header after a field": head(true, "a", "b", ":status", "200"),
		"an upper-case name":            head(true, append(ok, "Name", "v")...),
		"a name with a space":           head(true, append(ok, "na me", "v")...),
		"a name with a colon":           head(true, append(ok, "na:me", "v")...),
		"a value with CRLF":             head(true, append(ok, "name", "a\r\nb: c")...),
		"a value with NUL":              head(true, append(ok, "name", "a\x00")...),
		"connection":                    head(true, append(ok, "connection", "close")...),
		"transfer-encoding":             head(true, append(ok, "transfer-encoding", "chunked")...),
		"content-length not a number":   head(true, append(ok, "content-length", "many")...),
		"two content-lengths":           head(true, append(ok, "content-length", "0", "content-length", "1")...),
		"content-length, no content":    head(true, append(ok, "content-length", "5")...),
		"content before the head":       func(p *peer) { p.data(1, true, []byte("x")) },
		"less than content-length": func(p *peer) {
			p.headers(1, false, append(ok, "content-length", "5")...)
			p.data(1, true, []byte("1234"))
		},
		"more than content-length": func(p *peer) {
			p.headers(1, false, append(ok, "content-length", "5")...)
			p.data(1, true, []byte("123456"))
		},
		"trailers with a pseudo-header": func(p *peer) {
			p.headers(1, false, ok...)
			p.headers(1, true, ":status", "200")
		},
		"trailers that end nothing": func(p *peer) {
			p.headers(1, false, ok...)
			p.headers(1, false, "a", "b")
		},
	} {
		t.Run(name, func(t *testing.T) {
			u := dialed(t)
			u.server.begin()
			bad := u.send()
			u.server.head(1)
			good := u.send()
			u.server.head(3)
			say(u.server)
			u.server.answer(3, "fine")
			wantError(t, bad.fails(), h2.Error{Code: http2.ErrCodeProtocol})
			good.ok()
			if h := u.server.reset(1, http2.ErrCodeProtocol); len(h.resets) != 1 {
				t.Errorf("reset with %v", h.resets)
			}
			if !u.Usable() {
				t.Error("the connection was given up")
			}
		})
	}
}

func TestAResponseIsReadIntoTheModel(t *testing.T) {
	u := dialed(t)
	u.server.begin()
	c := u.send("x-req", "1", "te", "trailers", "cookie", "a=b; c=d")
	asked := u.server.head(1)
	if asked.head[":method"] != "GET" || asked.head[":scheme"] != "http" || asked.head[":path"] != "/" ||
		asked.head[":authority"] != "backend" || asked.head["x-req"] != "1" || asked.head["te"] != "trailers" || !asked.ended {
		t.Errorf("asked %v, ended %v", asked.head, asked.ended)
	}
	if crumbs := asked.head["cookie"]; crumbs != "a=b; c=d" && crumbs != "a=b, c=d" {
		t.Errorf("cookie %q", crumbs)
	}
	u.server.headers(1, false, ":status", "100")
	u.server.headers(1, false, ":status", "103", "link", "x")
	u.server.headers(1, false, ":status", "200", "set-cookie", "a", "set-cookie", "b")
	u.server.data(1, false, []byte("body"))
	u.server.headers(1, true, "grpc-status", "0")
	u.server.flush()
	got := c.ok()
	if !slices.Equal(got.informed, []int{103}) {
		t.Errorf("informed by %v, want 103 (Envoy: 100 is not passed on)", got.informed)
	}
	if string(got.body) != "body" || len(got.header.Fields) != 2 {
		t.Errorf("body %q, fields %v", got.body, got.header.Fields)
	}
	if f := got.trailer.Lookup("grpc-status"); f == nil || string(f.Value) != "0" {
		t.Errorf("trailer %v", got.trailer.Fields)
	}
}

func TestARequestGoesOutByTheBook(t *testing.T) {
	u := dialed(t)
	u.server.begin()
	u.sends("POST", nil, "X-Mixed", "1", "Connection", "te, x-hop", "TE", "gzip, trailers", "Keep-Alive", "1",
		"Transfer-Encoding", "chunked", "Upgrade", "websocket", "Proxy-Connection", "1", "HTTP2-Settings", "AAA", "Host", "other")
	asked := u.server.head(1).head
	if asked["x-mixed"] != "1" || asked[":authority"] != "backend" {
		t.Errorf("asked %v", asked)
	}
	for _, name := range []string{"connection", "keep-alive", "transfer-encoding", "upgrade", "proxy-connection", "http2-settings", "host"} {
		if v, ok := asked[name]; ok {
			t.Errorf("%s: %s got out", name, v)
		}
	}
	if te, ok := asked["te"]; ok && te != "trailers" {
		t.Errorf("te: %s got out", te)
	}
	u.server.answer(1, "")
}

func TestTrailersOnlyResponsesAndResponsesWithoutContent(t *testing.T) {
	u := dialed(t)
	u.server.begin()
	c := u.send()
	u.server.head(1)
	u.server.headers(1, true, ":status", "200", "grpc-status", "5")
	u.server.flush()
	if got := c.ok(); got.header.Lookup("grpc-status") == nil || len(got.body) != 0 {
		t.Errorf("fields %v, body %q", got.header.Fields, got.body)
	}
	c = u.sends("HEAD", nil)
	u.server.head(3)
	u.server.headers(3, true, ":status", "200", "content-length", "1234")
	u.server.flush()
	c.ok()
	c = u.send()
	u.server.head(5)
	u.server.headers(5, false, ":status", "304", "content-length", "1234")
	u.server.data(5, true, nil)
	u.server.flush()
	if got := c.wait(); got.status != 304 || got.err != nil || got.bodyErr != nil {
		t.Errorf("304: %+v", got)
	}
}

func TestRequestBodiesGoOutWholeOrAsTheyCome(t *testing.T) {
	u := dialed(t)
	u.server.begin()
	st := u.Open()
	whole := newCall(t, st, "POST", nil, "content-length", "11")
	whole.out.Whole = []byte("hello whole")
	close(whole.goOn)
	go whole.run()
	if h := u.server.await(1); string(h.data) != "hello whole" || h.head["content-length"] != "11" {
		t.Errorf("%v, body %q", h.head, h.data)
	}
	u.server.answer(1, "")
	whole.ok()

	body := newSlow()
	c := u.sends("POST", body)
	u.server.head(3)
	for _, part := range []string{"one", "two"} {
		body.parts <- part
		u.server.until(part, func() bool { return strings.HasSuffix(string(u.server.stream(3).data), part) })
	}
	add(&body.trailer, "t", "v")
	close(body.parts)
	if h := u.server.await(3); h.trailer["t"] != "v" {
		t.Errorf("trailer %v", h.trailer)
	}
	u.server.answer(3, "")
	c.ok()
}

// TestAnEarlyAnswerStopsTheRequest: RFC 9113 8.1: RST_STREAM (NO_ERROR) after a
// whole response is no failure.
func TestAnEarlyAnswerStopsTheRequest(t *testing.T) {
	u := dialed(t)
	u.server.begin()
	c := u.sends("POST", newSlow())
	u.server.head(1)
	u.server.answer(1, "enough")
	u.server.WriteRSTStream(1, http2.ErrCodeNo)
	u.server.flush()
	if got := c.ok(); string(got.body) != "enough" {
		t.Errorf("body %q", got.body)
	}
	c = u.send()
	u.server.head(3)
	u.server.answer(3, "")
	c.ok()
}

func TestARequestBodyThatBreaksOffIsReset(t *testing.T) {
	u := dialed(t)
	u.server.begin()
	c := u.sends("POST", &source{size: 5, fails: errors.New("client broke")})
	u.server.until("a reset", func() bool { return len(u.server.stream(1).resets) > 0 })
	if u.server.stream(1).ended {
		t.Error("the server took it for the whole")
	}
	c.fails()
}

func TestWhoBrokeIsKnown(t *testing.T) {
	u := dialed(t)
	u.server.begin()
	st := u.Open()
	c := newCall(t, st, "POST", &source{size: 5, fails: errors.New("client broke")})
	st.ReadBy(within())
	_, err := st.Send(&c.out)
	if err == nil || !st.BodyBroke() {
		t.Errorf("error %v, BodyBroke %v", err, st.BodyBroke())
	}
	st.Finish()

	st = u.Open()
	c = newCall(t, st, "POST", &source{size: 5})
	st.ReadBy(within())
	go func() { c.got.wrote, c.got.err = st.Send(&c.out); c.done <- c.got }()
	u.server.await(3)
	u.server.answer(3, "")
	if got := c.wait(); got.err != nil || !got.wrote {
		t.Errorf("wrote %v, error %v", got.wrote, got.err)
	}
	if err := st.ReadResponse(c.ex); err != nil {
		t.Error(err)
	}
	if n, whole := st.Sent(); n != 5 || !whole {
		t.Errorf("%d bytes sent, whole %v", n, whole)
	}
	if n := st.Finish(); n != 5 {
		t.Errorf("Finish counts %d bytes", n)
	}
}

func TestAClientStreamCanBeCanceledAndTimesOut(t *testing.T) {
	u := dialed(t)
	u.server.begin()
	st := u.Open()
	c := newCall(t, st, "GET", nil)
	ex := c.ex
	peer := new(l7.Peer)
	ex.Peer = peer
	st.Watch(peer.Gone())
	go func() { c.got.wrote, c.got.err = st.Send(&c.out); c.done <- c.got }()
	u.server.head(1)
	peer.Leave()
	st.Wake()
	if got := c.wait(); !errors.Is(got.err, sock.ErrCanceled) || !got.wrote {
		t.Errorf("wrote %v, error %v", got.wrote, got.err)
	}
	st.Finish()
	u.server.reset(1, http2.ErrCodeCancel)

	st = u.Open()
	c = newCall(t, st, "GET", nil)
	st.ReadBy(sock.Now() + 1)
	if _, err := st.Send(&c.out); !errors.Is(err, sock.ErrTimeout) {
		t.Errorf("error %v, want a timeout", err)
	}
	st.Finish()
	u.server.reset(3, http2.ErrCodeCancel)
	c = u.send()
	u.server.head(5)
	u.server.answer(5, "still here")
	c.ok()
}

func TestAResponseThatEndsWithTheConnectionIsCutOff(t *testing.T) {
	u := dialed(t)
	u.server.begin()
	c := u.send()
	u.server.head(1)
	none := u.send()
	u.server.head(3)
	u.server.headers(1, false, ":status", "200")
	u.server.data(1, false, []byte("half"))
	u.server.flush()
	testkit.Wait(t, "a head", c.headed)
	u.server.conn.(*net.TCPConn).CloseWrite()
	if got := c.wait(); got.err != nil || got.bodyErr == nil {
		t.Errorf("error %v, body error %v", got.err, got.bodyErr)
	}
	if err := none.fails(); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v, want an EOF", err)
	}
	testkit.Wait(t, "the end of the client", u.Done())
	if u.Usable() || u.Open() != nil || u.changes.Load() == 0 {
		t.Errorf("usable %v, %d changes", u.Usable(), u.changes.Load())
	}
}

// TestAServerMayGiveCreditForEveryStream: streams opened count for the allowance
// on this side, too.
func TestAServerMayGiveCreditForEveryStream(t *testing.T) {
	u := dialed(t)
	u.server.begin()
	for id := uint32(1); id < 200; id += 2 {
		c := u.send()
		u.server.head(id)
		u.server.WriteWindowUpdate(id, 1)
		u.server.WriteWindowUpdate(0, 1)
		u.server.answer(id, "")
		c.ok()
	}
}

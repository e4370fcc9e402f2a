package h2_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// TestAMalformedRequestIsResetAndItsNeighbourServed: RFC 9113 8.1.1.
func TestAMalformedRequestIsResetAndItsNeighbourServed(t *testing.T) {
	s := serve(t, echo)
	for name, fields := range map[string][]string{
		"no method":                     {":scheme", "http", ":path", "/", ":authority", "b"},
		"no scheme":                     {":method", "GET", ":path", "/", ":authority", "b"},
		"no path":                       {":method", "GET", ":scheme", "http", ":authority", "b"},
		"an empty path":                 {":method", "GET", ":scheme", "http", ":path", "", ":authority", "b"},
		"two methods":                   get(":method", "GET"),
		"two paths":                     get(":path", "/"),
		"two schemes":                   get(":scheme", "http"),
		"two authorities":               get(":authority", "other"),
		"an unknown pseudo-header":      get(":foo", "bar"),
		"a response's pseudo-header":    get(":status", "200"),
		"a pseudo-header after a field": {":method", "GET", ":scheme", "http", "a", "b", ":path", "/"},
		"CONNECT with a path":           request("CONNECT"),
		"CONNECT without authority":     {":method", "CONNECT"},
		"an upper-case name":            get("X-Name", "v"),
		"an upper-case letter":          get("namE", "v"),
		"a name with a space":           get("na me", "v"),
		"a name with a colon":           get("na:me", "v"),
		"a name with a control":         get("na\x01me", "v"),
		"a name with CR":                get("na\rme", "v"),
		"a name beyond ASCII":           get("n\xc3\xa4me", "v"),
		"an empty name":                 get("", "v"),
		"a value with CR":               get("name", "a\rb"),
		"a value with LF":               get("name", "a\nb"),
		"a value with CRLF":             get("name", "a\r\ninjected: 1"),
		"a value with NUL":              get("name", "a\x00b"),
		"a path with CRLF":              {":method", "GET", ":scheme", "http", ":path", "/ HTTP/1.1\r\nx: y", ":authority", "b"},
		"a path with a space":           {":method", "GET", ":scheme", "http", ":path", "/a b", ":authority", "b"},
		"a method with a space":         {":method", "GE T", ":scheme", "http", ":path", "/", ":authority", "b"},
		"a method with CRLF":            {":method", "GET\r\n", ":scheme", "http", ":path", "/", ":authority", "b"},
		"an authority with CR":          {":method", "GET", ":scheme", "http", ":path", "/", ":authority", "b\r"},
		"connection":                    get("connection", "keep-alive"),
		"keep-alive":                    get("keep-alive", "timeout=5"),
		"proxy-connection":              get("proxy-connection", "keep-alive"),
		"transfer-encoding":             get("transfer-encoding", "chunked"),
		"upgrade":                       get("upgrade", "websocket"),
		"te other than trailers":        get("te", "gzip"),
		"te trailers and more":          get("te", "trailers, gzip"),
		"content-length not a number":   get("content-length", "x"),
		"content-length negative":       get("content-length", "-1"),
		"content-length signed":         get("content-length", "+0"),
		"content-length too large":      get("content-length", "99999999999999999999"),
		"two content-lengths":           get("content-length", "0", "content-length", "1"),
		"content-length, no content":    get("content-length", "5"),
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			p := s.connect()
			p.headers(1, true, fields...)
			p.get(3)
			p.reset(1, http2.ErrCodeProtocol)
			p.ok(3, "200")
			if p.stream(1).head != nil {
				t.Error("it was answered too")
			}
			p.conn.Close()
		})
	}
}

// TestABodyThatIsNotWhatItsHeadSaidIsReset: RFC 9113 8.1.1, 8.1.
func TestABodyThatIsNotWhatItsHeadSaidIsReset(t *testing.T) {
	s := serve(t, echo)
	for name, say := range map[string]func(p *peer){
		"less than content-length": func(p *peer) {
			p.headers(1, false, post("content-length", "5")...)
			p.data(1, true, []byte("1234"))
		},
		"more than content-length": func(p *peer) {
			p.headers(1, false, post("content-length", "5")...)
			p.data(1, false, []byte("123456"))
		},
		"more than content-length, in pieces": func(p *peer) {
			p.headers(1, false, post("content-length", "5")...)
			p.data(1, false, []byte("123"))
			p.data(1, true, []byte("456"))
		},
		"trailers before content-length was reached": func(p *peer) {
			p.headers(1, false, post("content-length", "5")...)
			p.data(1, false, []byte("123"))
			p.headers(1, true, "a", "b")
		},
		"trailers with a pseudo-header": func(p *peer) {
			p.post(1)
			p.headers(1, true, ":method", "GET")
		},
		"trailers with an upper-case name": func(p *peer) {
			p.post(1)
			p.headers(1, true, "A", "b")
		},
		"trailers with a connection field": func(p *peer) {
			p.post(1)
			p.headers(1, true, "connection", "close")
		},
		"trailers with LF": func(p *peer) {
			p.post(1)
			p.headers(1, true, "a", "b\nc")
		},
		"trailers that end nothing": func(p *peer) {
			p.post(1)
			p.headers(1, false, "a", "b")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			p := s.connect()
			say(p)
			p.reset(1, http2.ErrCodeProtocol)
			p.get(3)
			p.ok(3, "200")
			if len(p.stream(1).resets) != 1 || p.stream(1).head != nil {
				t.Errorf("stream 1: %d resets, answer %v", len(p.stream(1).resets), p.stream(1).head)
			}
			p.conn.Close()
		})
	}
}

func TestARequestIsReadIntoTheModel(t *testing.T) {
	type seen struct {
		req            l7.Request
		names, cookies string
		method, target string
		auth, scheme   string
	}
	requests := make(chan seen, 1)
	s := serve(t, func(ex *l7.Exchange) error {
		r := &ex.Request
		v := seen{req: *r, method: string(r.Method), target: string(r.Target), auth: string(r.Authority), scheme: string(r.Scheme)}
		for _, f := range r.Header.Fields {
			if f.Name != nil {
				v.names += string(f.Name) + " "
			}
		}
		if c := r.Header.Lookup("cookie"); c != nil {
			v.cookies = string(c.Value)
		}
		requests <- v
		return echo(ex)
	})
	ask := func(fields ...string) seen {
		p := s.connect()
		p.headers(1, true, fields...)
		p.ok(1, "200")
		return <-requests
	}

	v := ask(":method", "OPTIONS", ":scheme", "https", ":path", "/a?b=c", ":authority", "shop:80",
		"cookie", "a=b", "x-one", "1", "cookie", "c=d", "te", "trailers", "cookie", "e=f")
	if v.method != "OPTIONS" || v.target != "/a?b=c" || v.auth != "shop:80" || v.scheme != "https" || v.req.Version != l7.HTTP2 {
		t.Errorf("read as %+v", v)
	}
	if v.cookies != "a=b; c=d; e=f" || strings.Count(v.names, "cookie") != 1 {
		t.Errorf("cookies %q in fields %q", v.cookies, v.names)
	}
	if strings.Contains(v.names, ":") || !strings.Contains(v.names, "x-one") {
		t.Errorf("fields %q", v.names)
	}

	if v = ask(":method", "OPTIONS", ":scheme", "http", ":path", "*", ":authority", "b"); v.target != "*" {
		t.Errorf("target %q", v.target)
	}
	if v = ask(":method", "GET", ":scheme", "http", ":path", "/", "host", "from-host"); v.auth != "from-host" || strings.Contains(v.names, "host") {
		t.Errorf("authority %q, fields %q", v.auth, v.names)
	}
	if v = ask(":method", "CONNECT", ":authority", "shop:443"); !v.req.IsConnect() || v.target != "" || v.auth != "shop:443" {
		t.Errorf("CONNECT was read as %+v", v)
	}
}

func TestBodiesAndTrailersPass(t *testing.T) {
	s := serve(t, echo)
	p := s.connect()
	for i, n := range []int{0, 1, 16 << 10, 40 << 10} {
		id := uint32(2*i + 1)
		p.post(id)
		p.data(id, true, bytes.Repeat([]byte("x"), n))
		if h := p.ok(id, "200"); len(h.data) != n || h.trailer != nil {
			t.Errorf("%d bytes came back as %d, trailer %v", n, len(h.data), h.trailer)
		}
	}
	p.post(11)
	p.data(11, false, []byte("body"))
	p.headers(11, true, "grpc-status", "0", "x-y", "z")
	if h := p.ok(11, "200"); string(h.data) != "body" || h.trailer["grpc-status"] != "0" || h.trailer["x-y"] != "z" {
		t.Errorf("%q, trailer %v", h.data, h.trailer)
	}
}

func TestFramesOfEveryShapeMakeOneMessage(t *testing.T) {
	s := serve(t, echo)
	p := s.connect()
	block := bytes.Clone(p.encode(post("x-long", strings.Repeat("v", 300))...))
	p.WriteRawFrame(0xbe, 0xff, 0, []byte("unknown"))
	p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:1], PadLength: 7,
		Priority: http2.PriorityParam{StreamDep: 3, Weight: 9}})
	p.WriteContinuation(1, false, block[1:100])
	p.WriteContinuation(1, false, nil)
	p.WriteContinuation(1, true, block[100:])
	p.WriteRawFrame(0xbe, 0, 1, []byte("unknown"))
	p.WriteDataPadded(1, false, []byte("pad"), make([]byte, 255))
	p.WritePriority(1, http2.PriorityParam{StreamDep: 5})
	p.WriteData(1, false, nil)
	p.WriteDataPadded(1, true, []byte("ded"), []byte{})
	if h := p.ok(1, "200"); string(h.data) != "padded" {
		t.Errorf("echoed %q", h.data)
	}
}

func TestResponsesWithoutContent(t *testing.T) {
	for name, c := range map[string]struct {
		method, status string
		code           int
	}{"HEAD": {"HEAD", "200", 200}, "204": {"GET", "204", 204}, "304": {"GET", "304", 304}} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(ex *l7.Exchange) error {
				ex.Response.Status = c.code
				ex.Response.Body = l7.Empty
				if c.code != 204 {
					add(&ex.Response.Header, "content-length", "1234")
				}
				return nil
			})
			p := s.connect()
			p.headers(1, true, request(c.method)...)
			if h := p.ok(1, c.status); len(h.data) != 0 || c.code != 204 && h.head["content-length"] != "1234" {
				t.Errorf("%v with %d bytes", h.head, len(h.data))
			}
		})
	}
}

func TestAResponseIsWrittenByTheBook(t *testing.T) {
	s := serve(t, func(ex *l7.Exchange) error {
		ex.Response.Status = 103
		add(&ex.Response.Header, "link", "</style.css>")
		if err := ex.Informer.Inform(ex); err != nil {
			return err
		}
		ex.Response.Header.Reset()
		ex.Response.Status = 200
		ex.Response.Body = l7.NewBytes([]byte("body"))
		add(&ex.Response.Header, "X-Mixed-Case", "1", "Connection", "close, x-hop", "x-hop", "1", "Keep-Alive", "timeout=1",
			"Transfer-Encoding", "chunked", "Upgrade", "h2c", "Proxy-Connection", "close", "set-cookie", "a=b", "set-cookie", "c=d")
		return nil
	})
	p := s.connect()
	p.get(1)
	h := p.ok(1, "200")
	if len(h.informed) != 1 || h.informed[0] != "103" {
		t.Errorf("informed by %v", h.informed)
	}
	if h.head["x-mixed-case"] != "1" || h.head["set-cookie"] != "a=b, c=d" || string(h.data) != "body" {
		t.Errorf("head %v, body %q", h.head, h.data)
	}
	for _, name := range []string{"connection", "keep-alive", "transfer-encoding", "upgrade", "proxy-connection"} {
		if v, ok := h.head[name]; ok {
			t.Errorf("%s: %s got out", name, v)
		}
	}
}

func TestTrailersOnlyIsOneFrame(t *testing.T) {
	s := serve(t, func(ex *l7.Exchange) error {
		ex.Response.Status, ex.Response.Body = 200, l7.Empty
		add(&ex.Response.Header, "content-type", "application/grpc", "grpc-status", "12")
		return nil
	})
	p := s.connect()
	p.get(1)
	if h := p.ok(1, "200"); h.trailer != nil || len(h.data) != 0 || h.head["grpc-status"] != "12" {
		t.Errorf("head %v, trailer %v, %d bytes", h.head, h.trailer, len(h.data))
	}
}

// TestAnAnswerBeforeTheEndOfTheRequestEndsIt: RFC 9113 8.1.
func TestAnAnswerBeforeTheEndOfTheRequestEndsIt(t *testing.T) {
	s := serve(t, answers("no, thank you"))
	p := s.connect()
	p.post(1)
	if h := p.ok(1, "200"); string(h.data) != "no, thank you" {
		t.Errorf("answered %q", h.data)
	}
	p.reset(1, http2.ErrCodeNo)
	// What was under way meanwhile is nobody's fault, and costs no window.
	p.data(1, false, zeros[:16<<10])
	p.get(3)
	p.ok(3, "200")
	p.sync()
	if left := 65535 + p.granted[0] - p.sent[0]; left < 65535 {
		t.Errorf("%d bytes are left of the connection's window", left)
	}
}

func TestAHalfClosedStreamIsAnswered(t *testing.T) {
	body := newSlow()
	s := serve(t, func(ex *l7.Exchange) error {
		if _, _, err := readAll(ex.Request.Body); err != nil {
			return err
		}
		ex.Response.Status, ex.Response.Body = 200, body
		return nil
	})
	p := s.connect()
	p.post(1)
	p.data(1, true, []byte("all of it"))
	p.head(1)
	for _, part := range []string{"one", "two"} {
		body.parts <- part
		p.until(part, func() bool { return strings.HasSuffix(string(p.stream(1).data), part) })
	}
	close(body.parts)
	p.ok(1, "200")
}

// TestBothDirectionsFlowAtOnce is a bidirectional stream: each part is answered
// before the next is sent.
func TestBothDirectionsFlowAtOnce(t *testing.T) {
	s := serve(t, func(ex *l7.Exchange) error {
		ex.Response.Status, ex.Response.Body = 200, ex.Request.Body
		return nil
	})
	p := s.connect()
	p.post(1)
	p.head(1)
	for _, part := range []string{"ping", "pong", "pung"} {
		p.data(1, false, []byte(part))
		p.until(part, func() bool { return strings.HasSuffix(string(p.stream(1).data), part) })
	}
	p.headers(1, true, "t", "v")
	if h := p.ok(1, "200"); h.trailer["t"] != "v" {
		t.Errorf("trailer %v", h.trailer)
	}
}

func TestABodyThatBreaksOffIsReset(t *testing.T) {
	s := serve(t, func(ex *l7.Exchange) error {
		ex.Response.Status, ex.Response.Body = 200, &source{size: 1000, fails: errors.New("upstream broke")}
		return nil
	})
	p := s.connect()
	p.get(1)
	if h := p.reset(1, http2.ErrCodeInternal); h.ended || len(h.data) > 1000 {
		t.Errorf("the body ended after %d bytes", len(h.data))
	}
}

func TestAResetEndsTheHandlerAndNothingElse(t *testing.T) {
	s := serve(t, func(ex *l7.Exchange) error {
		if string(ex.Request.Method) == "POST" {
			return echo(ex)
		}
		if string(ex.Request.Target) == "/hang" {
			return hang(ex)
		}
		return answers("ok")(ex)
	})
	p := s.connect()
	p.headers(1, true, ":method", "GET", ":scheme", "http", ":path", "/hang", ":authority", "b")
	p.post(3)
	p.data(3, false, []byte("part"))
	p.sync()
	p.WriteRSTStream(1, http2.ErrCodeCancel)
	p.WriteRSTStream(3, http2.ErrCodeCancel)
	p.sync()
	testkit.Eventually(t, "both handlers ended", func() bool { return s.active.Load() == 0 })
	p.get(5)
	p.ok(5, "200")
	if n := len(p.stream(1).resets) + len(p.stream(3).resets); n != 0 {
		t.Errorf("%d resets in answer to resets (RFC 9113 5.4.2)", n)
	}
	if count(t, s.cfg, "rx_reset") != 2 {
		t.Errorf("rx_reset %d, want 2", count(t, s.cfg, "rx_reset"))
	}
}

func TestAClientThatLeavesEndsItsHandlers(t *testing.T) {
	s := serve(t, hang)
	p := s.connect()
	p.get(1)
	p.get(3)
	p.sync()
	testkit.Eventually(t, "handlers run", func() bool { return s.active.Load() == 2 })
	p.conn.Close()
	testkit.Wait(t, "the end of the connection", s.ends)
	if n := s.active.Load(); n != 0 {
		t.Errorf("%d handlers are left", n)
	}
}

// TestAHeadThatIsTooLargeCostsItsStreamAlone (Envoy 2.7).
func TestAHeadThatIsTooLargeCostsItsStreamAlone(t *testing.T) {
	handler, let := waits()
	s := serve(t, handler)
	p := s.connect()
	p.get(1)
	p.sync()
	block := p.encode(get("x-large", strings.Repeat("v", 70<<10))...)
	p.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: block[:16<<10], EndStream: true})
	for block = block[16<<10:]; len(block) > 0; {
		n := min(len(block), 16<<10)
		p.WriteContinuation(3, n == len(block), block[:n])
		block = block[n:]
	}
	p.reset(3, http2.ErrCodeEnhanceYourCalm)
	let()
	p.ok(1, "200")
	p.conn.Close()
}

// TestTrailersBehindAnEarlyAnswerArePassedOver: they were under way when the
// stream was reset (RFC 9113 5.1).
func TestTrailersBehindAnEarlyAnswerArePassedOver(t *testing.T) {
	s := serve(t, answers("no"))
	p := s.connect()
	const n = 200
	for i := range uint32(n) {
		p.post(2*i + 1)
	}
	for i := range uint32(n) {
		p.ok(2*i+1, "200")
		p.reset(2*i+1, http2.ErrCodeNo)
	}
	for i := range uint32(n) {
		p.headers(2*i+1, true, "x-sum", "late")
	}
	p.get(2*n + 1)
	p.ok(2*n+1, "200")
	p.conn.Close()
}

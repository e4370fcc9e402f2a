package h2_test

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/proxy/l7/h2"
)

// flooding runs a flood on one connection while others are served, and expects
// it to end with a code and a count, and memory to be given back. The GOAWAY may
// be lost to an RST, since the peer still talks, or not be read at all.
func flooding(t *testing.T, handler l7.Handler, code h2.Code, counter string, flood func(p *peer)) {
	t.Helper()
	s := serve(t, func(ex *l7.Exchange) error {
		if ex.Request.Header.Lookup("x-quick") != nil {
			return answers("ok")(ex)
		}
		return handler(ex)
	})
	other := s.connect()
	serves := func(id uint32) {
		t.Helper()
		other.headers(id, true, get("x-quick", "1")...)
		other.ok(id, "200")
	}
	serves(1)
	before := heap()
	p := s.connect()
	flood(p)
	serves(3)
	got := p.closed()
	if got != code && (got != noGoAway || p.over == io.EOF && !p.blind) {
		t.Errorf("the connection ended with %v, want %v (%v)", got, code, p.over)
	}
	wantRun(t, s, code)
	if n := count(t, s.cfg, counter); n != 1 {
		t.Errorf("http2.%s is %d, want 1", counter, n)
	}
	serves(5)
	if n := s.active.Load(); n != 0 {
		t.Errorf("%d handlers are left", n)
	}
	p.streams = nil
	if after := heap(); after > before+4<<20 {
		t.Errorf("%d KiB before, %d KiB after", before>>10, after>>10)
	}
}

// wantRun expects Run of the first connection that ends to give an *Error of
// the code.
func wantRun(t *testing.T, s *served, code h2.Code) {
	t.Helper()
	err := testkit.Wait(t, "the end of the connection", s.ends)
	var e *h2.Error
	if !errors.As(err, &e) || e.Code != code || !e.Conn || e.Remote {
		t.Errorf("Run gave %v, want %v for the connection", err, code)
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// often says something many times, or until the connection takes no more.
func (p *peer) often(times int, say func(i int)) {
	for i := range times {
		say(i)
		if i%64 == 63 && p.flush() != nil {
			return
		}
	}
	p.flush()
}

const calm = http2.ErrCodeEnhanceYourCalm

func TestRapidResetEndsTheConnection(t *testing.T) {
	flooding(t, hang, calm, "too_many_premature_resets", func(p *peer) {
		p.often(600, func(i int) {
			id := uint32(2*i + 1)
			p.get(id)
			p.WriteRSTStream(id, http2.ErrCodeCancel)
		})
	})
}

// TestTrickedResetsEndTheConnection: it makes no difference whose reset ends a
// stream before its time (CVE-2025-8671, "MadeYouReset").
func TestTrickedResetsEndTheConnection(t *testing.T) {
	for name, trick := range map[string]func(p *peer, id uint32){
		"WINDOW_UPDATE of 0": func(p *peer, id uint32) {
			p.get(id)
			p.WriteRawFrame(http2.FrameWindowUpdate, 0, id, make([]byte, 4))
		},
		"WINDOW_UPDATE over 2^31-1": func(p *peer, id uint32) {
			p.get(id)
			p.WriteWindowUpdate(id, 1<<31-1)
		},
		"DATA behind END_STREAM": func(p *peer, id uint32) {
			p.get(id)
			p.WriteData(id, false, []byte("x"))
		},
		"HEADERS behind END_STREAM": func(p *peer, id uint32) {
			p.get(id)
			p.headers(id, true, "a", "b")
		},
		"PRIORITY of four bytes": func(p *peer, id uint32) {
			p.get(id)
			p.WriteRawFrame(http2.FramePriority, 0, id, make([]byte, 4))
		},
		"content that disagrees with content-length": func(p *peer, id uint32) {
			p.headers(id, false, post("content-length", "1")...)
			p.WriteData(id, false, []byte("xx"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			flooding(t, hang, calm, "too_many_premature_resets", func(p *peer) {
				p.often(600, func(i int) { trick(p, uint32(2*i+1)) })
			})
		})
	}
}

// TestManyShortStreamsAreNoFlood: what was answered is no premature reset, and
// neither is a client that changes its mind now and then.
func TestManyShortStreamsAreNoFlood(t *testing.T) {
	s := serve(t, func(ex *l7.Exchange) error {
		if ex.Request.Header.Lookup("x-hang") != nil {
			return hang(ex)
		}
		return answers("ok")(ex)
	})
	p := s.connect()
	for i := range 2000 {
		id := uint32(2*i + 1)
		if i%10 == 9 {
			p.headers(id, true, get("x-hang", "1")...)
			p.WriteRSTStream(id, http2.ErrCodeCancel)
			continue
		}
		p.get(id)
		p.ok(id, "200")
		delete(p.streams, id)
	}
}

// TestNoMoreHandlersRunThanStreamsAreAllowed, also while those of canceled
// streams have not returned yet.
func TestNoMoreHandlersRunThanStreamsAreAllowed(t *testing.T) {
	const allowed = 10
	cfg := config(t)
	cfg.Limits.MaxConcurrentStreams = allowed
	cfg.Limits.PrematureResetTotalStreamCount = 1 << 20
	may := make(chan struct{})
	s := serveWith(t, cfg, func(ex *l7.Exchange) error {
		<-may // it does not notice that the client has gone
		return answers("ok")(ex)
	})
	defer close(may)
	p := s.connect()
	p.often(2000, func(i int) {
		id := uint32(2*i + 1)
		p.post(id)
		p.WriteRSTStream(id, http2.ErrCodeCancel)
	})
	p.sync()
	if n := s.most.Load(); n > allowed {
		t.Errorf("%d handlers at once, want %d at most", n, allowed)
	}
}

func TestThousandsOfUnfinishedUploadsAreRefused(t *testing.T) {
	cfg := config(t)
	cfg.Limits.MaxConcurrentStreams = 100
	s := serveWith(t, cfg, echo)
	p := s.connect()
	p.often(5000, func(i int) {
		id := uint32(2*i + 1)
		p.post(id)
		p.WriteData(id, false, []byte("never finished"))
	})
	p.sync()
	if n := s.most.Load(); n > 100 {
		t.Errorf("%d handlers at once", n)
	}
	other := s.connect()
	other.get(1)
	other.ok(1, "200")
	wantCounted(t, cfg, "stream_refused_errors")
	p.conn.Close()
	testkit.Wait(t, "the end", s.ends)
}

func TestCONTINUATIONFloodEndsTheConnection(t *testing.T) {
	flooding(t, hang, calm, "header_overflow", func(p *peer) {
		p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.encode(get()...)})
		fragment := p.encode("x-field", strings.Repeat("v", 1000))
		p.often(10000, func(int) { p.WriteContinuation(1, false, fragment) })
	})
}

func TestEmptyCONTINUATIONFloodEndsTheConnection(t *testing.T) {
	flooding(t, hang, calm, "inbound_empty_frames_flood", func(p *peer) {
		p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.encode(get()...)})
		p.often(10000, func(int) { p.WriteContinuation(1, false, nil) })
	})
}

func TestEmptyDATAFloodEndsTheConnection(t *testing.T) {
	flooding(t, echo, calm, "inbound_empty_frames_flood", func(p *peer) {
		p.post(1)
		p.often(10000, func(int) { p.WriteData(1, false, nil) })
	})
}

func TestPaddingIsNoPayload(t *testing.T) {
	flooding(t, echo, calm, "inbound_empty_frames_flood", func(p *peer) {
		p.post(1)
		p.often(10000, func(int) { p.WriteDataPadded(1, false, nil, make([]byte, 3)) })
	})
}

func TestPRIORITYFloodEndsTheConnection(t *testing.T) {
	flooding(t, hang, calm, "inbound_priority_frames_flood", func(p *peer) {
		p.often(10000, func(i int) { p.WritePriority(uint32(2*i+1), http2.PriorityParam{StreamDep: 1 << 20}) })
	})
}

func TestWINDOWUPDATEFloodEndsTheConnection(t *testing.T) {
	flooding(t, hang, calm, "inbound_window_update_frames_flood", func(p *peer) {
		p.get(1)
		p.often(10000, func(i int) { p.WriteWindowUpdate(uint32(i%2), 1) })
	})
}

// TestAnswersToAPeerThatReadsNothingAreBounded: it asks for PING and SETTINGS
// acknowledgments and leaves them lying.
func TestAnswersToAPeerThatReadsNothingAreBounded(t *testing.T) {
	for name, say := range map[string]func(p *peer, i int){
		"PING":     func(p *peer, _ int) { p.WritePing(false, [8]byte{}) },
		"SETTINGS": func(p *peer, _ int) { p.WriteSettings() },
		"breaches": func(p *peer, i int) {
			p.WriteRawFrame(http2.FramePriority, 0, uint32(2*i+3), make([]byte, 4))
		},
	} {
		t.Run(name, func(t *testing.T) {
			flooding(t, hang, calm, "outbound_control_flood", func(p *peer) {
				p.blind = true
				p.often(5_000_000, func(i int) { say(p, i) })
			})
		})
	}
}

// TestAnHPACKBombIsDefused: a few bytes that stand for many fields.
func TestAnHPACKBombIsDefused(t *testing.T) {
	s := serve(t, echo)
	bomb := func(value int, times int) {
		t.Helper()
		before := heap()
		p := s.connect()
		fields := get("x-bomb", strings.Repeat("v", value))
		for range times {
			fields = append(fields, "x-bomb", strings.Repeat("v", value))
		}
		p.get(1)
		block := p.encode(fields...)
		p.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: block[:min(len(block), 16<<10)],
			EndStream: true, EndHeaders: len(block) <= 16<<10})
		if len(block) > 16<<10 {
			p.WriteContinuation(3, true, block[16<<10:])
		}
		p.ok(1, "200")
		p.reset(3, calm)
		// The table is still in step.
		p.headers(5, true, get("x-bomb", "defused")...)
		p.ok(5, "200")
		p.conn.Close()
		if after := heap(); after > before+4<<20 {
			t.Errorf("%d KiB before, %d KiB after", before>>10, after>>10)
		}
	}
	bomb(3000, 50)    // 150 KB of 3 KB
	bomb(10, 150)     // many small
	bomb(3000, 15000) // 45 MB of 18 KB
	if n := count(t, s.cfg, "header_overflow"); n != 3 {
		t.Errorf("http2.header_overflow is %d, want 3", n)
	}
}

func TestFieldsJustBelowTheLimitsPass(t *testing.T) {
	s := serve(t, echo)
	p := s.connect()
	p.headers(1, true, get("a", strings.Repeat("v", 12<<10))...)
	p.ok(1, "200")
	fields := get()
	for i := range 90 {
		fields = append(fields, fmt.Sprintf("x-%d", i), "v")
	}
	p.headers(3, true, fields...)
	p.ok(3, "200")
}

// TestTooManyTrailersAreRefused: trailers count against the same limits.
func TestTooManyTrailersAreRefused(t *testing.T) {
	s := serve(t, echo)
	p := s.connect()
	p.post(1)
	fields := []string{}
	for i := range 150 {
		fields = append(fields, fmt.Sprintf("x-%d", i), "v")
	}
	p.headers(1, true, fields...)
	p.reset(1, calm)
	p.get(3)
	p.ok(3, "200")
}

// TestResponsesAreBoundedToo: an upstream is believed no more than a client.
func TestResponsesAreBoundedToo(t *testing.T) {
	u := dialed(t)
	u.server.begin()
	c := u.send()
	u.server.head(1)
	fields := []string{":status", "200"}
	for i := range 150 {
		fields = append(fields, fmt.Sprintf("x-%d", i), "v")
	}
	u.server.headers(1, true, fields...)
	u.server.flush()
	wantError(t, c.fails(), h2.Error{Code: calm})
	c = u.send()
	u.server.head(3)
	for range 2000 {
		u.server.headers(3, false, ":status", "103", "link", "x")
	}
	u.server.flush()
	wantError(t, c.fails(), h2.Error{Code: calm})
	c = u.send()
	u.server.head(5)
	fragment := u.server.encode("x-field", strings.Repeat("v", 1000))
	u.server.WriteHeaders(http2.HeadersFrameParam{StreamID: 5, BlockFragment: fragment})
	u.server.often(1000, func(int) { u.server.WriteContinuation(5, false, fragment) })
	wantError(t, c.fails(), h2.Error{Code: calm, Conn: true})
	testkit.Wait(t, "the end", u.Done())
}

// TestTinyWindowsCostLittle: a byte at a time is slow for who asks for it.
func TestTinyWindowsCostLittle(t *testing.T) {
	body := &source{size: 1 << 20}
	s := serve(t, func(ex *l7.Exchange) error {
		if ex.Request.Header.Lookup("x-quick") != nil {
			return answers("ok")(ex)
		}
		ex.Response.Status, ex.Response.Body = 200, body
		return nil
	})
	p := s.connect()
	p.mean = true
	p.settle(set(http2.SettingInitialWindowSize, 1))
	p.get(1)
	for n := range 1000 {
		p.until("one byte", func() bool { return len(p.stream(1).data) == n+1 })
		p.WriteWindowUpdate(1, 1)
	}
	p.sync()
	if n := body.made.Load(); n > slack {
		t.Errorf("%d bytes were read for 1000", n)
	}
	if n := count(t, s.cfg, "inbound_window_update_frames_flood"); n != 0 {
		t.Error("credit for DATA that was sent is no flood")
	}
}

// TestIdleStreamsHoldLittleMemory: what a stream that waits costs.
func TestIdleStreamsHoldLittleMemory(t *testing.T) {
	s := serve(t, hang)
	p := s.connect()
	p.get(1)
	p.sync()
	before := heap()
	for i := range 1000 {
		p.get(uint32(2*i + 3))
	}
	p.sync()
	testkit.Eventually(t, "all streams wait", func() bool { return s.active.Load() == 1001 })
	if each := (int64(heap()) - int64(before)) / 1000; each > 16<<10 {
		t.Errorf("%d bytes of heap for each idle stream", each)
	}
}

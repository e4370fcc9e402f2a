package h2_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/proxy/l7/h2"
)

func set(id http2.SettingID, value uint32) http2.Setting { return http2.Setting{ID: id, Val: value} }

// pours is a server whose answers never end.
func pours(t *testing.T) *served {
	return serve(t, func(ex *l7.Exchange) error {
		ex.Response.Status, ex.Response.Body = 200, &source{size: 1 << 40}
		return nil
	})
}

// TestTheInitialWindowMayChangeAndFallBelowZero: RFC 9113 6.9.2.
func TestTheInitialWindowMayChangeAndFallBelowZero(t *testing.T) {
	p := pours(t).connect()
	p.mean = true
	p.settle(set(http2.SettingInitialWindowSize, 100))
	p.get(1)
	has := func(n int) {
		t.Helper()
		p.until("bytes", func() bool { return len(p.stream(1).data) >= n })
		p.sync()
		if got := len(p.stream(1).data); got != n {
			t.Errorf("%d bytes came, want %d", got, n)
		}
	}
	has(100)
	p.settle(set(http2.SettingInitialWindowSize, 150))
	has(150)
	p.settle(set(http2.SettingInitialWindowSize, 50)) // the window is -100
	p.WriteWindowUpdate(1, 100)
	has(150)
	p.WriteWindowUpdate(1, 1)
	has(151)
	p.settle(set(http2.SettingInitialWindowSize, 0))
	has(151)
	p.settle(set(http2.SettingInitialWindowSize, 60), set(http2.SettingInitialWindowSize, 70))
	has(171)
}

func TestFramesAreAsLargeAsThePeerTakes(t *testing.T) {
	largest := func(settings ...http2.Setting) (most uint32) {
		p := pours(t).connect()
		p.settle(append(settings, set(http2.SettingInitialWindowSize, 1<<20))...)
		p.WriteWindowUpdate(0, 1<<20)
		p.get(1)
		p.flush()
		for n := 0; n < 1<<20; {
			f, err := p.ReadFrame()
			if err != nil {
				t.Fatal(err)
			}
			if d, ok := f.(*http2.DataFrame); ok {
				most = max(most, d.Length)
				n += int(d.Length)
			}
		}
		return most
	}
	if n := largest(); n > 16<<10 {
		t.Errorf("a frame of %d bytes", n)
	}
	if n := largest(set(http2.SettingMaxFrameSize, 1<<20)); n > 1<<20 {
		t.Errorf("a frame of %d bytes", n)
	}
}

// TestAHeaderTableOfAnySizeIsKept: RFC 7541 4.2: a peer that shrinks its table
// must not be sent references to what it has dropped.
func TestAHeaderTableOfAnySizeIsKept(t *testing.T) {
	s := serve(t, answers("ok", "x-repeated", "value", "server", "outrider"))
	p := s.connect()
	for i, size := range []uint32{4096, 0, 64, 4096, 1 << 16} {
		p.settle(set(http2.SettingHeaderTableSize, size))
		p.ReadMetaHeaders.SetAllowedMaxDynamicTableSize(size)
		for j := range 3 {
			id := uint32(2*(3*i+j) + 1)
			p.get(id)
			if h := p.ok(id, "200"); h.head["x-repeated"] != "value" || h.head["server"] != "outrider" {
				t.Errorf("with a table of %d: %v", size, h.head)
			}
		}
	}
}

func TestOurOwnHeaderTableIsKept(t *testing.T) {
	s := serve(t, echo)
	p := s.connect()
	for i, size := range []uint32{4096, 0, 100, 4096} {
		p.enc.SetMaxDynamicTableSize(size)
		for j := range 3 {
			id := uint32(2*(3*i+j) + 1)
			p.headers(id, true, get("x-repeated", "value", "x-number", strings.Repeat("1", i))...)
			p.ok(id, "200")
		}
	}
}

func TestMoreStreamsThanAllowedAreRefused(t *testing.T) {
	cfg := config(t)
	cfg.Limits.MaxConcurrentStreams = 2
	s := serveWith(t, cfg, hang)
	p := s.connect()
	for id := uint32(1); id <= 5; id += 2 {
		p.get(id)
	}
	p.reset(5, http2.ErrCodeRefusedStream)
	if p.settings[http2.SettingMaxConcurrentStreams] != 2 {
		t.Errorf("announced %v", p.settings)
	}
	if s.most.Load() > 2 {
		t.Errorf("%d handlers at once", s.most.Load())
	}
	wantCounted(t, cfg, "stream_refused_errors")
}

// TestAServerThatAllowsFewerStreamsIsAskedForNoMore: RFC 9113 5.1.2.
func TestAServerThatAllowsFewerStreamsIsAskedForNoMore(t *testing.T) {
	u := dialed(t)
	u.server.begin(set(http2.SettingMaxConcurrentStreams, 1))
	first := u.send()
	u.server.head(1)
	u.server.sync() // the SETTINGS are in force
	if u.Open() != nil {
		t.Error("a second stream was opened")
	}
	if !u.Usable() {
		t.Error("a full connection is not a useless one")
	}
	before := u.changes.Load()
	u.server.settle(set(http2.SettingMaxConcurrentStreams, 2))
	testkit.Eventually(t, "news of more room", func() bool { return u.changes.Load() > before })
	second := u.send()
	u.server.head(3)
	if u.Open() != nil {
		t.Error("a third stream was opened")
	}
	if open, _ := u.Streams(); open != 2 {
		t.Errorf("%d streams", open)
	}
	u.server.answer(1, "")
	first.ok()
	u.server.answer(3, "")
	second.ok()
	if open, _ := u.Streams(); open != 0 {
		t.Errorf("%d streams are left", open)
	}
}

// TestABreachOfFramingEndsTheConnection: RFC 9113 4 to 6.
func TestABreachOfFramingEndsTheConnection(t *testing.T) {
	s := serve(t, echo)
	raw := func(kind http2.FrameType, flags http2.Flags, id uint32, payload string) func(p *peer) {
		return func(p *peer) { p.WriteRawFrame(kind, flags, id, []byte(payload)) }
	}
	setting := func(id http2.SettingID, value uint32) func(p *peer) {
		return func(p *peer) { p.WriteSettings(set(id, value)) }
	}
	for name, c := range map[string]struct {
		say  func(p *peer)
		want h2.Code
	}{
		"DATA on stream 0":             {raw(http2.FrameData, 0, 0, "x"), http2.ErrCodeProtocol},
		"DATA on an idle stream":       {raw(http2.FrameData, 0, 1, "x"), http2.ErrCodeProtocol},
		"HEADERS on stream 0":          {raw(http2.FrameHeaders, 5, 0, "\x82"), http2.ErrCodeProtocol},
		"HEADERS on an even stream":    {func(p *peer) { p.get(2) }, http2.ErrCodeProtocol},
		"HEADERS on an earlier stream": {func(p *peer) { p.get(5); p.get(3) }, http2.ErrCodeProtocol},
		"RST_STREAM on stream 0":       {raw(http2.FrameRSTStream, 0, 0, "\x00\x00\x00\x08"), http2.ErrCodeProtocol},
		"RST_STREAM on an idle stream": {raw(http2.FrameRSTStream, 0, 1, "\x00\x00\x00\x08"), http2.ErrCodeProtocol},
		"RST_STREAM of three bytes":    {func(p *peer) { p.post(1); p.WriteRawFrame(http2.FrameRSTStream, 0, 1, []byte("abc")) }, http2.ErrCodeFrameSize},
		"PRIORITY on stream 0":         {raw(http2.FramePriority, 0, 0, "\x00\x00\x00\x01\x00"), http2.ErrCodeProtocol},
		"PUSH_PROMISE": {func(p *peer) {
			p.post(1)
			p.WriteRawFrame(http2.FramePushPromise, 4, 1, []byte("\x00\x00\x00\x02\x82"))
		}, http2.ErrCodeProtocol},
		"PING of seven bytes":          {raw(http2.FramePing, 0, 0, "1234567"), http2.ErrCodeFrameSize},
		"PING on a stream":             {raw(http2.FramePing, 0, 1, "12345678"), http2.ErrCodeProtocol},
		"GOAWAY on a stream":           {raw(http2.FrameGoAway, 0, 1, "12345678"), http2.ErrCodeProtocol},
		"GOAWAY of seven bytes":        {raw(http2.FrameGoAway, 0, 0, "1234567"), http2.ErrCodeFrameSize},
		"WINDOW_UPDATE of 0":           {raw(http2.FrameWindowUpdate, 0, 0, "\x00\x00\x00\x00"), http2.ErrCodeProtocol},
		"WINDOW_UPDATE of three bytes": {raw(http2.FrameWindowUpdate, 0, 0, "\x00\x00\x01"), http2.ErrCodeFrameSize},
		"WINDOW_UPDATE on an idle one": {raw(http2.FrameWindowUpdate, 0, 1, "\x00\x00\x00\x01"), http2.ErrCodeProtocol},
		"WINDOW_UPDATE over 2^31-1":    {raw(http2.FrameWindowUpdate, 0, 0, "\x7f\xff\xff\xff"), http2.ErrCodeFlowControl},
		"CONTINUATION alone":           {raw(http2.FrameContinuation, 4, 1, "\x82"), http2.ErrCodeProtocol},
		"CONTINUATION of another": {func(p *peer) {
			p.WriteRawFrame(http2.FrameHeaders, 1, 1, nil)
			p.WriteRawFrame(http2.FrameContinuation, 4, 3, nil)
		}, http2.ErrCodeProtocol},
		"PING in a header block":      {func(p *peer) { p.WriteRawFrame(http2.FrameHeaders, 1, 1, nil); p.WritePing(false, [8]byte{}) }, http2.ErrCodeProtocol},
		"an unknown frame in a block": {func(p *peer) { p.WriteRawFrame(http2.FrameHeaders, 1, 1, nil); p.WriteRawFrame(0xbe, 0, 1, nil) }, http2.ErrCodeProtocol},
		"padding longer than DATA":    {func(p *peer) { p.post(1); p.WriteRawFrame(http2.FrameData, 8, 1, []byte("\x05abc")) }, http2.ErrCodeProtocol},
		"padding longer than HEADERS": {raw(http2.FrameHeaders, 0xd, 1, "\x05\x82"), http2.ErrCodeProtocol},
		"a frame that is too large":   {func(p *peer) { p.post(1); p.WriteRawFrame(http2.FrameData, 0, 1, zeros[:16<<10+1]) }, http2.ErrCodeFrameSize},
		"a header block of nonsense":  {raw(http2.FrameHeaders, 5, 1, "\xff\xff\xff\xff\xff\xff\xff\xff\xff"), http2.ErrCodeCompression},
		"an index of no entry":        {raw(http2.FrameHeaders, 5, 1, "\xfe"), http2.ErrCodeCompression},
		"a table larger than allowed": {raw(http2.FrameHeaders, 5, 1, "\x3f\xe2\x1f\x82"), http2.ErrCodeCompression},
		"SETTINGS on a stream":        {raw(http2.FrameSettings, 0, 1, ""), http2.ErrCodeProtocol},
		"SETTINGS of five bytes":      {raw(http2.FrameSettings, 0, 0, "12345"), http2.ErrCodeFrameSize},
		"SETTINGS ACK with a payload": {raw(http2.FrameSettings, 1, 0, "123456"), http2.ErrCodeFrameSize},
		"ENABLE_PUSH of 2":            {setting(http2.SettingEnablePush, 2), http2.ErrCodeProtocol},
		"INITIAL_WINDOW_SIZE of 2^31": {setting(http2.SettingInitialWindowSize, 1<<31), http2.ErrCodeFlowControl},
		"MAX_FRAME_SIZE too small":    {setting(http2.SettingMaxFrameSize, 1<<14-1), http2.ErrCodeProtocol},
		"MAX_FRAME_SIZE too large":    {setting(http2.SettingMaxFrameSize, 1<<24), http2.ErrCodeProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			p := s.connect()
			p.sync()
			c.say(p)
			p.wantClosed(c.want)
		})
	}
}

// TestABreachOnAStreamEndsThatStream: RFC 9113 5.1, 6.9.
func TestABreachOnAStreamEndsThatStream(t *testing.T) {
	for name, c := range map[string]struct {
		say  func(p *peer)
		want h2.Code
	}{
		"WINDOW_UPDATE of 0":        {func(p *peer) { p.post(1); p.WriteRawFrame(http2.FrameWindowUpdate, 0, 1, make([]byte, 4)) }, http2.ErrCodeProtocol},
		"WINDOW_UPDATE over 2^31-1": {func(p *peer) { p.post(1); p.WriteWindowUpdate(1, 1<<31-1) }, http2.ErrCodeFlowControl},
		"PRIORITY of four bytes":    {func(p *peer) { p.post(1); p.WriteRawFrame(http2.FramePriority, 0, 1, make([]byte, 4)) }, http2.ErrCodeFrameSize},
		"DATA behind END_STREAM":    {func(p *peer) { p.get(1); p.WriteData(1, true, []byte("x")) }, http2.ErrCodeStreamClosed},
		"HEADERS behind END_STREAM": {func(p *peer) { p.get(1); p.headers(1, true, "a", "b") }, http2.ErrCodeStreamClosed},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(ex *l7.Exchange) error {
				if ex.Request.Header.Lookup("x-quick") != nil {
					return answers("ok")(ex)
				}
				return hang(ex)
			})
			p := s.connect()
			c.say(p)
			p.reset(1, c.want)
			p.headers(3, true, get("x-quick", "1")...)
			p.ok(3, "200")
			testkit.Eventually(t, "the handler ended", func() bool { return s.active.Load() == 0 })
		})
	}
}

func TestWhatIsNoPrefaceIsNotServed(t *testing.T) {
	s := serve(t, echo)
	for name, text := range map[string]string{
		"HTTP/1":         "GET / HTTP/1.1\r\nHost: b\r\n\r\n",
		"half a preface": "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
		"no SETTINGS":    http2.ClientPreface + "\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678",
		"an ACK first":   http2.ClientPreface + "\x00\x00\x00\x04\x01\x00\x00\x00\x00",
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			p := newPeer(t, s.dial())
			io.WriteString(p.w, text)
			p.closed()
			if len(p.goaways) > 0 && p.goaways[0].ErrCode != http2.ErrCodeProtocol {
				t.Errorf("ended with %v", p.goaways)
			}
			if err := testkit.Wait(t, "the end", s.ends); err == nil {
				t.Error("Run ended well")
			}
		})
	}
}

func TestAPrefaceMayComeAByteAtATime(t *testing.T) {
	s := serve(t, echo)
	p := newPeer(t, s.dial())
	var all bytes.Buffer
	p.w.Reset(&all)
	p.begin()
	p.get(1)
	p.w.Flush()
	p.w.Reset(p.conn)
	for _, b := range all.Bytes() {
		p.conn.Write([]byte{b})
	}
	p.ok(1, "200")
	p.conn.Close()
}

func TestBytesThatWereReadBeforeAreServed(t *testing.T) {
	s := newServed(t, config(t), echo)
	near, far := pair(t)
	p := newPeer(t, far)
	p.begin()
	p.post(1)
	p.flush()
	early := make([]byte, 1000)
	n, err := near.Read(early)
	if err != nil {
		t.Fatal(err)
	}
	conn := sock.New(near)
	server := h2.NewServer(conn, s.cfg, s.stream)
	server.Prefill(early[:n])
	done := make(chan error, 1)
	go func() { done <- server.Run() }()
	p.data(1, true, []byte("body"))
	if h := p.ok(1, "200"); string(h.data) != "body" {
		t.Errorf("echoed %q", h.data)
	}
	p.conn.Close()
	if err := testkit.Wait(t, "the end", done); err != nil {
		t.Errorf("Run gave %v, want nil: the peer closed without streams", err)
	}
	conn.Close()
}

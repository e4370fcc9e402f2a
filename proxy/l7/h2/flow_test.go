package h2_test

import (
	"errors"
	"testing"

	"golang.org/x/net/http2"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/proxy/l7/h2"
)

const (
	window     = 64 << 10 // h2.Limits.InitialStreamWindow
	connWindow = 1 << 20
	slack      = 256 << 10 // what may be under way between a body and a window
)

func TestTheWindowsThatAServerAnnounces(t *testing.T) {
	s := serve(t, answers("ok"))
	p := s.connect()
	p.get(1)
	p.ok(1, "200")
	if n := p.settings[http2.SettingInitialWindowSize]; n != window {
		t.Errorf("stream window %d", n)
	}
	if n := 65535 + p.granted[0]; n != connWindow {
		t.Errorf("connection window %d", n)
	}
	if n := p.settings[http2.SettingMaxConcurrentStreams]; n != 1024 {
		t.Errorf("%d concurrent streams", n)
	}
}

func TestASlowReaderSlowsItsWriter(t *testing.T) {
	const size = 4 << 20
	body := &source{size: size}
	s := serve(t, func(ex *l7.Exchange) error {
		ex.Response.Status, ex.Response.Body = 200, body
		return nil
	})
	p := s.connect()
	p.mean = true
	p.get(1)
	p.until("a full window", func() bool { return len(p.stream(1).data) == 65535 })
	p.sync()
	if n := body.made.Load(); n > 65535+slack {
		t.Errorf("%d bytes were read for a window of 65535", n)
	}
	p.WriteWindowUpdate(0, 1000)
	p.sync()
	if n := len(p.stream(1).data); n != 65535 {
		t.Errorf("%d bytes came; only the connection's window had grown", n)
	}
	p.WriteWindowUpdate(1, 1000)
	p.until("as much as the windows have grown", func() bool { return len(p.stream(1).data) == 66535 })
	p.mean = false
	p.WriteWindowUpdate(0, size)
	p.WriteWindowUpdate(1, size)
	if h := p.ok(1, "200"); len(h.data) != size {
		t.Errorf("%d bytes of %d", len(h.data), size)
	}
	if n := count(t, s.cfg, "flow_control_paused"); n == 0 {
		t.Error("the wait for a window was not counted")
	}
}

// reader makes a handler that reads nothing of a body until it is let.
func reader() (handler l7.Handler, let func()) {
	may := make(chan struct{})
	return func(ex *l7.Exchange) error {
		if string(ex.Request.Method) == "GET" {
			return answers("ok")(ex)
		}
		if ex.Request.Header.Lookup("x-stall") != nil {
			select {
			case <-may:
			case <-gone(ex):
			}
		}
		return echoSize(ex)
	}, func() { close(may) }
}

// echoSize reads the whole request and keeps nothing of it.
func echoSize(ex *l7.Exchange) error {
	for {
		if _, err := ex.Request.Body.Next(); err != nil {
			if l7.Ended(ex.Request.Body) {
				return answers("ok")(ex)
			}
			return err
		}
	}
}

// TestStreamCreditComesBackWhenBytesLeaveAndConnectionCreditWhenTheyCome is the
// rule by which one stalled stream does not slow its neighbours.
func TestStreamCreditComesBackWhenBytesLeaveAndConnectionCreditWhenTheyCome(t *testing.T) {
	handler, let := reader()
	s := serve(t, handler)
	before := s.cfg.Budget.Left()
	p := s.connect()
	p.headers(1, false, post("x-stall", "1")...)
	p.sync()
	p.upload(1, false, window)
	for id := uint32(3); id < 3+2*40; id += 2 { // 40 * 64 KiB is more than the connection's window
		p.headers(id, false, post("x-stall", "1")...)
		p.upload(id, false, window)
	}
	p.sync()
	for id, n := range p.granted {
		if id != 0 && n != 0 {
			t.Errorf("stream %d, of which nothing was read, got %d bytes of credit", id, n)
		}
	}
	if left := s.cfg.Budget.Left(); left >= before {
		t.Errorf("%d bytes wait and none was taken from the budget", 40*window)
	}
	let()
	p.upload(1, true, 1<<20)
	p.ok(1, "200")
	for id := uint32(3); id < 3+2*40; id += 2 {
		p.data(id, true, nil)
		p.ok(id, "200")
	}
	p.sync()
	if left := 65535 + p.granted[0] - p.sent[0]; left < connWindow/2 {
		t.Errorf("%d bytes are left of the connection's window", left)
	}
	p.conn.Close()
	testkit.Wait(t, "the end", s.ends)
	if left := s.cfg.Budget.Left(); left != before {
		t.Errorf("the budget had %d bytes, and has %d when all is over", before, left)
	}
}

// TestAnEmptyBudgetResetsWhoHoldsTheMost: what waits on a connection is bounded
// by half of its initial window then, and those that are read go on.
func TestAnEmptyBudgetResetsWhoHoldsTheMost(t *testing.T) {
	handler, let := reader()
	defer let()
	cfg := config(t)
	cfg.Budget = h2.NewBudget(0)
	p := serveWith(t, cfg, handler).connect()
	p.sync()
	waiting := func() (bytes int64) {
		for id, n := range p.sent {
			if id != 0 && len(p.stream(id).resets) == 0 {
				bytes += n
			}
		}
		return bytes
	}
	for id := uint32(1); id < 200; id += 2 {
		p.headers(id, false, post("x-stall", "1")...)
		p.upload(id, false, window)
		p.sync()
		if n := waiting(); n > connWindow/2+window {
			t.Fatalf("%d bytes wait", n)
		}
	}
	wantCounted(t, cfg, "buffer_budget_resets")
	p.post(201)
	p.upload(201, true, 4<<20)
	p.ok(201, "200")
}

func TestAStalledDownloadDoesNotSlowItsNeighbour(t *testing.T) {
	s := serve(t, func(ex *l7.Exchange) error {
		ex.Response.Status, ex.Response.Body = 200, &source{size: 8 << 20}
		return nil
	})
	p := s.connect()
	p.hoard[1] = true
	p.get(1)
	p.until("the stalled stream's window", func() bool { return len(p.stream(1).data) == 65535 })
	p.get(3)
	if h := p.ok(3, "200"); len(h.data) != 8<<20 {
		t.Errorf("%d bytes", len(h.data))
	}
	if n := len(p.stream(1).data); n != 65535 {
		t.Errorf("the stalled stream got %d bytes", n)
	}
}

// TestALoneStreamMayUseTheWholeConnectionWindow, whatever is kept for its
// neighbours while it has some.
func TestALoneStreamMayUseTheWholeConnectionWindow(t *testing.T) {
	s := serve(t, func(ex *l7.Exchange) error {
		if ex.Request.Header.Lookup("x-stall") != nil {
			return hang(ex)
		}
		ex.Response.Status, ex.Response.Body = 200, &source{size: 1 << 20}
		return nil
	})
	p := s.connect()
	p.mean = true
	p.settle(set(http2.SettingInitialWindowSize, 1<<20))
	p.headers(1, true, get("x-stall", "1")...)
	p.get(3)
	p.until("most of the window", func() bool { return len(p.stream(3).data) > 32<<10 })
	p.sync()
	p.WriteRSTStream(1, http2.ErrCodeCancel)
	p.until("all of the window", func() bool { return len(p.stream(3).data) == 65535 })
	p.WriteWindowUpdate(0, 2<<20)
	p.ok(3, "200")
}

// TestOneStreamLeavesRoomForItsNeighbours: its reader may be stalled behind a
// window that is as large as the connection's (net/http's server).
func TestOneStreamLeavesRoomForItsNeighbours(t *testing.T) {
	s := serve(t, func(ex *l7.Exchange) error {
		if ex.Request.Header.Lookup("x-stall") != nil {
			return hang(ex)
		}
		if ex.Request.Header.Lookup("x-small") != nil {
			return answers("small")(ex)
		}
		ex.Response.Status, ex.Response.Body = 200, &source{size: 1 << 20}
		return nil
	})
	p := s.connect()
	p.mean = true
	p.settle(set(http2.SettingInitialWindowSize, 1<<20))
	p.headers(1, true, get("x-stall", "1")...)
	p.get(3)
	p.until("most of the window", func() bool { return len(p.stream(3).data) > 48<<10 })
	p.headers(5, true, get("x-small", "1")...)
	p.ok(5, "200")
}

func TestAStalledUploadDoesNotSlowItsNeighbour(t *testing.T) {
	handler, let := reader()
	s := serve(t, handler)
	p := s.connect()
	p.headers(1, false, post("x-stall", "1")...)
	p.sync()
	p.upload(1, false, window)
	p.post(3)
	p.upload(3, true, 8<<20)
	p.ok(3, "200")
	if p.granted[1] != 0 {
		t.Errorf("the stalled stream got %d bytes of credit", p.granted[1])
	}
	let()
	p.data(1, true, nil)
	p.ok(1, "200")
}

func TestWindowsGrowForAFastReaderWithinTheBudget(t *testing.T) {
	for name, c := range map[string]struct {
		budget *h2.Budget
		grows  bool
	}{"budget": {h2.NewBudget(64 << 20), true}, "empty budget": {h2.NewBudget(0), false}, "no budget": {nil, false}} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t)
			if cfg.Budget = c.budget; c.budget == nil {
				c.budget = h2.NewBudget(0)
			}
			before := c.budget.Left()
			s := serveWith(t, cfg, echoSize)
			p := s.connect()
			p.post(1)
			p.sync()
			p.upload(1, true, 32<<20)
			p.ok(1, "200")
			if grown := p.window > window; grown != c.grows {
				t.Errorf("the stream's window came to %d bytes", p.window)
			}
			p.conn.Close()
			testkit.Wait(t, "the end", s.ends)
			if left := c.budget.Left(); left != before {
				t.Errorf("the budget had %d bytes, and has %d when all is over", before, left)
			}
		})
	}
}

// TestPaddingCostsNoWindowForever: padding is flow-controlled (RFC 9113 6.9.1)
// and nobody ever reads it.
func TestPaddingCostsNoWindowForever(t *testing.T) {
	s := serve(t, echo)
	p := s.connect()
	p.post(1)
	p.sync()
	for range 1000 {
		p.until("window", func() bool { return p.left(1) >= 257 })
		p.WriteDataPadded(1, false, []byte("x"), make([]byte, 255))
		p.sent[1] += 257
		p.sent[0] += 257
	}
	p.data(1, true, nil)
	if h := p.ok(1, "200"); len(h.data) != 1000 {
		t.Errorf("%d bytes", len(h.data))
	}
}

// TestMoreThanTheWindowAllowsIsAnError: RFC 9113 6.9.1.
func TestMoreThanTheWindowAllowsIsAnError(t *testing.T) {
	handler, let := reader()
	s := serve(t, handler)
	p := s.connect()
	p.headers(1, false, post("x-stall", "1")...)
	p.sync()
	p.upload(1, false, window)
	p.data(1, false, []byte("x"))
	p.reset(1, http2.ErrCodeFlowControl)
	p.get(3)
	p.ok(3, "200")
	let()
}

func TestAClientReturnsCreditAsItsReaderTakes(t *testing.T) {
	u := dialed(t)
	u.server.begin()
	c := u.holds("GET", nil)
	u.server.head(1)
	u.server.headers(1, false, ":status", "200")
	u.server.upload(1, false, window)
	u.server.sync()
	if n := u.server.granted[1]; n != 0 {
		t.Errorf("nothing was read, and %d bytes of credit came", n)
	}
	other := u.send()
	u.server.head(3)
	u.server.headers(3, false, ":status", "200")
	u.server.upload(3, true, 8<<20)
	if got := other.ok(); len(got.body) != 8<<20 {
		t.Errorf("the neighbour got %d bytes", len(got.body))
	}
	c.read()
	u.server.upload(1, true, 1<<20)
	if got := c.ok(); len(got.body) != 1<<20+window {
		t.Errorf("%d bytes", len(got.body))
	}
}

func TestAServerThatTakesNothingStopsTheBodyAndItsDeadlineEndsIt(t *testing.T) {
	u := dialed(t)
	u.server.mean = true
	u.server.begin()
	body := &source{size: 4 << 20}
	st := u.Open()
	c := newCall(t, st, "POST", body)
	st.ReadBy(within())
	go func() { c.got.wrote, c.got.err = st.Send(&c.out); c.done <- c.got }()
	u.server.until("a full window", func() bool { return len(u.server.stream(1).data) == 65535 })
	u.server.sync()
	if n := body.made.Load(); n > 65535+slack {
		t.Errorf("%d bytes were read for a window of 65535", n)
	}
	st.ReadBy(sock.Now() + 1)
	st.Wake()
	if got := c.wait(); !errors.Is(got.err, sock.ErrTimeout) || !got.wrote {
		t.Errorf("wrote %v, error %v", got.wrote, got.err)
	}
	st.Finish()
	u.server.reset(1, http2.ErrCodeCancel)
}

// TestAWholeBodyLargerThanTheWindowWaitsForCredit: what is here already is no
// reason to send more than the peer allows.
func TestAWholeBodyLargerThanTheWindowWaitsForCredit(t *testing.T) {
	u := dialed(t)
	u.server.mean = true
	u.server.begin(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10})
	warm := u.send() // so that the SETTINGS are known
	u.server.head(1)
	u.server.sync()
	u.server.answer(1, "")
	warm.ok()
	st := u.Open()
	c := newCall(t, st, "POST", nil)
	c.out.Whole = zeros[:1000]
	close(c.goOn)
	go c.run()
	u.server.until("the first ten bytes", func() bool { return len(u.server.stream(3).data) == 10 })
	u.server.sync()
	if n := len(u.server.stream(3).data); n != 10 {
		t.Errorf("%d bytes came for a window of 10", n)
	}
	u.server.WriteWindowUpdate(3, 990)
	if h := u.server.await(3); len(h.data) != 1000 {
		t.Errorf("%d bytes came", len(h.data))
	}
	u.server.answer(3, "")
	c.ok()
}

// TestCreditForAStreamWakesWhoWaitsForItsShare of the connection's window: what
// it had not heard of before counts anew.
func TestCreditForAStreamWakesWhoWaitsForItsShare(t *testing.T) {
	s := serve(t, func(ex *l7.Exchange) error {
		if ex.Request.Header.Lookup("x-stall") != nil {
			return hang(ex)
		}
		ex.Response.Status, ex.Response.Body = 200, &source{size: 1 << 20}
		return nil
	})
	p := s.connect()
	p.mean = true
	p.settle(set(http2.SettingInitialWindowSize, 1<<20))
	p.headers(1, true, get("x-stall", "1")...)
	p.get(3)
	p.until("its share", func() bool { return len(p.stream(3).data) > 48<<10 })
	p.sync()
	p.WriteWindowUpdate(3, 1)
	p.until("all of the window", func() bool { return len(p.stream(3).data) == 65535 })
	p.conn.Close()
}

// TestStreamsThatWereResetWhileTheyWaitedAreForgotten by the connection.
func TestStreamsThatWereResetWhileTheyWaitedAreForgotten(t *testing.T) {
	s := serve(t, func(ex *l7.Exchange) error {
		ex.Response.Status, ex.Response.Body = 200, &source{size: 1 << 20}
		return nil
	})
	p := s.connect()
	p.mean = true
	p.settle(set(http2.SettingInitialWindowSize, 1<<20))
	before := heap()
	for id := uint32(1); id < 4000; id += 2 {
		p.get(id)
		p.head(id)
		p.WriteRSTStream(id, http2.ErrCodeCancel)
		p.sync()
		delete(p.streams, id)
	}
	if after := heap(); after > before+2<<20 {
		t.Errorf("%d KiB before, %d KiB after", before>>10, after>>10)
	}
	p.conn.Close()
}

// TestNothingIsSaidOfAStreamThatWasReset: RFC 9113 5.1.
func TestNothingIsSaidOfAStreamThatWasReset(t *testing.T) {
	handler, let := reader()
	defer let()
	s := serve(t, handler)
	p := s.connect()
	p.headers(1, false, post("x-stall", "1")...)
	p.sync()
	p.upload(1, false, window)
	granted := p.granted[1]
	p.data(1, false, []byte("x"))
	p.reset(1, http2.ErrCodeFlowControl)
	p.sync()
	if p.granted[1] != granted {
		t.Errorf("credit of %d bytes came behind the reset", p.granted[1]-granted)
	}
	p.conn.Close()
}

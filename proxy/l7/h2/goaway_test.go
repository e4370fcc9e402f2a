package h2_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/proxy/l7/h2"
)

// waits makes a handler that answers once it is let.
func waits() (handler l7.Handler, let func()) {
	may := make(chan struct{})
	return func(ex *l7.Exchange) error {
		select {
		case <-may:
			return answers("ok")(ex)
		case <-gone(ex):
			return errors.New("the client has gone")
		}
	}, func() { close(may) }
}

// TestShutdownIsTwoGOAWAYsAndWaitsForWhatIsUnderWay: RFC 9113 6.8.
func TestShutdownIsTwoGOAWAYsAndWaitsForWhatIsUnderWay(t *testing.T) {
	handler, let := waits()
	s := serve(t, handler)
	p := s.connect()
	p.get(1)
	p.sync()
	server := <-s.servers
	server.Shutdown()
	server.Shutdown()
	p.until("the first GOAWAY", func() bool { return len(p.goaways) == 1 })
	if g := p.goaways[0]; g.LastStreamID != 1<<31-1 || g.ErrCode != http2.ErrCodeNo {
		t.Errorf("the first is %v", g)
	}
	p.get(3) // it was under way: we had not seen the GOAWAY
	p.until("the second GOAWAY", func() bool { return len(p.goaways) == 2 })
	if g := p.goaways[1]; g.LastStreamID != 3 && g.LastStreamID != 1 || g.ErrCode != http2.ErrCodeNo {
		t.Errorf("the second is %v", g)
	}
	last := p.goaways[1].LastStreamID
	p.get(5)
	let()
	for id := uint32(1); id <= last; id += 2 {
		p.ok(id, "200")
	}
	p.wantClosed(http2.ErrCodeNo)
	if len(p.goaways) != 2 {
		t.Errorf("%d GOAWAYs", len(p.goaways))
	}
	if p.stream(5).head != nil {
		t.Error("a stream above the last one was answered")
	}
	if err := testkit.Wait(t, "the end", s.ends); err != nil {
		t.Errorf("Run gave %v", err)
	}
	wantCounted(t, s.cfg, "goaway_sent")
}

func TestARaisedFlagShutsDown(t *testing.T) {
	s := newServed(t, config(t), answers("ok"))
	near, far := pair(t)
	conn := sock.New(near)
	var last atomic.Bool
	conn.WatchRead(&last)
	s.wg.Go(func() { s.run(conn) })
	p := newPeer(t, far)
	p.begin()
	p.get(1)
	p.ok(1, "200")
	last.Store(true)
	conn.Wake()
	p.wantClosed(http2.ErrCodeNo)
	if len(p.goaways) != 2 {
		t.Errorf("%d GOAWAYs", len(p.goaways))
	}
	if err := testkit.Wait(t, "the end", s.ends); err != nil {
		t.Errorf("Run gave %v", err)
	}
	s.wg.Wait()
}

func TestAClientsGOAWAYIsNoReasonToStop(t *testing.T) {
	handler, let := waits()
	s := serve(t, handler)
	p := s.connect()
	p.get(1)
	p.WriteGoAway(0, http2.ErrCodeNo, []byte("done soon"))
	p.sync()
	let()
	p.ok(1, "200")
	p.conn.Close()
	if err := testkit.Wait(t, "the end", s.ends); err != nil {
		t.Errorf("Run gave %v", err)
	}
}

// TestAServersGOAWAYRefusesWhatIsAboveItsLastStream: RFC 9113 6.8, 8.7.
func TestAServersGOAWAYRefusesWhatIsAboveItsLastStream(t *testing.T) {
	u := dialed(t)
	u.server.begin()
	first := u.send()
	u.server.head(1)
	second := u.send()
	u.server.head(3)
	u.server.WriteGoAway(1<<31-1, http2.ErrCodeNo, nil)
	u.server.sync()
	testkit.Eventually(t, "news of the GOAWAY", func() bool { return u.changes.Load() > 0 })
	if u.Usable() || u.Open() != nil {
		t.Error("a stream was opened after GOAWAY")
	}
	u.server.WriteGoAway(1, http2.ErrCodeNo, nil)
	u.server.flush()
	if err := second.fails(); !errors.Is(err, h2.ErrRefused) {
		t.Errorf("the stream above the last failed with %v, want ErrRefused", err)
	}
	u.server.answer(1, "fine")
	first.ok()
	testkit.Wait(t, "the end of the connection", u.Done())
	wantCounted(t, u.cfg, "goaway_received")
}

func TestAStreamWhosePlaceWasTakenBeforeGOAWAYIsStale(t *testing.T) {
	u := dialed(t)
	u.server.begin()
	first := u.send()
	u.server.head(1)
	st := u.Open()
	u.server.WriteGoAway(1, http2.ErrCodeNo, nil)
	u.server.sync()
	c := newCall(t, st, "GET", nil)
	st.ReadBy(within())
	if wrote, err := st.Send(&c.out); wrote || !errors.Is(err, sock.ErrStale) {
		t.Errorf("wrote %v, error %v; want ErrStale", wrote, err)
	}
	st.Finish()
	u.server.answer(1, "")
	first.ok()
	testkit.Wait(t, "the end of the connection", u.Done())
}

func TestResetsOfTheServerSayWhatTheyMean(t *testing.T) {
	u := dialed(t)
	u.server.begin()
	for i, code := range []h2.Code{http2.ErrCodeRefusedStream, http2.ErrCodeCancel, http2.ErrCodeInternal, http2.ErrCodeNo, 0xbeef} {
		id := uint32(2*i + 1)
		c := u.send()
		u.server.head(id)
		u.server.WriteRSTStream(id, code)
		u.server.flush()
		err := c.fails()
		if refused := errors.Is(err, h2.ErrRefused); refused != (code == http2.ErrCodeRefusedStream) {
			t.Errorf("%v: ErrRefused %v", code, refused)
		}
		var e *h2.Error
		if !errors.As(err, &e) || !e.Remote || e.Conn {
			t.Errorf("%v: error %#v, want a reset by the peer", code, err)
		}
	}
	c := u.send()
	u.server.head(11)
	u.server.headers(11, false, ":status", "200")
	u.server.flush()
	testkit.Wait(t, "a head", c.headed)
	u.server.WriteRSTStream(11, http2.ErrCodeInternal)
	u.server.flush()
	got := c.wait()
	if got.err != nil {
		t.Error(got.err)
	}
	wantError(t, got.bodyErr, h2.Error{Code: http2.ErrCodeInternal, Remote: true})
	if !u.Usable() {
		t.Error("the connection was given up")
	}
	u.server.sync()
	if n := len(u.server.stream(1).resets); n != 0 {
		t.Errorf("%d resets in answer to a reset (RFC 9113 5.4.2)", n)
	}
}

func TestAServerThatBreaksFramingLosesTheConnection(t *testing.T) {
	for name, c := range map[string]struct {
		say  func(p *peer)
		want h2.Code
	}{
		"PUSH_PROMISE":              {func(p *peer) { p.WriteRawFrame(http2.FramePushPromise, 4, 1, []byte("\x00\x00\x00\x02\x82")) }, http2.ErrCodeProtocol},
		"HEADERS of its own":        {func(p *peer) { p.headers(2, true, ":status", "200") }, http2.ErrCodeProtocol},
		"HEADERS on an idle stream": {func(p *peer) { p.headers(7, true, ":status", "200") }, http2.ErrCodeProtocol},
		"nonsense for headers":      {func(p *peer) { p.WriteRawFrame(http2.FrameHeaders, 5, 1, []byte("\xfe")) }, http2.ErrCodeCompression},
		"ENABLE_PUSH":               {func(p *peer) { p.WriteSettings(set(http2.SettingEnablePush, 1)) }, http2.ErrCodeProtocol},
		"more than the window":      {func(p *peer) { p.WriteWindowUpdate(0, 1<<31-1) }, http2.ErrCodeFlowControl},
	} {
		t.Run(name, func(t *testing.T) {
			u := dialed(t)
			u.server.begin()
			calls := []*call{u.send(), u.send()}
			u.server.head(3)
			c.say(u.server)
			u.server.flush()
			for _, one := range calls {
				wantError(t, one.fails(), h2.Error{Code: c.want, Conn: true})
			}
			u.server.wantClosed(c.want)
			testkit.Wait(t, "the end", u.Done())
		})
	}
}

func TestAServersLastWordsAreTheReason(t *testing.T) {
	u := dialed(t)
	u.server.begin()
	c := u.send()
	u.server.head(1)
	u.server.WriteGoAway(1, http2.ErrCodeEnhanceYourCalm, []byte("too_many_pings"))
	u.server.flush()
	u.server.conn.Close()
	if err := c.fails(); errors.Is(err, h2.ErrRefused) {
		t.Errorf("%v: a stream that may have been processed is not refused", err)
	}
	testkit.Wait(t, "the end", u.Done())
}

func TestRetireWaitsForStreamsAndCloseDoesNot(t *testing.T) {
	u := dialed(t)
	u.server.begin()
	c := u.send()
	u.server.head(1)
	u.Retire()
	if u.Usable() || u.Open() != nil {
		t.Error("a retired connection takes streams")
	}
	u.server.answer(1, "fine")
	c.ok()
	u.server.wantClosed(http2.ErrCodeNo)
	testkit.Wait(t, "the end", u.Done())

	u = dialed(t)
	u.server.begin()
	calls := []*call{u.send(), u.send()}
	u.server.head(3)
	u.Close()
	for _, c := range calls {
		c.fails()
	}
	testkit.Wait(t, "the end", u.Done())
}

func TestAnUnusedConnectionCanBeGivenUp(t *testing.T) {
	for name, end := range map[string]func(*h2.Client){"retired": (*h2.Client).Retire, "closed": (*h2.Client).Close} {
		t.Run(name, func(t *testing.T) {
			u := dialed(t)
			end(u.Client)
			testkit.Wait(t, "the end", u.Done())
			u = dialed(t)
			st := u.Open()
			end(u.Client)
			st.Finish()
			testkit.Wait(t, "the end", u.Done())
		})
	}
}

// TestFinishBeforeTheEndResets: CANCEL, and the place is free again.
func TestFinishBeforeTheEndResets(t *testing.T) {
	u := dialed(t)
	u.server.begin()
	st := u.Open()
	c := newCall(t, st, "GET", nil)
	st.ReadBy(within())
	go func() { c.got.wrote, c.got.err = st.Send(&c.out); c.done <- c.got }()
	u.server.head(1)
	u.server.headers(1, false, ":status", "200")
	u.server.data(1, false, zeros[:10000])
	u.server.flush()
	c.wait()
	if err := st.ReadResponse(c.ex); err != nil {
		t.Fatal(err)
	}
	st.Finish()
	u.server.reset(1, http2.ErrCodeCancel)
	if open, _ := u.Streams(); open != 0 {
		t.Errorf("%d streams are open", open)
	}
	// What still comes is counted against the connection's window and given back.
	for range 200 {
		u.server.until("room on the connection", func() bool { return 65535+u.server.granted[0]-u.server.sent[0] >= 16<<10 })
		u.server.data(1, false, zeros[:16<<10])
	}
	u.server.sync()
	again := u.send()
	u.server.head(3)
	u.server.answer(3, "")
	again.ok()
}

// TestAConnectionWithoutStreamsEndsAfterItsIdleTime, but not while one runs.
func TestAConnectionWithoutStreamsEndsAfterItsIdleTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config(t)
		cfg.ConnIdle = time.Minute
		handler, let := waits()
		s := newServed(t, cfg, handler)
		p := s.pipe()
		p.get(1)
		p.sync()
		start := time.Now()
		go func() {
			time.Sleep(3 * time.Minute)
			let()
		}()
		p.ok(1, "200")
		p.wantClosed(http2.ErrCodeNo)
		if d := time.Since(start); d < 4*time.Minute || d > 4*time.Minute+15*time.Second {
			t.Errorf("ended after %v, want a minute after the last stream", d)
		}
		if err := <-s.ends; !errors.Is(err, sock.ErrTimeout) {
			t.Errorf("Run gave %v", err)
		}
	})
}

// TestASilentStreamEndsAfterItsIdleTime in each of the ways a client can stall.
func TestASilentStreamEndsAfterItsIdleTime(t *testing.T) {
	for name, stall := range map[string]func(p *peer){
		"an upload that stops": func(p *peer) {
			p.post(1)
			p.data(1, false, []byte("and then nothing"))
		},
		"a window that stays at zero": func(p *peer) {
			p.settle(set(http2.SettingInitialWindowSize, 0))
			p.get(1)
		},
		"a window that stays full": func(p *peer) {
			p.mean = true
			p.get(1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := config(t)
				cfg.StreamIdle = 5 * time.Second
				s := newServed(t, cfg, func(ex *l7.Exchange) error {
					if err := echoSize(ex); err != nil {
						return err
					}
					ex.Response.Body = &source{size: 1 << 20}
					return nil
				})
				p := s.pipe()
				start := time.Now()
				stall(p)
				p.until("a reset", func() bool { return len(p.stream(1).resets) > 0 })
				if d := time.Since(start); d < 5*time.Second || d > 7*time.Second {
					t.Errorf("ended after %v", d)
				}
				if err := <-s.wrong; !errors.Is(err, sock.ErrTimeout) {
					t.Errorf("the stream ended with %v", err)
				}
				p.settle(set(http2.SettingInitialWindowSize, 1<<20))
				p.mean = false
				p.WriteWindowUpdate(0, 1<<21)
				p.get(3)
				p.ok(3, "200")
				p.conn.Close()
				<-s.ends
			})
		})
	}
}

// TestSlowHeadersEndTheConnection: a header block that is not continued holds
// the whole connection up.
func TestSlowHeadersEndTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config(t)
		cfg.StreamIdle, cfg.ConnIdle = 5*time.Second, time.Minute
		s := newServed(t, cfg, echo)
		p := s.pipe()
		block := p.encode(get()...)
		p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:1]})
		start := time.Now()
		p.closed()
		if d := time.Since(start); d > 75*time.Second {
			t.Errorf("ended after %v", d)
		}
		if err := <-s.ends; err == nil {
			t.Error("Run ended well")
		}
	})
}

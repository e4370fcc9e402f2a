package h2_test

import (
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/proxy/l7/h2"
)

// unread has a client say something many times and read nothing of what comes.
// What it costs is bounded, others are served meanwhile, and all of it is given
// back when the client leaves.
func unread(t *testing.T, s *served, say func(p *peer, i int)) {
	t.Helper()
	other := s.connect()
	serves := func(id uint32) {
		t.Helper()
		other.headers(id, true, get("x-quick", "1")...)
		other.ok(id, "200")
	}
	serves(1)
	before := heap()
	p := s.connect()
	said := make(chan struct{})
	go func() {
		defer close(said)
		p.often(20000, func(i int) { say(p, i) })
	}()
	for id := uint32(3); id < 3000; id += 2 {
		serves(id)
		if id%500 != 1 {
			continue
		}
		if during := heap(); during > before+48<<20 {
			t.Errorf("%d MiB before, %d MiB while nobody reads", before>>20, during>>20)
			break
		}
	}
	p.conn.Close()
	testkit.Wait(t, "it has all been said", said)
	testkit.Wait(t, "the end of the connection", s.ends)
	if after := heap(); after > before+4<<20 {
		t.Errorf("%d KiB before, %d KiB after", before>>10, after>>10)
	}
}

// TestHeadsNobodyReadsAreBounded: flow control does not cover HEADERS.
func TestHeadsNobodyReadsAreBounded(t *testing.T) {
	large := strings.Repeat("v", 16<<10)
	s := serve(t, func(ex *l7.Exchange) error {
		if ex.Request.Header.Lookup("x-quick") != nil {
			return answers("ok")(ex)
		}
		return answers("", "x-large", large)(ex)
	})
	unread(t, s, func(p *peer, i int) { p.get(uint32(2*i + 1)) })
}

// TestInformationalResponsesNobodyReadsAreBounded: nor does it cover 1xx.
func TestInformationalResponsesNobodyReadsAreBounded(t *testing.T) {
	large := strings.Repeat("v", 1<<10)
	s := serve(t, func(ex *l7.Exchange) error {
		if ex.Request.Header.Lookup("x-quick") != nil {
			return answers("ok")(ex)
		}
		ex.Response.Status = 103
		add(&ex.Response.Header, "x-large", large)
		for range 200_000 {
			if err := ex.Informer.Inform(ex); err != nil {
				return err
			}
			if ex.Peer.Gone().Load() {
				return errStopped
			}
		}
		return answers("ok")(ex)
	})
	unread(t, s, func(p *peer, i int) {
		if i < 10 {
			p.get(uint32(2*i + 1))
		}
	})
}

// TestBodiesNobodyReadsAreBounded, whatever windows the client gives.
func TestBodiesNobodyReadsAreBounded(t *testing.T) {
	s := serve(t, func(ex *l7.Exchange) error {
		if ex.Request.Header.Lookup("x-quick") != nil {
			return answers("ok")(ex)
		}
		ex.Response.Status, ex.Response.Body = 200, &source{size: 1 << 40}
		return nil
	})
	unread(t, s, func(p *peer, i int) {
		switch {
		case i == 0:
			p.WriteSettings(set(http2.SettingInitialWindowSize, 1<<31-1))
			p.WriteWindowUpdate(0, 1<<31-1-65535)
		case i < 500:
			p.get(uint32(2*i + 1))
		}
	})
}

// TestUploadsNobodyReadsAreBounded: by the budget, of 8 MiB here, and the
// connection's initial window.
func TestUploadsNobodyReadsAreBounded(t *testing.T) {
	cfg := config(t)
	cfg.Budget = h2.NewBudget(8 << 20)
	s := serveWith(t, cfg, func(ex *l7.Exchange) error {
		if ex.Request.Header.Lookup("x-quick") != nil {
			return answers("ok")(ex)
		}
		return hang(ex)
	})
	unread(t, s, func(p *peer, i int) {
		if id := uint32(2*i + 1); i < 1000 {
			p.post(id)
			for range 4 {
				p.WriteData(id, false, zeros[:16<<10-1])
			}
		}
	})
}

// TestAServersFloodEndsItsConnection: an upstream may abuse us as a client may.
func TestAServersFloodEndsItsConnection(t *testing.T) {
	for name, c := range map[string]struct {
		counter string
		say     func(p *peer)
	}{
		"PING":          {"outbound_control_flood", func(p *peer) { p.WritePing(false, [8]byte{}) }},
		"SETTINGS":      {"outbound_control_flood", func(p *peer) { p.WriteSettings() }},
		"empty DATA":    {"inbound_empty_frames_flood", func(p *peer) { p.WriteData(1, false, nil) }},
		"PRIORITY":      {"inbound_priority_frames_flood", func(p *peer) { p.WritePriority(1, http2.PriorityParam{StreamDep: 3}) }},
		"WINDOW_UPDATE": {"inbound_window_update_frames_flood", func(p *peer) { p.WriteWindowUpdate(0, 1) }},
	} {
		t.Run(name, func(t *testing.T) {
			u := dialed(t)
			u.server.begin()
			one := u.send()
			u.server.head(1)
			u.server.headers(1, false, ":status", "200")
			u.server.often(5_000_000, func(int) { c.say(u.server) })
			wantError(t, one.fails(), h2.Error{Code: calm, Conn: true})
			testkit.Wait(t, "the end", u.Done())
			if n := count(t, u.cfg, c.counter); n != 1 {
				t.Errorf("http2.%s is %d, want 1", c.counter, n)
			}
		})
	}
}

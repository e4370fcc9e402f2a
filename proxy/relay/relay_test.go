package relay

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/stat"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stage is a client and a server with a relay between them that runs.
type stage struct {
	client, server *net.TCPConn
	down, up       Side
	splicing       *Splicing
	result         chan Result
}

// starting starts a relay; prepare may change the sides before.
type starting func(t testing.TB, idle time.Duration, prepare func(*stage)) *stage

// eachWay runs a test on relays that never splice, that do from the first byte
// on, and that do so after 256 KiB.
func eachWay(t *testing.T, test func(t *testing.T, play starting)) {
	splicing := func(after uint64) *Splicing {
		s := NewSplicing(new(stat.Set))
		s.after = after
		return s
	}
	for what, s := range map[string]*Splicing{
		"copied": nil, "spliced at once": splicing(0), "spliced after 256 KiB": splicing(spliceAfter),
	} {
		t.Run(what, func(t *testing.T) { test(t, s.play) })
	}
}

func (way *Splicing) play(t testing.TB, idle time.Duration, prepare func(*stage)) *stage {
	t.Helper()
	s := &stage{splicing: way, result: make(chan Result, 1)}
	s.client, s.down.Conn = pair(t)
	s.server, s.up.Conn = pair(t)
	if prepare != nil {
		prepare(s)
	}
	go func() { s.result <- way.Run(s.down, s.up, idle) }()
	return s
}

func pair(t testing.TB) (peer *net.TCPConn, ours *sock.Conn) {
	t.Helper()
	l, err := sock.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	peer, ours = nc.(*net.TCPConn), sock.New(accepted)
	t.Cleanup(func() { peer.Close(); ours.Close() })
	return peer, ours
}

func readAll(t testing.TB, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Errorf("reading: %v", err)
	}
	return string(b)
}

func (s *stage) wants(t testing.TB, up, down uint64, end End) {
	t.Helper()
	if r := <-s.result; r.Up != up || r.Down != down || r.End != end {
		t.Errorf("relay = %d up, %d down, %v (%v); want %d, %d, %v", r.Up, r.Down, r.End, r.Err, up, down, end)
	}
}

func TestAHalfCloseOfTheClientLeavesTheAnswerOpen(t *testing.T) {
	eachWay(t, func(t *testing.T, play starting) {
		s := play(t, 0, nil)
		s.client.Write([]byte("question"))
		s.client.CloseWrite()
		if got := readAll(t, s.server); got != "question" {
			t.Errorf("server read %q", got)
		}
		s.server.Write([]byte("answer"))
		s.server.Close()
		if got := readAll(t, s.client); got != "answer" {
			t.Errorf("client read %q", got)
		}
		s.wants(t, 8, 6, Complete)
	})
}

func TestAHalfCloseOfTheServerLeavesTheRequestOpen(t *testing.T) {
	eachWay(t, func(t *testing.T, play starting) {
		s := play(t, 0, nil)
		s.server.Write([]byte("220 hello"))
		s.server.CloseWrite()
		if got := readAll(t, s.client); got != "220 hello" {
			t.Errorf("client read %q", got)
		}
		s.client.Write([]byte("still talking"))
		s.client.Close()
		if got := readAll(t, s.server); got != "still talking" {
			t.Errorf("server read %q", got)
		}
		s.wants(t, 13, 9, Complete)
	})
}

func TestEarlyBytesComeFirst(t *testing.T) {
	eachWay(t, func(t *testing.T, play starting) {
		var up, down stat.Counter
		s := play(t, 0, func(s *stage) {
			s.down.Early, s.down.Sent = []byte("early up, "), &up
			s.up.Early, s.up.Sent = []byte("early down, "), &down
		})
		s.client.Write([]byte("late up"))
		s.server.Write([]byte("late down"))
		s.client.CloseWrite()
		s.server.CloseWrite()
		if got := readAll(t, s.server); got != "early up, late up" {
			t.Errorf("server read %q", got)
		}
		if got := readAll(t, s.client); got != "early down, late down" {
			t.Errorf("client read %q", got)
		}
		s.wants(t, 17, 21, Complete)
		if up.Value() != 17 || down.Value() != 21 {
			t.Errorf("counted %d up, %d down", up.Value(), down.Value())
		}
	})
}

func TestTenMegabytesBothWaysAtOnce(t *testing.T) {
	eachWay(t, func(t *testing.T, play starting) {
		const size = 10 << 20
		var up, down stat.Counter
		s := play(t, time.Minute, func(s *stage) { s.down.Sent, s.up.Sent = &up, &down })
		var wg sync.WaitGroup
		for i, c := range []*net.TCPConn{s.client, s.server} {
			sent := bytes.Repeat([]byte{byte('a' + i), 'x', '\n'}, size/3+1)[:size]
			wg.Go(func() { c.Write(sent); c.CloseWrite() })
			peer := []*net.TCPConn{s.server, s.client}[i]
			wg.Go(func() {
				if got, err := io.ReadAll(peer); !bytes.Equal(got, sent) || err != nil {
					t.Errorf("%d bytes came through of %d, or others (%v)", len(got), size, err)
				}
			})
		}
		wg.Wait()
		s.wants(t, size, size, Complete)
		if up.Value() != size || down.Value() != size {
			t.Errorf("counted %d up, %d down", up.Value(), down.Value())
		}
	})
}

func TestNothingPassesForTheIdleTime(t *testing.T) {
	eachWay(t, func(t *testing.T, play starting) {
		for what, before := range map[string]func(*stage){
			"from the start":     func(*stage) {},
			"after some bytes":   func(s *stage) { s.client.Write([]byte("x")); io.ReadFull(s.server, make([]byte, 1)) },
			"after a half-close": func(s *stage) { s.client.CloseWrite(); io.ReadAll(s.server) },
		} {
			s := play(t, 20*time.Millisecond, nil)
			before(s)
			io.Copy(io.Discard, s.client) // a reset, if it was over before what came before
			if r := <-s.result; r.End != Idle || r.Err != nil {
				t.Errorf("%s: %+v, want Idle", what, r)
			}
		}
	})
}

func TestAReaderThatTakesNothingIsIdleToo(t *testing.T) {
	eachWay(t, func(t *testing.T, play starting) {
		s := play(t, 100*time.Millisecond, nil)
		go s.client.Write(make([]byte, 64<<20)) // far more than the kernel's buffers hold
		if r := <-s.result; r.End != Idle {
			t.Errorf("%+v, want Idle", r)
		}
	})
}

func TestBytesOneWayKeepTheOtherWayOpen(t *testing.T) {
	for what, splicing := range map[string]*Splicing{"copied": nil, "spliced where it can be": NewSplicing(new(stat.Set))} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const idle = time.Minute
				client, down := net.Pipe()
				server, up := net.Pipe()
				result := make(chan Result, 1)
				go func() { result <- splicing.Run(Side{Conn: sock.New(down)}, Side{Conn: sock.New(up)}, idle) }()
				for range 10 {
					time.Sleep(idle * 3 / 4)
					server.Write([]byte("tick"))
					io.ReadFull(client, make([]byte, 4))
				}
				client.Write([]byte("at last"))
				if _, err := io.ReadFull(server, make([]byte, 7)); err != nil {
					t.Errorf("the silent direction was closed: %v", err)
				}
				began := time.Now()
				r := <-result
				if took := time.Since(began); took != idle || r.End != Idle || r.Up != 7 || r.Down != 40 {
					t.Errorf("%+v after %v, want Idle after %v", r, took, idle)
				}
			})
		})
	}
}

func TestASlowReaderHoldsBackTheSenderInBoundedMemory(t *testing.T) {
	eachWay(t, func(t *testing.T, play starting) {
		const size, step = 48 << 20, 1 << 20
		s := play(t, 0, nil)
		payload := make([]byte, step)
		go func() {
			for range size / step {
				s.client.Write(payload)
			}
			s.client.CloseWrite()
		}()
		var before, now runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		p := make([]byte, step)
		for range size / step {
			if _, err := io.ReadFull(s.server, p); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&now)
			if grown := int64(now.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
				t.Fatalf("the heap grew by %d KiB", grown>>10)
			}
		}
		s.server.CloseWrite()
		s.wants(t, size, 0, Complete)
	})
}

func TestAResetOfOneSideResetsTheOther(t *testing.T) {
	eachWay(t, func(t *testing.T, play starting) {
		for what, end := range map[string]End{"client": DownstreamBroke, "server": UpstreamBroke} {
			s := play(t, 0, nil)
			broken, other := s.client, s.server
			if end == UpstreamBroke {
				broken, other = s.server, s.client
			}
			broken.Write([]byte("half a mess"))
			io.ReadFull(other, make([]byte, 11))
			broken.SetLinger(0)
			broken.Close()
			if _, err := other.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%s: the other side read %v, want a reset", what, err)
			}
			if r := <-s.result; r.End != end || r.Err == nil {
				t.Errorf("%s: %+v, want %v", what, r, end)
			}
		}
	})
}

func TestAResetInTheMiddleOfABulkTransferNeverLooksLikeAnEnd(t *testing.T) {
	eachWay(t, func(t *testing.T, play starting) {
		for range 40 {
			s := play(t, 0, nil)
			wrote := make(chan error, 1)
			go func() { _, err := s.client.Write(make([]byte, 64<<20)); wrote <- err }()
			io.CopyN(io.Discard, s.server, 1<<20)
			s.server.SetLinger(0)
			s.server.Close()
			_, err := io.ReadAll(s.client) // the kernel tells of an RST once
			if err := errors.Join(err, <-wrote); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the client read and wrote with %v, want a reset", err)
			}
			if r := <-s.result; r.End != UpstreamBroke {
				t.Errorf("%+v, want UpstreamBroke", r)
			}
		}
	})
}

func TestWhatAServerSentBeforeItClosedEntirelyIsFlushed(t *testing.T) {
	eachWay(t, func(t *testing.T, play starting) {
		const size = 256 << 10
		var live stat.Counter
		s := play(t, 0, func(s *stage) { s.down.Sent = &live })
		s.server.Write(make([]byte, size))
		s.server.Close()
		for !s.up.Conn.PeerGone() { // what is on its way would be lost to an RST in the server's own kernel
			runtime.Gosched()
		}
		for range 100 { // a client that goes on sending to a server that has gone
			s.client.Write([]byte("more"))
			runtime.Gosched()
		}
		s.client.CloseWrite()
		if got, err := io.ReadAll(s.client); len(got) != size || err != nil {
			t.Errorf("the client read %d bytes, %v; want %d", len(got), err, size)
		}
		if r := <-s.result; r.Down != size || r.Up != live.Value() {
			t.Errorf("%+v, want %d down, %d up", r, size, live.Value())
		}
	})
}

func TestARelayIsEndedFromOutside(t *testing.T) {
	eachWay(t, func(t *testing.T, play starting) {
		for what, end := range map[string]func(*stage, *atomic.Bool){
			"by closing downstream": func(s *stage, _ *atomic.Bool) { s.down.Conn.Close() },
			"by closing upstream":   func(s *stage, _ *atomic.Bool) { s.up.Conn.Close() },
			"by a flag":             func(s *stage, flag *atomic.Bool) { flag.Store(true); s.up.Conn.Wake() },
		} {
			var flag atomic.Bool
			s := play(t, 0, func(s *stage) { s.up.Conn.Watch(&flag) })
			s.client.Write([]byte("x"))
			io.ReadFull(s.server, make([]byte, 1))
			end(s, &flag)
			io.ReadAll(s.client)
			io.ReadAll(s.server)
			if r := <-s.result; r.End != Canceled || r.Up != 1 {
				t.Errorf("%s: %+v, want Canceled", what, r)
			}
		}
	})
}

func TestCountsAreExactWhenAWriteBreaksOff(t *testing.T) {
	eachWay(t, func(t *testing.T, play starting) {
		var live stat.Counter
		s := play(t, 0, func(s *stage) { s.down.Sent = &live })
		go s.client.Write(make([]byte, 64<<20))
		io.ReadFull(s.server, make([]byte, 100_000))
		s.server.SetLinger(0)
		s.server.Close()
		if r := <-s.result; r.Up < 100_000 || r.Up != live.Value() {
			t.Errorf("%d up, %d counted live", r.Up, live.Value())
		}
	})
}

func TestAPipeIsRelayedLikeASocket(t *testing.T) {
	client, ours := net.Pipe()
	server, theirs := net.Pipe()
	done := make(chan Result, 1)
	go func() { done <- Run(Side{Conn: sock.New(ours)}, Side{Conn: sock.New(theirs)}, 0) }()
	go client.Write([]byte("ping"))
	p := make([]byte, 4)
	io.ReadFull(server, p)
	go server.Write([]byte("pong"))
	io.ReadFull(client, p)
	client.Close()
	readAll(t, server)
	if r := <-done; r.Up != 4 || r.Down != 4 || string(p) != "pong" {
		t.Errorf("%+v, client read %q", r, p)
	}
}

func TestTheSteadyLoopAllocatesNothing(t *testing.T) {
	eachWay(t, func(t *testing.T, play starting) {
		s := play(t, time.Minute, nil)
		piece := make([]byte, 100<<10) // past a Yield
		got := make([]byte, len(piece))
		round := func() {
			s.client.Write(piece)
			io.ReadFull(s.server, got)
			s.server.Write(piece[:5])
			io.ReadFull(s.client, got[:5])
		}
		round()
		if n := testing.AllocsPerRun(100, round); n > 0.1 {
			t.Errorf("%v allocations per round", n)
		}
	})
}

func TestNothingIsLeftOpen(t *testing.T) {
	eachWay(t, func(t *testing.T, play starting) {
		var supply *Splicing
		before := descriptors(t)
		for i := range 100 {
			s := play(t, 0, nil)
			s.client.Write(make([]byte, 100<<10))
			if i%2 == 0 {
				s.client.SetLinger(0)
			}
			s.client.Close()
			io.Copy(io.Discard, s.server)
			s.server.Close()
			<-s.result
			supply = s.splicing
		}
		if after := descriptors(t) - supply.descriptors(); after > before+2 { // two yield
			t.Errorf("%d descriptors before, %d after", before, after)
		}
	})
}

// descriptors are those of pipes, which are closed when nobody took them for a
// second.
func (s *Splicing) descriptors() int {
	if s == nil {
		return 0
	}
	return 2 * int(s.pipes.Open())
}

func TestTheFirstBytesAreShownUntilNobodyLooks(t *testing.T) {
	eachWay(t, func(t *testing.T, play starting) {
		var seen, heard []byte
		s := play(t, 0, func(s *stage) {
			s.down.Early = []byte("early ")
			s.down.First = func(p []byte) bool { seen = append(seen, p...); return true }
			s.up.First = func(p []byte) bool { heard = append(heard, p...); return false }
		})
		for _, word := range []string{"one ", "two"} {
			s.client.Write([]byte(word))
			io.ReadFull(s.server, make([]byte, len(word)))
		}
		s.client.CloseWrite()
		if got := readAll(t, s.server); !strings.HasSuffix("early one two", got) {
			t.Errorf("the server read %q", got)
		}
		s.server.Write([]byte("220 hi"))
		io.ReadFull(s.client, make([]byte, 6))
		s.server.Write([]byte("more"))
		s.server.CloseWrite()
		readAll(t, s.client)
		s.wants(t, 13, 10, Complete)
		want, wantHeard := "early one two", "220 hi"
		if s.splicing != nil && s.splicing.after == 0 {
			want, wantHeard = "early ", "" // from then on no byte passes through here
		}
		if string(seen) != want || string(heard) != wantHeard {
			t.Errorf("shown %q and %q, want %q and %q", seen, heard, want, wantHeard)
		}
	})
}

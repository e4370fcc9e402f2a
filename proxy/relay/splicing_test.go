package relay

import (
	"bytes"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/stat"
)

// both sends size bytes each way at once and checks that they arrive.
func (s *stage) both(t *testing.T, size int) {
	t.Helper()
	sent := bytes.Repeat([]byte("0123456789abcdefg"), size/17+1)[:size]
	var all sync.WaitGroup
	pass := func(from io.Writer, to io.Reader) {
		all.Go(func() { from.Write(sent) })
		all.Go(func() {
			got := make([]byte, size)
			if _, err := io.ReadFull(to, got); err != nil || !bytes.Equal(got, sent) {
				t.Errorf("other bytes came through (%v)", err)
			}
		})
	}
	pass(s.client, s.server)
	pass(s.server, s.client)
	all.Wait()
}

func TestALongStreamIsSplicedFrom256KiBOnAndCountedAllTheSame(t *testing.T) {
	var set stat.Set
	var up, down stat.Counter
	const size = 8 << 20
	s := NewSplicing(&set).play(t, time.Minute, func(s *stage) { s.down.Sent, s.up.Sent = &up, &down })
	s.both(t, size)
	s.client.CloseWrite()
	s.server.CloseWrite()
	s.wants(t, size, size, Complete)
	spliced := set.Group("tcp.", &splicingLayout).Counter(0).Value()
	if canSplice := s.down.Conn.CanSplice(); !canSplice {
		t.Skip("splice(2) is Linux's")
	}
	// What comes before the switch may be a piece more.
	if least, most := uint64(2*(size-spliceAfter-sock.BufferSize)), uint64(2*(size-spliceAfter)); spliced < least || spliced > most {
		t.Errorf("%d bytes were spliced, want %d to %d", spliced, least, most)
	}
	if up.Value() != size || down.Value() != size {
		t.Errorf("counted %d up, %d down", up.Value(), down.Value())
	}
}

func TestWithoutPipesBytesGoThroughUserSpace(t *testing.T) {
	way := NewSplicing(new(stat.Set))
	way.pipes.Most = -1
	s := way.play(t, time.Minute, nil)
	s.both(t, 4<<20)
	s.client.CloseWrite()
	s.server.CloseWrite()
	s.wants(t, 4<<20, 4<<20, Complete)
	if n := way.bytes.Value(); n != 0 {
		t.Errorf("%d bytes were spliced", n)
	}
}

func TestMoreStreamsThanPipesAllGoOn(t *testing.T) {
	way := NewSplicing(new(stat.Set))
	way.pipes.Most = 2
	var all sync.WaitGroup
	for range 8 {
		s := way.play(t, time.Minute, nil)
		all.Go(func() {
			s.both(t, 2<<20)
			s.client.CloseWrite()
			s.server.CloseWrite()
			s.wants(t, 2<<20, 2<<20, Complete)
		})
	}
	all.Wait()
	if n := way.pipes.Open(); n > 2 {
		t.Errorf("%d pipes are open", n)
	}
}

package h2

import (
	"io"
	"sync/atomic"
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// body is what comes on a stream after the head (l7.Body). Credit for what was
// given out is returned when the next is asked for: then it has been passed on.
type body struct {
	st   *stream
	lent int // bytes given out and not yet passed on
	stop atomic.Bool
	gone *atomic.Bool // who waits on whose behalf has left; may be nil

	// by bounds every wait, idle each of them; on the sock clock, 0 is none.
	by   atomic.Int64
	idle time.Duration
}

func (b *body) clear() {
	b.lent, b.gone, b.idle = 0, nil, 0
	b.stop.Store(false)
	b.by.Store(0)
}

// Length is the content-length, or -1.
func (b *body) Length() int64 { return b.st.length }

// Trailer holds the trailer fields once the body has ended.
func (b *body) Trailer() *l7.Header { return &b.st.trailer }

// Interrupt ends the body for whoever reads it in another goroutine.
func (b *body) Interrupt() {
	b.stop.Store(true)
	b.st.reader.wake()
}

// Resume makes an interrupted body readable again, from where it stopped.
func (b *body) Resume() { b.stop.Store(false) }

// SetIdle bounds the silence.
func (b *body) SetIdle(idle time.Duration) { b.idle = idle }

// Ended tells that everything was given out.
func (b *body) Ended() bool {
	c := b.st.c
	c.mu.Lock()
	defer c.mu.Unlock()
	return b.st.recvEnd && len(b.st.inbox.blocks) == 0
}

// Buffered gives what has come already.
func (b *body) Buffered() ([]byte, error) {
	c := b.st.c
	c.mu.Lock()
	defer c.mu.Unlock()
	return b.take()
}

// take is Buffered under the lock.
func (b *body) take() ([]byte, error) {
	st := b.st
	if p := st.inbox.take(); p != nil {
		st.passedOn(int64(b.lent))
		b.lent = len(p)
		return p, nil
	}
	switch {
	case st.lost:
		return nil, st.err
	case st.recvEnd:
		return nil, io.EOF
	case st.err != nil:
		return nil, st.err
	}
	return nil, nil
}

// Next waits for the next bytes.
func (b *body) Next() ([]byte, error) {
	c := b.st.c
	for {
		c.mu.Lock()
		p, err := b.take()
		if p == nil && err == nil && b.lent > 0 {
			b.st.passedOn(int64(b.lent)) // it was passed on, or nobody would wait
			b.lent = 0
			b.st.inbox.giveBack()
		}
		c.mu.Unlock()
		if p != nil || err != nil {
			return p, err
		}
		if b.stop.Load() {
			return nil, errInterrupted
		}
		c.flush() // the credit
		b.bound()
		if err := b.st.reader.park(b.gone); err != nil {
			return nil, err
		}
	}
}

// bound sets the deadline of the next wait.
func (b *body) bound() {
	by := time.Duration(b.by.Load())
	if b.idle > 0 {
		if t := sock.Now() + b.idle; by == 0 || t < by {
			by = t
		}
	}
	b.st.reader.bound(by)
}

// Whole gives the rest of the body if all of it is here, in one piece and
// without a trailer (l7.Whole).
func (b *body) Whole() (p []byte, ok bool) {
	st := b.st
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	if !st.recvEnd || st.lost || len(st.inbox.blocks) > 1 || len(st.trailer.Fields) > 0 || b.lent > 0 {
		return nil, false
	}
	p, _ = b.take()
	return p, true
}

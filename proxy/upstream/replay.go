package upstream

import (
	"io"
	"sync/atomic"

	"github.com/outrider-mesh/outrider/proxy/l7"
)

// replayBudget bounds what all exchanges together keep of request bodies.
type replayBudget struct{ left atomic.Int64 }

func (b *replayBudget) take(n int64) bool {
	if b.left.Add(-n) >= 0 {
		return true
	}
	b.left.Add(n)
	return false
}

func (b *replayBudget) give(n int64) { b.left.Add(n) }

// replay is a request's body that can be read again from its start, as long as
// what has been read of it is kept: up to a limit, within the budget of the
// process, and while a retry is possible (Envoy: retries need the body
// buffered, and are given up when it is larger than the buffer).
type replay struct {
	live   l7.Body
	budget *replayBudget
	most   int64
	read   int64  // of live
	last   func() // called when the last byte was read, before it is passed on

	ended bool // live was read to its end

	kept   []byte
	next   int         // what of kept is to be read next
	broken atomic.Bool // more was read than kept: no replay
}

func (r *replay) begin(live l7.Body, budget *replayBudget, most int64) {
	r.live, r.budget, r.most, r.read, r.ended, r.kept, r.next = live, budget, most, 0, false, r.kept[:0], 0
	r.broken.Store(most <= 0)
}

// end gives back what was kept.
func (r *replay) end() {
	r.forget()
	r.live = nil
}

// forget stops keeping: no retry is possible any more. It must not be called
// while another goroutine reads.
func (r *replay) forget() {
	if r.budget != nil {
		r.budget.give(int64(len(r.kept)))
	}
	if cap(r.kept) > 4<<10 {
		r.kept = nil
	}
	r.kept, r.next, r.budget = r.kept[:0], 0, nil
	r.broken.Store(true)
}

// enough stops keeping from another goroutine: what was kept is given back by
// end.
func (r *replay) enough() { r.broken.Store(true) }

// rewind makes the body begin anew and tells whether it can.
func (r *replay) rewind() bool {
	if r.broken.Load() {
		return false
	}
	r.next = 0
	r.live.Resume()
	return true
}

// Length is the live body's.
func (r *replay) Length() int64 { return r.live.Length() }

// Trailer is the live body's.
func (r *replay) Trailer() *l7.Header { return r.live.Trailer() }

// Ended tells that everything was given out, so that the end of the stream can
// leave with the last bytes (l7.Ended).
func (r *replay) Ended() bool { return r.ended && r.next >= len(r.kept) }

// Interrupt and Resume are the live body's.
func (r *replay) Interrupt() { r.live.Interrupt() }

// Resume is the live body's.
func (r *replay) Resume() { r.live.Resume() }

// Buffered gives what was kept, then what has come.
func (r *replay) Buffered() ([]byte, error) {
	if p := r.again(); p != nil {
		return p, nil
	}
	return r.keep(r.live.Buffered())
}

// Next gives what was kept, then waits for more.
func (r *replay) Next() ([]byte, error) {
	if p := r.again(); p != nil {
		return p, nil
	}
	return r.keep(r.live.Next())
}

func (r *replay) again() []byte {
	if r.next >= len(r.kept) {
		return nil
	}
	p := r.kept[r.next:]
	r.next = len(r.kept)
	return p
}

func (r *replay) keep(p []byte, err error) ([]byte, error) {
	r.read += int64(len(p))
	if !r.ended && (err == io.EOF || p != nil && (r.read == r.live.Length() || l7.Ended(r.live))) {
		r.ended = l7.Ended(r.live) || err == io.EOF
		r.last()
	}
	if len(p) == 0 || r.broken.Load() {
		return p, err
	}
	if n := int64(len(p)); int64(len(r.kept))+n > r.most || !r.budget.take(n) {
		r.forget()
		return p, err
	}
	r.kept = append(r.kept, p...)
	r.next = len(r.kept)
	return p, err
}

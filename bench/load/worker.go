//go:build linux

package load

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/outrider-mesh/outrider/bench/epoll"
)

const (
	readSize    = 64 << 10
	discardSize = 1 << 20
	sweepEvery  = int64(10 * time.Millisecond)  // how late a timeout may be noticed
	restFor     = int64(10 * time.Millisecond)  // how long a connection that failed stays unused
	wakeEvery   = int64(100 * time.Millisecond) // how late the end of the context may be noticed
)

// phase is where in the run a worker is. Only measuring has figures; draining awaits the answers still owed to it.
type phase uint8

const (
	warming phase = iota
	measuring
	draining
)

// worker drives its share of the connections from one thread. Times are nanoseconds since the run began.
type worker struct {
	config   Config
	schedule schedule
	poller   *epoll.Poller
	slots    []slot
	idle     ring // slots that may take a request, connected or not
	opening  int  // slots connecting before the run, without a request
	busy     int  // slots with a request under way
	began    time.Time
	phase    phase
	from, to int64 // the measured window
	sweepAt  int64
	buffer   []byte
	space    []byte // only its length matters: epoll.Discard
	result   Result
	answered int64
	seen     *atomic.Int64 // answered, for whoever watches
	first    bool          // calls AtStart and AtEnd
}

func (w *worker) now() int64 { return int64(time.Since(w.began)) }

// run sends and receives until the window has passed and its answers are in, or ctx ends.
func (w *worker) run(ctx context.Context) error {
	for now := w.now(); w.advance(now) && ctx.Err() == nil; now = w.now() {
		if now >= w.sweepAt {
			w.sweep(now)
			w.sweepAt = now + sweepEvery
		}
		if w.phase != draining {
			w.dispatch(now)
		}
		if err := w.turn(time.Duration(w.wakeAt() - w.now())); err != nil {
			return err
		}
		w.seen.Store(w.answered)
	}
	if w.phase == measuring {
		w.finish()
	}
	return nil
}

// advance moves to the phase the time has come for; false when nothing is left to do.
func (w *worker) advance(now int64) bool {
	if w.phase == warming && now >= w.from {
		w.mark(w.config.AtStart)
		w.phase = measuring
		if w.from > 0 { // without warm-up the first request, due at 0, belongs to the window
			w.from = w.now()
		}
	}
	if w.phase == measuring && (now >= w.to || (w.schedule.done() && w.busy == 0)) {
		w.finish()
	}
	return w.phase != draining || (w.busy > 0 && now <= w.to+int64(w.config.Timeout))
}

// finish ends the measured window and counts what its schedule asked for and was never sent.
func (w *worker) finish() {
	w.phase = draining
	w.mark(w.config.AtEnd)
	w.to = min(w.to, w.now())
	w.result.Elapsed = time.Duration(max(w.to-w.from, 0))
	late := w.schedule.dueBy(w.to - 1)
	w.result.Shortfall += late
	w.schedule.skip(late)
}

func (w *worker) mark(hook func()) {
	if w.first && hook != nil {
		hook()
	}
}

// dispatch sends what is due, as long as there are connections to send it on.
func (w *worker) dispatch(now int64) {
	w.forgo(now)
	for !w.idle.empty() && !w.schedule.done() {
		due := w.now()
		if w.schedule.rate > 0 {
			if due, _ = w.schedule.due(); due > now {
				return
			}
		}
		w.schedule.next++
		w.send(w.idle.take(), due)
	}
}

// forgo gives up the oldest requests that are due when more are outstanding than may be.
func (w *worker) forgo(now int64) {
	share := int64(max(w.config.Outstanding/w.config.Workers, len(w.slots)))
	over := w.schedule.dueBy(now) + int64(w.busy) - share
	if over <= 0 {
		return
	}
	w.schedule.skip(over)
	if w.phase == measuring {
		w.result.Shortfall += over
	}
}

// turn waits for something to happen, and deals with it.
func (w *worker) turn(patience time.Duration) error {
	events, err := w.poller.Wait(patience)
	for i := range events {
		w.handle(epoll.Token(&events[i]), events[i].Events)
	}
	return err
}

// wakeAt is when to look up although nothing has happened on a socket.
func (w *worker) wakeAt() int64 {
	at := w.sweepAt + wakeEvery
	if w.idle.num < len(w.slots) {
		at = w.sweepAt
	}
	if due, ok := w.schedule.due(); ok && !w.idle.empty() {
		at = min(at, due)
	}
	switch w.phase {
	case warming:
		at = min(at, w.from)
	case measuring:
		at = min(at, w.to)
	}
	return at
}

// sweep ends what has taken too long and lets failed connections be used again.
func (w *worker) sweep(now int64) {
	for i := range w.slots {
		s := &w.slots[i]
		switch {
		case s.state.underWay():
			if now-s.sent > int64(w.config.Timeout) {
				w.fail(i, TimedOut)
			}
		case s.state == resting && now >= s.restUntil:
			s.state = closed
			w.idle.put(i)
		}
	}
}

// close ends all connections.
func (w *worker) close() {
	for i := range w.slots {
		w.slots[i].hangUp()
	}
	if w.poller != nil {
		_ = w.poller.Close()
	}
}

// ring is a queue of slot numbers; a slot is in it at most once. First in, first out: all connections take their turn.
type ring struct {
	slots   []int
	at, num int
}

func (r *ring) empty() bool { return r.num == 0 }

func (r *ring) put(i int) {
	r.slots[(r.at+r.num)%len(r.slots)] = i
	r.num++
}

func (r *ring) take() int {
	i := r.slots[r.at]
	r.at = (r.at + 1) % len(r.slots)
	r.num--
	return i
}

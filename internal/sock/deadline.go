package sock

import (
	"errors"
	"os"
	"sync/atomic"
	"time"
)

// ErrTimeout is returned when a deadline set on a Conn has passed.
var ErrTimeout = errors.New("deadline exceeded")

// ErrCanceled is returned when the flag given to Watch was raised.
var ErrCanceled = errors.New("canceled")

// deadline is one direction's: what the owner wants, and what the runtime's
// timer was last armed with. Arming costs 0.25 us, so the timer moves at once
// only when the deadline moves earlier; when it moves later, only by more than
// an eighth. A wake-up that comes too early finds that out and arms again:
// a deadline is never late by more than what the timer itself is.
type deadline struct {
	want     atomic.Int64  // on the clock of Now; 0 is none
	armed    time.Duration // what the timer was set to; the owner's alone
	canceled *atomic.Bool  // nil: nobody cancels
}

// set moves the deadline; see ReadBy.
func (d *deadline) set(t time.Duration) { d.want.Store(int64(t)) }

// fix takes over a deadline that was set on the net.Conn itself.
func (d *deadline) fix(t time.Time) {
	d.armed = 0
	if !t.IsZero() {
		d.armed = max(t.Sub(start), 1)
	}
	d.set(d.armed)
}

// arm sets the timer if it has to be before the next park, and looks at the
// cancel flag after that, so that a Wake in between is not lost.
func (d *deadline) arm(timer func(time.Time) error) error {
	if want := time.Duration(d.want.Load()); want != d.armed && want != 0 {
		now := Now()
		if want <= now {
			return ErrTimeout
		}
		if d.stale(want, now) {
			d.armed = want
			timer(Wall(want))
		}
	}
	return d.check()
}

// stale tells that the timer is set too late, or fires far too early.
func (d *deadline) stale(want, now time.Duration) bool {
	if d.armed == 0 || want < d.armed {
		return true
	}
	return d.armed <= now || want-d.armed > (want-now)/8
}

func (d *deadline) check() error {
	if d.canceled != nil && d.canceled.Load() {
		return ErrCanceled
	}
	return nil
}

// woken decides what a wake-up by the timer means: nil says look again.
func (d *deadline) woken(err error, timer func(time.Time) error) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	if err := d.check(); err != nil {
		return err
	}
	want := time.Duration(d.want.Load())
	if want == 0 {
		d.armed = 0
		timer(time.Time{})
		return d.check()
	}
	if Now() >= want {
		return ErrTimeout
	}
	d.armed = want
	timer(Wall(want))
	return d.check()
}

// ReadBy bounds reads, on the clock of Now; 0 is no bound. It is cheap (see
// deadline). Another goroutine than the one that reads may call it, and must
// call Wake afterwards to make an earlier deadline known to a parked read.
func (c *Conn) ReadBy(t time.Duration) { c.rd.set(t) }

// ArmRead sets the timer of ReadBy now, in place of the next read that waits. It
// is for a goroutine about to be started whose stack stays small without that.
// It must not be called while anybody reads.
func (c *Conn) ArmRead() { c.rd.arm(c.nc.SetReadDeadline) }

// WriteBy bounds writes that have to wait likewise.
func (c *Conn) WriteBy(t time.Duration) { c.wd.set(t) }

// Watch makes reads and writes fail with ErrCanceled once flag is raised and
// Wake was called; nil ends it. It must not be called while anybody reads or
// writes.
func (c *Conn) Watch(flag *atomic.Bool) { c.rd.canceled, c.wd.canceled = flag, flag }

// WatchRead is Watch for reads alone.
func (c *Conn) WatchRead(flag *atomic.Bool) { c.rd.canceled = flag }

// Wake makes whoever is parked on the connection look at its deadlines and its
// cancel flag again. It may be called from any goroutine, also when the
// connection has passed on to somebody else meanwhile: they just look again.
func (c *Conn) Wake() { c.nc.SetDeadline(longAgo) }

var longAgo = time.Unix(1, 0)

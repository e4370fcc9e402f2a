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
	want, armed time.Duration // on the clock of Now; 0 is none
}

// stale tells that the timer must be set before the next park.
func (d *deadline) stale(now time.Duration) bool {
	switch {
	case d.want == d.armed:
		return false
	case d.want == 0:
		// An armed timer without a wish: it fires once, and is then cleared.
		return false
	case d.armed == 0, d.want < d.armed:
		return true
	default:
		// Later: leave an earlier timer alone until it has fired, unless it
		// would fire far too early.
		return d.armed <= now || d.want-d.armed > (d.want-now)/8
	}
}

// SetReadDeadline bounds reads, on the clock of Now; 0 is no bound. It must be
// called by the goroutine that reads. Cheap: see deadline.
func (c *Conn) ReadBy(t time.Duration) { c.rd.want = t }

// WriteBy bounds writes likewise, for the goroutine that writes.
func (c *Conn) WriteBy(t time.Duration) { c.wd.want = t }

// Watch makes reads and writes fail with ErrCanceled once flag is raised and
// Wake was called. nil ends it. The flag is read by whoever reads or writes.
func (c *Conn) Watch(flag *atomic.Bool) { c.canceled = flag }

// Wake makes whoever is parked on the connection look at its deadlines and its
// cancel flag again. It may be called from any goroutine, also when the
// connection has passed on to somebody else meanwhile: they just look again.
func (c *Conn) Wake() { c.nc.SetDeadline(longAgo) }

var longAgo = time.Unix(1, 0)

// armRead sets the timer if it is stale, and looks at the cancel flag after
// that, so that a Wake in between is not lost.
func (c *Conn) armRead() error {
	if c.rd.want != c.rd.armed {
		if now := Now(); c.rd.stale(now) {
			if c.rd.want <= now {
				return ErrTimeout
			}
			c.rd.armed = c.rd.want
			c.nc.SetReadDeadline(Wall(c.rd.want))
		}
	}
	return c.check()
}

func (c *Conn) armWrite() error {
	if c.wd.want != c.wd.armed {
		if now := Now(); c.wd.stale(now) {
			if c.wd.want <= now {
				return ErrTimeout
			}
			c.wd.armed = c.wd.want
			c.nc.SetWriteDeadline(Wall(c.wd.want))
		}
	}
	return c.check()
}

func (c *Conn) check() error {
	if c.canceled != nil && c.canceled.Load() {
		return ErrCanceled
	}
	return nil
}

// woken decides what a wake-up by the timer means: nil says look again.
func (c *Conn) woken(err error, d *deadline, set func(time.Time) error) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	if err := c.check(); err != nil {
		return err
	}
	if d.want == 0 {
		d.armed = 0
		set(time.Time{})
		return c.check()
	}
	if Now() >= d.want {
		return ErrTimeout
	}
	d.armed = d.want
	set(Wall(d.want))
	return c.check()
}

package live

import (
	"context"
	"time"
)

// Drain says when a process that was told to end may go.
type Drain struct {
	// Time is the longest that it waits (LISTENER_DRAIN_WAIT_TIME_S).
	Time time.Duration
	// AppGone tells whether the app's ports refuse connections; nil: not
	// asked, which is the setting that drops this condition. known is false
	// when there is no port to ask: then only Time ends the wait.
	AppGone func(ctx context.Context) (gone, known bool)
	// Quiet tells how many exchanges are under way, and for how long nothing
	// new has come.
	Quiet func() (exchanges int64, since time.Duration)
}

const (
	// drainQuiet is how long nothing new must have come.
	drainQuiet = 2 * time.Second
	drainLook  = 100 * time.Millisecond
)

// Wait returns after Time, when ctx ends, or earlier on evidence that nobody
// needs the proxy any longer: the app is gone, no exchange is under way, and
// nothing new has come for two seconds.
func (d *Drain) Wait(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, d.Time)
	defer cancel()
	begun := time.Now()
	tick := time.NewTicker(drainLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		exchanges, since := d.Quiet()
		if exchanges > 0 || min(since, time.Since(begun)) < drainQuiet {
			continue
		}
		if d.AppGone == nil {
			return
		}
		if gone, known := d.AppGone(ctx); gone && known {
			return
		}
	}
}

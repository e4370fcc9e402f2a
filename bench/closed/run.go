//go:build linux

package closed

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/outrider-mesh/outrider/bench/epoll"
	"github.com/outrider-mesh/outrider/bench/load"
)

const (
	readSize   = 64 << 10
	sweepEvery = int64(10 * time.Millisecond) // how late a timeout may be noticed
	restFor    = int64(10 * time.Millisecond) // how long a connection that failed stays closed
)

type phase uint8

const (
	warming phase = iota
	measuring
	draining
)

// run is a run under way. Times are nanoseconds since it began.
type run struct {
	config   Config
	poller   *epoll.Poller
	links    []link
	turn     turn
	began    time.Time
	phase    phase
	from, to int64 // the measured window
	started  int64 // requests, the warm-up's included
	busy     int   // requests under way
	sweepAt  int64
	buffer   []byte
	result   load.Result
}

// link is one connection.
type link struct {
	fd        int // -1: none
	opening   bool
	said      conversation
	busy      int    // requests under way
	asked     bool   // it has borne a request
	unsent    []byte // while not empty, nothing is read: the socket is full
	heard     int64  // when bytes last came, or it was opened
	restUntil int64  // closed until then
}

// Run generates the load and returns when the window has passed and its answers are in, or soon after ctx has ended. An error is one of configuration or of this
// machine: what becomes of the requests is in the result.
func Run(ctx context.Context, config Config) (load.Result, error) {
	config, err := config.Filled()
	if err != nil {
		return load.Result{}, fmt.Errorf("closed loop: %w", err)
	}
	r := &run{config: config, links: make([]link, config.Connections), buffer: make([]byte, readSize), result: load.NewResult(),
		from: int64(config.Warmup), to: int64(config.Warmup + config.Duration)}
	for i := range r.links {
		r.links[i].fd = -1
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		done <- r.perform(ctx)
	}()
	if err := <-done; err != nil {
		return load.Result{}, fmt.Errorf("closed loop: %w", err)
	}
	return r.result, nil
}

func (r *run) now() int64 { return int64(time.Since(r.began)) }

func (r *run) perform(ctx context.Context) (err error) {
	if r.poller, err = epoll.Open(512); err != nil {
		return err
	}
	defer r.close()
	r.began = time.Now()
	for now := int64(0); r.advance(now) && ctx.Err() == nil; now = r.now() {
		if now >= r.sweepAt {
			r.sweep(now)
			r.sweepAt = now + sweepEvery
		}
		events, err := r.poller.Wait(time.Duration(max(min(r.sweepAt, r.next())-r.now(), 0)))
		if err != nil {
			return err
		}
		for i := range events {
			r.handle(epoll.Token(&events[i]), events[i].Events)
		}
	}
	if r.phase == measuring {
		r.finish()
	}
	return nil
}

// next is when the phase ends.
func (r *run) next() int64 {
	switch r.phase {
	case warming:
		return r.from
	case measuring:
		return r.to
	}
	return r.to + int64(r.config.Timeout)
}

// advance moves to the phase the time has come for; false when nothing is left to do.
func (r *run) advance(now int64) bool {
	if r.phase == warming && now >= r.from {
		if r.phase = measuring; r.config.AtStart != nil {
			r.config.AtStart()
		}
		if r.from > 0 { // without warm-up the first request belongs to the window
			r.from = r.now()
		}
	}
	if r.phase == measuring && (now >= r.to || (r.spent() && r.busy == 0)) {
		r.finish()
	}
	if r.phase == draining && now > r.to+int64(r.config.Timeout) {
		r.result.Failures[load.TimedOut] += int64(r.busy)
		return false
	}
	return r.phase != draining || r.busy > 0
}

func (r *run) finish() {
	r.phase = draining
	if r.config.AtEnd != nil {
		r.config.AtEnd()
	}
	r.to = min(r.to, r.now())
	r.result.Elapsed = time.Duration(max(r.to-r.from, 0))
}

func (r *run) spent() bool { return r.config.Requests > 0 && r.started >= r.config.Requests }

// sweep opens what is closed, and ends what has been silent for too long.
func (r *run) sweep(now int64) {
	for i := range r.links {
		l := &r.links[i]
		switch {
		case l.fd < 0 && now >= l.restUntil && r.phase != draining && !r.spent():
			r.open(i, now)
		case l.fd >= 0 && (l.opening || l.busy > 0 || r.owes(l)) && now-l.heard > int64(r.config.Timeout):
			r.fail(l, load.TimedOut)
		}
	}
}

func (r *run) open(i int, now int64) {
	l := &r.links[i]
	fd, err := epoll.Connect(r.config.Addr)
	if err != nil {
		r.fail(l, load.ConnectFailed)
		return
	}
	*l = link{fd: fd, opening: true, said: r.config.Speak.begin(), heard: now}
	if r.poller.Add(fd, i, epoll.Writable) != nil {
		r.fail(l, load.ConnectFailed)
	}
}

// handle deals with what happened on a link. An event that outlived its connection finds nothing to read.
func (r *run) handle(i int, events uint32) {
	l := &r.links[i]
	t := &r.turn
	*t = turn{run: r, on: l, now: r.now(), out: t.out[:0]}
	switch {
	case l.fd < 0:
		return
	case l.opening:
		if epoll.Connected(l.fd) != nil {
			r.fail(l, load.ConnectFailed)
			return
		}
		if l.opening = false; r.poller.Change(l.fd, i, epoll.Readable) != nil {
			r.fail(l, load.ConnectFailed)
			return
		}
		l.said.opened(t)
	case len(l.unsent) > 0:
		r.transmit(i, l.unsent, epoll.Writable)
		return
	default:
		if !r.receive(l, t) {
			return
		}
	}
	if len(t.out) > 0 {
		r.transmit(i, t.out, epoll.Readable)
	}
}

// receive reads once; false when the link is over.
func (r *run) receive(l *link, t *turn) bool {
	n, errno := epoll.Read(l.fd, r.buffer)
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
		return true
	case errno != 0:
		r.fail(l, load.KindOf(errno))
		return false
	case n == 0:
		r.fail(l, load.ClosedEarly)
		return false
	}
	if l.heard = t.now; r.phase == measuring {
		r.result.Received += int64(n)
	}
	if err := l.said.heard(t, r.buffer[:n]); err != nil {
		if errors.Is(err, errParted) && l.busy == 0 {
			r.hangUp(l)
		} else {
			r.fail(l, load.Malformed)
		}
		return false
	}
	l.said.fill(t)
	return true
}

// transmit sends p, and keeps what the socket has no room for; watched is what the poller now waits for.
func (r *run) transmit(i int, p []byte, watched uint32) {
	l := &r.links[i]
	n, errno := epoll.Write(l.fd, p)
	if errno != 0 && errno != unix.EAGAIN && errno != unix.EINTR {
		r.fail(l, load.KindOf(errno))
		return
	}
	wanted := uint32(epoll.Readable)
	if l.unsent = append(l.unsent[:0], p[n:]...); len(l.unsent) > 0 {
		wanted = epoll.Writable
	}
	if wanted != watched && r.poller.Change(l.fd, i, wanted) != nil {
		r.fail(l, load.ConnectFailed)
	}
}

func (r *run) ask(t *turn) bool {
	if r.phase == draining || r.spent() {
		return false
	}
	r.started++
	r.busy++
	t.on.busy++
	t.on.asked = true
	if t.now >= r.from {
		r.result.Started++
	}
	return true
}

func (r *run) answered(t *turn, sent int64, o outcome) {
	r.busy--
	t.on.busy--
	if !o.failed {
		r.result.Answered++
		if r.phase == measuring {
			r.result.Window++
		}
	}
	if sent < r.from {
		return
	}
	r.result.Bytes += int64(o.bytes)
	if o.failed {
		r.result.Failures[o.failure]++
		return
	}
	r.result.Succeeded++
	r.result.Record(t.now - sent)
}

// fail ends a link: the requests it bore have failed, and so has one that it never came to. It rests for a moment.
func (r *run) fail(l *link, kind load.Kind) {
	failed := l.busy
	if r.owes(l) {
		failed = 1
		r.started++
		r.result.Started++
	}
	r.result.Failures[kind] += int64(failed)
	r.hangUp(l)
	l.restUntil = r.now() + restFor
}

// owes tells whether a link has yet to come to its first request, and there is one for it.
func (r *run) owes(l *link) bool { return !l.asked && r.phase != draining && !r.spent() }

func (r *run) hangUp(l *link) {
	r.busy -= l.busy
	if l.fd >= 0 {
		epoll.Close(l.fd)
	}
	*l = link{fd: -1}
}

func (r *run) close() {
	for i := range r.links {
		r.hangUp(&r.links[i])
	}
	_ = r.poller.Close()
}

//go:build linux

package load

import (
	"golang.org/x/sys/unix"

	"github.com/outrider-mesh/outrider/bench/epoll"
	"github.com/outrider-mesh/outrider/bench/wire"
)

// slot is one connection and the request it carries.
type slot struct {
	state     state
	fd        int // -1: none
	due       int64
	sent      int64 // when the request was given to this slot
	written   int   // bytes of the request the socket has taken
	restUntil int64
	served    int // requests answered on this connection
	response  wire.Response
}

type state uint8

const (
	closed     state = iota // no connection; the next request makes one
	opening                 // connecting before the run
	ready                   // connected, nothing asked
	connecting              // connecting, with a request to send
	waiting                 // request sent or being sent
	resting                 // failed a moment ago
)

func (s state) underWay() bool { return s == connecting || s == waiting }

func (s *slot) hangUp() {
	if s.fd >= 0 {
		epoll.Close(s.fd)
	}
	s.fd, s.state = -1, closed
}

// open connects slot i in the given state.
func (w *worker) open(i int, as state) error {
	s := &w.slots[i]
	fd, err := epoll.Connect(w.config.Target.Addr)
	if err != nil {
		return err
	}
	s.fd, s.state, s.served = fd, as, 0
	return w.poller.Add(fd, i, epoll.Writable)
}

// send starts a request on a slot taken from the idle ring.
func (w *worker) send(i int, due int64) {
	s := &w.slots[i]
	s.due, s.sent, s.written = due, w.now(), 0
	s.response.Reset(w.config.Target.Head)
	w.busy++
	if due >= w.from {
		w.result.Started++
	}
	if s.state == ready {
		s.state = waiting
		w.transmit(i, epoll.Readable)
		return
	}
	if err := w.open(i, connecting); err != nil {
		w.fail(i, ConnectFailed)
	}
}

// transmit writes what the socket has room for; watched is what the poller now waits for on it.
func (w *worker) transmit(i int, watched uint32) {
	s := &w.slots[i]
	n, errno := epoll.Write(s.fd, w.config.Target.Request[s.written:])
	if errno != 0 && errno != unix.EAGAIN && errno != unix.EINTR {
		w.fail(i, KindOf(errno))
		return
	}
	s.written += n
	wanted := uint32(epoll.Readable)
	if s.written < len(w.config.Target.Request) {
		wanted |= epoll.Writable
	}
	if wanted != watched {
		if err := w.poller.Change(s.fd, i, wanted); err != nil {
			w.fail(i, KindOf(err))
		}
	}
}

// handle deals with what happened on slot i's socket. An event that outlived its connection finds nothing to read.
func (w *worker) handle(i int, events uint32) {
	s := &w.slots[i]
	switch s.state {
	case opening, connecting:
		w.connected(i)
	case ready:
		s.hangUp() // the peer has closed it, or speaks unasked: not for reuse
	case waiting:
		if events&epoll.Writable != 0 {
			w.transmit(i, epoll.Readable|epoll.Writable)
		}
		if s.state == waiting && events&^epoll.Writable != 0 {
			w.receive(i)
		}
	}
}

func (w *worker) connected(i int) {
	s := &w.slots[i]
	err := epoll.Connected(s.fd)
	if s.state == opening {
		w.opening--
		if err == nil {
			err = w.poller.Change(s.fd, i, epoll.Readable)
		}
		if s.state = ready; err != nil {
			s.hangUp()
		}
		w.idle.put(i)
		return
	}
	if err != nil {
		w.fail(i, ConnectFailed)
		return
	}
	s.state = waiting
	w.transmit(i, epoll.Writable)
}

func (w *worker) receive(i int) {
	s := &w.slots[i]
	if owed := s.response.Owed(); owed >= readSize {
		n, errno := epoll.Discard(s.fd, w.space[:min(owed, discardSize)])
		if w.arrived(i, n, errno) && s.response.Skip(int64(n)) {
			w.complete(i)
		}
		return
	}
	n, errno := epoll.Read(s.fd, w.buffer)
	if !w.arrived(i, n, errno) {
		return
	}
	rest, done, err := s.response.Feed(w.buffer[:n])
	switch {
	case err != nil, done && len(rest) > 0:
		w.fail(i, Malformed)
	case done:
		w.complete(i)
	}
}

// arrived tells whether a read brought bytes, and ends the request if it brought the end of the connection.
func (w *worker) arrived(i, n int, errno unix.Errno) bool {
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
	case errno != 0:
		w.fail(i, KindOf(errno))
	case n > 0:
		if w.phase == measuring {
			w.result.Received += int64(n)
		}
		return true
	case w.slots[i].response.End():
		w.complete(i)
	default:
		w.fail(i, ClosedEarly)
	}
	return false
}

// complete records an answer and frees its slot; in a closed loop the slot asks again at once.
func (w *worker) complete(i int) {
	s, now := &w.slots[i], w.now()
	w.busy--
	w.answered++
	w.result.Answered++
	if w.phase == measuring {
		w.result.Window++
	}
	if s.due >= w.from {
		w.count(&s.response, now-s.due)
	}
	s.served++
	worn := w.config.PerConnection > 0 && s.served >= w.config.PerConnection
	if worn || s.response.Closes || s.written < len(w.config.Target.Request) {
		s.hangUp()
	} else {
		s.state = ready
	}
	if w.schedule.rate == 0 && s.state == ready && w.phase != draining && !w.schedule.done() {
		w.schedule.next++
		w.send(i, now)
		return
	}
	w.idle.put(i)
}

func (w *worker) count(r *wire.Response, latency int64) {
	w.result.Bytes += r.Bytes
	switch {
	case r.Status >= 500:
		w.result.Failures[Status5xx]++
	case r.Status >= 400:
		w.result.Failures[Status4xx]++
	default:
		w.result.Succeeded++
		w.result.Record(latency)
	}
}

// fail records a failure and lets its slot rest, so that a dead target costs no busy loop.
func (w *worker) fail(i int, kind Kind) {
	s, now := &w.slots[i], w.now()
	w.busy--
	if s.due >= w.from {
		w.result.Failures[kind]++
		w.result.Bytes += s.response.Bytes
		if kind == TimedOut {
			w.result.Record(now - s.due)
		}
	}
	s.hangUp()
	s.state, s.restUntil = resting, now+restFor
}

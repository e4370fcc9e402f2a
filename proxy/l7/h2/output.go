package h2

import (
	"encoding/binary"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/net/http2"

	"github.com/outrider-mesh/outrider/internal/sock"
)

// output is the frames that wait to be written. Who appends one sees to it that
// somebody flushes: who flushes first gives way once, so that others can append
// theirs, and writes without waiting; a goroutine of the crew goes on while the
// socket is full. The connection's lock guards it.
type output struct {
	out        *frames // nil: nothing waits
	outFrames  int     // of those in out, and of those being written
	outControl int     // answers among them
	promised   bool    // somebody will flush after giving way
	writing    bool    // somebody writes
	stuck      bool    // the socket is full
	ending     bool    // a FIN is to follow what is left
	ended      bool    // nothing is written any more
	tableSaid  bool
	waiting    []*stream // for room here; first come, first served
	drained    sync.WaitGroup
	rest       drain
}

// frames is memory for output, pooled: an idle connection holds none.
type frames struct{ b []byte }

var framesPool = sync.Pool{New: func() any { return &frames{make([]byte, 0, 16<<10)} }}

const (
	// roomMost is how much output waits before DATA has to.
	roomMost = 64 << 10
	// keepFrames keeps rare giants out of the pool.
	keepFrames = 256 << 10
)

func (f *frames) release() {
	if cap(f.b) <= keepFrames {
		f.b = f.b[:0]
		framesPool.Put(f)
	}
}

// needOut makes sure that there is an output, under the lock.
func (c *conn) needOut() {
	if c.out == nil {
		c.out = framesPool.Get().(*frames)
	}
}

// full tells that DATA has to wait for room, under the lock.
func (c *conn) full() bool { return c.out != nil && len(c.out.b) >= roomMost }

func (c *conn) appendReset(id uint32, code Code) {
	c.needOut()
	c.out.b = appendReset(c.out.b, id, code)
	c.outFrames++
	c.outControl++
	c.resets.add(id)
	c.stats.Counter(txReset).Inc()
}

func (c *conn) appendAck(kind http2.FrameType, payload []byte) {
	c.mu.Lock()
	c.needOut()
	c.out.b = appendFrame(c.out.b, kind, flagAck, 0, len(payload))
	c.out.b = append(c.out.b, payload...)
	c.outFrames++
	c.outControl++
	c.mu.Unlock()
}

// outboundFlood keeps a peer that does not read from having us answer without
// end (Envoy: max_outbound_control_frames, max_outbound_frames). The reader
// calls it after each frame; it looks every now and then.
func (c *conn) outboundFlood() *Error {
	const every = 64
	if c.floods.frames++; c.floods.frames < every {
		return nil
	}
	c.floods.frames = 0
	c.flushNow()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.stuck: // somebody is writing right now
	case c.outControl > int(c.limits.MaxOutboundControlFrames):
		return errControlFlood
	case c.outFrames > int(c.limits.MaxOutboundFrames):
		return errOutboundFlood
	}
	return nil
}

// flush has what waits written, by the caller or by somebody who has promised
// to. It gives way once, so that what others are about to say leaves with it.
func (c *conn) flush() {
	c.mu.Lock()
	c.unlockAndFlush()
}

// unlockAndFlush is flush for who has the lock, which it gives up.
func (c *conn) unlockAndFlush() {
	if c.promised || c.writing || c.out == nil {
		c.mu.Unlock()
		return
	}
	c.promised = true
	c.mu.Unlock()
	runtime.Gosched()
	c.mu.Lock()
	c.promised = false
	c.write()
}

// flushNow is flush without giving way.
func (c *conn) flushNow() {
	c.mu.Lock()
	c.write()
}

// write writes what waits, without waiting itself. It is called with the lock
// and gives it up.
func (c *conn) write() {
	if c.ended && c.out != nil {
		c.out.release()
		c.out, c.outFrames, c.outControl = nil, 0, 0
	}
	for !c.writing && c.out != nil {
		out := c.out
		frames, control := c.outFrames, c.outControl
		c.out, c.writing = nil, true
		c.mu.Unlock()
		n, err := c.sock.WriteNow(out.b)
		c.mu.Lock()
		if err == nil && n < len(out.b) {
			c.stuck = true
			c.rest = drain{conn: c, out: out, left: out.b[n:], frames: frames, control: control}
			c.drained.Add(1)
			c.mu.Unlock()
			c.cfg.Crew.Do(&c.rest)
			return
		}
		c.wrote(out, frames, control)
	}
	waiting := c.takeWaiting()
	fin := c.ending && !c.ended && !c.writing
	c.ended = c.ended || fin
	c.mu.Unlock()
	if fin {
		c.sock.CloseWrite()
	}
	wakeWriters(waiting)
}

// wrote takes note of what was written, under the lock.
func (c *conn) wrote(out *frames, frames, control int) {
	if c.cfg.Sent != nil {
		c.cfg.Sent.Add(uint64(len(out.b)))
	}
	out.release()
	c.writing = false
	c.outFrames -= frames
	c.outControl -= control
}

// takeWaiting takes those who wait for room, if there is some, under the lock.
func (c *conn) takeWaiting() []*stream {
	if len(c.waiting) == 0 || c.full() || c.writing {
		return nil
	}
	return called(&c.waiting)
}

// queue is what a stream waits for in a list of its connection's.
type queue uint8

const (
	forNothing queue = iota
	forRoom          // in the output
	forWindow        // of the connection
)

func (c *conn) queueOf(q queue) *[]*stream {
	if q == forRoom {
		return &c.waiting
	}
	return &c.flow.windowless
}

// enqueue has a stream wait, under the lock. It may be in one list already.
func (c *conn) enqueue(st *stream, q queue) {
	if st.queued == q {
		return
	}
	c.dequeue(st)
	st.queued = q
	list := c.queueOf(q)
	*list = append(*list, st)
}

// dequeue takes a stream out of the list that it waits in, under the lock.
func (c *conn) dequeue(st *stream) {
	if st.queued == forNothing {
		return
	}
	list := c.queueOf(st.queued)
	if i := slices.Index(*list, st); i >= 0 {
		*list = slices.Delete(*list, i, i+1)
	}
	st.queued = forNothing
}

// called takes all out of a list, who are then to be woken, under the lock.
func called(list *[]*stream) []*stream {
	waiting := *list
	*list = nil
	for _, st := range waiting {
		st.queued = forNothing
	}
	return waiting
}

func wakeWriters(waiting []*stream) {
	for _, st := range waiting {
		st.writer.wake()
	}
}

// drain writes what the socket did not take at once. It is the crew's task.
type drain struct {
	conn            *conn
	out             *frames
	left            []byte
	frames, control int
}

// Run waits for the socket (l7.Task).
func (d *drain) Run() {
	c := d.conn
	defer c.drained.Done()
	c.mu.Lock()
	over := c.err != nil
	c.mu.Unlock()
	if idle := c.cfg.StreamIdle; idle > 0 && !over {
		c.sock.WriteBy(sock.Now() + idle)
	}
	err := c.sock.WriteAll(d.left, nil, nil)
	out, frames, control := d.out, d.frames, d.control
	*d = drain{}
	c.mu.Lock()
	c.stuck = false
	c.wrote(out, frames, control)
	if err != nil {
		// Nobody reads any more: the reader is told, and ends the connection.
		c.ended = true
		c.mu.Unlock()
		c.sock.Close()
		return
	}
	c.write()
}

// appendGoAway appends a GOAWAY, under the lock.
func (c *conn) appendGoAway(last uint32, code Code, debug string) {
	c.needOut()
	c.out.b = appendGoAway(c.out.b, last, code, debug)
	c.outFrames++
	c.stats.Counter(goAwaySent).Inc()
}

// appendPing appends a PING of our own, under the lock.
func (c *conn) appendPing(payload uint64) {
	c.needOut()
	var p [8]byte
	binary.BigEndian.PutUint64(p[:], payload)
	c.out.b = appendPing(c.out.b, 0, p[:])
	c.outFrames++
}

package h2

import (
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// stream is what both sides of a stream have in common. Its owner is the
// goroutine of the exchange; one more may read from or write to it meanwhile.
// The connection's lock guards the fields, and the reader knows the stream only
// while it is in the connection's list. Streams are reused.
type stream struct {
	streamState
	owner  *ClientStream // nil: downstream
	leave  func()        // tells the owner's waiter that the peer has left; nil: nobody
	body   body
	reader parker
	writer parker
}

// streamState is what a stream begins anew with.
type streamState struct {
	c      *conn
	id     uint32 // 0: not opened yet
	listed bool   // in the connection's table
	born   time.Duration

	// What came.
	inbox    inbox
	fields   []l7.Field // of the head
	arena    []byte     // what the fields of head and trailer point into
	tail     []byte
	trailer  l7.Header
	headCame bool
	recvEnd  bool  // END_STREAM
	length   int64 // content-length; -1: none given
	came     int64 // bytes of the body
	recv     int64 // what the peer may still send
	window   int64 // what recv is topped up to
	credit   int64 // to be returned
	grown    int64 // taken from the budget for a larger window
	budgeted int64 // taken from the budget for what is in the inbox
	withheld int64 // of the connection's credit, since the budget had none

	// What goes.
	send        int64
	unheard     int64 // bytes sent since the peer gave credit for the stream last
	sendEnd     bool  // END_STREAM
	answered    bool  // a head was sent
	wantsWindow bool  // the writer waits for the stream's window
	queued      queue // what the writer waits for in a list of the connection

	err  error // how the stream broke; nil: it has not
	lost bool  // of what has come nothing is to be read any more
}

func (st *stream) make() {
	st.body.st = st
	st.reader.make()
	st.writer.make()
}

// begin makes a stream ready. It is not yet in the list.
func (st *stream) begin(c *conn) {
	w := int64(c.limits.InitialStreamWindow)
	if !c.peer.acked {
		w = max(w, defaultWindow) // the peer may not know ours yet
	}
	st.c, st.recv, st.window = c, w, w
	st.length = -1
}

// enter puts the stream in the list, under the lock.
func (st *stream) enter(id uint32) {
	c := st.c
	st.id, st.send = id, int64(c.peer.window)
	st.listed = true
	c.streams.put(st)
	c.stats.Gauge(streamsActive).Inc()
}

// breakOff ends the stream for both directions, under the lock. What has come
// as a whole can still be read.
func (st *stream) breakOff(err error) {
	if st.err == nil {
		st.err = err
	}
	if !st.recvEnd {
		st.lost = true
		st.passedOn(int64(st.inbox.drop()))
	}
	// Under the lock, or the owner might be serving another exchange by then.
	if st.leave != nil {
		st.leave()
	}
	st.reader.wake()
	st.writer.wake()
}

// endRecv takes note of END_STREAM, under the lock.
func (st *stream) endRecv() {
	st.recvEnd = true
	st.settle()
}

// settle takes a stream out that has ended in both directions, under the lock.
func (st *stream) settle() {
	if st.recvEnd && st.sendEnd && st.listed {
		st.c.forget(st)
	}
}

// end gives everything back, under the lock, and resets what has not ended. The
// owner must not use the stream afterwards.
func (st *stream) end(code Code) {
	c := st.c
	c.dequeue(st)
	if st.listed {
		c.appendReset(st.id, code)
		c.forget(st)
	}
	st.recvEnd = true // no more credit for the stream
	st.passedOn(int64(st.inbox.drop()))
	if lent := st.inbox.lent; lent != nil {
		st.passedOn(int64(st.body.lent))
	}
	st.inbox.giveBack()
	c.cfg.Budget.give(st.grown)
	if st.id != 0 {
		c.stats.Gauge(streamsActive).Dec()
	}
}

// keepArena keeps the memory of rare giants out of the pool.
const keepArena = 16 << 10

// clear makes the stream ready for the pool.
func (st *stream) clear() {
	st.reader.reset()
	st.writer.reset()
	st.body.clear()
	if cap(st.arena)+cap(st.tail) > keepArena { // and nothing may point there any more
		st.arena, st.tail, st.fields, st.trailer.Fields = nil, nil, nil, nil
		st.reader.disarm()
		st.writer.disarm()
	}
	st.streamState = streamState{inbox: inbox{blocks: st.inbox.blocks[:0]}, fields: st.fields[:0], arena: st.arena, tail: st.tail,
		trailer: l7.Header{Fields: st.trailer.Fields[:0]}}
}

// write sends p as DATA, as windows and room allow, and with it END_STREAM if
// it is the end. It blocks while the peer gives no window, until the deadline of
// st.writer.
func (st *stream) write(p []byte, end endStream, gone *atomic.Bool) error {
	c := st.c
	for {
		c.mu.Lock()
		if err := st.broken(); err != nil {
			c.mu.Unlock()
			return err
		}
		n := st.room(len(p))
		if n == len(p) || n > 0 {
			st.appendData(p[:n], n == len(p) && bool(end))
			p = p[n:]
			c.mu.Unlock()
			if len(p) == 0 {
				return nil
			}
			continue
		}
		switch {
		case c.full():
			c.enqueue(st, forRoom)
		case st.send <= 0:
			st.wantsWindow = true
		default:
			c.enqueue(st, forWindow)
		}
		c.mu.Unlock()
		c.stats.Counter(flowPaused).Inc()
		c.flush()
		if err := st.writer.park(gone); err != nil {
			return err
		}
	}
}

// endStream says whether DATA is the last.
type endStream bool

// broken is why the stream cannot be written to, under the lock.
func (st *stream) broken() error {
	if st.err != nil {
		return st.err
	}
	if st.sendEnd {
		return io.ErrClosedPipe
	}
	return nil
}

// room is how many of n bytes may go in one frame now, under the lock. A stream
// that has sent much without hearing of it leaves an eighth of the connection's
// window to others.
func (st *stream) room(n int) int {
	c := st.c
	if n > 0 && c.full() {
		return 0
	}
	free := c.flow.send
	if share := c.flow.peak / 8; st.unheard >= share && c.streams.n > 1 {
		free -= share
	}
	return int(max(min(int64(n), int64(c.peer.maxFrame), st.send, free), 0))
}

// awaitRoom waits until the output has room, and returns with the lock, or with
// an error and without it. Flow control does not cover heads.
func (st *stream) awaitRoom(gone *atomic.Bool) error {
	c := st.c
	c.mu.Lock()
	for c.full() && st.err == nil {
		c.enqueue(st, forRoom)
		c.mu.Unlock()
		c.flush()
		if err := st.writer.park(gone); err != nil {
			return err
		}
		c.mu.Lock()
	}
	return nil
}

// appendData appends a DATA frame, under the lock.
func (st *stream) appendData(p []byte, end bool) {
	c := st.c
	flags := http2.Flags(0)
	if end {
		flags = flagEndStream
	}
	c.needOut()
	c.out.b = append(appendFrame(c.out.b, http2.FrameData, flags, st.id, len(p)), p...)
	c.outFrames++
	c.dataSent.Add(1)
	st.send -= int64(len(p))
	st.unheard += int64(len(p))
	c.flow.send -= int64(len(p))
	if end {
		st.endSend()
	}
}

// endSend takes note that END_STREAM was sent, under the lock.
func (st *stream) endSend() {
	st.sendEnd = true
	st.settle()
}

// appendTrailer ends the stream with trailers, under the lock.
func (st *stream) appendTrailer(h *l7.Header) {
	c := st.c
	for _, framing := range [...]l7.Name{l7.NameContentLength, l7.NameTE, l7.NameTrailer} { // RFC 9110 6.5.1
		h.Remove(framing)
	}
	at := c.beginHeaders()
	c.out.b = appendFields(c.out.b, h)
	c.endHeaders(at, st.id, flagEndStream)
	st.endSend()
}

// sendBody passes a body on and ends the stream. readErr is why the body ended
// early, writeErr why the stream did. idle bounds each wait for the peer.
func (st *stream) sendBody(b l7.Body, idle time.Duration, gone *atomic.Bool) (n uint64, readErr, writeErr error) {
	var yield *sock.Yielder // made when enough was moved to need it
	for moved := 0; ; {
		p, err := b.Buffered()
		if p == nil && err == nil {
			st.c.flush()
			p, err = b.Next()
		}
		if err == io.EOF {
			return n, nil, st.endBody(b)
		}
		if err != nil {
			return n, err, nil
		}
		if idle > 0 {
			st.writer.bound(sock.Now() + idle)
		}
		last := l7.Ended(b) && !hasTrailer(b)
		if err := st.write(p, endStream(last), gone); err != nil {
			return n, nil, err
		}
		n += uint64(len(p))
		if last {
			return n, nil, nil
		}
		if moved += len(p); moved >= yieldAfter {
			moved = 0
			st.c.flush()
			if yield == nil {
				yield = new(sock.Yielder)
				defer yield.Close()
			}
			yield.Yield()
		}
	}
}

func hasTrailer(b l7.Body) bool {
	t := b.Trailer()
	return t != nil && len(t.Fields) > 0
}

// endBody ends the stream behind a body that was passed on.
func (st *stream) endBody(b l7.Body) error {
	c := st.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := st.broken(); err != nil {
		return err
	}
	if t := b.Trailer(); t != nil && len(t.Fields) > 0 {
		st.appendTrailer(t)
	} else {
		st.appendData(nil, true)
	}
	return nil
}

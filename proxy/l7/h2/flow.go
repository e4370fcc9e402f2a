package h2

import "encoding/binary"

// Flow control (RFC 9113 5.2): credit for a stream is returned as its bytes are
// passed on, so that a slow reader holds back its writer; credit for the
// connection on receipt, so that one slow stream does not hold back the others,
// as long as the process's budget allows. Past it, the connection's credit too
// waits until bytes are passed on, and at half of its window the stream that
// holds the most is reset: see relieve. In the other direction, where a peer returns the
// connection's credit only as it reads, one stream whose reader has stalled must
// not use it up: see room.

// flow is the connection's windows, guarded by its lock.
type flow struct {
	send   int64 // what we may still send
	peak   int64 // the most that was
	recv   int64 // what the peer may still send
	window int64 // what recv is topped up to
	credit int64 // to be returned
	grown  int64 // taken from the budget for a larger window

	// withheld is credit that is returned when bytes are passed on, not before,
	// since the budget was used up.
	withheld   int64
	windowless []*stream // that wait for send
}

// dataFrame is a DATA frame that is coming in; its bytes go to their stream as
// they come. It belongs to the reader.
type dataFrame struct {
	active bool
	id     uint32
	stream *stream // nil: nobody wants it
	left   int     // of the data
	pad    int     // behind it
	end    bool    // END_STREAM
}

// beginData takes the header of a DATA frame; b is what is here behind it.
func (c *conn) beginData(f frame, b []byte) *Error {
	if f.stream == 0 {
		return errStreamZero
	}
	d := dataFrame{active: true, id: f.stream, left: f.length, end: f.flags&flagEndStream != 0}
	skip := frameHeaderLen
	if f.flags&flagPadded != 0 {
		if f.length == 0 {
			return errFrameLength
		}
		if d.pad = int(b[0]); d.pad >= f.length {
			return errPadding
		}
		d.left -= 1 + d.pad
		skip++
	}
	if err := c.floods.empty(c, f, d.left); err != nil {
		return err
	}
	st, err := c.admit(f, d)
	if err != nil && err.Conn {
		return err
	}
	d.stream = st
	c.in.Consume(skip)
	c.data = d
	if err != nil {
		c.breach(f.stream, err)
	}
	return nil
}

// admit takes a DATA frame off the windows and finds its stream, nil when
// nobody wants it.
func (c *conn) admit(f frame, d dataFrame) (*stream, *Error) {
	n := int64(f.length)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flow.recv -= n; c.flow.recv < 0 {
		return nil, errConnFlow
	}
	st := c.streams.get(f.stream)
	switch {
	case st == nil:
		c.giveCredit(n)
		return nil, c.stranger(f.stream)
	case !st.headCame:
		c.giveCredit(n)
		return nil, errDataBeforeHead
	case st.recvEnd:
		c.giveCredit(n)
		return nil, errStreamClosed
	}
	if st.recv -= n; st.recv < 0 {
		c.giveCredit(n)
		return nil, errStreamFlow
	}
	overhead := n - int64(d.left)
	c.giveCredit(overhead)
	st.credit += overhead
	st.came += int64(d.left)
	if st.length >= 0 && (st.came > st.length || d.end && st.came != st.length) {
		c.giveCredit(int64(d.left))
		return nil, errLength
	}
	return st, nil
}

// stranger is what a frame on a stream means that is not there (RFC 9113 5.1),
// under the lock. What comes for a stream that we have reset is passed over for a
// while.
func (c *conn) stranger(id uint32) *Error {
	switch {
	case !c.role.known(id):
		return errIdleStream
	case c.resets.has(id):
		return nil
	}
	return errStreamClosed
}

// moreData takes what is here of the DATA frame under way, and tells whether to
// go on.
func (c *conn) moreData() bool {
	d := &c.data
	b := c.in.Bytes()
	if n := min(d.left, len(b)); n > 0 {
		c.deliver(b[:n], d.left)
		c.in.Consume(n)
		d.left -= n
		b = b[n:]
	}
	if n := min(d.pad, len(b)); d.left == 0 && n > 0 {
		c.in.Consume(n)
		d.pad -= n
	}
	if d.left > 0 || d.pad > 0 {
		return false
	}
	d.active = false
	if st := d.stream; st != nil && d.end {
		c.mu.Lock()
		if c.streams.get(d.id) == st { // else it may be somebody else's by now
			st.endRecv()
			st.reader.wake()
		}
		c.mu.Unlock()
	}
	d.stream = nil
	return true
}

// deliver gives bytes to the stream of the DATA frame, if it is still there.
func (c *conn) deliver(p []byte, expected int) {
	st := c.data.stream
	if st == nil {
		return
	}
	n := int64(len(p))
	c.mu.Lock()
	if c.streams.get(c.data.id) != st {
		c.data.stream = nil
		c.giveCredit(n)
		c.mu.Unlock()
		return
	}
	if c.cfg.Budget.take(n) {
		st.budgeted += n
		c.giveCredit(n)
	} else if c.cfg.Budget == nil {
		c.giveCredit(n)
	} else {
		st.withheld += n
		c.flow.withheld += n
	}
	st.inbox.put(p, expected)
	if !c.data.end || expected > len(p) {
		st.reader.wake()
	}
	c.relieve()
	c.mu.Unlock()
}

// relieve keeps streams that nobody reads from using up the connection's window
// while the budget has nothing to stand in for it: past half of the window, the
// one that holds the most is reset, and the others go on. Under the lock.
func (c *conn) relieve() {
	if c.flow.withheld <= c.flow.window/2 {
		return
	}
	var most *stream
	c.streams.each(func(st *stream) {
		if st.withheld > 0 && (most == nil || st.inbox.size > most.inbox.size) {
			most = st
		}
	})
	if most == nil {
		return
	}
	c.stats.Counter(memoryResets).Inc()
	c.appendReset(most.id, EnhanceYourCalm)
	c.cut(most, ErrMemory)
}

// giveCredit returns credit for the connection, in pieces worth a frame, under
// the lock.
func (c *conn) giveCredit(n int64) {
	c.flow.credit += n
	if c.flow.credit < c.flow.window/2 {
		return
	}
	c.needOut()
	c.out.b = appendWindowUpdate(c.out.b, 0, uint32(c.flow.credit))
	c.outFrames++
	c.flow.recv += c.flow.credit
	c.flow.credit = 0
}

// passedOn returns the credit for n bytes of the stream that were passed on or
// dropped, under the lock.
func (st *stream) passedOn(n int64) {
	c := st.c
	if n == 0 {
		return
	}
	held := min(n, st.withheld)
	st.withheld -= held
	if held > 0 {
		c.flow.withheld -= held
		c.giveCredit(held)
	}
	freed := min(n-held, st.budgeted)
	st.budgeted -= freed
	c.cfg.Budget.give(freed)
	if st.recvEnd || !st.listed {
		return
	}
	if st.credit += n; st.credit < st.window/2 {
		return
	}
	st.grow()
	c.needOut()
	c.out.b = appendWindowUpdate(c.out.b, st.id, uint32(st.credit))
	c.outFrames++
	st.recv += st.credit
	st.credit = 0
}

// growMost is how often a window of the initial size may double.
const growMost = 16

// grow makes the stream's window larger when its consumer has kept up with all
// that fits, so that the round trip is what limits it, and the budget allows.
func (st *stream) grow() {
	c := st.c
	if st.inbox.size > 0 || st.window >= growMost*int64(c.limits.InitialStreamWindow) || st.recv > st.window/2 {
		return
	}
	more := st.window
	if !c.cfg.Budget.take(more) {
		return
	}
	st.window += more
	st.grown += more
	st.credit += more
	if f := &c.flow; f.window < growMost*int64(c.limits.InitialConnectionWindow) && st.window*2 > f.window && c.cfg.Budget.take(f.window) {
		f.grown += f.window
		f.credit += f.window
		f.window *= 2
		c.giveCredit(0)
	}
}

// windowUpdate takes a WINDOW_UPDATE frame.
func (c *conn) windowUpdate(f frame, p []byte) *Error {
	if len(p) != 4 {
		return errFrameLength
	}
	n := int64(binary.BigEndian.Uint32(p) & maxWindow)
	if err := c.floods.window(c); err != nil {
		return err
	}
	c.mu.Lock()
	if f.stream == 0 {
		return c.connWindow(n)
	}
	defer c.mu.Unlock()
	st := c.streams.get(f.stream)
	switch {
	case st == nil && !c.role.known(f.stream):
		return errIdleStream
	case st == nil:
		return nil // RFC 9113 5.1: it may come for a closed one
	case n == 0:
		return errStreamWindowZero
	case st.send+n > maxWindow:
		return errStreamWindow
	}
	st.send += n
	st.unheard = 0
	if st.wantsWindow || st.queued == forWindow { // its share of the connection's is anew, too: see room
		st.wantsWindow = false
		st.writer.wake()
	}
	return nil
}

// connWindow is called with the lock and gives it up.
func (c *conn) connWindow(n int64) *Error {
	if n == 0 || c.flow.send+n > maxWindow {
		c.mu.Unlock()
		if n == 0 {
			return errWindowZero
		}
		return errWindow
	}
	c.flow.send += n
	c.flow.peak = max(c.flow.peak, c.flow.send)
	waiting := called(&c.flow.windowless)
	c.mu.Unlock()
	wakeWriters(waiting)
	return nil
}

package sock

import (
	"io"
	"syscall"
)

// writing is what the write callback works on.
type writing struct {
	fn    func(fd uintptr) bool
	now   func(fd uintptr) bool // of WriteNow; made when it is needed first
	parts vector
	pipe  *Pipe // used in place of parts by DrainPipe
	try   bool  // come back in place of waiting
	errno syscall.Errno
}

// Write writes all of p or fails. It blocks while the peer does not read.
func (c *Conn) Write(p []byte) (int, error) {
	if err := c.WriteAll(p, nil, nil); err != nil {
		return 0, err
	}
	return len(p), nil
}

// WriteAll writes a, b and d, one after the other, in one system call where
// they fit. Any of them may be empty. It blocks while the peer does not read.
func (c *Conn) WriteAll(a, b, d []byte) error {
	c.out.parts.set(a, b, d)
	if c.raw == nil {
		return c.writePlain(a, b, d)
	}
	err := c.flush()
	c.out.parts.clear()
	return err
}

// flush tries at once, and sets the timer only when it has to wait: most writes
// do not.
func (c *Conn) flush() error {
	if err := c.wd.check(); err != nil {
		return err
	}
	for c.out.try = true; ; {
		c.out.errno = 0
		err := c.raw.Write(c.out.fn)
		switch {
		case err != nil:
			if err = c.wd.woken(c.told(err), c.nc.SetWriteDeadline); err != nil {
				return err
			}
		case c.out.errno == syscall.EAGAIN:
			c.out.try = false
			if err := c.wd.arm(c.nc.SetWriteDeadline); err != nil {
				return err
			}
		case c.out.errno != 0:
			return c.out.errno
		default:
			return nil
		}
	}
}

func (c *Conn) onWritable(fd uintptr) bool {
	c.out.errno = c.writeOut(fd)
	return c.out.errno != syscall.EAGAIN || c.out.try
}

func (c *Conn) writeOut(fd uintptr) syscall.Errno {
	if c.out.pipe != nil {
		n, errno := c.out.pipe.drain(fd)
		c.tx += uint64(n)
		return errno
	}
	for !c.out.parts.empty() {
		n, errno := c.out.parts.send(fd)
		if errno != 0 {
			return errno
		}
		c.out.parts.advance(n)
		c.tx += uint64(n)
	}
	return 0
}

func (c *Conn) writePlain(parts ...[]byte) error {
	defer c.out.parts.clear()
	for _, p := range parts {
		for len(p) > 0 {
			if err := c.wd.arm(c.nc.SetWriteDeadline); err != nil {
				return err
			}
			n, err := c.nc.Write(p)
			c.tx += uint64(n)
			if p = p[n:]; err == nil {
				continue
			}
			if err = c.wd.woken(c.told(err), c.nc.SetWriteDeadline); err != nil {
				return err
			}
		}
	}
	return nil
}

// sendStep is how far Send has come.
type sendStep uint8

const (
	sendIdle sendStep = iota
	sendPending
	sendStale
	sendPartial
)

// Send writes a and b on a connection on which the peer is to answer, and then
// fills in with the answer's first bytes. If bytes or a close have already
// come it writes nothing and returns ErrStale. wrote tells whether any byte of
// the request may have reached the peer, also when err is not nil.
//
// It saves a system call against write and read: the request is written inside
// the read callback, which then parks, since nothing can have been answered.
func (c *Conn) Send(a, b []byte, in *Buffer) (n int, wrote bool, err error) {
	if c.raw == nil {
		if err := c.WriteAll(a, b, nil); err != nil {
			return 0, true, err
		}
		n, err := c.Fill(in)
		return n, true, err
	}
	c.out.parts.set(a, b, nil)
	c.out.errno = 0
	c.in.step = sendPending
	n, err = c.Fill(in)
	step := c.in.step
	c.in.step = sendIdle
	switch {
	case step == sendPending: // a deadline or a cancel before the first callback
		return 0, false, err
	case step == sendStale:
		c.out.parts.clear()
		return 0, false, ErrStale
	case step == sendPartial:
		err = c.flush()
		c.out.parts.clear()
		if err != nil {
			return 0, true, err
		}
		n, err = c.Fill(in)
	}
	c.out.parts.clear()
	return n, true, err
}

// onSend is the first call of the read callback during Send.
func (c *Conn) onSend(fd uintptr) bool {
	switch state := peek(fd); state {
	case peekQuiet:
	default:
		c.in.step = sendStale
		c.in.errno = syscall.EPIPE
		return true
	}
	for !c.out.parts.empty() {
		n, errno := c.out.parts.send(fd)
		if errno == syscall.EAGAIN {
			c.in.step = sendPartial
			c.in.errno = syscall.EAGAIN
			return true
		}
		if errno != 0 {
			c.in.step = sendIdle
			c.in.errno = errno
			return true
		}
		c.out.parts.advance(n)
		c.tx += uint64(n)
	}
	c.in.step = sendIdle
	return false
}

// Quiet tells whether the connection is open with nothing to read. It never
// blocks; io.EOF says that the peer has closed, ErrStale that there are bytes.
// One goroutine at a time may call it.
func (c *Conn) Quiet() error {
	if c.raw == nil {
		return nil
	}
	if c.glance.fn == nil {
		c.glance.fn = c.onGlance
	}
	if err := c.raw.Control(c.glance.fn); err != nil {
		return err
	}
	switch c.glance.state {
	case peekQuiet:
		return nil
	case peekBytes:
		return ErrStale
	}
	return io.EOF
}

// glance is what the callback of Quiet works on, made when it is needed first.
type glance struct {
	fn    func(fd uintptr)
	state peekState
}

func (c *Conn) onGlance(fd uintptr) { c.glance.state = peek(fd) }

// peekState is what a look at the receive queue shows.
type peekState uint8

const (
	peekQuiet peekState = iota
	peekBytes
	peekEOF
)

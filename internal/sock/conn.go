package sock

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"
)

// ErrStale is returned by Send when bytes or a close had already come: the
// connection must not be used, and nothing was written.
var ErrStale = errors.New("connection closed or unread bytes waiting")

// Conn is a connection as codecs, pools and relays see it. One goroutine at a
// time may read and one write (they may be two); Wake and Close may be called
// by any.
type Conn struct {
	nc  transport
	raw syscall.RawConn // nil for a net.Conn that is no socket

	remote, local netip.AddrPort

	in     reading
	out    writing
	glance glance
	aside  []byte // peeked and not yet read; for a net.Conn that is no socket

	rd, wd deadline
	closed atomic.Bool

	rx, tx uint64
}

// transport is what is below: a net.Conn, or an os.File of a socket.
type transport interface {
	io.ReadWriteCloser
	SetDeadline(time.Time) error
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// reading is what the read callback works on; it lives in the Conn so that no
// callback is allocated.
type reading struct {
	fn    func(fd uintptr) bool
	buf   *Buffer
	p     []byte // used in place of buf by Read
	pipe  *Pipe  // used in place of both by FillPipe
	step  sendStep
	n     int
	errno syscall.Errno
}

// New wraps a connection, which it owns from then on.
func New(nc net.Conn) *Conn {
	c := &Conn{nc: nc}
	if sc, ok := nc.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			c.raw = raw
			c.in.fn, c.out.fn = c.onReadable, c.onWritable
		}
	}
	c.remote, c.local = addrPort(nc.RemoteAddr()), addrPort(nc.LocalAddr())
	return c
}

// Remote is the other end's address, IPv4 unmapped.
func (c *Conn) Remote() netip.AddrPort { return c.remote }

// Fill waits until there are bytes, reads them into b, which must not be
// full, and says how many came: at least one, or an error (io.EOF after a FIN).
// While it waits, an empty b holds no memory.
func (c *Conn) Fill(b *Buffer) (int, error) {
	if c.raw == nil {
		return c.fillPlain(b)
	}
	c.in.buf = b
	n, err := c.read()
	b.w += n
	c.in.buf = nil
	return n, err
}

// Read is net.Conn's; see Fill for the way that needs no buffer while waiting.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if c.raw == nil {
		return c.readPlain(p)
	}
	c.in.p = p
	n, err := c.read()
	c.in.p = nil
	return n, err
}

func (c *Conn) read() (int, error) {
	for {
		if err := c.rd.arm(c.nc.SetReadDeadline); err != nil {
			return 0, err
		}
		c.in.n, c.in.errno = 0, 0
		err := c.raw.Read(c.in.fn)
		switch {
		case err != nil:
			if err = c.rd.woken(c.told(err), c.nc.SetReadDeadline); err != nil {
				return 0, err
			}
		case c.in.errno != 0:
			return 0, c.in.errno
		case c.in.n == 0:
			return 0, io.EOF
		default:
			c.rx += uint64(c.in.n)
			return c.in.n, nil
		}
	}
}

// Traffic is how many bytes were read and written so far. It must not be
// called while anybody reads or writes.
func (c *Conn) Traffic() (rx, tx uint64) { return c.rx, c.tx }

// onReadable runs inside the poller's lock on the descriptor's read side:
// it must not block, and false parks the goroutine.
func (c *Conn) onReadable(fd uintptr) bool {
	in := &c.in
	if in.step == sendPending {
		return c.onSend(fd)
	}
	if in.pipe != nil {
		in.n, in.errno = in.pipe.fill(fd)
		return in.errno != syscall.EAGAIN
	}
	p := in.p
	if p == nil {
		p = in.buf.space()
	}
	in.n, in.errno = recv(fd, p)
	if in.errno == syscall.EAGAIN {
		if in.p == nil {
			in.buf.ReleaseIdle()
		}
		return false
	}
	return true
}

func (c *Conn) fillPlain(b *Buffer) (int, error) {
	p := b.space()
	n, err := c.readPlain(p)
	b.w += n
	if err != nil {
		b.ReleaseIdle()
	}
	return n, err
}

func (c *Conn) readPlain(p []byte) (int, error) {
	if len(c.aside) > 0 {
		n := copy(p, c.aside)
		c.aside = c.aside[n:]
		return n, nil
	}
	return c.readMore(p)
}

func (c *Conn) readMore(p []byte) (int, error) {
	for {
		if err := c.rd.arm(c.nc.SetReadDeadline); err != nil {
			return 0, err
		}
		n, err := c.nc.Read(p)
		if n > 0 || err == nil {
			c.rx += uint64(n)
			return n, nil
		}
		if err = c.rd.woken(c.told(err), c.nc.SetReadDeadline); err != nil {
			return 0, err
		}
	}
}

// Close closes the connection; whoever is parked on it returns an error.
// Closing twice is fine.
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	return c.nc.Close()
}

// CloseWrite sends a FIN and leaves the other direction open.
func (c *Conn) CloseWrite() error {
	if c.raw != nil {
		var errno syscall.Errno
		err := c.raw.Control(func(fd uintptr) { errno = shutdown(fd) })
		if err == nil && errno != 0 {
			err = errno
		}
		return err
	}
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}

// Reset closes with an RST in place of a FIN, so that the peer cannot take
// what it got for the whole.
func (c *Conn) Reset() {
	if c.raw != nil {
		c.raw.Control(func(fd uintptr) {
			syscall.SetsockoptLinger(int(fd), syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
		})
	}
	c.Close()
}

// RemoteAddr, LocalAddr and the deadlines make a Conn a net.Conn.
func (c *Conn) RemoteAddr() net.Addr {
	if nc, ok := c.nc.(net.Conn); ok {
		return nc.RemoteAddr()
	}
	return net.TCPAddrFromAddrPort(c.remote)
}

// LocalAddr is net.Conn's.
func (c *Conn) LocalAddr() net.Addr {
	if nc, ok := c.nc.(net.Conn); ok {
		return nc.LocalAddr()
	}
	return net.TCPAddrFromAddrPort(c.Local())
}

// SetDeadline is net.Conn's; it replaces what ReadBy and WriteBy set.
func (c *Conn) SetDeadline(t time.Time) error {
	c.rd.fix(t)
	c.wd.fix(t)
	return c.nc.SetDeadline(t)
}

// SetReadDeadline is net.Conn's.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.rd.fix(t)
	return c.nc.SetReadDeadline(t)
}

// SetWriteDeadline is net.Conn's.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.wd.fix(t)
	return c.nc.SetWriteDeadline(t)
}

// told is what an error of the poller says: of those that are no deadline, it
// knows one alone, and not all descriptors spell it as net does.
func (c *Conn) told(err error) error {
	if c.raw != nil && c.closed.Load() {
		return net.ErrClosed
	}
	return err
}

func addrPort(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		ap := tcp.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}

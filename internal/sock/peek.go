package sock

import (
	"io"
	"syscall"
)

// Peek waits until at least `least` bytes have come (or len(p), if that is
// less) and copies what is there, up to len(p), without consuming it: the next
// Fill or Read gives the same bytes. A least of 0 does not wait.
//
// It ends early, with the n bytes that are there, on a FIN (io.EOF), by the
// deadline of ReadBy (ErrTimeout) and by Watch (ErrCanceled). Away from Linux a
// FIN behind at least one byte is not noticed: bound the wait by ReadBy.
//
// On a net.Conn that is no socket the bytes are read and kept aside for the
// next read, in memory of p's size.
func (c *Conn) Peek(p []byte, least int) (n int, err error) {
	least = min(least, len(p))
	if c.raw == nil {
		return c.peekPlain(p, least)
	}
	look := peeking{c: c, p: p, least: least}
	fn := look.onReadable
	for {
		if err := c.rd.arm(c.nc.SetReadDeadline); err != nil {
			return look.n, err
		}
		err := c.raw.Read(fn)
		switch {
		case err != nil:
			if err = c.rd.woken(c.told(err), c.nc.SetReadDeadline); err != nil {
				return look.n, err
			}
		case look.errno != 0:
			return look.n, look.errno
		case look.eof:
			return look.n, io.EOF
		default:
			return look.n, nil
		}
	}
}

// peeking is what Peek's read callback works on.
type peeking struct {
	c     *Conn
	p     []byte
	least int
	n     int
	eof   bool
	errno syscall.Errno
}

// onReadable looks each time before it parks, as onReadable of Conn does. Too
// few bytes with a FIN behind them are all that will ever come; since more may
// have come with that FIN after the look, it looks once more.
func (k *peeking) onReadable(fd uintptr) bool {
	if k.look(fd) {
		return true
	}
	if k.n > 0 && k.c.PeerGone() {
		k.eof = !k.look(fd)
		return true
	}
	return false
}

// look tells whether there is nothing more to wait for.
func (k *peeking) look(fd uintptr) bool {
	n, errno := peekInto(fd, k.p)
	if errno == syscall.EAGAIN {
		return k.least == 0
	}
	k.n, k.errno = n, errno
	k.eof = n == 0 && errno == 0 && len(k.p) > 0
	return errno != 0 || k.eof || n >= k.least
}

// peekPlain keeps what it reads in c.aside.
func (c *Conn) peekPlain(p []byte, least int) (int, error) {
	if missing := len(p) - cap(c.aside); missing > 0 {
		c.aside = append(make([]byte, 0, len(p)), c.aside...)
	}
	for len(c.aside) < least {
		n, err := c.readMore(c.aside[len(c.aside):len(p)])
		c.aside = c.aside[:len(c.aside)+n]
		if err != nil {
			return copy(p, c.aside), err
		}
	}
	return copy(p, c.aside), nil
}

package sock

import "syscall"

// WriteNow writes what the kernel takes of p at once and says how much that
// was; it never waits. For a net.Conn that is no socket it writes nothing, since
// there only a wait would tell. It must not be called while anybody writes.
func (c *Conn) WriteNow(p []byte) (n int, err error) {
	if c.raw == nil {
		return 0, c.wd.check()
	}
	if c.out.now == nil {
		c.out.now = c.onWriteNow
	}
	c.out.parts.set(p, nil, nil)
	before := c.tx
	for {
		c.out.errno = 0
		err := c.raw.Write(c.out.now)
		if err != nil {
			if err = c.wd.woken(c.told(err), c.nc.SetWriteDeadline); err == nil {
				continue
			}
		} else if c.out.errno != 0 {
			err = c.out.errno
		}
		c.out.parts.clear()
		return int(c.tx - before), err
	}
}

// onWriteNow is the write callback that never parks.
func (c *Conn) onWriteNow(fd uintptr) bool {
	for !c.out.parts.empty() {
		n, errno := c.out.parts.send(fd)
		if errno == syscall.EAGAIN {
			return true
		}
		if c.out.errno = errno; errno != 0 {
			return true
		}
		c.out.parts.advance(n)
		c.tx += uint64(n)
	}
	return true
}

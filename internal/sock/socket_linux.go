package sock

import (
	"net/netip"
	"os"
)

// newOwn makes a Conn of fd, which it owns, and which must be connected or about
// to be, and not block: os.File knows the poller, and asks the kernel for nothing
// else. It is New without asking for what is known.
func newOwn(fd uintptr, remote netip.AddrPort) (*Conn, error) {
	file := os.NewFile(fd, "tcp")
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	c := &Conn{nc: file, raw: raw, remote: remote}
	c.in.fn, c.out.fn = c.onReadable, c.onWritable
	return c, nil
}

// Local is our end's address. Of a connection that we made ourselves it is
// asked for when it is wanted, which is seldom; once that is closed it is not
// known any more.
func (c *Conn) Local() netip.AddrPort {
	if c.local.Addr().IsValid() || c.raw == nil {
		return c.local
	}
	var local netip.AddrPort
	c.raw.Control(func(fd uintptr) { local = nameOf(fd) })
	return local
}

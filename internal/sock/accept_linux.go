package sock

import (
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
	"unsafe"
)

// Listener takes connections without telling the scheduler of system calls and
// without asking the kernel for more than their addresses.
type Listener struct {
	addr net.Addr
	// local is what accepted connections know of their own address: all of it,
	// or with listeners on every address the port alone; see Conn.Local.
	local netip.AddrPort
	file  *os.File
	raw   syscall.RawConn

	fn    func(fd uintptr) bool
	fd    uintptr
	peer  sockaddr
	errno syscall.Errno
}

// NewListener takes over l, which is closed also when it fails.
func NewListener(l *net.TCPListener) (*Listener, error) {
	defer l.Close()
	file, err := l.File()
	if err != nil {
		return nil, err
	}
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	raw.Control(noDelay) // connections inherit it
	own := &Listener{addr: l.Addr(), file: file, raw: raw, local: addrPort(l.Addr())}
	if own.local.Addr().IsUnspecified() {
		own.local = netip.AddrPortFrom(netip.Addr{}, own.local.Port())
	}
	own.fn = own.onReadable
	return own, nil
}

// Addr is the address listened on.
func (l *Listener) Addr() net.Addr { return l.addr }

// Accept waits for the next connection. One goroutine at a time may call it.
// After Close it gives net.ErrClosed, past the deadline os.ErrDeadlineExceeded.
func (l *Listener) Accept() (*Conn, error) {
	l.errno = 0
	if err := l.raw.Read(l.fn); err != nil {
		if !os.IsTimeout(err) {
			err = net.ErrClosed
		}
		return nil, err
	}
	if l.errno != 0 {
		return nil, os.NewSyscallError("accept4", l.errno)
	}
	c, err := newOwn(l.fd, l.peer.addr())
	if err != nil {
		return nil, err
	}
	c.local = l.local
	return c, nil
}

// onReadable is the read callback.
func (l *Listener) onReadable(fd uintptr) bool {
	for {
		length := uint32(unsafe.Sizeof(l.peer.v6))
		l.fd, _, l.errno = syscall.RawSyscall6(syscall.SYS_ACCEPT4, fd, uintptr(unsafe.Pointer(&l.peer.v6)),
			uintptr(unsafe.Pointer(&length)), syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0, 0)
		switch l.errno {
		case syscall.EAGAIN:
			return false
		case syscall.EINTR, syscall.ECONNABORTED: // it left before we came
		default:
			return true
		}
	}
}

// SetDeadline bounds Accept; the zero time is no bound.
func (l *Listener) SetDeadline(t time.Time) error { return l.file.SetDeadline(t) }

// Close closes the listener; a waiting Accept returns.
func (l *Listener) Close() error { return l.file.Close() }

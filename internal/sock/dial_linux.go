package sock

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// Dial connects within timeout (0: the kernel's own), or until ctx ends. It is
// net.Dialer for one address, without its goroutine, its timers where the peer
// answers at once (as on loopback), and half its system calls.
func Dial(ctx context.Context, addr netip.AddrPort, timeout time.Duration) (*Conn, error) {
	ip := addr.Addr().Unmap()
	addr = netip.AddrPortFrom(ip, addr.Port())
	if ip.Zone() != "" {
		return dialPlain(ctx, addr, timeout)
	}
	for tries := 0; ; tries++ {
		c, err := dial(ctx, addr, timeout)
		if err != nil {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(addr), Err: err}
		}
		if tries < 3 && mayMeetItself(addr) && c.Local() == addr {
			c.Close()
			continue
		}
		return c, nil
	}
}

func dial(ctx context.Context, addr netip.AddrPort, timeout time.Duration) (*Conn, error) {
	to := sockaddrOf(addr)
	fd, _, errno := syscall.RawSyscall(syscall.SYS_SOCKET, uintptr(to.family()),
		syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if errno != 0 {
		return nil, os.NewSyscallError("socket", errno)
	}
	noDelay(fd)
	errno = to.connect(fd)
	if errno == syscall.EINPROGRESS {
		errno = to.connect(fd) // on loopback the peer's kernel has answered by now
	}
	if errno != 0 && errno != syscall.EALREADY {
		syscall.RawSyscall(syscall.SYS_CLOSE, fd, 0, 0)
		return nil, os.NewSyscallError("connect", errno)
	}
	c, err := newOwn(fd, addr)
	if err == nil && errno != 0 {
		if err = c.awaitPeer(ctx, &to, timeout); err != nil {
			c.Close()
		}
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// mayMeetItself tells the addresses to which a socket can connect itself, if
// nobody listens there: those with a port that the kernel gives to clients.
func mayMeetItself(addr netip.AddrPort) bool {
	least, most := clientPorts()
	return addr.Port() >= least && addr.Port() <= most
}

// clientPorts is the range of ports that the kernel gives to clients, as it was
// at first use; where it is not said, all of them.
var clientPorts = sync.OnceValues(func() (least, most uint16) {
	said, _ := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if n, _ := fmt.Sscan(string(said), &least, &most); n < 2 {
		return 0, 1<<16 - 1
	}
	return least, most
})

// awaitPeer waits until a connect under way has ended. A second connect tells
// how: EALREADY, nothing, or why it failed.
func (c *Conn) awaitPeer(ctx context.Context, to *sockaddr, timeout time.Duration) error {
	if timeout > 0 {
		c.nc.SetWriteDeadline(time.Now().Add(timeout))
	}
	if ctx.Done() != nil {
		defer context.AfterFunc(ctx, func() { c.nc.SetWriteDeadline(longAgo) })()
	}
	var errno syscall.Errno
	err := c.raw.Write(func(fd uintptr) bool {
		errno = to.connect(fd)
		return errno != syscall.EALREADY
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return err
	case errno != 0:
		return os.NewSyscallError("connect", errno)
	}
	return c.nc.SetWriteDeadline(time.Time{})
}

func noDelay(fd uintptr) {
	on := int32(1)
	syscall.RawSyscall6(syscall.SYS_SETSOCKOPT, fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY,
		uintptr(unsafe.Pointer(&on)), unsafe.Sizeof(on), 0)
}

// sockaddr is an address as the kernel takes it.
type sockaddr struct {
	v6  syscall.RawSockaddrInet6 // the first bytes of it for IPv4
	len uintptr
}

func sockaddrOf(addr netip.AddrPort) (s sockaddr) {
	if addr.Addr().Is4() {
		v4 := (*syscall.RawSockaddrInet4)(unsafe.Pointer(&s.v6))
		v4.Family, v4.Port, v4.Addr = syscall.AF_INET, bigEndian(addr.Port()), addr.Addr().As4()
		s.len = unsafe.Sizeof(*v4)
		return s
	}
	s.v6.Family, s.v6.Port, s.v6.Addr = syscall.AF_INET6, bigEndian(addr.Port()), addr.Addr().As16()
	s.len = unsafe.Sizeof(s.v6)
	return s
}

func (s *sockaddr) family() uint16 { return s.v6.Family }

func (s *sockaddr) connect(fd uintptr) syscall.Errno {
	for {
		_, _, errno := syscall.RawSyscall(syscall.SYS_CONNECT, fd, uintptr(unsafe.Pointer(&s.v6)), s.len)
		if errno != syscall.EINTR {
			return errno
		}
	}
}

// addr is the address, IPv4 unmapped.
func (s *sockaddr) addr() netip.AddrPort {
	if s.v6.Family == syscall.AF_INET {
		v4 := (*syscall.RawSockaddrInet4)(unsafe.Pointer(&s.v6))
		return netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), bigEndian(v4.Port))
	}
	return netip.AddrPortFrom(netip.AddrFrom16(s.v6.Addr).Unmap(), bigEndian(s.v6.Port))
}

// nameOf is a socket's own address.
func nameOf(fd uintptr) netip.AddrPort {
	var s sockaddr
	length := uint32(unsafe.Sizeof(s.v6))
	_, _, errno := syscall.RawSyscall(syscall.SYS_GETSOCKNAME, fd, uintptr(unsafe.Pointer(&s.v6)), uintptr(unsafe.Pointer(&length)))
	if errno != 0 {
		return netip.AddrPort{}
	}
	return s.addr()
}

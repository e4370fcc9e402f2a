package sock

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"syscall"
	"unsafe"
)

// soOriginalDst is SO_ORIGINAL_DST and, at level SOL_IPV6, IP6T_SO_ORIGINAL_DST.
const soOriginalDst = 80

// OriginalDst is where the peer wanted to go before the kernel redirected it
// here. ok is false for a direct connection: one that was not redirected
// (ENOENT), or whose destination is the socket's own local address.
//
// The level follows the peer's address family, not the socket's: a dual-stack
// socket answers for both.
func (c *Conn) OriginalDst() (dst netip.AddrPort, ok bool) {
	if c.raw == nil {
		return netip.AddrPort{}, false
	}
	var errno syscall.Errno
	err := c.raw.Control(func(fd uintptr) {
		if c.remote.Addr().Is4() {
			var sa syscall.RawSockaddrInet4
			if errno = getsockopt(fd, syscall.SOL_IP, soOriginalDst, unsafe.Pointer(&sa), unsafe.Sizeof(sa)); errno == 0 {
				dst = netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), bigEndian(sa.Port))
			}
			return
		}
		var sa syscall.RawSockaddrInet6
		if errno = getsockopt(fd, syscall.SOL_IPV6, soOriginalDst, unsafe.Pointer(&sa), unsafe.Sizeof(sa)); errno == 0 {
			dst = netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), bigEndian(sa.Port))
		}
	})
	if err != nil || errno != 0 || dst.Port() == c.local.Port() && dst == c.Local() {
		return netip.AddrPort{}, false
	}
	return dst, true
}

// bigEndian reads a port that the kernel wrote in network order.
func bigEndian(port uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], port)
	return binary.BigEndian.Uint16(b[:])
}

// States of TCP_INFO, as linux/tcp_states.h numbers them.
const (
	tcpEstablished = 1
	tcpFinWait1    = 4
	tcpFinWait2    = 5
	tcpClose       = 7
)

// PeerGone tells that the peer has sent a FIN or an RST, also when bytes wait
// unread before it (TCP_INFO: the state is past the peer's FIN; our own does not
// count). It never blocks.
func (c *Conn) PeerGone() bool {
	switch c.tcpState() {
	case tcpEstablished, tcpFinWait1, tcpFinWait2:
		return false
	}
	return true
}

// Dead tells that nothing more can be written or come: an RST was received, or
// both sides' FINs were. Bytes that came before may still wait unread.
func (c *Conn) Dead() bool { return c.tcpState() == tcpClose }

// tcpBytesReceived is where TCP_INFO has it; a FIN counts for one byte.
const tcpBytesReceived = 128

// CutOff tells, after a read gave io.EOF, that there was no FIN but an RST of
// which a write was told, and a read is not any more. A splice that had moved
// some bytes before keeps such an error to itself. False where the kernel does
// not say (before Linux 4.1), and of a net.Conn that is no socket.
func (c *Conn) CutOff() bool {
	if c.raw == nil {
		return false
	}
	var info [tcpBytesReceived + 8]byte
	for i := range info {
		info[i] = 0xff // what an older kernel leaves is no count
	}
	errno := syscall.EBADF
	c.raw.Control(func(fd uintptr) {
		errno = getsockopt(fd, syscall.IPPROTO_TCP, syscall.TCP_INFO, unsafe.Pointer(&info), unsafe.Sizeof(info))
	})
	received := binary.NativeEndian.Uint64(info[tcpBytesReceived:])
	return errno == 0 && info[0] == tcpClose && received == c.rx
}

func (c *Conn) tcpState() byte {
	state := byte(tcpEstablished)
	if c.raw == nil {
		return state
	}
	err := c.raw.Control(func(fd uintptr) {
		getsockopt(fd, syscall.IPPROTO_TCP, syscall.TCP_INFO, unsafe.Pointer(&state), 1)
	})
	if err != nil {
		return tcpClose
	}
	return state
}

func getsockopt(fd uintptr, level, name int, p unsafe.Pointer, size uintptr) syscall.Errno {
	length := uint32(size)
	_, _, errno := syscall.RawSyscall6(syscall.SYS_GETSOCKOPT, fd, uintptr(level), uintptr(name),
		uintptr(p), uintptr(unsafe.Pointer(&length)), 0)
	return errno
}

// NoIPv6 tells from a listen error that the host has no IPv6 to listen on.
func NoIPv6(err error) bool {
	return errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL)
}

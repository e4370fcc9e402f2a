//go:build linux && !race

package sock

import (
	"syscall"
	"unsafe"
)

// recv reads once without blocking. The descriptor is non-blocking, so the
// call cannot take long and the scheduler need not know of it.
func recv(fd uintptr, p []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		if errno == syscall.EINTR {
			continue
		}
		if errno != 0 {
			return 0, errno
		}
		return int(n), 0
	}
}

// peek looks at the receive queue.
func peek(fd uintptr) peekState {
	var b [1]byte
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&b)), 1,
			syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
		switch {
		case errno == syscall.EINTR:
		case errno == syscall.EAGAIN:
			return peekQuiet
		case errno != 0 || n == 0:
			return peekEOF
		default:
			return peekBytes
		}
	}
}

// vector is up to three parts of a message to be written together.
type vector struct {
	msg  syscall.Msghdr
	iov  [3]syscall.Iovec
	next int
}

func (v *vector) set(a, b, d []byte) {
	v.msg.Iov, v.msg.Iovlen, v.next = &v.iov[0], 0, 0
	v.add(a)
	v.add(b)
	v.add(d)
}

func (v *vector) add(p []byte) {
	if len(p) > 0 {
		v.iov[v.msg.Iovlen].Base = unsafe.SliceData(p)
		v.iov[v.msg.Iovlen].SetLen(len(p))
		v.msg.Iovlen++
	}
}

func (v *vector) empty() bool { return v.msg.Iovlen == 0 }

func (v *vector) clear() {
	v.msg.Iovlen = 0
	for i := range v.iov {
		v.iov[i].Base = nil
	}
}

func (v *vector) send(fd uintptr) (int, syscall.Errno) {
	for {
		var n uintptr
		var errno syscall.Errno
		if v.msg.Iovlen == 1 {
			iov := &v.iov[v.next]
			n, _, errno = syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(iov.Base)), uintptr(iov.Len),
				syscall.MSG_NOSIGNAL, 0, 0)
		} else {
			n, _, errno = syscall.RawSyscall(syscall.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&v.msg)), syscall.MSG_NOSIGNAL)
		}
		if errno == syscall.EINTR {
			continue
		}
		if errno != 0 {
			return 0, errno
		}
		return int(n), 0
	}
}

func (v *vector) advance(n int) {
	for n > 0 {
		iov := &v.iov[v.next]
		if uint64(n) < uint64(iov.Len) {
			iov.Base = (*byte)(unsafe.Add(unsafe.Pointer(iov.Base), n))
			iov.SetLen(int(iov.Len) - n)
			return
		}
		n -= int(iov.Len)
		v.next++
		v.msg.Iovlen--
		if v.msg.Iovlen > 0 {
			v.msg.Iov = &v.iov[v.next]
		}
	}
}

// shutdown sends a FIN.
func shutdown(fd uintptr) syscall.Errno {
	_, _, errno := syscall.RawSyscall(syscall.SYS_SHUTDOWN, fd, syscall.SHUT_WR, 0)
	return errno
}

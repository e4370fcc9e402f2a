//go:build !linux || race

package sock

import "syscall"

// recv reads once without blocking, by an ordinary system call, which the race
// detector understands.
func recv(fd uintptr, p []byte) (int, syscall.Errno) {
	for {
		n, err := syscall.Read(int(fd), p)
		if err == syscall.EINTR {
			continue
		}
		return max(n, 0), errnoOf(err)
	}
}

// peek looks at the receive queue.
func peek(fd uintptr) peekState {
	var b [1]byte
	for {
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return peekQuiet
		case err != nil || n == 0:
			return peekEOF
		default:
			return peekBytes
		}
	}
}

// vector is up to three parts of a message, written one after the other.
type vector struct {
	parts [3][]byte
	n     int
}

func (v *vector) set(a, b, d []byte) {
	v.n = 0
	for _, p := range [...][]byte{a, b, d} {
		if len(p) > 0 {
			v.parts[v.n] = p
			v.n++
		}
	}
}

func (v *vector) empty() bool { return v.n == 0 }

func (v *vector) clear() { *v = vector{} }

func (v *vector) send(fd uintptr) (int, syscall.Errno) {
	for {
		n, err := syscall.Write(int(fd), v.parts[0])
		if err == syscall.EINTR {
			continue
		}
		return max(n, 0), errnoOf(err)
	}
}

func (v *vector) advance(n int) {
	if v.parts[0] = v.parts[0][n:]; len(v.parts[0]) == 0 {
		copy(v.parts[:], v.parts[1:])
		v.n--
	}
}

func errnoOf(err error) syscall.Errno {
	if err == nil {
		return 0
	}
	if errno, ok := err.(syscall.Errno); ok {
		return errno
	}
	return syscall.EIO
}

// shutdown sends a FIN.
func shutdown(fd uintptr) syscall.Errno { return errnoOf(syscall.Shutdown(int(fd), syscall.SHUT_WR)) }

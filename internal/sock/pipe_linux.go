package sock

import "syscall"

const canSplice = true

const (
	spliceFlags = 0x1 | 0x2 // SPLICE_F_MOVE | SPLICE_F_NONBLOCK
	setPipeSize = 0x407     // F_SETPIPE_SZ
)

// openPipe makes a pipe, of PipeSize where that is granted: past
// fs.pipe-user-pages-soft the kernel says EPERM, and the pipe stays small. It
// fails where no descriptor can be had.
func openPipe() (pipeEnds, bool) {
	var p [2]int
	if err := syscall.Pipe2(p[:], syscall.O_NONBLOCK|syscall.O_CLOEXEC); err != nil {
		return pipeEnds{}, false
	}
	syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(p[1]), setPipeSize, PipeSize)
	return pipeEnds{r: int32(p[0]), w: int32(p[1])}, true
}

func closePipe(p pipeEnds) {
	syscall.Close(int(p.r))
	syscall.Close(int(p.w))
}

// splice moves up to n bytes without blocking. No memory of ours is touched, so
// the race detector need not know of it.
func splice(from, to uintptr, n int) (int, syscall.Errno) {
	for {
		moved, _, errno := syscall.RawSyscall6(syscall.SYS_SPLICE, from, 0, to, 0, uintptr(n), spliceFlags)
		if errno == syscall.EINTR {
			continue
		}
		if errno != 0 {
			return 0, errno
		}
		return int(moved), 0
	}
}

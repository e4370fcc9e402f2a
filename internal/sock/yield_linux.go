package sock

import (
	"os"
	"syscall"
	"unsafe"
)

// Yielder lets a loop that copies a lot give way to everybody else. While any
// goroutine is runnable Go polls the network only every 10 ms, so a few bulk
// streams would make everybody wait; runtime.Gosched does not help, since the
// poller is not asked. Yield parks inside the poller on an eventfd that is
// ready already: the goroutine runs again after the others had their turn and
// the network was looked at.
//
// It takes one descriptor at the first Yield. The zero value is ready; Close
// gives the descriptor back. It belongs to one goroutine.
type Yielder struct {
	file *os.File
	raw  syscall.RawConn
	fn   func(fd uintptr) bool
	rang bool
}

const eventfdFlags = 0x80800 // EFD_CLOEXEC | EFD_NONBLOCK

// Yield gives way once. Where no descriptor can be had it does nothing.
func (y *Yielder) Yield() {
	if y.file == nil && !y.open() {
		return
	}
	y.rang = false
	y.raw.Read(y.fn)
}

func (y *Yielder) open() bool {
	fd, _, errno := syscall.RawSyscall(syscall.SYS_EVENTFD2, 0, eventfdFlags, 0)
	if errno != 0 {
		return false
	}
	file := os.NewFile(fd, "eventfd")
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return false
	}
	y.file, y.raw, y.fn = file, raw, y.ring
	return true
}

// ring rings at the first call and hears it at the second.
func (y *Yielder) ring(fd uintptr) bool {
	var n uint64 = 1
	call := uintptr(syscall.SYS_WRITE)
	if y.rang {
		call = syscall.SYS_READ
	}
	syscall.RawSyscall(call, fd, uintptr(unsafe.Pointer(&n)), 8)
	heard := y.rang
	y.rang = true
	return heard
}

// Close gives the descriptor back. Yield may be called again afterwards.
func (y *Yielder) Close() {
	if y.file != nil {
		y.file.Close()
		*y = Yielder{}
	}
}

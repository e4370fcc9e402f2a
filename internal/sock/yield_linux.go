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
// The eventfd is on loan for the time of a Yield: a loop that waits holds none.
// The zero value is ready. It belongs to one goroutine.
type Yielder struct{}

// bells are the eventfds nobody yields on at the moment.
var bells = shelf[*bell]{discard: (*bell).close}

// Yield gives way once. Where no descriptor can be had it does nothing.
func (*Yielder) Yield() {
	b, ok := bells.take()
	if !ok {
		if b, ok = openBell(); !ok {
			return
		}
	}
	b.rang = false
	b.raw.Read(b.fn)
	bells.put(b)
}

// Close is for the end of the loop.
func (*Yielder) Close() {}

// bell is an eventfd known to the poller.
type bell struct {
	file *os.File
	raw  syscall.RawConn
	fn   func(fd uintptr) bool
	rang bool
}

const eventfdFlags = 0x80800 // EFD_CLOEXEC | EFD_NONBLOCK

func openBell() (*bell, bool) {
	fd, _, errno := syscall.RawSyscall(syscall.SYS_EVENTFD2, 0, eventfdFlags, 0)
	if errno != 0 {
		return nil, false
	}
	file := os.NewFile(fd, "eventfd")
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, false
	}
	b := &bell{file: file, raw: raw}
	b.fn = b.ring
	return b, true
}

func (b *bell) close() { b.file.Close() }

// ring rings at the first call and hears it at the second.
func (b *bell) ring(fd uintptr) bool {
	var n uint64 = 1
	call := uintptr(syscall.SYS_WRITE)
	if b.rang {
		call = syscall.SYS_READ
	}
	syscall.RawSyscall(call, fd, uintptr(unsafe.Pointer(&n)), 8)
	heard := b.rang
	b.rang = true
	return heard
}

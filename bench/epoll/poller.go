//go:build linux

// Package epoll is the bench's own door to the kernel's sockets: one poller, and non-blocking TCP calls on bare
// descriptors.
//
// Load generator and backend share one core while the proxy under test has the other. What they cost bounds what can be
// measured, so both run as one thread in one loop: no goroutine per connection, no netpoller, no scheduler between a
// readable socket and the code that reads it. System calls that cannot block are made without telling the Go
// scheduler (RawSyscall); only a wait that must sleep does. Level-triggered throughout: one read per event, and what
// is left is reported again.
package epoll

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What a socket can be watched for; the kernel adds Hangup and Failed unasked.
const (
	Readable = unix.EPOLLIN
	Writable = unix.EPOLLOUT
	Hangup   = unix.EPOLLHUP
	Failed   = unix.EPOLLERR
)

// Event is what happened on one watched descriptor.
type Event = unix.EpollEvent

// Token is the number given to Add.
func Token(e *Event) int { return int(e.Fd) }

// Poller waits for events on many descriptors. It belongs to one goroutine.
type Poller struct {
	fd     int
	events []Event
	coarse bool // the kernel has no epoll_pwait2 (before 5.11): sleep whole milliseconds
}

// Open makes a poller that reports at most batch events per wait.
func Open(batch int) (*Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create: %w", err)
	}
	return &Poller{fd: fd, events: make([]Event, batch)}, nil
}

// Close forgets all descriptors; it closes none of them.
func (p *Poller) Close() error { return unix.Close(p.fd) }

// Add watches fd for the given events and names it token (below 2^31).
func (p *Poller) Add(fd, token int, events uint32) error {
	return p.control(unix.EPOLL_CTL_ADD, fd, token, events)
}

// Change replaces the events fd is watched for.
func (p *Poller) Change(fd, token int, events uint32) error {
	return p.control(unix.EPOLL_CTL_MOD, fd, token, events)
}

func (p *Poller) control(op, fd, token int, events uint32) error {
	if err := unix.EpollCtl(p.fd, op, fd, &Event{Events: events, Fd: int32(token)}); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

// Wait returns what has happened, after at most timeout. It looks once without sleeping, unseen by the Go scheduler,
// and sleeps only when nothing is there. The slice is good until the next Wait. An interrupted wait returns no events.
func (p *Poller) Wait(timeout time.Duration) ([]Event, error) {
	n, errno := p.look()
	if n == 0 && errno == 0 && timeout > 0 {
		n, errno = p.sleep(timeout)
	}
	switch errno {
	case 0:
		return p.events[:n], nil
	case unix.EINTR:
		return nil, nil
	default:
		return nil, fmt.Errorf("epoll_wait: %w", errno)
	}
}

func (p *Poller) look() (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])),
		uintptr(len(p.events)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

func (p *Poller) sleep(timeout time.Duration) (int, unix.Errno) {
	if !p.coarse {
		ts := unix.NsecToTimespec(timeout.Nanoseconds())
		n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])),
			uintptr(len(p.events)), uintptr(unsafe.Pointer(&ts)), 0, 0)
		if errno == 0 {
			return int(n), 0
		}
		if errno != unix.ENOSYS {
			return 0, errno
		}
		p.coarse = true
	}
	n, err := unix.EpollWait(p.fd, p.events, int((timeout+time.Millisecond-1)/time.Millisecond))
	var errno unix.Errno
	if errors.As(err, &errno) {
		return 0, errno
	}
	return n, 0
}

// Precise asks the kernel to wake the calling thread when its timer says, not up to 50 us later. The thread must be
// locked to its goroutine.
func Precise() error {
	return unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
}

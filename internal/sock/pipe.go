package sock

import (
	"errors"
	"sync"
	"sync/atomic"
	"syscall"
)

// ErrNoPipe is returned by FillPipe when the bytes have to go through user
// space this time: there is no pipe to be had, or the kernel cannot move what
// comes (urgent data, another kind of socket). Nothing was read.
var ErrNoPipe = errors.New("no pipe to splice through")

// PipeSize is the most that a pipe holds. Where the kernel grants less
// (fs.pipe-user-pages-soft), it holds less.
const PipeSize = 1 << 20

// pipesMost is how many pipes there are at a time where Pipes.Most says
// nothing: as many of PipeSize as an unprivileged user may hold.
const pipesMost = 64

// Pipes is a supply of pipes, shared by all who splice. The zero value is
// ready. What is not used is closed after a second or two.
type Pipes struct {
	// Most bounds the pipes that are open; 0 is 64. It must not change in use.
	Most int64

	open  atomic.Int64
	once  sync.Once
	shelf shelf[pipeEnds]
}

// pipeEnds are the two descriptors.
type pipeEnds struct{ r, w int32 }

// Open is how many pipes are open, each of them two descriptors.
func (s *Pipes) Open() int64 { return s.open.Load() }

func (s *Pipes) take() (pipeEnds, bool) {
	if ends, ok := s.shelf.take(); ok {
		return ends, true
	}
	most := s.Most
	if most == 0 {
		most = pipesMost
	}
	if s.open.Add(1) <= most {
		if ends, ok := openPipe(); ok {
			return ends, true
		}
	}
	s.open.Add(-1)
	return pipeEnds{}, false
}

func (s *Pipes) put(ends pipeEnds) {
	s.once.Do(func() { s.shelf.discard = s.close })
	s.shelf.put(ends)
}

func (s *Pipes) close(ends pipeEnds) {
	closePipe(ends)
	s.open.Add(-1)
}

// trim closes what nobody uses at the moment.
func (s *Pipes) trim() {
	for ends, ok := s.shelf.take(); ok; ends, ok = s.shelf.take() {
		s.close(ends)
	}
}

// Pipe holds bytes in the kernel between two connections, as Buffer does in
// memory: it takes a pipe when it is filled and gives it back by Release. It
// belongs to one goroutine.
type Pipe struct {
	// Supply is where pipes come from. It must be set.
	Supply *Pipes

	ends  pipeEnds
	taken bool
	n     int
}

// Len is the number of bytes held.
func (p *Pipe) Len() int { return p.n }

// Release gives the pipe back; one that holds bytes is closed, and they are
// lost.
func (p *Pipe) Release() {
	if !p.taken {
		return
	}
	if p.n > 0 {
		p.Supply.close(p.ends)
	} else {
		p.Supply.put(p.ends)
	}
	p.taken, p.n = false, 0
}

// CanSplice tells whether FillPipe and DrainPipe work here: on Linux, for TCP.
func (c *Conn) CanSplice() bool {
	return canSplice && c.raw != nil && c.remote.IsValid()
}

// FillPipe is Fill into a pipe, which must be empty: the bytes stay in the
// kernel. While it waits, p holds no pipe. On ErrNoPipe, go on with Fill; a
// later FillPipe may succeed.
func (c *Conn) FillPipe(p *Pipe) (int, error) {
	if !canSplice || c.raw == nil {
		return 0, ErrNoPipe
	}
	c.in.pipe = p
	n, err := c.read()
	c.in.pipe = nil
	p.n = n
	if errors.Is(err, errNoPipe) {
		err = ErrNoPipe
	}
	if err != nil {
		p.Release()
	}
	return n, err
}

// errNoPipe is ErrNoPipe as the read callback spells it: no read gives it.
const errNoPipe = syscall.EMFILE

// fill is the read callback. The pipe is empty, so EAGAIN says that nothing
// has come, or nothing that splice(2) takes: it stops at an urgent byte, which a
// read skips. A park would wait for more.
func (p *Pipe) fill(fd uintptr) (n int, errno syscall.Errno) {
	if !p.taken {
		if p.ends, p.taken = p.Supply.take(); !p.taken {
			return 0, errNoPipe
		}
	}
	n, errno = splice(fd, uintptr(p.ends.w), PipeSize)
	switch errno {
	case syscall.EAGAIN:
		p.Release()
		if peek(fd) != peekQuiet {
			errno = errNoPipe
		}
	case syscall.EINVAL:
		errno = errNoPipe
	}
	return n, errno
}

// DrainPipe writes from p, which must not be empty, as much as the peer takes,
// and waits until that is at least one byte. It says how much went, also when
// it failed.
func (c *Conn) DrainPipe(p *Pipe) (int, error) {
	before := c.tx
	c.out.pipe = p
	err := c.flush()
	c.out.pipe = nil
	return int(c.tx - before), err
}

// drain is the write callback.
func (p *Pipe) drain(fd uintptr) (n int, errno syscall.Errno) {
	for p.n > 0 {
		moved, errno := splice(uintptr(p.ends.r), fd, p.n)
		switch {
		case errno == syscall.EAGAIN && n > 0:
			return n, 0
		case errno != 0:
			return n, errno
		}
		p.n -= moved
		n += moved
	}
	return n, 0
}

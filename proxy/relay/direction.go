package relay

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/stat"
)

const (
	// yieldAfter is how much a direction copies before it gives way, and
	// yieldAfterSpliced how much it splices, which takes about as long.
	yieldAfter        = 64 << 10
	yieldAfterSpliced = 512 << 10
	// linger and lingerMost bound what is thrown away while the last bytes of
	// the other direction are flushed (Envoy: delayed_close_timeout, 1 s).
	linger     = time.Second
	lingerMost = 1 << 20
)

// direction carries bytes from one connection to the other. It belongs to the
// goroutine that runs it, and after that to Run.
type direction struct {
	relay    *Relay
	other    *direction
	from, to *sock.Conn
	early    []byte
	first    func(p []byte) (more bool) // nil: nobody looks (any more)
	live     *stat.Counter

	buffer sock.Buffer
	pipe   sock.Pipe
	busy   int // how far it is to the next Yield, in 1/yieldAfterSpliced

	before uint64 // what had been written to `to` before
	n      uint64 // bytes carried, but for the part of a write that broke off

	fromBroke, toBroke End

	err      error // nil: the FIN was passed on
	end      End
	at       time.Duration // when err came
	unwanted bool          // err is that `to` took no more

	// writing is true during a write, and broke set before it ends if `to` broke
	// without a FIN; see cutOff.
	writing, broke atomic.Bool
	spliced        atomic.Bool    // bytes went to `to` through a pipe
	ended          sync.WaitGroup // run has returned
	finished       atomic.Bool    // from's FIN was read
}

func (d *direction) begin(r *Relay, from, to *Side) {
	d.relay, d.from, d.to, d.early, d.first, d.live = r, from.Conn, to.Conn, from.Early, from.First, from.Sent
	_, d.before = d.to.Traffic()
	if r.splicing != nil {
		d.pipe.Supply = &r.splicing.pipes
	}
}

// run carries bytes until the FIN has been passed on or something broke.
func (d *direction) run() {
	if len(d.early) == 0 || d.carry(d.early) {
		d.early = nil
		for d.step() {
		}
	}
	d.buffer.Release()
	d.pipe.Release()
	d.ended.Done()
}

// step carries one piece, and tells whether there may be more.
func (d *direction) step() bool {
	n, err := d.next()
	if err == io.EOF && d.cutOff() {
		err = syscall.ECONNRESET
	}
	if err == io.EOF {
		d.passFIN()
		return false
	}
	if err != nil {
		d.readFailed(err)
		return false
	}
	if !d.pass() {
		return false
	}
	d.giveWay(n)
	return true
}

// passFIN ends our side of `to`. If the other end of it has done so too, closing
// it, which follows at once, says the same.
func (d *direction) passFIN() {
	d.finished.Store(true)
	if !d.other.finished.Load() {
		d.to.CloseWrite()
	}
}

// next waits for bytes: in the pipe, once enough was carried to splice, or in
// the buffer. Neither is held meanwhile.
func (d *direction) next() (int, error) {
	if s := d.relay.splicing; s != nil && d.n >= s.after {
		d.buffer.ReleaseIdle()
		n, err := d.from.FillPipe(&d.pipe)
		if err != sock.ErrNoPipe {
			return n, err
		}
	}
	return d.from.Fill(&d.buffer)
}

// pass writes what next has read.
func (d *direction) pass() bool {
	if d.pipe.Len() > 0 {
		return d.carryPipe()
	}
	ok := d.carry(d.buffer.Bytes())
	d.buffer.Consume(d.buffer.Len())
	return ok
}

// giveWay yields after a quota, of which a spliced byte takes less.
func (d *direction) giveWay(n int) {
	if n <= sock.BufferSize {
		n *= yieldAfterSpliced / yieldAfter
	}
	if d.busy += n; d.busy >= yieldAfterSpliced {
		d.busy = 0
		var yield sock.Yielder
		yield.Yield()
	}
}

// carry writes p, and blocks while its reader is slow.
func (d *direction) carry(p []byte) bool {
	if d.first != nil && !d.first(p) {
		d.first = nil
	}
	d.relay.touch()
	d.writing.Store(true)
	err := d.to.WriteAll(p, nil, nil)
	return d.wrote(len(p), err)
}

// carryPipe is carry for what is in the pipe.
func (d *direction) carryPipe() bool {
	d.first = nil
	d.spliced.Store(true)
	for d.pipe.Len() > 0 {
		d.relay.touch()
		d.writing.Store(true)
		n, err := d.to.DrainPipe(&d.pipe)
		d.relay.splicing.bytes.Add(uint64(n))
		if !d.wrote(n, err) {
			return false
		}
	}
	return true
}

// wrote ends a write of n bytes. What of one that broke off was taken is
// counted by settle.
func (d *direction) wrote(n int, err error) bool {
	if err != nil {
		d.writeFailed(err)
	}
	d.writing.Store(false)
	if err != nil {
		return false
	}
	d.relay.touch()
	d.n += uint64(n)
	if d.live != nil {
		d.live.Add(uint64(n))
	}
	return true
}

// cutOff tells that what looks like the sender's FIN is an RST. The kernel tells
// of an RST once: if the other direction's write was told, we read an EOF.
// EPIPE, though, says that a FIN came before the RST, and the EOF is real; but
// for a splice, whose second part may be told and keep it to itself.
func (d *direction) cutOff() bool {
	var yield sock.Yielder
	for d.other.writing.Load() && d.from.Dead() {
		yield.Yield() // a write to a dead connection is over at once
	}
	return d.other.broke.Load() || d.other.spliced.Load() && d.from.CutOff()
}

// readFailed ends both directions.
func (d *direction) readFailed(err error) {
	if d.fail(err, d.fromBroke); d.end == d.fromBroke {
		d.to.Reset()
	} else {
		d.to.Close()
	}
	d.from.Close()
}

// writeFailed leaves the other direction alone when it is the peer that takes
// no more: what it sent before can still be read, and then the end it came to.
func (d *direction) writeFailed(err error) {
	if d.fail(err, d.toBroke); d.end == d.toBroke {
		d.unwanted = true
		d.broke.Store(!errors.Is(err, syscall.EPIPE) && !errors.Is(err, io.ErrClosedPipe))
		return
	}
	d.to.Close()
	d.from.Close()
}

func (d *direction) fail(err error, broke End) {
	d.err, d.end, d.at = err, broke, sock.Now()
	switch {
	case errors.Is(err, sock.ErrTimeout):
		d.end = Idle
	case errors.Is(err, sock.ErrCanceled), errors.Is(err, net.ErrClosed):
		d.end = Canceled
	}
}

// flushOther is for a sender whose bytes nobody takes any more, after the other
// direction has ended well: closing at once, with bytes unread, would be an RST
// that destroys what the sender has still to receive.
func (d *direction) flushOther() {
	if !d.unwanted || d.other.err != nil {
		return
	}
	defer d.buffer.Release()
	d.from.ReadBy(sock.Now() + linger)
	for left := lingerMost; left > 0; {
		n, err := d.from.Fill(&d.buffer)
		if err != nil {
			return
		}
		d.buffer.Consume(n)
		left -= n
	}
}

// settle gives the exact count, and adds to the live one what of a write that
// broke off was taken.
func (d *direction) settle() uint64 {
	_, after := d.to.Traffic()
	total := after - d.before
	if d.live != nil {
		d.live.Add(total - d.n)
	}
	return total
}

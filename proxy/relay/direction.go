package relay

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/stat"
)

const (
	// yieldAfter is how much a direction carries before it gives way.
	yieldAfter = 64 << 10
	// linger and lingerMost bound what is thrown away while the last bytes of
	// the other direction are flushed (Envoy: delayed_close_timeout, 1 s).
	linger     = time.Second
	lingerMost = 1 << 20
)

// direction carries bytes from one connection to the other. It belongs to the
// goroutine that runs it, and after that to Run.
type direction struct {
	relay    *relay
	other    *direction
	from, to *sock.Conn
	early    []byte
	live     *stat.Counter

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
}

func (d *direction) begin(r *relay, from, to Side) {
	d.relay, d.from, d.to, d.early, d.live = r, from.Conn, to.Conn, from.Early, from.Sent
	_, d.before = d.to.Traffic()
}

// run carries bytes until the FIN has been passed on or something broke.
func (d *direction) run() {
	var b sock.Buffer
	var yield sock.Yielder
	defer b.Release()
	defer yield.Close()
	if len(d.early) > 0 && !d.carry(d.early) {
		return
	}
	for moved := 0; ; {
		n, err := d.from.Fill(&b)
		if err == io.EOF && d.cutOff(&yield) {
			err = syscall.ECONNRESET
		}
		if err == io.EOF {
			d.to.CloseWrite()
			return
		}
		if err != nil {
			d.readFailed(err)
			return
		}
		if !d.carry(b.Bytes()) {
			return
		}
		b.Consume(n)
		if moved += n; moved >= yieldAfter {
			moved = 0
			yield.Yield()
		}
	}
}

// carry writes p, and blocks while its reader is slow.
func (d *direction) carry(p []byte) bool {
	d.relay.touch()
	d.writing.Store(true)
	err := d.to.WriteAll(p, nil, nil)
	if err != nil {
		d.writeFailed(err)
	}
	d.writing.Store(false)
	if err != nil {
		return false
	}
	d.relay.touch()
	d.n += uint64(len(p))
	if d.live != nil {
		d.live.Add(uint64(len(p)))
	}
	return true
}

// cutOff tells that what looks like the sender's FIN is an RST. The kernel tells
// of an RST once: if the other direction's write was told, we read an EOF.
// EPIPE, though, says that a FIN came before the RST, and the EOF is real.
func (d *direction) cutOff(yield *sock.Yielder) bool {
	for d.other.writing.Load() && d.from.Dead() {
		yield.Yield() // a write to a dead connection is over at once
	}
	return d.other.broke.Load()
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
	var b sock.Buffer
	defer b.Release()
	d.from.ReadBy(sock.Now() + linger)
	for left := lingerMost; left > 0; {
		n, err := d.from.Fill(&b)
		if err != nil {
			return
		}
		b.Consume(n)
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

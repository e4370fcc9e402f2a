package h1

import (
	"errors"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// pump passes a request's body on while the exchange's own goroutine reads the
// response: HTTP/1 is full duplex. It is a task of the crew; a client has one, made when it
// is needed first.
type pump struct {
	copier
	body l7.Body
	err  error
	done chan struct{} // one token when the body was sent or broke off
	over bool          // the token of done was taken
	// broke is set before the connection is closed because the body ended early,
	// ending before the last write begins.
	broke, ending atomic.Bool
}

// startPump writes the head in out, which it owns from then on, and the body.
func (c *Client) startPump(out *output, chunked bool, r *l7.Outgoing) {
	if c.spare == nil {
		c.spare = &pump{done: make(chan struct{}, 1)}
	}
	p := c.spare
	p.copier = copier{conn: c.recv.conn, out: out, chunked: chunked, idle: r.Idle, last: &p.ending}
	p.body, p.err, p.over = r.Body, nil, false
	p.broke.Store(false)
	p.ending.Store(false)
	c.pump = p
	c.crew.Do(p)
}

// Run passes one body on (l7.Task).
func (p *pump) Run() {
	readErr, writeErr := p.run(p.body)
	p.out.release()
	if p.err = readErr; readErr == nil {
		p.err = writeErr
	}
	switch {
	case readErr != nil:
		// The client broke off: nobody waits for an answer to half a request.
		p.broke.Store(true)
		p.conn.Close()
	case errors.Is(writeErr, sock.ErrTimeout):
		// The upstream takes nothing, and has no reason to answer: who waits for
		// that has waited long enough. Of any other failure its read is told.
		p.conn.ReadBy(sock.Now())
		p.conn.Wake()
	}
	p.done <- struct{}{}
}

// sent tells, without waiting, whether the body was sent to its end.
func (p *pump) sent() (n uint64, whole bool) {
	if !p.over {
		select {
		case <-p.done:
			p.over = true
		default:
			return 0, false
		}
	}
	return p.n, p.err == nil
}

// lastWrite is how long a last write may take whose answer has come already: it
// was answered, so it is over, and only the news of it is late.
const lastWrite = 100 * time.Millisecond

// await waits for a pump whose last write has been answered, a moment at most.
func (p *pump) await() (n uint64, whole bool) {
	for range 16 {
		if n, whole = p.sent(); p.over || !p.ending.Load() {
			return n, whole
		}
		runtime.Gosched()
	}
	p.conn.WriteBy(sock.Now() + lastWrite)
	p.conn.Wake()
	<-p.done
	p.over = true
	p.conn.WriteBy(0)
	return p.sent()
}

// abort stops the pump and waits for it; the connection is closed.
func (p *pump) abort(conn *sock.Conn) uint64 {
	if !p.over {
		p.body.Interrupt()
		conn.Close()
		<-p.done
		p.over = true
	}
	return p.n
}

func (p *pump) release() {
	p.copier, p.body = copier{}, nil
}

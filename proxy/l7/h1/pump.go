package h1

import (
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// pump passes a request's body on while the exchange's own goroutine reads the
// response: HTTP/1 is full duplex. It has a goroutine of its own, and both are
// reused.
type pump struct {
	copier
	crew  *Crew
	body  l7.Body
	err   error
	begin chan struct{} // one token when there is a body to pass on
	done  chan struct{} // one token when the body was sent or broke off
	over  bool          // the token of done was taken
	// broke is set before the connection is closed because the body ended early,
	// ending before the last write begins.
	broke, ending atomic.Bool
}

// start writes the head in out, which it owns from then on, and the body.
func (c *Crew) start(conn *sock.Conn, out *output, chunked bool, r *Request) *pump {
	p := c.take()
	p.copier = copier{conn: conn, out: out, chunked: chunked, idle: r.Idle, last: &p.ending}
	p.body, p.err, p.over = r.Body, nil, false
	p.broke.Store(false)
	p.ending.Store(false)
	p.begin <- struct{}{}
	return p
}

// work passes one body on.
func (p *pump) work() {
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
	p.crew.give(p)
}

// Crew is pumps that wait for bodies to pass on: handing one over costs a
// fraction of starting a goroutine, and its stack has already grown. Each waits
// for a while for the next body and then ends; Close ends them at once. A Crew
// may be shared by any number of Clients.
type Crew struct {
	mu   sync.Mutex
	idle []*pump // the one used last is taken first
	quit chan struct{}
}

// NewCrew makes a crew without members; they come when they are needed.
func NewCrew() *Crew { return &Crew{quit: make(chan struct{})} }

// Close ends the members that wait. It must be called once, when no Client
// uses the crew any longer.
func (c *Crew) Close() { close(c.quit) }

func (c *Crew) take() *pump {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.idle); n > 0 {
		p := c.idle[n-1]
		c.idle = c.idle[:n-1]
		return p
	}
	p := &pump{crew: c, begin: make(chan struct{}, 1), done: make(chan struct{}, 1)}
	go p.live()
	return p
}

func (c *Crew) give(p *pump) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = append(c.idle, p)
}

// retire takes a pump out, unless it was taken for another body meanwhile.
func (c *Crew) retire(p *pump) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.idle, p)
	if i >= 0 {
		c.idle = slices.Delete(c.idle, i, i+1)
	}
	return i >= 0
}

const pumpIdle = 10 * time.Second

// live is the pump's goroutine.
func (p *pump) live() {
	idle := time.NewTimer(pumpIdle)
	defer idle.Stop()
	for {
		select {
		case <-p.begin:
			p.work()
		case <-idle.C:
			if p.crew.retire(p) {
				return
			}
		case <-p.crew.quit:
			return
		}
		idle.Reset(pumpIdle)
	}
}

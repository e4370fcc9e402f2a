package h1

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// pump passes a request's body on while the exchange's own goroutine reads the
// response: HTTP/1 is full duplex. Pumps and their goroutines are reused.
type pump struct {
	copier
	body l7.Body
	call func()
	err  error
	done chan struct{} // one token when the body was sent or broke off
	over bool          // the token was taken
	// broke is set before the connection is closed because the body ended early.
	broke atomic.Bool
}

// start writes the head in out, which it owns from then on, and the body.
func (c *Crew) start(conn *sock.Conn, out *output, chunked bool, r *Request) *pump {
	p := pumps.Get().(*pump)
	p.copier = copier{conn: conn, out: out, chunked: chunked, idle: r.Idle}
	p.body, p.call, p.err, p.over = r.Body, r.Sent, nil, false
	p.broke.Store(false)
	c.run(p)
	return p
}

var pumps = sync.Pool{New: func() any { return &pump{done: make(chan struct{}, 1)} }}

// work runs in the second goroutine.
func (p *pump) work() {
	readErr, writeErr := p.run(p.body)
	p.out.release()
	if p.err = readErr; readErr == nil {
		p.err = writeErr
	}
	if p.err == nil && p.call != nil {
		p.call()
	} else if p.err != nil && readErr != nil {
		// The client broke off: nobody waits for an answer to half a request.
		p.broke.Store(true)
		p.conn.Close()
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
	p.copier, p.body, p.call = copier{}, nil, nil
	pumps.Put(p)
}

// Crew is goroutines that wait for bodies to pass on: handing one over costs a
// fraction of starting a goroutine, and its stack has already grown. Each waits
// for a while for the next body and then ends; Close ends them at once. A Crew
// may be shared by any number of Clients.
type Crew struct {
	jobs chan *pump
	quit chan struct{}
}

// NewCrew makes a crew without members; they come when they are needed.
func NewCrew() *Crew { return &Crew{jobs: make(chan *pump), quit: make(chan struct{})} }

// Close ends the members that wait. It must be called once, when no Client
// uses the crew any longer.
func (c *Crew) Close() { close(c.quit) }

const workerIdle = 10 * time.Second

func (c *Crew) run(p *pump) {
	select {
	case c.jobs <- p:
	default:
		go c.work(p)
	}
}

func (c *Crew) work(p *pump) {
	idle := time.NewTimer(workerIdle)
	defer idle.Stop()
	for {
		p.work()
		idle.Reset(workerIdle)
		select {
		case p = <-c.jobs:
		case <-idle.C:
			return
		case <-c.quit:
			return
		}
	}
}

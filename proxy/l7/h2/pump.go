package h2

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// pump passes a request's body on while the exchange's own goroutine reads the
// response. It is a task of the crew; each client stream has one.
type pump struct {
	st   *ClientStream
	body l7.Body
	idle time.Duration
	n    uint64
	err  error
	done chan struct{} // one token when the body was sent or broke off
	over bool          // the token was taken
	// broke says that the body ended early, not the stream.
	broke atomic.Bool
}

func (st *ClientStream) startPump(body l7.Body, idle time.Duration) {
	p := &st.pump
	p.body, p.idle, p.n, p.err, p.over = body, idle, 0, nil, false
	p.broke.Store(false)
	st.pumping = true
	st.c.cfg.Crew.Do(p)
}

// Run passes one body on (l7.Task).
func (p *pump) Run() {
	st := p.st
	n, readErr, writeErr := st.sendBody(p.body, p.idle, st.gone)
	p.n = n
	switch {
	case readErr != nil:
		// The client broke off: nobody waits for an answer to half a request.
		p.err = readErr
		p.broke.Store(true)
		st.abandon()
	case errors.Is(writeErr, sock.ErrTimeout):
		// The upstream takes nothing, and has no reason to answer.
		p.err = writeErr
		st.reader.bound(sock.Now())
		st.reader.wake()
	default:
		p.err = writeErr
	}
	st.c.flush()
	p.done <- struct{}{}
}

// abandon resets the stream, since its request will not be whole.
func (st *ClientStream) abandon() {
	c := st.c
	c.mu.Lock()
	if st.listed {
		c.appendReset(st.id, Cancel)
		c.cut(&st.stream, errBodyBroke)
	}
	c.mu.Unlock()
}

var errBodyBroke = streamError(Cancel, "the request's body broke off")

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

// stopPump waits for the pump, and stops it first if it still runs.
func (st *ClientStream) stopPump() (n uint64) {
	p := &st.pump
	if _, _ = p.sent(); !p.over {
		st.abandon()
		p.body.Interrupt()
		<-p.done
		p.over = true
	}
	st.pumping, p.body = false, nil
	return p.n
}

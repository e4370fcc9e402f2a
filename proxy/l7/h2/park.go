package h2

import (
	"sync/atomic"
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
)

// parker lets one goroutine wait for news of its stream, until a deadline. Its
// timer is lazy: one that rings too early only makes the goroutine look again,
// so a deadline that moves on costs nothing.
type parker struct {
	news  chan struct{} // one token
	by    atomic.Int64  // on the sock clock; 0 is none
	timer *time.Timer
	armed atomic.Int64 // when the timer rings; 0: it does not
}

func (p *parker) make() { p.news = make(chan struct{}, 1) }

// wake tells that there is news. It never blocks.
func (p *parker) wake() {
	select {
	case p.news <- struct{}{}:
	default:
	}
}

// bound sets the deadline; another goroutine than the one that waits must wake
// it afterwards.
func (p *parker) bound(by time.Duration) { p.by.Store(int64(by)) }

// park waits for news. gone may be nil; when it is raised, and the parker woken,
// park returns sock.ErrCanceled. After the deadline it returns sock.ErrTimeout.
func (p *parker) park(gone *atomic.Bool) error {
	if err := p.arm(); err != nil {
		return err
	}
	if gone != nil && gone.Load() {
		return sock.ErrCanceled
	}
	<-p.news
	if gone != nil && gone.Load() {
		return sock.ErrCanceled
	}
	if by := time.Duration(p.by.Load()); by != 0 && p.armed.Load() == 0 && sock.Now() >= by {
		return sock.ErrTimeout
	}
	return nil
}

// arm makes the timer ring at the deadline or before.
func (p *parker) arm() error {
	by := time.Duration(p.by.Load())
	if armed := time.Duration(p.armed.Load()); by == 0 || armed != 0 && armed <= by {
		return nil
	}
	now := sock.Now()
	if now >= by {
		return sock.ErrTimeout
	}
	p.armed.Store(int64(by))
	if p.timer == nil {
		p.timer = time.AfterFunc(by-now, p.ring)
	} else {
		p.timer.Reset(by - now)
	}
	return nil
}

func (p *parker) ring() {
	p.armed.Store(0)
	p.wake()
}

// disarm stops the timer, which would keep what the parker is part of in memory.
func (p *parker) disarm() {
	if p.timer != nil {
		p.timer.Stop()
		p.armed.Store(0)
	}
}

// reset makes the parker ready for its next owner. The timer may go on.
func (p *parker) reset() {
	p.by.Store(0)
	select {
	case <-p.news:
	default:
	}
}

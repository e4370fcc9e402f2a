package l7

import (
	"sync"
	"time"
)

// Task is work for a goroutine of a Crew.
type Task interface{ Run() }

// Crew is goroutines that wait for work: handing a task over costs a fraction
// of starting a goroutine, and the stack has already grown. Who has had no task
// for a while ends; Close ends all. A Crew may be shared by everybody.
type Crew struct {
	mu      sync.Mutex
	idle    []*hand // the one used last is taken first
	least   int     // the fewest that were idle since the last look
	closed  bool
	watches bool // a look is due
}

// hand is a goroutine of a crew. A nil task ends it.
type hand struct {
	crew  *Crew
	begin chan Task
}

// NewCrew makes a crew without members; they come when they are needed.
func NewCrew() *Crew { return new(Crew) }

// Do has a goroutine of the crew run a task. It never blocks.
func (c *Crew) Do(t Task) {
	c.mu.Lock()
	n := len(c.idle)
	if n == 0 {
		c.least = 0
		c.mu.Unlock()
		h := &hand{crew: c, begin: make(chan Task, 1)}
		h.begin <- t
		go h.live()
		return
	}
	h := c.idle[n-1]
	c.idle[n-1] = nil
	c.idle = c.idle[:n-1]
	c.least = min(c.least, n-1)
	c.mu.Unlock()
	h.begin <- t
}

// Close ends the members that wait; those at work end after their task.
func (c *Crew) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.dismiss(len(c.idle))
}

func (h *hand) live() {
	for t := range h.begin {
		t.Run()
		if !h.rest() {
			return
		}
	}
}

// rest makes the goroutine one that waits, unless the crew is closed.
func (h *hand) rest() bool {
	c := h.crew
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.idle = append(c.idle, h)
	if !c.watches {
		c.watches = true
		time.AfterFunc(handIdle, c.look)
	}
	return true
}

// handIdle is how often the crew looks for members that nobody needed.
const handIdle = 2 * time.Second

// look ends those that were idle all the time since the last look.
func (c *Crew) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.dismiss(min(c.least, len(c.idle)))
	c.least = len(c.idle)
	if c.watches = len(c.idle) > 0; c.watches {
		time.AfterFunc(handIdle, c.look)
	}
}

// dismiss ends the n that have waited longest, under the lock.
func (c *Crew) dismiss(n int) {
	for _, h := range c.idle[:n] {
		close(h.begin)
	}
	left := copy(c.idle, c.idle[n:])
	clear(c.idle[left:])
	c.idle = c.idle[:left]
}

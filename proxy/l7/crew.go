package l7

import (
	"slices"
	"sync"
	"time"
)

// Task is work for a goroutine of a Crew.
type Task interface{ Run() }

// Crew is goroutines that wait for work: handing a task over costs a fraction
// of starting a goroutine, and the stack has already grown. Each waits for a
// while for the next task and then ends; Close ends them at once. A Crew may be
// shared by everybody.
type Crew struct {
	mu   sync.Mutex
	idle []*hand // the one used last is taken first
	quit chan struct{}
}

// NewCrew makes a crew without members; they come when they are needed.
func NewCrew() *Crew { return &Crew{quit: make(chan struct{})} }

// Do has a goroutine of the crew run a task. It never blocks.
func (c *Crew) Do(t Task) {
	c.mu.Lock()
	n := len(c.idle)
	if n == 0 {
		c.mu.Unlock()
		h := &hand{crew: c, begin: make(chan Task, 1)}
		h.begin <- t
		go h.live()
		return
	}
	h := c.idle[n-1]
	c.idle = c.idle[:n-1]
	c.mu.Unlock()
	h.begin <- t
}

// Close ends the members that wait; those at work end after their task. It must
// be called once, after the last Do.
func (c *Crew) Close() { close(c.quit) }

// hand is a goroutine of a crew.
type hand struct {
	crew  *Crew
	begin chan Task
}

const handIdle = 10 * time.Second

func (h *hand) live() {
	idle := time.NewTimer(handIdle)
	defer idle.Stop()
	for {
		select {
		case t := <-h.begin:
			t.Run()
			h.rest()
		case <-idle.C:
			if h.retire() {
				return
			}
		case <-h.crew.quit:
			return
		}
		idle.Reset(handIdle)
	}
}

// rest makes the goroutine one that waits.
func (h *hand) rest() {
	h.crew.mu.Lock()
	h.crew.idle = append(h.crew.idle, h)
	h.crew.mu.Unlock()
}

// retire takes it out, unless it was given a task meanwhile.
func (h *hand) retire() bool {
	c := h.crew
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.idle, h)
	if i >= 0 {
		c.idle = slices.Delete(c.idle, i, i+1)
	}
	return i >= 0
}

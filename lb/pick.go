package lb

// Picker chooses an endpoint of one membership. Implementations may be used by
// any number of goroutines at once, never block and never allocate.
type Picker interface {
	// Pick gives the index of an endpoint, at least 0 and less than the size
	// the picker was built with, or None when there is nothing to choose from.
	Pick(c *Context) int
}

// None is what Pick and Select give when there is no endpoint.
const None = -1

// MaxReselections is how often Select asks again for an endpoint that was not
// tried yet (App Mesh 2.8: host_selection_retry_max_attempts 5).
const MaxReselections = 5

// Context is what a policy may consider. It belongs to the attempt; the caller
// keeps it where it lives already (a pooled exchange), since a Context on the
// stack would escape through the interface.
type Context struct {
	// Draw is random bits, new for every attempt. A policy that is asked again
	// within the attempt mixes Reselection in.
	Draw uint64
	// Hash is what hash policies place the request by; 0 means that it has
	// none, and such policies then choose at random (Envoy 4.5).
	Hash uint64
	// Reselection counts, from 0, how often this attempt was asked before.
	// Hash policies step along their ring by it. Select sets it.
	Reselection int
	// Avoid lists the endpoints tried before, as indices into the membership
	// that the picker was built for. When the membership was swapped between
	// two attempts, the caller translates them and leaves out who has gone.
	Avoid []int
}

// Select picks an endpoint, if it can be had one that is not in c.Avoid: it
// asks again up to MaxReselections times, then takes the last answer anyway.
func Select(p Picker, c *Context) int {
	c.Reselection = 0
	i := p.Pick(c)
	for c.avoids(i) && c.Reselection < MaxReselections {
		c.Reselection++
		i = p.Pick(c)
	}
	return i
}

func (c *Context) avoids(i int) bool {
	for _, tried := range c.Avoid {
		if tried == i {
			return true
		}
	}
	return false
}

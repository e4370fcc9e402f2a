package stat

import "sync/atomic"

// Codes counts responses by status code, 100 to 599; others are dropped.
// It takes no memory for a class (2xx, 5xx) before its first response.
// The zero value is ready.
type Codes struct {
	classes [5]atomic.Pointer[[100]Counter]
}

// Inc counts one response of the code.
func (c *Codes) Inc(code int) {
	if code < 100 || code > 599 {
		return
	}
	class := &c.classes[code/100-1]
	cells := class.Load()
	if cells == nil {
		class.CompareAndSwap(nil, new([100]Counter))
		cells = class.Load()
	}
	cells[code%100].Inc()
}

// Each calls yield for every code counted at least once, ascending.
func (c *Codes) Each(yield func(code int, cell *Counter)) {
	for class := range c.classes {
		cells := c.classes[class].Load()
		if cells == nil {
			continue
		}
		for i := range cells {
			if cells[i].Used() {
				yield((class+1)*100+i, &cells[i])
			}
		}
	}
}

// Class is the number of responses of a class, 1 to 5; used tells whether
// there ever was one.
func (c *Codes) Class(class int) (n uint64, used bool) {
	if class < 1 || class > len(c.classes) {
		return 0, false
	}
	cells := c.classes[class-1].Load()
	if cells == nil {
		return 0, false
	}
	for i := range cells {
		n += cells[i].Value()
	}
	return n, true
}

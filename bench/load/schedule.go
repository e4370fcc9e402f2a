//go:build linux

package load

// schedule says when a worker's requests are due, in nanoseconds from the start of the run. Request i of all is due at
// i/rate; worker k of n has those with i = k (mod n). The zero value is a closed loop: nothing is ever due.
type schedule struct {
	rate   float64 // of all workers together; 0: closed loop
	worker int64
	of     int64
	limit  int64 // most requests this worker may start; 0: no limit
	none   bool  // the limit leaves this worker no request at all
	next   int64 // own index of the next request to start
}

// due returns when the next request should be sent; false when the worker has no more, or its loop is closed.
func (s *schedule) due() (int64, bool) {
	if s.rate == 0 || s.done() {
		return 0, false
	}
	return s.at(s.next), true
}

func (s *schedule) done() bool { return s.none || (s.limit > 0 && s.next >= s.limit) }

func (s *schedule) at(own int64) int64 {
	return int64(float64(s.worker+own*s.of) / s.rate * 1e9)
}

// dueBy counts the requests due at or before now and not yet started.
func (s *schedule) dueBy(now int64) int64 {
	if s.rate == 0 || s.none {
		return 0
	}
	// The first own index after now, by the inverse of at, put right where rounding leads astray.
	n := int64((float64(now)*s.rate/1e9-float64(s.worker))/float64(s.of)) + 1
	for n > s.next && s.at(n-1) > now {
		n--
	}
	for s.at(n) <= now {
		n++
	}
	if s.limit > 0 {
		n = min(n, s.limit)
	}
	return max(n-s.next, 0)
}

// skip gives up the oldest n requests.
func (s *schedule) skip(n int64) { s.next += n }

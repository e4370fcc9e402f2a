package iptables

import (
	"slices"
	"strconv"
	"strings"
)

// spans is a set of ports: ranges in order that neither overlap nor touch. It is never changed once built.
type spans []span

type span struct{ low, high int }

var allPorts = spans{{0, 65535}}

// parseSpans reads what --dport and --dports print: "80", "80,443", "8000:8010".
func parseSpans(list string) (spans, bool) {
	var all spans
	for entry := range strings.SplitSeq(list, ",") {
		low, high, isRange := strings.Cut(entry, ":")
		if !isRange {
			high = low
		}
		from, err := strconv.ParseUint(low, 10, 16)
		to, wrong := strconv.ParseUint(high, 10, 16)
		if err != nil || wrong != nil || to < from {
			return nil, false
		}
		all = append(all, span{int(from), int(to)})
	}
	return all.merged(), true
}

func portSpans(ports []uint16) spans {
	var all spans
	for _, port := range ports {
		all = append(all, span{int(port), int(port)})
	}
	return all.merged()
}

// merged puts ranges in order and joins those that overlap or touch.
func (s spans) merged() spans {
	s = slices.Clone(s)
	slices.SortFunc(s, func(a, b span) int { return a.low - b.low })
	var all spans
	for _, next := range s {
		if n := len(all); n > 0 && next.low <= all[n-1].high+1 {
			all[n-1].high = max(all[n-1].high, next.high)
		} else {
			all = append(all, next)
		}
	}
	return all
}

func (s spans) with(more spans) spans { return slices.Concat(s, more).merged() }

// without is what of s is not in less.
func (s spans) without(less spans) spans {
	var left spans
	for _, have := range s {
		for _, l := range less {
			if l.high < have.low || l.low > have.high {
				continue
			}
			if l.low > have.low {
				left = append(left, span{have.low, l.low - 1})
			}
			have.low = l.high + 1
		}
		if have.low <= have.high {
			left = append(left, have)
		}
	}
	return left
}

func (s spans) meets(other spans) bool { return !s.without(other).equal(s) }

func (s spans) equal(other spans) bool { return slices.Equal(s, other) }

// size is how many ports it holds.
func (s spans) size() (n int) {
	for _, r := range s {
		n += r.high - r.low + 1
	}
	return n
}

// list is every port of it; only for sets that were given port by port.
func (s spans) list() (ports []uint16) {
	for _, r := range s {
		for port := r.low; port <= r.high; port++ {
			ports = append(ports, uint16(port))
		}
	}
	return ports
}

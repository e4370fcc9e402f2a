package discovery

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// members is the set of endpoints of one cluster, and what is remembered to
// decide the next one. It does no I/O and takes the time as an argument.
type members struct {
	discovery mesh.Discovery
	// keep is how long the set outlives its name.
	keep    time.Duration
	current []netip.AddrPort
	// gone is when the name was first found missing or empty since the last
	// good answer; zero: it was not.
	gone time.Time
	// seen is when a Cloud Map address was last in an answer.
	seen map[netip.Addr]time.Time
}

const (
	// maxRoute53 is the most records a Route 53 multivalue answer holds: one
	// with fewer is known to be whole.
	maxRoute53 = 8
	// cloudMapKeep is how long an address stays that such an answer lacks.
	cloudMapKeep = time.Minute
	// maxMembers bounds a cluster that is put together from many answers.
	maxMembers = 4096
)

// outcome is what a lookup did to a set.
type outcome uint8

const (
	changed   outcome = iota // there is a new set
	unchanged                // a good answer, the same set
	kept                     // no good answer, the set stays nevertheless
	stillNone                // no good answer, and there was nothing to keep
	emptied                  // the name has been gone for too long
)

// answered takes the result of a lookup.
func (m *members) answered(now time.Time, answer Answer, err error) outcome {
	if err == nil {
		m.gone = time.Time{}
		return m.replace(m.choose(now, answer.Addrs))
	}
	if len(m.current) == 0 {
		return stillNone
	}
	if !errors.Is(err, ErrNoName) && !errors.Is(err, ErrEmpty) {
		return kept
	}
	if m.gone.IsZero() {
		m.gone = now
	}
	if now.Sub(m.gone) < m.keep {
		return kept
	}
	m.current, m.seen = nil, nil
	return emptied
}

func (m *members) replace(next []netip.AddrPort) outcome {
	if slices.Equal(m.current, next) {
		return unchanged
	}
	m.current = next
	return changed
}

func (m *members) choose(now time.Time, answer []netip.Addr) []netip.AddrPort {
	switch m.discovery.Kind {
	case mesh.LogicalDNS:
		answer = answer[:1]
	case mesh.CloudMap:
		answer = m.remember(now, answer)
	}
	set := make([]netip.AddrPort, 0, len(answer))
	for _, addr := range answer {
		set = append(set, netip.AddrPortFrom(addr, m.discovery.Port))
	}
	slices.SortFunc(set, netip.AddrPort.Compare)
	return set
}

// remember adds to a full answer what was seen in the last minute.
func (m *members) remember(now time.Time, answer []netip.Addr) []netip.Addr {
	if len(answer) < maxRoute53 {
		m.seen = nil
	}
	if m.seen == nil {
		m.seen = make(map[netip.Addr]time.Time)
	}
	for _, addr := range answer {
		m.seen[addr] = now
	}
	all := slices.Clone(answer)
	for addr, last := range m.seen {
		if now.Sub(last) >= cloudMapKeep || last != now && len(all) >= maxMembers {
			delete(m.seen, addr)
		} else if last != now {
			all = append(all, addr)
		}
	}
	return all
}

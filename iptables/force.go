package iptables

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// InForce is what the rules in the kernel say, whoever wrote them. The zero value: nothing is intercepted.
type InForce struct {
	IngressPort, EgressPort  uint16 // 0: that direction is not intercepted
	AppPorts                 []uint16
	IgnoredUIDs, IgnoredGIDs []uint32
	EgressIgnoredPorts       []uint16
	EgressIgnoredIPs         []netip.Prefix // of the family
}

// mostInForce bounds a list of ports: one that is longer was not given port by port.
const mostInForce = 1000

// inForce reads what the chains do, as far as the jumps lead to them.
func (l layout) inForce() (f InForce) {
	var ports, passing spans
	for _, j := range l.jumps {
		if !isBuiltin(j.from) {
			continue
		}
		for _, rule := range l.all[j.to] {
			m := parseMatch(rule)
			if to := m.redirectTo(); to != 0 && j.to == chainIngress {
				f.IngressPort, ports = to, ports.with(m.ports)
			} else if to != 0 {
				f.EgressPort = to
			}
			if m.target != "RETURN" || len(m.other) > 0 {
				continue
			}
			switch bare := m.owner == "" && m.srcLocal == "" && m.dstLocal == "" && j.to == chainEgress; {
			case m.ports == nil && !m.destination.IsValid():
				f.ignores(m.owner)
			case bare && m.ports == nil:
				f.EgressIgnoredIPs = append(f.EgressIgnoredIPs, m.destination)
			case bare && !m.destination.IsValid():
				passing = passing.with(m.ports)
			}
		}
	}
	f.AppPorts = ports.list()
	if passing.size() <= mostInForce {
		f.EgressIgnoredPorts = passing.list()
	}
	return f
}

// ignores takes an owner's id down, unless it is a name or a range.
func (f *InForce) ignores(owner string) {
	kind, id, _ := strings.Cut(owner, " ")
	n, err := strconv.ParseUint(id, 10, 32)
	switch {
	case err != nil:
	case kind == "uid" && !slices.Contains(f.IgnoredUIDs, uint32(n)):
		f.IgnoredUIDs = append(f.IgnoredUIDs, uint32(n))
	case kind == "gid" && !slices.Contains(f.IgnoredGIDs, uint32(n)):
		f.IgnoredGIDs = append(f.IgnoredGIDs, uint32(n))
	}
}

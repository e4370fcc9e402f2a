package iptables

import (
	"fmt"
	"net/netip"
	"slices"
)

// interest is the traffic that a chain of ours is there to take.
type interest struct {
	outgoing bool
	ports    spans
	passing  []netip.Prefix // destinations that our rules let pass anyway
	nobody   []string       // owners that our rules let pass anyway
}

func (cfg Config) interest(chain string) interest {
	if chain == chainIngress {
		return interest{ports: portSpans(cfg.AppPorts)}
	}
	in := interest{outgoing: true, ports: allPorts.without(portSpans(cfg.EgressIgnoredPorts))}
	in.passing = append(in.passing, loopback...)
	in.passing = append(in.passing, cfg.EgressIgnoredIPs...)
	for _, uid := range cfg.IgnoredUIDs {
		in.nobody = append(in.nobody, fmt.Sprintf("uid %d", uid))
	}
	for _, gid := range cfg.IgnoredGIDs {
		in.nobody = append(in.nobody, fmt.Sprintf("gid %d", gid))
	}
	return in
}

// loopback never reaches our rules, for it is local.
var loopback = []netip.Prefix{
	netip.PrefixFrom(netip.AddrFrom4([4]byte{127}), 8),
	netip.PrefixFrom(netip.IPv6Loopback(), 128),
}

// shadows are the rules of a built-in chain that stand before the given place and may take what interests us.
func (l layout) shadows(hook string, before int, in interest) (rules []string) {
	seen := map[string]bool{}
	for _, rule := range l.all[hook][:before] {
		m := parseMatch(rule)
		if isOurs(m.target) || !in.meets(m) {
			continue
		}
		if m.target == "RETURN" || m.leaves || l.takes(m, in, seen) {
			rules = append(rules, rule)
		}
	}
	return rules
}

// takes says that a packet which meets the rule may not come to the next one. Each chain is looked at once; seen keeps
// the answers.
func (l layout) takes(m match, in interest, seen map[string]bool) bool {
	if slices.Contains(passers, m.target) {
		return false
	}
	rules, isChain := l.all[m.target]
	if _, empty := l.foreign[m.target]; !isChain && !empty {
		return true // REDIRECT, DNAT, ACCEPT and whatever else ends here
	}
	if answer, known := seen[m.target]; known {
		return answer
	}
	seen[m.target] = false
	for _, rule := range rules {
		inner := parseMatch(rule)
		if inner.target == "RETURN" && inner.everything() {
			return false
		}
		if !isOurs(inner.target) && inner.target != "RETURN" && in.meets(inner) && l.takes(inner, in, seen) {
			seen[m.target] = true
			return true
		}
	}
	return false
}

// passers are targets after which the next rule is met.
var passers = []string{"", "RETURN", "LOG", "NFLOG", "ULOG", "MARK", "CONNMARK", "CONNSECMARK", "SECMARK", "SET", "TRACE", "AUDIT", "CT", "DSCP", "TOS", "CLASSIFY"}

// meets is false only where the rule is surely about other traffic.
func (in interest) meets(m match) bool {
	if m.harmless() || !in.ports.meets(m.reaches()) || slices.Contains(in.nobody, m.owner) {
		return false
	}
	if !in.outgoing {
		return m.srcLocal != "yes"
	}
	return m.dstLocal != "yes" && !slices.ContainsFunc(in.passing, func(p netip.Prefix) bool {
		return m.destination.IsValid() && p.Bits() <= m.destination.Bits() && p.Contains(m.destination.Addr())
	})
}

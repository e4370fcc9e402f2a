package iptables

import "maps"

// effect is what a chain does to TCP, whichever way its rules are written. Two chains with equal effects do the same.
//
// A chain is cut into runs of rules with the same verdict: within a run order cannot matter, and rules that differ in
// ports alone are one. What stands behind a rule that takes everything is never met. The test for TCP is left out: the
// jump that leads to the chain makes it.
type effect []run

type run struct {
	verdict string
	ports   map[string]spans // by what else is tested
}

func effectOf(rules []string) effect {
	var e effect
	for _, rule := range rules {
		m := parseMatch(rule)
		if m.harmless() {
			continue
		}
		verdict := m.verdict()
		if n := len(e); n == 0 || e[n-1].verdict != verdict {
			e = append(e, run{verdict: verdict, ports: map[string]spans{}})
		}
		ports := e[len(e)-1].ports
		ports[m.key()] = append(ports[m.key()], m.reaches()...)
		if m.everything() {
			break
		}
	}
	return e.trimmed()
}

// harmless: the rule is about another protocol than TCP, or counts only.
func (m match) harmless() bool { return m.target == "" || m.protocol != "" && m.protocol != "tcp" }

// trimmed puts the ports in order, and leaves out what a rule that takes everything makes superfluous within its run.
func (e effect) trimmed() effect {
	for i := range e {
		for key, ports := range e[i].ports {
			e[i].ports[key] = ports.merged()
		}
		if all, ok := e[i].ports[match{}.key()]; ok && all.equal(allPorts) {
			e[i].ports = map[string]spans{match{}.key(): allPorts}
		}
	}
	return e
}

func (e effect) equal(other effect) bool {
	if len(e) != len(other) {
		return false
	}
	for i := range e {
		if e[i].verdict != other[i].verdict || !maps.EqualFunc(e[i].ports, other[i].ports, spans.equal) {
			return false
		}
	}
	return true
}

// sameJump compares two rules that lead into a chain, where the test for TCP counts.
func sameJump(a, b string) bool {
	x, y := parseMatch(a), parseMatch(b)
	return x.protocol == y.protocol && x.key() == y.key() && x.reaches().equal(y.reaches()) && x.verdict() == y.verdict()
}

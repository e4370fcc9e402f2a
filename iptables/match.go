package iptables

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// match is a rule as iptables-save prints it, taken apart. What is not understood stays as text in other, so that two
// rules are the same only if that is the same too.
type match struct {
	protocol    string // "" is any
	destination netip.Prefix
	ports       spans // nil is any
	owner       string
	srcLocal    string // "" is any, "yes", "no"
	dstLocal    string
	other       []string // words that were not understood, in order

	target string   // "" if the rule only counts
	leaves bool     // -g: does not come back
	how    []string // the target's own options
}

// parseMatch takes the text of a rule apart, without "-A CHAIN".
func parseMatch(rule string) match {
	var m match
	words := split(rule)
	for i := 0; i < len(words); {
		not := words[i] == "!"
		from := i
		if not {
			i++
		}
		n := m.take(words[i:], not)
		if n == 0 { // not understood: kept, its "!" included
			n = 1
			m.other = append(m.other, words[from:min(i+1, len(words))]...)
		}
		i += n
		if m.target != "" {
			m.how = words[min(i, len(words)):]
			break
		}
	}
	return m
}

// take understands one option and says how many words it took; 0 if it did not.
func (m *match) take(words []string, not bool) int {
	if len(words) < 2 {
		return 0
	}
	value := words[1]
	switch words[0] {
	case "-m":
		known := slices.Contains([]string{"tcp", "multiport", "owner", "addrtype", "comment"}, value)
		if not || !known {
			return 0
		}
	case "--comment":
	case "-j", "-g":
		m.target, m.leaves = value, words[0] == "-g"
	case "--src-type", "--dst-type":
		return m.local(words[0], value, not)
	default:
		if not {
			return 0
		}
		return m.address(words[0], value)
	}
	return 2
}

func (m *match) local(side, value string, not bool) int {
	if value != "LOCAL" {
		return 0
	}
	answer := "yes"
	if not {
		answer = "no"
	}
	if side == "--src-type" {
		m.srcLocal = answer
	} else {
		m.dstLocal = answer
	}
	return 2
}

func (m *match) address(option, value string) int {
	switch option {
	case "-p":
		m.protocol = value
		return 2
	case "-d":
		if prefix, err := netip.ParsePrefix(value); err == nil && prefix == prefix.Masked() && !m.destination.IsValid() {
			if prefix.Bits() > 0 {
				m.destination = prefix
			}
			return 2
		}
	case "--dport", "--dports":
		if ports, ok := parseSpans(value); ok && m.ports == nil {
			m.ports = ports
			return 2
		}
	case "--uid-owner", "--gid-owner":
		if m.owner == "" {
			low, high, isRange := strings.Cut(value, "-")
			if isRange && low == high {
				value = low
			}
			m.owner = option[2:5] + " " + value
			return 2
		}
	}
	return 0
}

// key is what the rule tests besides ports and the protocol: rules with the same key differ in ports alone.
func (m match) key() string {
	key := strings.Join(m.other, " ") + "|" + m.owner + "|" + m.srcLocal + "|" + m.dstLocal + "|"
	if m.destination.IsValid() {
		key += m.destination.String()
	}
	return key
}

// everything: no packet that meets the rule goes on behind it.
func (m match) everything() bool {
	return m.key() == match{}.key() && m.reaches().equal(allPorts)
}

// reaches is which ports it is about.
func (m match) reaches() spans {
	if m.ports == nil {
		return allPorts
	}
	return m.ports
}

// verdict is what becomes of a packet.
func (m match) verdict() string {
	how := strings.Join(m.how, " ")
	if ports, ok := strings.CutPrefix(how, "--to-ports "); ok && m.target == "REDIRECT" {
		if low, high, isRange := strings.Cut(ports, "-"); isRange && low == high {
			how = "--to-ports " + low
		}
	}
	if m.leaves {
		return "-g " + m.target + " " + how
	}
	return m.target + " " + how
}

// redirectTo is the port of a REDIRECT, or 0.
func (m match) redirectTo() uint16 {
	words := strings.Fields(m.verdict())
	if len(words) != 3 || words[0] != "REDIRECT" || words[1] != "--to-ports" {
		return 0
	}
	n, err := strconv.ParseUint(words[2], 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}

// split cuts at blanks, but not inside quotes. A quoted word keeps its quotes.
func split(rule string) (words []string) {
	word, quoted, escaped := -1, false, false
	for i := 0; i <= len(rule); i++ {
		end := i == len(rule)
		switch {
		case end || rule[i] == ' ' && !quoted:
			if word >= 0 {
				words = append(words, rule[word:i])
			}
			word = -1
			continue
		case escaped:
			escaped = false
		case rule[i] == '\\':
			escaped = true
		case rule[i] == '"':
			quoted = !quoted
		}
		if word < 0 {
			word = i
		}
	}
	return words
}

package iptables

import (
	"errors"
	"strings"
)

// layout is what one family's nat table holds of ours, and where between other people's rules.
// The zero value holds nothing. Layouts are never changed once built.
type layout struct {
	chains  []chainText
	jumps   []jump         // in the order of the table: within one chain from top to bottom
	foreign map[string]int // rules of others by chain, also in chains without any

	all map[string][]string // every rule by chain, without "-A CHAIN": ours, others', jumps; for Verify to read
}

// chainText is a chain of ours; its rules are without "-A CHAIN".
type chainText struct {
	name  string
	rules []string
}

// jump is a rule in somebody else's chain that leads into one of ours.
type jump struct {
	from, to string
	rule     string // without "-A CHAIN"
	after    int    // how many rules of others stand before it in its chain
}

func isOurs(chain string) bool { return chain == chainIngress || chain == chainEgress }

// holdsOurs says that something would have to be removed.
func (l layout) holdsOurs() bool { return len(l.chains) > 0 || len(l.jumps) > 0 }

// holdsAny says that somebody's rules are there, ours or others'.
func (l layout) holdsAny() bool {
	for _, n := range l.foreign {
		if n > 0 {
			return true
		}
	}
	return l.holdsOurs()
}

// errIncompatible: rules were written into the table by nft itself, in a form that iptables cannot show.
var errIncompatible = errors.New("the nat table holds rules that only nft can read; move them to a table of their own")

// parseSaved reads what iptables-save -t nat printed. Lines of other tables and comments are skipped; text that
// iptables-save does not print is ignored rather than guessed at.
func parseSaved(text string) (layout, error) {
	l := layout{foreign: map[string]int{}, all: map[string][]string{}}
	table := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(line, "# Table `nat' is incompatible"):
			return layout{}, errIncompatible
		case strings.HasPrefix(line, "*"):
			table = line[1:]
		case table != "nat":
		case strings.HasPrefix(line, ":"):
			name, _, _ := strings.Cut(line[1:], " ")
			l.declare(name)
		case strings.HasPrefix(line, "-A "):
			chain, rule, _ := strings.Cut(line[len("-A "):], " ")
			l.append(chain, rule)
		}
	}
	return l, nil
}

func (l *layout) declare(name string) {
	if isOurs(name) {
		l.chains = append(l.chains, chainText{name: name})
	} else if _, known := l.foreign[name]; !known {
		l.foreign[name] = 0
	}
}

func (l *layout) append(chain, rule string) {
	l.all[chain] = append(l.all[chain], rule)
	if isOurs(chain) {
		for i := range l.chains {
			if l.chains[i].name == chain {
				l.chains[i].rules = append(l.chains[i].rules, rule)
			}
		}
		return
	}
	l.declare(chain)
	if to := leadsTo(rule); isOurs(to) {
		l.jumps = append(l.jumps, jump{from: chain, to: to, rule: rule, after: l.foreign[chain]})
		return
	}
	l.foreign[chain]++
}

// leadsTo returns the chain that a rule jumps or goes to, if it does. A jump to a chain takes no options, so it is
// always the rule's last two words. Quotes matter: a comment may say anything.
func leadsTo(rule string) string {
	before, target := cutLastWord(rule)
	_, option := cutLastWord(before)
	if option == "-j" || option == "-g" {
		return target
	}
	return ""
}

// cutLastWord splits at the last blank, unless the last word ends a quoted text.
func cutLastWord(s string) (before, word string) {
	s = strings.TrimRight(s, " ")
	if strings.HasSuffix(s, `"`) {
		return "", ""
	}
	if i := strings.LastIndexByte(s, ' '); i >= 0 {
		return s[:i], s[i+1:]
	}
	return "", s
}

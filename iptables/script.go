package iptables

import (
	"slices"
	"strconv"
	"strings"
)

// script is the text for iptables-restore --noflush that leads from one layout to another, or "" if there is nothing
// to do. It is pure. A table is committed as a whole, so the order below matters to the reader and to references
// between chains, not to packets: away with jumps that are wrong, fill chains, put jumps in, away with chains.
func script(now, want layout) string {
	want = want.within(now)
	var b strings.Builder
	stale := changedHooks(now, want)
	for _, j := range now.jumps {
		if stale[j.from] {
			b.WriteString("-D " + j.from + " " + j.rule + "\n")
		}
	}
	inline := alone(want.jumps, now.foreign)
	declareFirst(&b, now, want)
	for _, c := range want.chains {
		fill(&b, now, c)
		for _, j := range want.jumps {
			if stale[j.from] && inline[j.from] && j.to == c.name {
				b.WriteString("-A " + j.from + " " + j.rule + "\n")
			}
		}
	}
	insert(&b, now, want, func(from string) bool { return stale[from] && !inline[from] })
	drop(&b, now, want)
	if b.Len() == 0 {
		return ""
	}
	return "*nat\n" + b.String() + "COMMIT\n"
}

// within drops jumps whose chain is gone by now, and moves up those whose neighbours are. It matters when something is
// undone after others have been at the table.
func (l layout) within(now layout) layout {
	var jumps []jump
	for _, j := range l.jumps {
		if n, known := now.foreign[j.from]; known || isBuiltin(j.from) {
			j.after = min(j.after, n)
			jumps = append(jumps, j)
		}
	}
	l.jumps = jumps
	return l
}

// isBuiltin: the kernel's own chains are there although a table without any rule prints none.
func isBuiltin(chain string) bool {
	return slices.Contains([]string{"PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"}, chain)
}

// changedHooks are other people's chains whose jumps into ours are not as wanted.
func changedHooks(now, want layout) map[string]bool {
	changed := map[string]bool{}
	for _, j := range slices.Concat(now.jumps, want.jumps) {
		changed[j.from] = !slices.Equal(from(j.from, now.jumps), from(j.from, want.jumps))
	}
	return changed
}

func from(chain string, jumps []jump) []jump {
	var some []jump
	for _, j := range jumps {
		if j.from == chain {
			some = append(some, j)
		}
	}
	return some
}

// alone are the chains with a single jump, at the very end: the usual case, which is written right behind the chain it
// leads to, in the order of ECS's plugin.
func alone(jumps []jump, foreign map[string]int) map[string]bool {
	chains := map[string]bool{}
	for _, j := range jumps {
		chains[j.from] = len(from(j.from, jumps)) == 1 && j.after >= foreign[j.from]
	}
	return chains
}

// declareFirst creates the missing chains before any is filled, if one refers to another. No plan of ours does that;
// it matters when something that others left in our chains is put back.
func declareFirst(b *strings.Builder, now, want layout) {
	for _, c := range want.chains {
		if !slices.ContainsFunc(c.rules, func(rule string) bool { return isOurs(leadsTo(rule)) }) {
			continue
		}
		for _, missing := range want.chains {
			if !now.has(missing.name) {
				b.WriteString(":" + missing.name + " - [0:0]\n")
			}
		}
		return
	}
}

// fill declares a chain, which empties it if it is there, and appends its rules; a chain that is as wanted is left.
func fill(b *strings.Builder, now layout, c chainText) {
	for _, have := range now.chains {
		if have.name == c.name && slices.Equal(have.rules, c.rules) {
			return
		}
	}
	b.WriteString(":" + c.name + " - [0:0]\n")
	for _, rule := range c.rules {
		b.WriteString("-A " + c.name + " " + rule + "\n")
	}
}

// insert puts jumps to their places, from top to bottom, so that each position counts those of ours before it.
func insert(b *strings.Builder, now, want layout, takes func(from string) bool) {
	ours := map[string]int{}
	for _, j := range want.jumps {
		if !takes(j.from) {
			continue
		}
		if j.after >= now.foreign[j.from] {
			b.WriteString("-A " + j.from + " " + j.rule + "\n")
		} else {
			b.WriteString("-I " + j.from + " " + strconv.Itoa(j.after+ours[j.from]+1) + " " + j.rule + "\n")
		}
		ours[j.from]++
	}
}

// drop deletes the chains that are no longer wanted: first emptied all, for one may refer to the other.
func drop(b *strings.Builder, now, want layout) {
	for _, command := range []string{"-F ", "-X "} {
		for _, c := range now.chains {
			if !want.has(c.name) {
				b.WriteString(command + c.name + "\n")
			}
		}
	}
}

func (l layout) has(chain string) bool {
	return slices.ContainsFunc(l.chains, func(c chainText) bool { return c.name == chain })
}

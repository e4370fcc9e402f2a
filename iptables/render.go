package iptables

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Print writes what Apply would put into empty tables: one text per family, each to be fed to the program its first
// line names. It needs no privilege and touches nothing. The error is a *ConfigError or the writer's.
func Print(w io.Writer, cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	text := section(NewPlan(cfg, IPv4), "iptables-restore")
	if cfg.EnableIPv6 {
		text += "\n" + section(NewPlan(cfg, IPv6), "ip6tables-restore")
	}
	_, err := io.WriteString(w, text)
	return err
}

func section(p Plan, program string) string {
	return fmt.Sprintf("# %s: %s --noflush\n%s", p.Family, program, p.Text())
}

// Text is the plan as one table for iptables-restore --noflush, as it goes into a table that holds nothing of ours.
func (p Plan) Text() string {
	return script(layout{}, p.over(layout{}))
}

// over is the layout that the plan asks for where the given one is now: our chains as planned, one jump into each. A
// jump that stands already keeps its place among other people's rules; one that is missing goes to the end.
func (p Plan) over(now layout) layout {
	var want layout
	for _, c := range p.Chains {
		rules := make([]string, len(c.Rules))
		for i, r := range c.Rules {
			rules[i] = r.text()
		}
		want.chains = append(want.chains, chainText{name: c.Name, rules: rules})
		want.jumps = append(want.jumps, now.keep(jump{from: c.Hook, to: c.Name, rule: c.Jump.text(), after: now.foreign[c.Hook]}))
	}
	return want
}

// keep returns the first jump of the layout that is the same rule in the same chain, or else the one it was given.
func (l layout) keep(j jump) jump {
	for _, have := range l.jumps {
		if have.from == j.from && have.rule == j.rule {
			return have
		}
	}
	return j
}

// text is the rule without "-A CHAIN", spelled and ordered as iptables-save spells it, so that what is read back from
// the kernel compares equal.
func (r Rule) text() string {
	var b strings.Builder
	if r.Destination.IsValid() && r.Destination.Bits() > 0 { // iptables-save says nothing about /0
		b.WriteString("-d " + r.Destination.String() + " ")
	}
	if r.TCP {
		b.WriteString("-p tcp ")
	}
	if len(r.Ports) > 0 {
		b.WriteString("-m multiport --dports " + commaList(r.Ports) + " ")
	}
	if r.Owner.Kind != "" {
		fmt.Fprintf(&b, "-m owner --%s-owner %d ", r.Owner.Kind, r.Owner.ID)
	}
	if r.NotLocal != "" {
		fmt.Fprintf(&b, "-m addrtype ! --%s-type LOCAL ", string(r.NotLocal))
	}
	if r.Verdict.RedirectTo != 0 {
		return b.String() + "-j REDIRECT --to-ports " + strconv.Itoa(int(r.Verdict.RedirectTo))
	}
	return b.String() + "-j " + r.Verdict.Jump
}

func commaList(ports []uint16) string {
	words := make([]string, len(ports))
	for i, port := range ports {
		words[i] = strconv.Itoa(int(port))
	}
	return strings.Join(words, ",")
}

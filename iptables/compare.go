package iptables

import "slices"

// differences holds a table against the plan.
func (p Plan) differences(cfg Config, now layout) []Difference {
	if !now.holdsOurs() && len(p.Chains) > 0 {
		return []Difference{{Kind: NotIntercepted}}
	}
	var all []Difference
	for _, c := range p.Chains {
		want := c.text()
		if !now.has(c.Name) {
			all = append(all, Difference{Kind: MissingChain, Chain: c.Name, Expected: "-N " + c.Name})
			continue
		}
		all = append(all, chainDifferences(c.Name, want, now.all[c.Name])...)
		all = append(all, jumpDifferences(c, now)...)
		all = append(all, foreignFirst(c, now, cfg.interest(c.Name))...)
	}
	return append(all, p.superfluous(now)...)
}

func (c Chain) text() []string {
	rules := make([]string, len(c.Rules))
	for i, r := range c.Rules {
		rules[i] = r.text()
	}
	return rules
}

// superfluous are chains of ours that the plan does not have. One that nothing leads to does no harm.
func (p Plan) superfluous(now layout) (all []Difference) {
	for _, c := range now.chains {
		if slices.ContainsFunc(p.Chains, func(planned Chain) bool { return planned.Name == c.name }) {
			continue
		}
		d := Difference{Kind: ExtraChain, Chain: c.name, Found: "-N " + c.name, Harmless: true}
		for _, j := range now.jumps {
			if j.to == c.name && len(c.rules) > 0 {
				d.Found, d.Harmless = "-A "+j.from+" "+j.rule, false
				break
			}
		}
		all = append(all, d)
	}
	return all
}

// beside is what the table of the variant that is not in use has to say.
func (p Plan) beside(cfg Config, now layout) (all []Difference) {
	for _, j := range now.jumps {
		all = append(all, Difference{Kind: OtherVariant, Chain: j.from, Found: "-A " + j.from + " " + j.rule})
	}
	for _, c := range now.chains {
		if len(now.jumps) == 0 { // Nothing leads there.
			all = append(all, Difference{Kind: OtherVariant, Chain: c.name, Found: "-N " + c.name, Harmless: true})
		}
	}
	for _, c := range p.Chains {
		for _, rule := range now.shadows(c.Hook, len(now.all[c.Hook]), cfg.interest(c.Name)) {
			all = append(all, Difference{Kind: ForeignFirst, Chain: c.Hook, Found: "-A " + c.Hook + " " + rule})
		}
	}
	return all
}

func jumpDifferences(c Chain, now layout) (all []Difference) {
	want, right := c.Jump.text(), 0
	var wrong []jump
	for _, j := range now.jumps {
		switch {
		case j.to != c.Name:
		case j.from != c.Hook || !sameJump(j.rule, want):
			wrong = append(wrong, j)
		default:
			if right++; right > 1 || j.rule != want {
				all = append(all, Difference{Kind: SpeltOtherwise, Chain: c.Hook, Expected: "-A " + c.Hook + " " + want, Found: "-A " + j.from + " " + j.rule, Harmless: true})
			}
		}
	}
	if right == 0 {
		missing := Difference{Kind: MissingJump, Chain: c.Hook, Expected: "-A " + c.Hook + " " + want}
		if i := slices.IndexFunc(wrong, func(j jump) bool { return j.from == c.Hook }); i >= 0 {
			missing.Kind, missing.Found = WrongRule, "-A "+c.Hook+" "+wrong[i].rule
			wrong = slices.Delete(wrong, i, i+1)
		}
		all = append(all, missing)
	}
	for _, j := range wrong {
		all = append(all, Difference{Kind: ExtraJump, Chain: j.from, Found: "-A " + j.from + " " + j.rule})
	}
	return all
}

func foreignFirst(c Chain, now layout, in interest) (all []Difference) {
	place := slices.IndexFunc(now.all[c.Hook], func(rule string) bool { return sameJump(rule, c.Jump.text()) })
	if place < 0 {
		return nil
	}
	for _, rule := range now.shadows(c.Hook, place, in) {
		all = append(all, Difference{Kind: ForeignFirst, Chain: c.Hook, Found: "-A " + c.Hook + " " + rule})
	}
	return all
}

// chainDifferences compares two contents of one chain: by text, then by what they do, then rule by rule.
func chainDifferences(name string, want, have []string) []Difference {
	if slices.Equal(want, have) {
		return nil
	}
	if effectOf(want).equal(effectOf(have)) {
		d := Difference{Kind: SpeltOtherwise, Chain: name, Harmless: true}
		d.Expected, d.Found = firstUnlike(name, want, have)
		return []Difference{d}
	}
	c := comparison{name: name, want: parseAll(want), have: parseAll(have)}
	c.lookForWanted()
	c.lookForExtra()
	if len(c.found) == 0 {
		d := Difference{Kind: WrongOrder, Chain: name}
		d.Expected, d.Found = firstUnlike(name, want, have)
		return []Difference{d}
	}
	return c.found
}

// firstUnlike are the first two rules that stand in one place and are not the same text.
func firstUnlike(name string, want, have []string) (expected, found string) {
	i := 0
	for i < len(want) && i < len(have) && want[i] == have[i] {
		i++
	}
	if i < len(want) {
		expected = "-A " + name + " " + want[i]
	}
	if i < len(have) {
		found = "-A " + name + " " + have[i]
	}
	return expected, found
}

// placed is a rule and its text.
type placed struct {
	match
	text  string
	dead  bool // behind a rule that takes everything
	named bool // in a difference already
}

func parseAll(rules []string) []placed {
	all, dead := make([]placed, len(rules)), false
	for i, rule := range rules {
		all[i] = placed{match: parseMatch(rule), text: rule, dead: dead}
		dead = dead || !all[i].harmless() && all[i].everything()
	}
	return all
}

func (p placed) like(other placed) bool {
	return p.key() == other.key() && p.verdict() == other.verdict() && !p.harmless() && !other.harmless()
}

// comparison is two contents of a chain while they are compared rule by rule.
type comparison struct {
	name       string
	want, have []placed
	found      []Difference
}

// lookForWanted finds what the plan has and the chain has not, or has behind a rule that takes everything.
func (c *comparison) lookForWanted() {
	for i := range c.want {
		w := &c.want[i]
		left := w.reaches()
		for _, h := range c.have {
			if !h.dead && h.like(*w) {
				left = left.without(h.reaches())
			}
		}
		if len(left) == 0 || w.dead {
			continue
		}
		d := Difference{Kind: MissingRule, Chain: c.name, Expected: c.command(w)}
		if h := c.standsFor(i, left); h != nil {
			d.Kind, d.Found, h.named = WrongRule, c.command(h), true
			if h.dead && h.like(*w) {
				d.Kind = WrongOrder
			}
		}
		c.found = append(c.found, d)
	}
}

// standsFor is the rule of the chain that is there in the place of a planned one: the same rule further down, one about
// other ports, one with another target, or a stranger in the same line.
func (c *comparison) standsFor(i int, left spans) *placed {
	w := c.want[i]
	for _, is := range []func(h *placed) bool{
		func(h *placed) bool { return h.dead && h.like(w) && h.reaches().meets(left) },
		func(h *placed) bool { return !h.dead && h.like(w) && h.reaches().meets(w.reaches()) },
		func(h *placed) bool {
			return h.key() == w.key() && h.reaches().equal(w.reaches()) && !h.harmless() && !c.planned(*h)
		},
	} {
		for j := range c.have {
			if h := &c.have[j]; !h.named && is(h) {
				return h
			}
		}
	}
	if i < len(c.have) && len(c.want) == len(c.have) && !c.have[i].named && !c.planned(c.have[i]) {
		return &c.have[i]
	}
	return nil
}

// lookForExtra finds what the chain has and the plan has not.
func (c *comparison) lookForExtra() {
	for i := range c.have {
		h := &c.have[i]
		if h.named || h.dead || h.harmless() || c.planned(*h) {
			continue
		}
		c.found = append(c.found, Difference{Kind: ExtraRule, Chain: c.name, Found: c.command(h)})
	}
}

// planned: all that the rule does, the plan does.
func (c *comparison) planned(h placed) bool {
	left := h.reaches()
	for _, w := range c.want {
		if w.like(h) {
			left = left.without(w.reaches())
		}
	}
	return len(left) == 0
}

func (c *comparison) command(p *placed) string { return "-A " + c.name + " " + p.text }

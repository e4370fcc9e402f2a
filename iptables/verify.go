package iptables

import (
	"context"
	"errors"
	"path"
	"strings"
)

// Comparison is one family's nat table held against the plan.
type Comparison struct {
	Family  Family
	Variant Variant // whose table was compared; "" if Skipped
	Skipped string  // why there was nothing to compare, if there was not
	// Remark is what to know although nothing differs: that IPv6 goes past the sidecar, as the Config asks. "" is nothing.
	Remark      string
	Differences []Difference // in the order of the plan; empty: exactly as planned
	InForce     InForce
}

// Difference is one thing that is not as planned.
type Difference struct {
	Kind     Kind
	Variant  Variant
	Chain    string // the chain it is in
	Expected string // the rule of the plan, as an iptables command has it ("-A CHAIN ..."); "" if there is none
	Found    string // the rule of the kernel, likewise
	// Harmless: traffic goes the same way nevertheless.
	Harmless bool
	// Undo is the command that deletes what Apply would leave alone, because it is somebody else's; "" where Apply helps.
	Undo string
}

// Kind says in words what sort of difference it is.
type Kind string

const (
	NotIntercepted Kind = "not intercepted" // none of the rules is there
	MissingChain   Kind = "missing chain"
	MissingRule    Kind = "missing rule"
	MissingJump    Kind = "missing jump" // the chain is there, and nothing leads to it
	WrongRule      Kind = "wrong rule"   // Found stands for Expected
	WrongOrder     Kind = "wrong order"  // Found stands where it has no effect, or another one
	ExtraRule      Kind = "extra rule"   // in a chain of ours
	ExtraChain     Kind = "extra chain"  // of ours, by another configuration
	ExtraJump      Kind = "extra jump"   // into a chain of ours
	OtherVariant   Kind = "other variant's table"
	ForeignFirst   Kind = "foreign rule first" // takes traffic before our jump
	SpeltOtherwise Kind = "spelt otherwise"    // the same effect by other rules
)

// Meaning is what follows from a difference of the kind, in a sentence.
func (k Kind) Meaning() string {
	switch k {
	case NotIntercepted:
		return "nothing leads this family's traffic to the sidecar"
	case MissingChain:
		return "a whole direction is not intercepted"
	case MissingRule, WrongRule:
		return "what the rule is about goes another way than planned"
	case MissingJump:
		return "no packet comes to the chain, whatever is in it"
	case WrongOrder:
		return "a rule above it decides first"
	case ExtraRule:
		return "traffic that the plan does not name goes another way"
	case ExtraChain, ExtraJump:
		return "a direction or traffic is intercepted that the plan leaves alone"
	case OtherVariant:
		return "rules stand in both tables, nft and legacy; packets meet both, in no order to rely on"
	case ForeignFirst:
		return "a rule of somebody else takes traffic before the sidecar's jump sees it"
	case SpeltOtherwise:
		return "traffic goes the same way"
	}
	return ""
}

// Same says that traffic of the family goes as planned, whichever way the rules are written.
func (c Comparison) Same() bool {
	for _, d := range c.Differences {
		if !d.Harmless {
			return false
		}
	}
	return true
}

// Verify holds the rules of the calling process's network namespace against what Apply would put there, in the order
// IPv4, IPv6. It changes nothing and takes no lock: rules that are being changed meanwhile are seen before or after.
// Rules that others wrote into the chains of the same name (ECS's plugin, App Mesh's init image) count by what they do.
//
// It blocks while it runs a handful of programs. Errors: *ConfigError, *PrivilegeError, *MissingError, *CommandError.
func Verify(ctx context.Context, cfg Config) ([]Comparison, error) {
	return verify(ctx, system{}, cfg)
}

func verify(ctx context.Context, host runner, cfg Config) ([]Comparison, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	v4, err := verifyFamily(ctx, host, cfg, NewPlan(cfg, IPv4))
	if err != nil {
		return nil, err
	}
	v6, err := verifyIPv6(ctx, host, cfg)
	if err != nil {
		return nil, err
	}
	return []Comparison{v4, v6}, nil
}

func verifyIPv6(ctx context.Context, host runner, cfg Config) (Comparison, error) {
	has, err := hasIPv6(host)
	if err != nil {
		return Comparison{}, err
	}
	if !has {
		return Comparison{Family: IPv6, Skipped: "this host has no IPv6"}, nil
	}
	plan := Plan{Family: IPv6}
	if cfg.EnableIPv6 {
		plan = NewPlan(cfg, IPv6)
	}
	c, err := verifyFamily(ctx, host, cfg, plan)
	var missing *MissingError
	if errors.As(err, &missing) && !cfg.EnableIPv6 { // Without the programs no Apply can have put rules there.
		c, err = Comparison{Family: IPv6, Skipped: "switched off"}, nil
	}
	if err == nil && !cfg.EnableIPv6 && reachable(host) {
		c.Remark = "IPv6 is switched off in the plan, but the host has IPv6 addresses: what goes by IPv6 goes past the sidecar"
	}
	return c, err
}

// reachable says that the namespace has an IPv6 address of more than link scope.
func reachable(host runner) bool {
	const global = "00"
	text, _ := host.read("/proc/thread-self/net/if_inet6")
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) == 6 && fields[3] == global {
			return true
		}
	}
	return false
}

func verifyFamily(ctx context.Context, host runner, cfg Config, plan Plan) (Comparison, error) {
	all, err := tables(ctx, host, plan.Family)
	if err != nil {
		return Comparison{Family: plan.Family}, err
	}
	chosen, others := choose(all)
	c := Comparison{Family: plan.Family, Variant: chosen.variant, InForce: chosen.found.inForce()}
	c.Differences = chosen.owns(plan.differences(cfg, chosen.found))
	for _, t := range others {
		c.Differences = append(c.Differences, t.owns(plan.beside(cfg, t.found))...)
	}
	return c, nil
}

// owns says of differences that they are in this table.
func (t table) owns(all []Difference) []Difference {
	for i := range all {
		all[i].Variant = t.variant
		if all[i].Kind == ForeignFirst {
			all[i].Undo = strings.TrimSuffix(path.Base(t.save), "-save") + " -t nat -D " + forShell(strings.TrimPrefix(all[i].Found, "-A "))
		}
	}
	return all
}

// forShell is a rule as iptables-save prints it, for a shell: a comment may hold anything, and what iptables-save quotes
// a shell would still look into.
func forShell(rule string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,=@%+"
	words := split(rule)
	for i, word := range words {
		if word != "!" && strings.Trim(word, plain) != "" {
			words[i] = "'" + strings.ReplaceAll(unquoted(word), "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

// unquoted takes the quotes of a word away, and the backslashes within them.
func unquoted(word string) string {
	var b strings.Builder
	for i := 0; i < len(word); i++ {
		switch {
		case word[i] == '"':
			continue
		case word[i] == '\\' && i+1 < len(word):
			i++
		}
		b.WriteByte(word[i])
	}
	return b.String()
}

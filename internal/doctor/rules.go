package doctor

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/outrider-mesh/outrider/iptables"
)

// rules says of each family whether the rules are as planned.
func (c *chart) rules() (all []Finding) {
	if c.tablesErr != nil {
		return []Finding{{About: "rules", Verdict: Unseen, Seen: c.tablesErr.Error(), Fix: c.toReadRules()}}
	}
	if c.patient.gateway() {
		return c.gatewayRules()
	}
	for _, t := range c.tables {
		all = append(all, c.family(t))
	}
	return append(all, c.chainsForAppPorts()...)
}

// toReadRules is what the reader of the rules lacks, where the error does not say it.
func (c *chart) toReadRules() string {
	var refused *iptables.PrivilegeError
	if !errors.As(c.tablesErr, &refused) {
		return ""
	}
	return "run doctor as root, or with the capabilities NET_ADMIN and NET_RAW"
}

func (c *chart) family(t iptables.Comparison) Finding {
	f := Finding{About: "rules for " + t.Family.String(), Verdict: Good, Seen: "as planned", Fix: ""}
	switch {
	case t.Skipped != "":
		f.Seen = t.Skipped
		return f
	case t.Same():
		if len(t.Differences) > 0 {
			f.Seen = "other rules than planned, with the same effect"
		}
		if t.Remark != "" {
			f.Verdict, f.Seen, f.Fix = Doubtful, t.Remark, "unset APPMESH_ENABLE_IPV6 and run "+c.patient.Apply
		}
		return f
	case t.Differences[0].Kind == iptables.NotIntercepted:
		return c.notIntercepted(t, f)
	}
	var kinds []string
	first := iptables.Difference{}
	for _, d := range t.Differences {
		if !d.Harmless {
			kinds = append(kinds, string(d.Kind))
			if first.Kind == "" {
				first = d
			}
		}
	}
	f.Verdict, f.Seen, f.Why = Wrong, strings.Join(slices.Compact(kinds), ", ")+": "+cmp.Or(first.Expected, first.Found), first.Kind.Meaning()
	f.Fix = c.patient.Apply
	if first.Undo != "" {
		f.Fix = first.Undo
	}
	return f
}

func (c *chart) notIntercepted(t iptables.Comparison, f Finding) Finding {
	f.Seen, f.Why, f.Fix = "there are none", t.Differences[0].Kind.Meaning(), c.patient.Apply
	switch {
	case t.Family == iptables.IPv6 && !c.hasIPv6():
		f.Verdict, f.Seen, f.Why, f.Fix = Good, "there are none, and no IPv6 address that they could be about", "", ""
	case c.patient.RulesAsked || t.Family == iptables.IPv6 && c.inForce().EgressPort != 0:
		f.Verdict = Wrong
	default:
		f.Verdict = Doubtful
	}
	if t.Family == iptables.IPv6 && f.Verdict == Wrong {
		f.Why = "the namespace has IPv6 addresses: what goes by IPv6 goes past the sidecar"
	}
	return f
}

// hasIPv6 says that there is an address of more than link scope.
func (c *chart) hasIPv6() bool {
	text, _ := readFile(c.machine.Root, "proc/self/net/if_inet6")
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 6 && f[3] == "00" {
			return true
		}
	}
	return false
}

// gatewayRules: a gateway is dialled; rules would only get into its way.
func (c *chart) gatewayRules() []Finding {
	for _, t := range c.tables {
		if t.InForce.EgressPort != 0 || t.InForce.IngressPort != 0 {
			return []Finding{{About: "rules", Verdict: Doubtful, Seen: t.Family.String() + " is intercepted here",
				Why: "a virtual gateway is dialled by its clients and needs no rules", Fix: "outrider iptables remove"}}
		}
	}
	return []Finding{{About: "rules", Verdict: Good, Seen: "none, as a virtual gateway needs none"}}
}

// chainsForAppPorts compares AppPorts of the rules in force with the node's listeners: App Mesh wants them equal.
func (c *chart) chainsForAppPorts() (all []Finding) {
	f := c.inForce()
	if c.patient.Snapshot == nil || f.IngressPort == 0 {
		return nil
	}
	var declared []uint16
	for _, l := range c.patient.Snapshot.Inbound {
		declared = append(declared, l.Port)
		if !slices.Contains(f.AppPorts, l.Port) {
			all = append(all, Finding{About: "app port " + strconv.Itoa(int(l.Port)), Verdict: Wrong,
				Seen: "the documents declare a listener there, and the rules in force do not lead to it",
				Why:  "what comes in for it reaches the app past the sidecar",
				Fix:  fmt.Sprintf("add %d to AppPorts: %s", l.Port, c.patient.Apply)})
		}
	}
	for _, port := range f.AppPorts {
		if !slices.Contains(declared, port) {
			all = append(all, Finding{About: "app port " + strconv.Itoa(int(port)), Verdict: Wrong,
				Seen: "the rules in force lead it to the sidecar, and the documents declare no listener there",
				Why:  "the sidecar closes what comes in for it",
				Fix:  fmt.Sprintf("take %d out of AppPorts, or give the virtual node a listener", port)})
		}
	}
	return all
}

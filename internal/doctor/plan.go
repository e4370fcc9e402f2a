package doctor

import (
	"context"
	"slices"
	"strings"

	"github.com/outrider-mesh/outrider/iptables"
)

// rulesInForce holds the kernel's rules against the plan.
//
// Decision: where nobody asked for particular rules, what is theirs to choose (whom and what they let pass, and without
// documents the app's ports) is planned as the kernel has it. ECS wrote them from a task definition that is not to be
// seen here: a fix that forgot an ignored port, or an app port, would break what works.
func (c *chart) rulesInForce(ctx context.Context) {
	c.tables, c.tablesErr = c.machine.Verify(ctx, c.patient.Rules)
	planned, ok := c.adopted()
	if !ok {
		return
	}
	c.patient.Rules, c.patient.Apply = planned, planned.Command("apply")
	c.tables, c.tablesErr = c.machine.Verify(ctx, planned)
}

func (c *chart) adopted() (planned iptables.Config, ok bool) {
	p, f := c.patient, c.inForce()
	if p.RulesAsked || p.gateway() || f.EgressPort == 0 {
		return planned, false
	}
	planned = p.Rules
	if len(f.IgnoredUIDs)+len(f.IgnoredGIDs) > 0 {
		planned.IgnoredUIDs, planned.IgnoredGIDs = f.IgnoredUIDs, f.IgnoredGIDs
	}
	if p.Snapshot == nil {
		planned.AppPorts, planned.IngressPort = f.AppPorts, 0
		if len(f.AppPorts) > 0 {
			planned.IngressPort = p.Ingress
		}
	}
	planned.EgressIgnoredPorts = f.EgressIgnoredPorts
	planned.EgressIgnoredIPs = slices.Clone(p.Rules.EgressIgnoredIPs)
	for _, t := range c.tables {
		for _, ip := range t.InForce.EgressIgnoredIPs {
			if !slices.Contains(planned.EgressIgnoredIPs, ip) {
				planned.EgressIgnoredIPs = append(planned.EgressIgnoredIPs, ip)
			}
		}
	}
	return planned, planned.Validate() == nil
}

// verifyCommand compares with the same plan as doctor does.
func (c *chart) verifyCommand() string {
	return strings.Replace(c.patient.Apply, " apply", " verify", 1)
}

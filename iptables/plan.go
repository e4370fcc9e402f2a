package iptables

import (
	"net/netip"
	"slices"
)

// Family is an IP version.
type Family int

const (
	IPv4 Family = 4
	IPv6 Family = 6
)

func (f Family) String() string {
	if f == IPv6 {
		return "IPv6"
	}
	return "IPv4"
}

// Plan is everything this package puts into one family's nat table, in the order of creation.
type Plan struct {
	Family Family
	Chains []Chain
}

// Chain is a chain of ours, its rules in order, and the one rule of a built-in chain that leads into it.
type Chain struct {
	Name  string
	Rules []Rule
	Hook  string // the built-in chain
	Jump  Rule   // appended to Hook once the chain is filled
}

// Rule is what a packet must match, all of it, and what becomes of it. Fields left zero do not test anything.
type Rule struct {
	Destination netip.Prefix // destination address
	TCP         bool         // the protocol is TCP
	Ports       []uint16     // destination port is one of these; at most 15; only with TCP
	Owner       Owner        // who opened the socket
	NotLocal    Side         // this address is not one of the namespace's own
	Verdict     Verdict
}

// Owner is a user ("uid") or a group ("gid"); the zero value is anybody.
type Owner struct {
	Kind string
	ID   uint32
}

// Side names one of a packet's two addresses; the zero value is neither.
type Side string

const (
	Source      Side = "src"
	Destination Side = "dst"
)

// Verdict is the target: a redirect to a local port if RedirectTo is set, else a jump to a chain or RETURN.
type Verdict struct {
	RedirectTo uint16
	Jump       string
}

// The chains of ECS's CNI plugin aws-appmesh.
const (
	chainIngress = "APPMESH_INGRESS"
	chainEgress  = "APPMESH_EGRESS"
)

// maxMultiport is the kernel's limit on ports in one multiport match (XT_MULTI_PORTS).
const maxMultiport = 15

var pass = Verdict{Jump: "RETURN"}

// NewPlan turns a valid Config into the rules of one family. It is pure. The numbers are the steps of ECS's plugin
// (App Mesh reference, "Rules, table nat, in order of creation").
func NewPlan(cfg Config, family Family) Plan {
	plan := Plan{Family: family}
	if len(cfg.AppPorts) > 0 {
		plan.Chains = append(plan.Chains, ingress(cfg))
	}
	plan.Chains = append(plan.Chains, egress(cfg, family))
	return plan
}

func ingress(cfg Config) Chain {
	c := Chain{Name: chainIngress}                                // 1
	for ports := range slices.Chunk(cfg.AppPorts, maxMultiport) { // 2
		c.Rules = append(c.Rules, Rule{TCP: true, Ports: ports, Verdict: Verdict{RedirectTo: cfg.IngressPort}})
	}
	c.Hook, c.Jump = "PREROUTING", Rule{TCP: true, NotLocal: Source, Verdict: Verdict{Jump: c.Name}} // 3
	return c
}

func egress(cfg Config, family Family) Chain {
	c := Chain{Name: chainEgress}         // 4
	for _, uid := range cfg.IgnoredUIDs { // 5
		c.Rules = append(c.Rules, Rule{Owner: Owner{Kind: "uid", ID: uid}, Verdict: pass})
	}
	for _, gid := range cfg.IgnoredGIDs { // 6
		c.Rules = append(c.Rules, Rule{Owner: Owner{Kind: "gid", ID: gid}, Verdict: pass})
	}
	for ports := range slices.Chunk(cfg.EgressIgnoredPorts, maxMultiport) { // 7
		c.Rules = append(c.Rules, Rule{TCP: true, Ports: ports, Verdict: pass})
	}
	for _, ip := range cfg.EgressIgnoredIPs { // 8: what the plugin writes as a comma list, the kernel holds as one rule each
		if ip.Addr().Is4() == (family == IPv4) {
			c.Rules = append(c.Rules, Rule{TCP: true, Destination: ip, Verdict: pass})
		}
	}
	c.Rules = append(c.Rules, Rule{TCP: true, Verdict: Verdict{RedirectTo: cfg.EgressPort}})          // 9
	c.Hook, c.Jump = "OUTPUT", Rule{TCP: true, NotLocal: Destination, Verdict: Verdict{Jump: c.Name}} // 10
	return c
}

package iptables

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// What each change by hand is called, with the rules that it is about.
func TestVerifyNamesWhatDiffers(t *testing.T) {
	for name, c := range map[string]struct {
		change   string // restore lines over the rules of planned()
		kind     Kind   // "" is none
		expected string // parts of the one difference
		found    string
		harmless bool
	}{
		"nothing changed":            {},
		"a rule deleted":             {change: "-D APPMESH_EGRESS -m owner --uid-owner 1337 -j RETURN", kind: MissingRule, expected: "--uid-owner 1337"},
		"a chain emptied":            {change: "-F APPMESH_INGRESS", kind: MissingRule, expected: "--dports 8080,8081"},
		"a chain deleted":            {change: "-D PREROUTING " + ingressJump + "\n-F APPMESH_INGRESS\n-X APPMESH_INGRESS", kind: MissingChain, expected: "-N APPMESH_INGRESS"},
		"a jump deleted":             {change: "-D OUTPUT " + egressJump, kind: MissingJump, expected: egressJump},
		"a jump without its test":    {change: "-D OUTPUT " + egressJump + "\n-A OUTPUT -p tcp -j APPMESH_EGRESS", kind: WrongRule, expected: egressJump, found: "-p tcp -j APPMESH_EGRESS"},
		"a jump elsewhere":           {change: "-A POSTROUTING -p tcp -j APPMESH_EGRESS", kind: ExtraJump, found: "-A POSTROUTING"},
		"a jump twice":               {change: "-A OUTPUT " + egressJump, kind: SpeltOtherwise, found: egressJump, harmless: true},
		"another user":               {change: "-D APPMESH_EGRESS -m owner --uid-owner 1337 -j RETURN\n-I APPMESH_EGRESS 1 -m owner --uid-owner 0 -j RETURN", kind: WrongRule, expected: "--uid-owner 1337", found: "--uid-owner 0"},
		"another port":               {change: "-D APPMESH_EGRESS -p tcp -j REDIRECT --to-ports 15001\n-A APPMESH_EGRESS -p tcp -j REDIRECT --to-ports 15011", kind: WrongRule, expected: "15001", found: "15011"},
		"fewer ports":                {change: "-F APPMESH_INGRESS\n-A APPMESH_INGRESS -p tcp -m tcp --dport 8080 -j REDIRECT --to-ports 15000", kind: WrongRule, expected: "8080,8081", found: "--dport 8080 "},
		"a port more":                {change: "-A APPMESH_INGRESS -p tcp -m tcp --dport 9090 -j REDIRECT --to-ports 15000", kind: ExtraRule, found: "9090"},
		"a port let pass":            {change: "-I APPMESH_EGRESS 1 -p tcp -m tcp --dport 5432 -j RETURN", kind: ExtraRule, found: "5432"},
		"a rule nobody understands":  {change: "-I APPMESH_EGRESS 1 -p tcp -m mark --mark 0x1 -j RETURN", kind: ExtraRule, found: "--mark 0x1"},
		"accepted instead of passed": {change: "-D APPMESH_EGRESS -m owner --uid-owner 1337 -j RETURN\n-I APPMESH_EGRESS 1 -m owner --uid-owner 1337 -j ACCEPT", kind: WrongRule, expected: "-j RETURN", found: "-j ACCEPT"},
		"a rule behind the last one": {change: "-D APPMESH_EGRESS -m owner --uid-owner 1337 -j RETURN\n-A APPMESH_EGRESS -m owner --uid-owner 1337 -j RETURN", kind: WrongOrder, expected: "--uid-owner 1337", found: "--uid-owner 1337"},
		"passing rules in another order": {change: "-D APPMESH_EGRESS -m owner --uid-owner 1337 -j RETURN\n-I APPMESH_EGRESS 2 -m owner --uid-owner 1337 -j RETURN",
			kind: SpeltOtherwise, harmless: true},
		"a rule twice":                   {change: "-I APPMESH_EGRESS 1 -m owner --uid-owner 1337 -j RETURN", kind: SpeltOtherwise, harmless: true},
		"a comment":                      {change: "-F APPMESH_INGRESS\n-A APPMESH_INGRESS -p tcp -m multiport --dports 8080,8081 -m comment --comment \"ours \\\" -j RETURN\" -j REDIRECT --to-ports 15000", kind: SpeltOtherwise, harmless: true},
		"ports in another order":         {change: "-F APPMESH_INGRESS\n-A APPMESH_INGRESS -p tcp -m multiport --dports 8081,8080 -j REDIRECT --to-ports 15000", kind: SpeltOtherwise, harmless: true},
		"ports as a range":               {change: "-F APPMESH_INGRESS\n-A APPMESH_INGRESS -p tcp -m tcp --dport 8080:8081 -j REDIRECT --to-ports 15000-15000", kind: SpeltOtherwise, harmless: true},
		"a range with more":              {change: "-F APPMESH_INGRESS\n-A APPMESH_INGRESS -p tcp -m tcp --dport 8080:8089 -j REDIRECT --to-ports 15000", kind: ExtraRule, found: "8080:8089"},
		"a rule about UDP":               {change: "-I APPMESH_EGRESS 1 -p udp -j RETURN", kind: SpeltOtherwise, harmless: true},
		"somebody's redirect first":      {change: "-I OUTPUT 1 -p tcp -m tcp --dport 443 -j REDIRECT --to-ports 3128", kind: ForeignFirst, found: "3128"},
		"somebody's redirect behind":     {change: "-A OUTPUT -p tcp -m tcp --dport 443 -j REDIRECT --to-ports 3128"},
		"somebody's return first":        {change: "-I PREROUTING 1 -p tcp -j RETURN", kind: ForeignFirst, found: "-A PREROUTING"},
		"somebody's chain first":         {change: ":OTHER - [0:0]\n-A OTHER -p tcp -j DNAT --to-destination 10.0.0.1\n-I OUTPUT 1 -p tcp -j OTHER", kind: ForeignFirst, found: "-j OTHER"},
		"a chain that returns first":     {change: ":OTHER - [0:0]\n-A OTHER -j RETURN\n-A OTHER -p tcp -j DNAT --to-destination 10.0.0.1\n-I OUTPUT 1 -p tcp -j OTHER"},
		"a chain that is empty first":    {change: ":OTHER - [0:0]\n-I OUTPUT 1 -p tcp -j OTHER"},
		"a chain in a circle":            {change: ":OTHER - [0:0]\n-A OTHER -p tcp -j OTHER\n-I OUTPUT 1 -p tcp -j OTHER"},
		"Docker's names first":           {change: "-I OUTPUT 1 -d 127.0.0.11/32 -p tcp -j DNAT --to-destination 127.0.0.11:4000"},
		"Docker's published ports first": {change: "-I OUTPUT 1 ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DNAT --to-destination 172.17.0.2"},
		"another port inbound first":     {change: "-I PREROUTING 1 -p tcp -m tcp --dport 9090 -j DNAT --to-destination 172.17.0.2"},
		"a log first":                    {change: "-I OUTPUT 1 -p tcp -j LOG"},
		"what passes anyway first":       {change: "-I OUTPUT 1 -d 169.254.170.2/32 -p tcp -j RETURN\n-I OUTPUT 1 -p tcp -m tcp --dport 22 -j ACCEPT\n-I OUTPUT 1 -m owner --uid-owner 1337 -j ACCEPT"},
		"everything deleted":             {change: "-D PREROUTING " + ingressJump + "\n-D OUTPUT " + egressJump + "\n-F APPMESH_INGRESS\n-X APPMESH_INGRESS\n-F APPMESH_EGRESS\n-X APPMESH_EGRESS", kind: NotIntercepted},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost()
			mustApply(t, h, planned())
			before := h.saves()
			if c.change != "" {
				write(h, "iptables-nft", c.change+"\n")
				before = h.saves()
			}
			got := mustVerify(t, h, planned())
			if h.saves() != before {
				t.Error("it changed something")
			}
			if len(got[1].Differences) > 0 {
				t.Errorf("IPv6: %+v", got[1])
			}
			switch all := got[0].Differences; {
			case c.kind == "" && len(all) == 0:
			case c.kind == "" || len(all) != 1:
				t.Fatalf("got %d differences: %+v", len(all), all)
			default:
				d := all[0]
				if d.Kind != c.kind || !strings.Contains(d.Expected, c.expected) || !strings.Contains(d.Found, c.found) || d.Harmless != c.harmless || d.Kind.Meaning() == "" || d.Variant != NFT {
					t.Errorf("got %+v", d)
				}
				if (d.Kind == ForeignFirst) != strings.HasPrefix(d.Undo, "iptables-nft -t nat -D ") {
					t.Errorf("undo %q", d.Undo)
				}
				if got[0].Same() != c.harmless {
					t.Errorf("same: %v", got[0].Same())
				}
			}
		})
	}
}

const (
	ingressJump = "-p tcp -m addrtype ! --src-type LOCAL -j APPMESH_INGRESS"
	egressJump  = "-p tcp -m addrtype ! --dst-type LOCAL -j APPMESH_EGRESS"
)

func planned() Config {
	cfg := guide()
	cfg.AppPorts, cfg.EgressIgnoredPorts = []uint16{8080, 8081}, []uint16{22}
	return cfg
}

func mustVerify(t *testing.T, h runner, cfg Config) []Comparison {
	t.Helper()
	got, err := verify(t.Context(), h, cfg)
	if err != nil || len(got) != 2 || got[0].Family != IPv4 || got[1].Family != IPv6 {
		t.Fatalf("verify: %+v, %v", got, err)
	}
	return got
}

// The init image of App Mesh writes one rule for each ignored port and address; the plan has one for fifteen.
func TestRulesOfTheRouteManagerAreTheSameInEffect(t *testing.T) {
	h := newHost()
	for _, prefix := range []string{"iptables-nft", "ip6tables-nft"} {
		lines := ":APPMESH_INGRESS - [0:0]\n-A APPMESH_INGRESS -p tcp -m multiport --dports 8080,8081 -j REDIRECT --to-ports 15000\n" +
			"-A PREROUTING " + ingressJump + "\n:APPMESH_EGRESS - [0:0]\n-A APPMESH_EGRESS -m owner --uid-owner 1337 -j RETURN\n" +
			"-A APPMESH_EGRESS -p tcp -m tcp --dport 2049 -j RETURN\n-A APPMESH_EGRESS -p tcp -m tcp --dport 22 -j RETURN\n"
		if prefix == "iptables-nft" {
			lines += "-A APPMESH_EGRESS -d 169.254.169.254/32 -p tcp -j RETURN\n-A APPMESH_EGRESS -d 169.254.170.2/32 -p tcp -j RETURN\n"
		}
		write(h, prefix, lines+"-A APPMESH_EGRESS -p tcp -j REDIRECT --to-ports 15001\n-A OUTPUT "+egressJump+"\n")
	}
	cfg := planned()
	cfg.EgressIgnoredPorts = []uint16{22, 2049}
	for _, c := range mustVerify(t, h, cfg) {
		if !c.Same() || len(c.Differences) != 1 || c.Differences[0].Kind != SpeltOtherwise || c.Differences[0].Expected == "" || c.Differences[0].Found == "" {
			t.Errorf("%s: %+v", c.Family, c)
		}
		f := c.InForce
		if ips := len(f.EgressIgnoredIPs); !slices.Equal(f.EgressIgnoredPorts, cfg.EgressIgnoredPorts) || (ips == 2) != (c.Family == IPv4) {
			t.Errorf("passing: %v, %v", f.EgressIgnoredPorts, f.EgressIgnoredIPs)
		}
		if f.IngressPort != 15000 || f.EgressPort != 15001 || !slices.Equal(f.AppPorts, cfg.AppPorts) || !slices.Equal(f.IgnoredUIDs, cfg.IgnoredUIDs) || f.IgnoredGIDs != nil {
			t.Errorf("in force: %+v", f)
		}
	}
}

// As ECS writes them: the rules of the plan, but not for IPv6.
func TestIPv6ThatIsNotInterceptedIsSaid(t *testing.T) {
	h, ecs := newHost(), planned()
	ecs.EnableIPv6 = false
	mustApply(t, h, ecs)
	got := mustVerify(t, h, planned())
	if v6 := got[1]; !got[0].Same() || v6.Same() || v6.Differences[0].Kind != NotIntercepted {
		t.Errorf("wanted, and missing: %+v", got)
	}
	if got := mustVerify(t, h, ecs); !got[1].Same() || got[1].Remark != "" {
		t.Errorf("switched off without an address: %+v", got[1])
	}
	h.files["/proc/thread-self/net/if_inet6"] = "fd770000000000000000000000000001 02 40 00 80     eth0\n00000000000000000000000000000001 01 80 10 80       lo\n"
	if got := mustVerify(t, h, ecs); !got[1].Same() || !strings.Contains(got[1].Remark, "past the sidecar") {
		t.Errorf("switched off with an address: %+v", got[1])
	}
	mustApply(t, h, planned())
	if got := mustVerify(t, h, ecs); got[1].Same() || got[1].Differences[0].Kind != ExtraChain {
		t.Errorf("switched off, and there: %+v", got[1])
	}
	delete(h.files, "/proc/thread-self/net/if_inet6")
	if got := mustVerify(t, h, planned()); got[1].Skipped == "" || !got[1].Same() {
		t.Errorf("without IPv6: %+v", got[1])
	}
}

func TestRulesInBothVariantsTablesAreSaid(t *testing.T) {
	h := newHost()
	mustApply(t, h, planned())
	write(h, "iptables-legacy", NewPlan(planned(), IPv4).lines())
	got := mustVerify(t, h, planned())[0]
	if got.Same() || got.Variant != NFT || len(got.Differences) != 2 {
		t.Fatalf("got %+v", got)
	}
	for _, d := range got.Differences {
		if d.Kind != OtherVariant || d.Variant != Legacy || !strings.Contains(d.Found, "-j APPMESH_") {
			t.Errorf("got %+v", d)
		}
	}
	h = newHost()
	mustApply(t, h, planned())
	write(h, "iptables-legacy", "-A OUTPUT -p tcp -j REDIRECT --to-ports 9\n")
	if got := mustVerify(t, h, planned())[0].Differences; len(got) != 1 || got[0].Kind != ForeignFirst || !strings.HasPrefix(got[0].Undo, "iptables-legacy ") {
		t.Errorf("somebody's in the other table: %+v", got)
	}
}

func (p Plan) lines() string {
	return strings.TrimSuffix(strings.TrimPrefix(p.Text(), "*nat\n"), "COMMIT\n")
}

func TestVerifyFailsAsApplyDoes(t *testing.T) {
	h := newHost()
	var bad *ConfigError
	if _, err := verify(t.Context(), h, Config{}); !errors.As(err, &bad) || len(h.ran) > 0 {
		t.Errorf("got %v after %v", err, h.ran)
	}
	h.fail["iptables-nft-save"] = &PrivilegeError{Doing: "running iptables-nft-save"}
	var refused *PrivilegeError
	if _, err := verify(t.Context(), h, planned()); !errors.As(err, &refused) {
		t.Errorf("got %v", err)
	}
}

// Whatever was there: what was applied verifies, but for rules that others had put before; anything else does not.
func TestWhatWasAppliedVerifies(t *testing.T) {
	for seed := range uint64(500) {
		dice := rand.New(rand.NewPCG(seed, 3))
		h := newHost()
		others := dice.IntN(2) == 0
		if others {
			scribble(h, dice, false)
			scribbleOurs(h, dice)
		}
		cfg, other := randomConfig(dice), randomConfig(dice)
		mustApply(t, h, cfg)
		before := h.saves()
		for _, c := range mustVerify(t, h, cfg) {
			for _, d := range c.Differences {
				if !others || d.Kind != ForeignFirst {
					t.Fatalf("seed %d: %+v\n%s", seed, d, h.saves())
				}
			}
		}
		for i, c := range mustVerify(t, h, other) {
			same := NewPlan(cfg, c.Family).lines() == NewPlan(other, c.Family).lines()
			if i == 1 {
				same = cfg.EnableIPv6 == other.EnableIPv6 && (same || !cfg.EnableIPv6)
			}
			if !same && c.Same() && !sameEffect(cfg, other, c.Family) {
				t.Fatalf("seed %d: %s verifies for another configuration:\n%s\n%s", seed, c.Family, NewPlan(other, c.Family).lines(), h.saves())
			}
		}
		if h.saves() != before {
			t.Fatalf("seed %d: verify changed something", seed)
		}
	}
}

// sameEffect: the generator writes one group twice now and then.
func sameEffect(a, b Config, family Family) bool {
	slices.Sort(a.IgnoredGIDs)
	slices.Sort(b.IgnoredGIDs)
	a.IgnoredGIDs, b.IgnoredGIDs = slices.Compact(a.IgnoredGIDs), slices.Compact(b.IgnoredGIDs)
	slices.SortFunc(a.EgressIgnoredIPs, netip.Prefix.Compare)
	slices.SortFunc(b.EgressIgnoredIPs, netip.Prefix.Compare)
	a.EgressIgnoredIPs, b.EgressIgnoredIPs = slices.Compact(a.EgressIgnoredIPs), slices.Compact(b.EgressIgnoredIPs)
	return (family == IPv4 || a.EnableIPv6 == b.EnableIPv6) && NewPlan(a, family).lines() == NewPlan(b, family).lines()
}

// A comment may hold what a shell would run, and the fix is made to be pasted.
func TestTheCommandThatUndoesIsSafeInAShell(t *testing.T) {
	for rule, want := range map[string]string{
		`OUTPUT ! -d 10.0.0.0/8 -p tcp -j ACCEPT`:                                  `OUTPUT ! -d 10.0.0.0/8 -p tcp -j ACCEPT`,
		`OUTPUT -m comment --comment "it\'s $(reboot) \"now\" \\" -j ACCEPT`:       `OUTPUT -m comment --comment 'it'\''s $(reboot) "now" \' -j ACCEPT`,
		"OUTPUT -m comment --comment `reboot` -j ACCEPT":                           "OUTPUT -m comment --comment '`reboot`' -j ACCEPT",
		`OUTPUT -m comment --comment "" -j ACCEPT`:                                 `OUTPUT -m comment --comment '' -j ACCEPT`,
		`OUTPUT -m comment --comment "two words" -j DNAT --to-destination [::1]:9`: `OUTPUT -m comment --comment 'two words' -j DNAT --to-destination '[::1]:9'`,
	} {
		if got := forShell(rule); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", rule, got, want)
		}
	}
}

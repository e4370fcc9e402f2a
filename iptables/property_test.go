package iptables

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

var errBroken = errors.New("broken on purpose")

// Whatever stood in the tables, applying, applying again, applying something else and removing ends where it began,
// less what was ours.
func TestApplyThenRemoveLeavesWhatOthersPutThere(t *testing.T) {
	for seed := range uint64(500) {
		dice := rand.New(rand.NewPCG(seed, 1))
		h := newHost()
		scribble(h, dice, false)
		others := h.saves()
		scribbleOurs(h, dice)
		first, second := randomConfig(dice), randomConfig(dice)

		mustApply(t, h, first)
		once := h.saves()
		report := mustApply(t, h, first)
		if h.saves() != once {
			t.Fatalf("seed %d: applying twice differs:\n%s\nthen\n%s", seed, once, h.saves())
		}
		for _, o := range report {
			if o.Changed {
				t.Fatalf("seed %d: the second time says %v", seed, report)
			}
		}
		mustApply(t, h, second)
		wantOneSet(t, h, second)
		if _, err := remove(t.Context(), h); err != nil {
			t.Fatalf("seed %d: remove: %v", seed, err)
		}
		if h.saves() != others {
			t.Fatalf("seed %d: after remove:\n%s\nwant\n%s", seed, h.saves(), others)
		}
	}
}

// When the last step fails, everything is as it was, down to odd remnants and their places.
func TestAFailureOfIPv6PutsIPv4Back(t *testing.T) {
	for seed := range uint64(500) {
		dice := rand.New(rand.NewPCG(seed, 2))
		h := newHost()
		scribble(h, dice, true)
		scribbleOurs(h, dice)
		before := h.saves()
		h.fail["ip6tables-nft-restore"], h.fail["ip6tables-legacy-restore"] = errBroken, errBroken
		cfg := randomConfig(dice)
		cfg.EnableIPv6 = true
		if _, err := apply(t.Context(), h, cfg); err == nil {
			continue // The tables held this very Config already.
		} else if !errors.Is(err, errBroken) || strings.Contains(err.Error(), "putting back") {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if h.saves() != before {
			t.Fatalf("seed %d: after the failure:\n%s\nwant\n%s", seed, h.saves(), before)
		}
	}
}

func mustApply(t *testing.T, h *host, cfg Config) Report {
	t.Helper()
	report, err := apply(t.Context(), h, cfg)
	if err != nil {
		t.Fatalf("apply: %v\n%s", err, h.saves())
	}
	return report
}

// wantOneSet checks each family: exactly the plan, in exactly one variant.
func wantOneSet(t *testing.T, h *host, cfg Config) {
	t.Helper()
	for family, prefix := range map[Family]string{IPv4: "iptables-", IPv6: "ip6tables-"} {
		var jumps, rules, wantJumps, wantRules int
		for _, variant := range []Variant{NFT, Legacy} {
			l, err := parseSaved(h.nat[prefix+string(variant)].save())
			if err != nil {
				t.Fatal(err)
			}
			jumps += len(l.jumps)
			for _, c := range l.chains {
				rules += len(c.rules)
			}
		}
		if family == IPv4 || cfg.EnableIPv6 {
			for _, c := range NewPlan(cfg, family).Chains {
				wantJumps, wantRules = wantJumps+1, wantRules+len(c.Rules)
			}
		}
		if jumps != wantJumps || rules != wantRules {
			t.Fatalf("%s: %d jumps and %d rules, want %d and %d:\n%s", family, jumps, rules, wantJumps, wantRules, h.saves())
		}
	}
}

// scribble puts other people's rules into some of the tables.
func scribble(h *host, dice *rand.Rand, everywhere bool) {
	for _, prefix := range []string{"iptables-nft", "iptables-legacy", "ip6tables-nft", "ip6tables-legacy"} {
		if !everywhere && dice.IntN(3) == 0 {
			continue
		}
		text := ":OTHER - [0:0]\n"
		for i := range dice.IntN(6) {
			chain := []string{"PREROUTING", "OUTPUT", "POSTROUTING", "OTHER"}[dice.IntN(4)]
			rule := []string{
				"-p tcp -m tcp --dport 53 -j RETURN",
				`-p tcp -m comment --comment "they say -j APPMESH_EGRESS" -j OTHER`,
				`-p udp -m comment --comment "\" -j APPMESH_EGRESS"`,
				fmt.Sprintf("-d 10.0.0.%d/32 -j DNAT --to-destination 10.1.0.1", i),
			}[dice.IntN(4)]
			if chain == "OTHER" {
				rule = strings.ReplaceAll(rule, "-j OTHER", "-j RETURN")
			}
			text += "-A " + chain + " " + rule + "\n"
		}
		write(h, prefix, text)
	}
}

// scribbleOurs leaves remnants of ours: old contents, jumps doubled, misplaced and misspelt.
func scribbleOurs(h *host, dice *rand.Rand) {
	for _, prefix := range []string{"iptables-nft", "iptables-legacy", "ip6tables-nft", "ip6tables-legacy"} {
		if len(h.nat[prefix].rules) == 0 || dice.IntN(2) == 0 {
			continue
		}
		text := ":APPMESH_EGRESS - [0:0]\n:APPMESH_INGRESS - [0:0]\n-A APPMESH_EGRESS -p tcp -j REDIRECT --to-ports 1\n"
		if dice.IntN(2) == 0 {
			text += "-A APPMESH_EGRESS -j APPMESH_INGRESS\n"
		}
		for range dice.IntN(5) {
			chain := []string{"PREROUTING", "OUTPUT", "OTHER"}[dice.IntN(3)]
			to := []string{chainIngress, chainEgress}[dice.IntN(2)]
			rule := []string{"-p tcp -m addrtype ! --dst-type LOCAL -j ", "-p tcp -g ", "-p tcp -m addrtype ! --src-type LOCAL -j "}[dice.IntN(3)] + to
			if n := len(h.nat[prefix].rules[chain]); n > 0 && dice.IntN(2) == 0 {
				text += fmt.Sprintf("-I %s %d %s\n", chain, 1+dice.IntN(n), rule)
			} else {
				text += "-A " + chain + " " + rule + "\n"
			}
		}
		write(h, prefix, text)
	}
}

func write(h *host, prefix, lines string) {
	if err := h.nat[prefix].restore("*nat\n" + lines + "COMMIT\n"); err != nil {
		panic(err)
	}
}

func randomConfig(dice *rand.Rand) Config {
	cfg := Config{EgressPort: 15001, IgnoredUIDs: []uint32{1337}, EnableIPv6: dice.IntN(4) > 0}
	for i := range dice.IntN(40) {
		cfg.IngressPort, cfg.AppPorts = 15000, append(cfg.AppPorts, uint16(8000+i))
	}
	for i := range dice.IntN(40) {
		cfg.EgressIgnoredPorts = append(cfg.EgressIgnoredPorts, uint16(1+i))
	}
	for range dice.IntN(3) {
		cfg.IgnoredGIDs = append(cfg.IgnoredGIDs, dice.Uint32N(100))
		cfg.EgressIgnoredIPs = append(cfg.EgressIgnoredIPs, alwaysIgnored[0], netip.MustParsePrefix("fd00::/8"))
	}
	return cfg
}

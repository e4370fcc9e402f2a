package iptables

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func guide() Config {
	return Config{IngressPort: 15000, EgressPort: 15001, AppPorts: []uint16{8080}, IgnoredUIDs: []uint32{1337},
		EgressIgnoredIPs: withAlwaysIgnored(nil), EnableIPv6: true}
}

func TestTheVariantIsTheOneThatHoldsNatRules(t *testing.T) {
	const theirs = "-A OUTPUT -p tcp -j RETURN\n"
	const ours = ":APPMESH_EGRESS - [0:0]\n-A APPMESH_EGRESS -p tcp -j RETURN\n"
	for name, c := range map[string]struct {
		nft, legacy string
		want        Variant
	}{
		"nft where none does":                    {want: NFT},
		"legacy where legacy does":               {legacy: theirs, want: Legacy},
		"nft where both do":                      {nft: theirs, legacy: theirs, want: NFT},
		"the one with ours, whoever else's":      {nft: theirs, legacy: ours, want: Legacy},
		"nft where both have ours":               {nft: ours, legacy: ours, want: NFT},
		"nft where chains are there but no rule": {legacy: ":OTHER - [0:0]\n", want: NFT},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost()
			for prefix, lines := range map[string]string{"iptables-nft": c.nft, "iptables-legacy": c.legacy, "ip6tables-nft": c.nft, "ip6tables-legacy": c.legacy} {
				if lines != "" {
					write(h, prefix, lines)
				}
			}
			for _, o := range mustApply(t, h, guide()) {
				if o.Variant != c.want {
					t.Errorf("%s went to %s, want %s", o.Family, o.Variant, c.want)
				}
			}
			wantOneSet(t, h, guide())
		})
	}
}

func TestALegacyTableIsNotLookedAtUnlessItIsThere(t *testing.T) {
	h := newHost()
	mustApply(t, h, guide())
	if slices.ContainsFunc(h.ran, func(program string) bool { return strings.Contains(program, "legacy") }) {
		t.Errorf("looking would have created it: %v", h.ran)
	}
}

func TestProgramsWithoutASuffixSayThemselvesWhichVariantTheyAre(t *testing.T) {
	for version, want := range map[string]Variant{
		"iptables-restore v1.8.9 (nf_tables)\n": NFT,
		"iptables-restore v1.8.9 (legacy)\n":    Legacy,
		"iptables-restore v1.6.1\n":             Legacy,
	} {
		h := unsuffixed{newHost(), version}
		all, err := tables(t.Context(), h, IPv4)
		if err != nil || len(all) != 1 || all[0].variant != want || all[0].restore != "/usr/sbin/iptables-restore" {
			t.Errorf("%q: %+v, %v", version, all, err)
		}
	}
}

type unsuffixed struct {
	*host
	version string
}

func (u unsuffixed) find(program string) (string, error) {
	if strings.Contains(program, "nft") || strings.Contains(program, "legacy") {
		return "", &MissingError{Program: program, Package: "iptables"}
	}
	return "/usr/sbin/" + program, nil
}

func (u unsuffixed) run(_ context.Context, c command) (string, error) {
	if c.args[0] == "--version" {
		return u.version, nil
	}
	return "", nil
}

func TestAKernelWithoutNFTablesIsServedByLegacy(t *testing.T) {
	h := newHost()
	h.fail["iptables-nft-save"] = &CommandError{Answer: "iptables-nft-save: Failed to initialize nft: Protocol not supported"}
	h.fail["ip6tables-nft-save"] = h.fail["iptables-nft-save"]
	for _, o := range mustApply(t, h, guide()) {
		if o.Variant != Legacy {
			t.Errorf("%s went to %s", o.Family, o.Variant)
		}
	}
	if _, err := remove(t.Context(), h); err != nil || strings.Contains(h.saves(), "APPMESH") {
		t.Errorf("remove: %v\n%s", err, h.saves())
	}
}

func TestABadConfigTouchesNothing(t *testing.T) {
	h := newHost()
	_, err := apply(t.Context(), h, Config{})
	var bad *ConfigError
	if !errors.As(err, &bad) || len(h.ran) > 0 {
		t.Errorf("got %v after running %v", err, h.ran)
	}
}

func TestMissingProgramsAreNamedWithTheirPackage(t *testing.T) {
	h := newHost()
	for _, program := range []string{"ip6tables-nft-restore", "ip6tables-legacy-restore"} {
		delete(h.programs, program)
	}
	_, err := apply(t.Context(), h, guide())
	var missing *MissingError
	if !errors.As(err, &missing) || missing.Program != "ip6tables-nft-restore" || missing.Package != "iptables" {
		t.Errorf("got %v", err)
	}
	if strings.Contains(h.saves(), "APPMESH") {
		t.Errorf("IPv4 was touched:\n%s", h.saves())
	}
	v4 := guide()
	v4.EnableIPv6 = false
	mustApply(t, h, v4)
}

func TestPrivilegeErrorsKeepTheirType(t *testing.T) {
	h := newHost()
	h.fail["iptables-nft-restore"] = &PrivilegeError{Doing: "running iptables-nft-restore"}
	_, err := apply(t.Context(), h, guide())
	var refused *PrivilegeError
	if !errors.As(err, &refused) {
		t.Errorf("got %v", err)
	}
	err = explain(command{path: "iptables-nft-save"}, "Could not fetch rule set generation id: Permission denied (you must be root)\n", errBroken)
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "NET_ADMIN") {
		t.Errorf("got %v", err)
	}
}

func TestAHostWithoutIPv6IsSkippedInWords(t *testing.T) {
	h := newHost()
	delete(h.files, "/proc/thread-self/net/if_inet6")
	report := mustApply(t, h, guide())
	if len(report) != 2 || report[1].Skipped == "" || strings.Contains(report.String(), "IPv6: 0") {
		t.Errorf("got %q", report)
	}
	if report, err := remove(t.Context(), h); err != nil || report[1].Skipped == "" {
		t.Errorf("remove: %v, %v", report, err)
	}
}

func TestSwitchingIPv6OffRemovesItsRules(t *testing.T) {
	h := newHost()
	cfg := guide()
	mustApply(t, h, cfg)
	cfg.EnableIPv6 = false
	mustApply(t, h, cfg)
	wantOneSet(t, h, cfg)
}

func TestAChangedConfigKeepsTheJumpInItsPlace(t *testing.T) {
	h := newHost()
	cfg := guide()
	mustApply(t, h, cfg)
	write(h, "iptables-nft", "-A OUTPUT -p tcp -m tcp --dport 9 -j RETURN\n")
	cfg.EgressPort = 15011
	mustApply(t, h, cfg)
	if out := h.nat["iptables-nft"].rules["OUTPUT"]; len(out) != 2 || leadsTo(out[0]) != chainEgress {
		t.Errorf("OUTPUT holds %q", out)
	}
}

func TestSomebodyElseAtTheTableIsWaitedOut(t *testing.T) {
	h := newHost()
	mustApply(t, h, guide())
	raced := false
	h.before = func(h *host, c command) { // Another remove gets between our look and our restore.
		if strings.HasSuffix(c.path, "/iptables-nft-restore") && !raced {
			raced = true
			h.nat["iptables-nft"].rules = map[string][]string{"OUTPUT": {"-p tcp -j RETURN"}}
		}
	}
	if _, err := remove(t.Context(), h); err != nil || strings.Contains(h.saves(), "APPMESH") || !raced {
		t.Errorf("remove: %v\n%s", err, h.saves())
	}
}

func TestSomebodyWhoNeverStopsEndsInAnError(t *testing.T) {
	h := newHost()
	mustApply(t, h, guide())
	n := 0
	h.before = func(h *host, c command) {
		if strings.HasSuffix(c.path, "/iptables-nft-restore") {
			n++
			write(h, "iptables-nft", "-A OUTPUT -p tcp -j "+chainEgress+"\n")
		}
	}
	cfg := guide()
	cfg.EgressPort = 15011
	if _, err := apply(t.Context(), h, cfg); err == nil || !strings.Contains(err.Error(), "keeps changing") || n > 2*maxAttempts {
		t.Errorf("after %d restores: %v", n, err)
	}
}

func TestAContextThatEndsPutsTheRulesBack(t *testing.T) {
	h := newHost()
	ctx, cancel := context.WithCancel(t.Context())
	h.before = func(h *host, c command) {
		if strings.HasSuffix(c.path, "/ip6tables-nft-restore") {
			cancel()
			h.fail["ip6tables-nft-restore"] = context.Canceled
		}
	}
	if _, err := apply(ctx, h, guide()); !errors.Is(err, context.Canceled) || strings.Contains(h.saves(), "APPMESH") {
		t.Errorf("got %v\n%s", err, h.saves())
	}
}

func TestRulesOnlyNFTCanReadAreSaidInWords(t *testing.T) {
	if _, err := parseSaved("# Table `nat' is incompatible, use 'nft' tool.\n"); !errors.Is(err, errIncompatible) {
		t.Errorf("got %v", err)
	}
}

func TestRemoveWithNothingThereIsNoError(t *testing.T) {
	report, err := remove(t.Context(), newHost())
	if err != nil || report.String() != "IPv4: 0 rules in the nat table (nft), as before\nIPv6: 0 rules in the nat table (nft), as before\n" {
		t.Errorf("got %q, %v", report, err)
	}
}

func TestEveryDestinationFamilyGoesToItsOwnTable(t *testing.T) {
	cfg := guide()
	cfg.EgressIgnoredIPs = append(cfg.EgressIgnoredIPs, netip.MustParsePrefix("fd00::/8"))
	v4, v6 := NewPlan(cfg, IPv4).Text(), NewPlan(cfg, IPv6).Text()
	if strings.Contains(v4, "fd00") || strings.Contains(v6, "169.254") || !strings.Contains(v6, "-d fd00::/8 -p tcp -j RETURN") {
		t.Errorf("IPv4:\n%s\nIPv6:\n%s", v4, v6)
	}
}

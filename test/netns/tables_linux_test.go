package netns

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	kit "github.com/outrider-mesh/outrider/internal/testkit/netns"
	"github.com/outrider-mesh/outrider/iptables"
)

func TestTablesByNFT(t *testing.T) {
	if kit.Isolated(t) {
		testTables(t, iptables.NFT)
	}
}

func TestTablesByLegacy(t *testing.T) {
	if kit.Isolated(t) {
		testTables(t, iptables.Legacy)
	}
}

// testTables runs one story after the other on the same tables: each must leave them as it found them.
func testTables(t *testing.T, variant iptables.Variant) {
	prefer(t, variant)
	for _, family := range []string{"iptables", "ip6tables"} {
		kit.Here.Feed(t, othersRules[family], family+"-"+string(variant)+"-restore", "--noflush")
	}
	before := saved(t)
	for name, story := range map[string]func(*testing.T, iptables.Variant){
		"applying twice leaves one set":                  applyTwice,
		"a changed configuration replaces":               applyChanged,
		"printed rules are the applied ones":             applyPrinted,
		"remnants are replaced":                          applyOverRemnants,
		"IPv4 is put back when IPv6 fails":               failInIPv6,
		"several at once leave one set":                  applyConcurrently,
		"any configuration applies and goes":             applyAnything,
		"without privilege nothing is done, and it says": applyUnprivileged,
	} {
		t.Run(name, func(t *testing.T) {
			story(t, variant)
			if _, err := iptables.Remove(t.Context()); err != nil {
				t.Error(err)
			}
			if after := saved(t); after != before {
				t.Errorf("after remove:\n%s\nbefore apply:\n%s", after, before)
			}
		})
	}
}

var othersRules = map[string]string{
	"iptables": `*nat
:DOCKER_OUTPUT - [0:0]
-A DOCKER_OUTPUT -d 127.0.0.11/32 -p udp --dport 53 -j DNAT --to-destination 127.0.0.11:40000
-A OUTPUT -d 127.0.0.11/32 -j DOCKER_OUTPUT
-A PREROUTING -p tcp --dport 4 -m comment --comment "say \"hello\" -j APPMESH_EGRESS" -j RETURN
-A POSTROUTING -s 10.0.0.0/8 -j MASQUERADE
COMMIT
*filter
:OTHERS - [0:0]
-A INPUT -p tcp --dport 7 -j OTHERS
COMMIT
`,
	"ip6tables": `*nat
:OTHERS - [0:0]
-A OTHERS -d fd00::1/128 -p tcp -j REDIRECT --to-ports 9
-A OUTPUT -p tcp --dport 9 -j OTHERS
-A OUTPUT -d fd00::/8 -p tcp --dport 10 -j RETURN
COMMIT
`,
}

// saved is what all four iptables-save print, without counters, comments and empty built-in chains. It asks the legacy
// ones only if the kernel has legacy tables here, for asking makes them.
func saved(t *testing.T) string {
	t.Helper()
	text := ""
	for _, family := range []string{"iptables", "ip6tables"} {
		text += plain(kit.Here.Run(t, family+"-nft-save"))
		names, err := os.ReadFile("/proc/self/net/" + strings.TrimSuffix(family, "tables") + "_tables_names")
		if err == nil && len(names) > 0 {
			text += plain(kit.Here.Run(t, family+"-legacy-save"))
		}
	}
	return text
}

var (
	counters = regexp.MustCompile(`\[\d+:\d+\]`)
	ignored  = regexp.MustCompile(`(?m)^(#.*|:[A-Z]+ ACCEPT .*|COMMIT|\*nat)\n`)
)

func plain(text string) string {
	return counters.ReplaceAllString(ignored.ReplaceAllString(text, ""), "[0:0]")
}

func applyTwice(t *testing.T, variant iptables.Variant) {
	apply(t, task())
	once := saved(t)
	report := apply(t, task())
	if twice := saved(t); twice != once || strings.Count(twice, "-j APPMESH_EGRESS\n") != 2 || strings.Count(twice, "-j APPMESH_INGRESS\n") != 2 {
		t.Errorf("once:\n%s\ntwice:\n%s", once, twice)
	}
	if slices.ContainsFunc(report, func(o iptables.Outcome) bool { return o.Changed }) {
		t.Errorf("the second time says %v", report)
	}
	wantVariant(t, report, variant)
}

func applyChanged(t *testing.T, _ iptables.Variant) {
	apply(t, task())
	changed := iptables.Config{EgressPort: 15011, IgnoredGIDs: []uint32{7}, EnableIPv6: true}
	apply(t, changed)
	text := saved(t)
	if strings.Contains(text, "APPMESH_INGRESS") || strings.Contains(text, "15001") || strings.Count(text, "--to-ports 15011") != 2 || strings.Contains(text, "uid-owner") {
		t.Errorf("after the change:\n%s", text)
	}
	changed.EnableIPv6 = false
	apply(t, changed)
	if text := saved(t); strings.Count(text, "--to-ports 15011") != 1 {
		t.Errorf("with IPv6 switched off:\n%s", text)
	}
}

func applyPrinted(t *testing.T, variant iptables.Variant) {
	apply(t, task())
	want := saved(t)
	if _, err := iptables.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := iptables.Print(&b, task()); err != nil {
		t.Fatal(err)
	}
	v4, v6, _ := strings.Cut(b.String(), "\n\n")
	kit.Here.Feed(t, v4+"\n", "iptables-"+string(variant)+"-restore", "--noflush")
	kit.Here.Feed(t, v6, "ip6tables-"+string(variant)+"-restore", "--noflush")
	if got := saved(t); got != want {
		t.Errorf("printed:\n%s\napplied:\n%s", got, want)
	}
}

// remnants: chains of an older make that refer to each other, jumps doubled and out of place.
const remnants = `*nat
:APPMESH_INGRESS - [0:0]
:APPMESH_EGRESS - [0:0]
-A APPMESH_EGRESS -p tcp -g APPMESH_INGRESS
-I OUTPUT 1 -p tcp -j APPMESH_EGRESS
-A OUTPUT -p tcp -m addrtype ! --dst-type LOCAL -j APPMESH_EGRESS
-A OUTPUT -p tcp -m addrtype ! --dst-type LOCAL -j APPMESH_EGRESS
-A INPUT -p tcp -m comment --comment "two words" -j APPMESH_INGRESS
COMMIT
`

func leaveRemnants(t *testing.T, variant iptables.Variant) {
	t.Helper()
	for _, family := range []string{"iptables", "ip6tables"} {
		kit.Here.Feed(t, remnants, family+"-"+string(variant)+"-restore", "--noflush")
	}
}

func applyOverRemnants(t *testing.T, variant iptables.Variant) {
	apply(t, task())
	want := saved(t)
	if _, err := iptables.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	leaveRemnants(t, variant)
	apply(t, task())
	if got := saved(t); got != want {
		t.Errorf("over remnants:\n%s\nwithout:\n%s", got, want)
	}
}

func failInIPv6(t *testing.T, variant iptables.Variant) {
	leaveRemnants(t, variant)
	before := saved(t)
	folder := t.TempDir()
	broken := "#!/bin/sh\necho broken on purpose >&2\nexit 3\n"
	if err := os.WriteFile(folder+"/ip6tables-"+string(variant)+"-restore", []byte(broken), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
	_, err := iptables.Apply(t.Context(), task())
	if err == nil || !strings.Contains(err.Error(), "broken on purpose") || strings.Contains(err.Error(), "putting back") {
		t.Errorf("apply: %v", err)
	}
	if after := saved(t); after != before {
		t.Errorf("after the failure:\n%s\nbefore:\n%s", after, before)
	}
	os.Remove(folder + "/ip6tables-" + string(variant) + "-restore")
}

func applyConcurrently(t *testing.T, _ iptables.Variant) {
	apply(t, task())
	want := saved(t)
	if _, err := iptables.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 6 { // The lock is between open files, so goroutines are as good as processes.
		all.Go(func() {
			cfg := task()
			cfg.EgressPort = uint16(15001 + i)
			if _, err := iptables.Apply(t.Context(), cfg); err != nil {
				t.Error(err)
			}
			if _, err := iptables.Remove(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := iptables.Apply(t.Context(), task()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	apply(t, task()) // The last Remove may have come after the last Apply.
	if got := saved(t); got != want {
		t.Errorf("six at once:\n%s\none:\n%s", got, want)
	}
}

func applyAnything(t *testing.T, _ iptables.Variant) {
	dice := rand.New(rand.NewPCG(1, 2))
	for range 12 {
		cfg := anything(dice)
		apply(t, cfg)
		for _, o := range apply(t, cfg) {
			if o.Changed {
				t.Errorf("the kernel spells something in %+v differently:\n%s", cfg, saved(t))
			}
		}
	}
}

// anything is some valid configuration.
func anything(dice *rand.Rand) iptables.Config {
	cfg := iptables.Config{EgressPort: uint16(1 + dice.IntN(1000)), IgnoredUIDs: []uint32{dice.Uint32N(1 << 31)}, EnableIPv6: dice.IntN(3) > 0}
	for range dice.IntN(50) {
		cfg.IngressPort, cfg.AppPorts = 1001, append(cfg.AppPorts, uint16(2000+dice.IntN(60000)))
		cfg.EgressIgnoredPorts = append(cfg.EgressIgnoredPorts, uint16(1+dice.IntN(65535)))
		var b [16]byte
		for i := range b {
			b[i] = byte(dice.IntN(256))
		}
		cfg.EgressIgnoredIPs = append(cfg.EgressIgnoredIPs, netip.PrefixFrom(netip.AddrFrom4([4]byte(b[:4])), dice.IntN(33)).Masked(),
			netip.PrefixFrom(netip.AddrFrom16(b), dice.IntN(129)).Masked())
	}
	return cfg
}

func applyUnprivileged(t *testing.T, _ iptables.Variant) {
	before := saved(t)
	for _, task := range []string{"apply", "remove"} {
		if got := as(t, 65534, 65534, task); !strings.HasPrefix(got, "refused: ") || !strings.Contains(got, "NET_ADMIN") {
			t.Errorf("%s: %s", task, got)
		}
	}
	if after := saved(t); after != before {
		t.Errorf("after:\n%s\nbefore:\n%s", after, before)
	}
}

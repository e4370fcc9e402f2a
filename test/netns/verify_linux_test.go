package netns

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/app"
	kit "github.com/outrider-mesh/outrider/internal/testkit/netns"
	"github.com/outrider-mesh/outrider/iptables"
)

func TestVerifyByNFT(t *testing.T) {
	if kit.Isolated(t) {
		testVerify(t, iptables.NFT)
	}
}

func TestVerifyByLegacy(t *testing.T) {
	if kit.Isolated(t) {
		testVerify(t, iptables.Legacy)
	}
}

// testVerify holds real tables against plans, which changes none of them.
func testVerify(t *testing.T, variant iptables.Variant) {
	prefer(t, variant)
	for name, story := range map[string]func(*testing.T, iptables.Variant){
		"each change by hand is named":            verifyChanges,
		"what ECS's plugin writes is the same":    verifyPlugin,
		"what App Mesh's image writes is as good": verifyRouteManager,
		"whatever was applied verifies":           verifyAnything,
		"rules in both tables are named":          verifyBoth,
		"without privilege it says so":            verifyUnprivileged,
		"the command":                             verifyCommand,
	} {
		t.Run(name, func(t *testing.T) {
			story(t, variant)
			if _, err := iptables.Remove(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func verified(t *testing.T, cfg iptables.Config) []iptables.Comparison {
	t.Helper()
	before := saved(t)
	got, err := iptables.Verify(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if after := saved(t); after != before {
		t.Errorf("verify changed\n%s\nto\n%s", before, after)
	}
	return got
}

func verifyChanges(t *testing.T, variant iptables.Variant) {
	for _, c := range []struct {
		change   string // arguments of iptables -t nat
		back     string // undoes it
		kind     iptables.Kind
		harmless bool
	}{
		{"-D APPMESH_EGRESS -m owner --uid-owner 1337 -j RETURN", "-I APPMESH_EGRESS 1 -m owner --uid-owner 1337 -j RETURN", iptables.MissingRule, false},
		{"-D APPMESH_EGRESS -p tcp -j REDIRECT --to-ports 15001", "-A APPMESH_EGRESS -p tcp -j REDIRECT --to-ports 15001", iptables.MissingRule, false},
		{"-D OUTPUT -p tcp -m addrtype ! --dst-type LOCAL -j APPMESH_EGRESS", "-A OUTPUT -p tcp -m addrtype ! --dst-type LOCAL -j APPMESH_EGRESS", iptables.MissingJump, false},
		{"-R APPMESH_EGRESS 1 -m owner --uid-owner 0 -j RETURN", "-R APPMESH_EGRESS 1 -m owner --uid-owner 1337 -j RETURN", iptables.WrongRule, false},
		{"-R APPMESH_INGRESS 1 -p tcp --dport 8080 -j REDIRECT --to-ports 15000", "", iptables.WrongRule, false},
		{"-R APPMESH_INGRESS 1 -p tcp --dport 8080:8094 -j REDIRECT --to-ports 15000", "", iptables.SpeltOtherwise, true},
		{"-R APPMESH_INGRESS 1 -p tcp -m multiport --dports 8094,8093,8092,8080:8091 -m comment --comment app -j REDIRECT --to-ports 15000",
			"-R APPMESH_INGRESS 1 -p tcp -m multiport --dports 8080,8081,8082,8083,8084,8085,8086,8087,8088,8089,8090,8091,8092,8093,8094 -j REDIRECT --to-ports 15000", iptables.SpeltOtherwise, true},
		{"-I APPMESH_EGRESS 1 -p tcp --dport 5432 -j RETURN", "-D APPMESH_EGRESS 1", iptables.ExtraRule, false},
		{"-I APPMESH_EGRESS 1 -p tcp -j REDIRECT --to-ports 15001", "-D APPMESH_EGRESS 1", iptables.WrongOrder, false},
		{"-I APPMESH_EGRESS 3 -m owner --uid-owner 1337 -j RETURN", "-D APPMESH_EGRESS 3", iptables.SpeltOtherwise, true},
		{"-A OUTPUT -p tcp --dport 81 -j APPMESH_INGRESS", "-D OUTPUT 2", iptables.ExtraJump, false},
		{"-I OUTPUT 1 -p tcp -j REDIRECT --to-ports 3128", "-D OUTPUT 1", iptables.ForeignFirst, false},
		{"-I PREROUTING 1 -p tcp --dport 8085 -j REDIRECT --to-ports 3128", "-D PREROUTING 1", iptables.ForeignFirst, false},
		{"-I OUTPUT 1 -d 127.0.0.11 -p tcp -j REDIRECT --to-ports 53", "-D OUTPUT 1", "", false},
		{"-I PREROUTING 1 -p tcp --dport 9090 -j REDIRECT --to-ports 3128", "-D PREROUTING 1", "", false},
	} {
		apply(t, task())
		iptablesRun(t, "iptables-"+string(variant), c.change)
		got := verified(t, task())
		kinds := kindsOf(got[0])
		if c.kind == "" && len(kinds) > 0 || c.kind != "" && !slices.Contains(kinds, c.kind) || got[0].Same() != (c.harmless || c.kind == "") {
			t.Errorf("%s: %+v", c.change, got[0].Differences)
		}
		if len(got[1].Differences) > 0 || got[0].Variant != variant {
			t.Errorf("%s: %+v", c.change, got)
		}
		if c.back != "" {
			iptablesRun(t, "iptables-"+string(variant), c.back)
		}
		apply(t, task())
		if got := verified(t, task()); len(got[0].Differences) > 0 {
			t.Errorf("%s, and back: %+v", c.change, got[0].Differences)
		}
	}
}

func kindsOf(c iptables.Comparison) (kinds []iptables.Kind) {
	for _, d := range c.Differences {
		kinds = append(kinds, d.Kind)
	}
	return kinds
}

func iptablesRun(t *testing.T, program, args string) {
	t.Helper()
	kit.Here.Run(t, program, append([]string{"-t", "nat"}, strings.Fields(args)...)...)
}

// plugin is what ECS's CNI plugin runs (App Mesh reference, "Rules, table nat, in order of creation").
func plugin() iptables.Config {
	return iptables.Config{IngressPort: 15000, EgressPort: 15001, AppPorts: []uint16{8080, 9090}, IgnoredUIDs: []uint32{1337},
		IgnoredGIDs: []uint32{1338}, EgressIgnoredPorts: []uint16{22, 2049},
		EgressIgnoredIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("169.254.170.2/32"), netip.MustParsePrefix("169.254.169.254/32")}}
}

func verifyPlugin(t *testing.T, variant iptables.Variant) {
	program := "iptables-" + string(variant)
	for _, args := range []string{
		"-N APPMESH_INGRESS",
		"-A APPMESH_INGRESS -p tcp -m multiport --dports 8080,9090 -j REDIRECT --to-port 15000",
		"-A PREROUTING -p tcp -m addrtype ! --src-type LOCAL -j APPMESH_INGRESS",
		"-N APPMESH_EGRESS",
		"-A APPMESH_EGRESS -m owner --uid-owner 1337 -j RETURN",
		"-A APPMESH_EGRESS -m owner --gid-owner 1338 -j RETURN",
		"-A APPMESH_EGRESS -p tcp -m multiport --dports 22,2049 -j RETURN",
		"-A APPMESH_EGRESS -p tcp -d 10.0.0.0/8,169.254.170.2,169.254.169.254 -j RETURN",
		"-A APPMESH_EGRESS -p tcp -j REDIRECT --to-port 15001",
		"-A OUTPUT -p tcp -m addrtype ! --dst-type LOCAL -j APPMESH_EGRESS",
	} {
		iptablesRun(t, program, args)
	}
	got := verified(t, plugin())
	if len(got[0].Differences) > 0 || got[0].Variant != variant || !got[1].Same() {
		t.Errorf("got %+v\n%s", got, saved(t))
	}
	f := got[0].InForce
	if f.IngressPort != 15000 || f.EgressPort != 15001 || !slices.Equal(f.AppPorts, plugin().AppPorts) || !slices.Equal(f.IgnoredUIDs, plugin().IgnoredUIDs) || !slices.Equal(f.IgnoredGIDs, plugin().IgnoredGIDs) {
		t.Errorf("in force: %+v", f)
	}
	both := plugin()
	both.EnableIPv6 = true
	if got := verified(t, both); got[1].Same() || got[1].Differences[0].Kind != iptables.NotIntercepted {
		t.Errorf("IPv6, which ECS leaves alone: %+v", got[1])
	}
}

func verifyRouteManager(t *testing.T, variant iptables.Variant) {
	for _, args := range []string{
		"-N APPMESH_INGRESS", "-N APPMESH_EGRESS",
		"-A APPMESH_EGRESS -m owner --uid-owner 1337 -j RETURN",
		"-A APPMESH_EGRESS -m owner --gid-owner 1338 -j RETURN",
		"-A APPMESH_EGRESS -p tcp -m multiport --dports 2049 -m comment --comment NFS -j RETURN",
		"-A APPMESH_EGRESS -p tcp --dport 22 -j RETURN",
		"-A APPMESH_EGRESS -p tcp -d 169.254.169.254 -j RETURN",
		"-A APPMESH_EGRESS -p tcp -d 169.254.170.2 -j RETURN",
		"-A APPMESH_EGRESS -p tcp -d 10.0.0.0/8 -j RETURN",
		"-A APPMESH_EGRESS -p tcp -j REDIRECT --to-port 15001",
		"-A APPMESH_INGRESS -p tcp -m multiport --dports 9090,8080 -j REDIRECT --to-port 15000",
		"-A OUTPUT -p tcp -m addrtype ! --dst-type LOCAL -j APPMESH_EGRESS",
		"-A PREROUTING -p tcp -m addrtype ! --src-type LOCAL -j APPMESH_INGRESS",
	} {
		iptablesRun(t, "iptables-"+string(variant), args)
	}
	got := verified(t, plugin())[0]
	if !got.Same() || len(got.Differences) != 2 || got.Differences[0].Kind != iptables.SpeltOtherwise {
		t.Errorf("got %+v\n%s", got, saved(t))
	}
}

func verifyAnything(t *testing.T, _ iptables.Variant) {
	dice := rand.New(rand.NewPCG(3, 4))
	for range 12 {
		cfg := anything(dice)
		apply(t, cfg)
		for _, c := range verified(t, cfg) {
			if len(c.Differences) > 0 {
				t.Errorf("%+v\n%+v\n%s", cfg, c, saved(t))
			}
		}
		other := cfg
		if len(cfg.AppPorts) > 0 { // Among addresses to be ignored there may be all of them.
			other.IngressPort++
		} else {
			other.EgressPort++
		}
		if got := verified(t, other); got[0].Same() || cfg.EnableIPv6 && got[1].Same() {
			t.Errorf("another port verifies: %+v", got)
		}
	}
}

func verifyBoth(t *testing.T, variant iptables.Variant) {
	apply(t, task())
	beside := map[iptables.Variant]iptables.Variant{iptables.NFT: iptables.Legacy, iptables.Legacy: iptables.NFT}[variant]
	iptablesRun(t, "iptables-"+string(beside), "-N APPMESH_EGRESS")
	iptablesRun(t, "iptables-"+string(beside), "-A OUTPUT -p tcp -j APPMESH_EGRESS")
	got := verified(t, task())[0] // nft wins where both hold ours
	if got.Same() || got.Variant != iptables.NFT || !slices.Contains(kindsOf(got), iptables.OtherVariant) {
		t.Errorf("got %+v", got)
	}
	apply(t, task())
	if got := verified(t, task())[0]; !got.Same() {
		t.Errorf("after apply: %+v", got)
	}
	if variant == iptables.Legacy { // leave things as they were found
		iptablesRun(t, "iptables-nft", "-F")
	}
}

func verifyUnprivileged(t *testing.T, _ iptables.Variant) {
	apply(t, task())
	if got := as(t, 65534, 65534, "verify"); !strings.HasPrefix(got, "refused: ") || !strings.Contains(got, "NET_ADMIN") {
		t.Errorf("got %s", got)
	}
}

func verifyCommand(t *testing.T, variant iptables.Variant) {
	flags := []string{"--app-ports", "8080", "--egress-ignored-ips", "10.0.0.0/8"}
	if code, out := command(t, append([]string{"iptables", "verify"}, flags...)...); code != app.ExitFindings || !strings.Contains(out, "IPv4: 1 difference") ||
		!strings.Contains(out, "not intercepted") || !strings.Contains(out, "outrider iptables apply --app-ports 8080") {
		t.Errorf("before: exit code %d\n%s", code, out)
	}
	if code, out := command(t, append([]string{"iptables", "apply"}, flags...)...); code != app.ExitFine {
		t.Fatalf("apply: exit code %d\n%s", code, out)
	}
	want := "IPv4: as planned (" + string(variant) + ")\nIPv6: as planned (" + string(variant) + ")\n"
	if code, out := command(t, append([]string{"iptables", "verify"}, flags...)...); code != app.ExitFine || out != want {
		t.Errorf("after: exit code %d\n%s", code, out)
	}
	iptablesRun(t, "iptables-"+string(variant), "-I OUTPUT 1 -p tcp --dport 80 -j RETURN")
	iptablesRun(t, "ip6tables-"+string(variant), "-R APPMESH_INGRESS 1 -p tcp --dport 8081 -j REDIRECT --to-ports 15000")
	code, out := command(t, append([]string{"iptables", "verify", "--format", "json"}, flags...)...)
	var report struct {
		AsPlanned bool
		Families  []struct {
			Family, Table        string
			SameEffect, SameText bool
			Differences          []struct{ Kind, Chain, Expected, Found, Fix string }
		}
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || code != app.ExitFindings || report.AsPlanned || len(report.Families) != 2 {
		t.Fatalf("exit code %d, %v\n%s", code, err, out)
	}
	v4, v6 := report.Families[0], report.Families[1]
	if v4.SameEffect || len(v4.Differences) != 1 || v4.Differences[0].Kind != "foreign rule first" || !strings.Contains(v4.Differences[0].Fix, "-t nat -D OUTPUT ") {
		t.Errorf("IPv4: %+v", v4)
	}
	if len(v6.Differences) != 1 || v6.Differences[0].Kind != "wrong rule" || !strings.Contains(v6.Differences[0].Expected, "--dports 8080 ") ||
		!strings.Contains(v6.Differences[0].Found, "8081") || !strings.HasPrefix(v6.Differences[0].Fix, "outrider iptables apply ") {
		t.Errorf("IPv6: %+v", v6)
	}
	iptablesRun(t, "iptables-"+string(variant), "-D OUTPUT 1")
}

// command runs the program to its end, in this process.
func command(t *testing.T, args ...string) (code int, out string) {
	t.Helper()
	var b bytes.Buffer
	code = app.Main(t.Context(), &app.Process{Args: args, Stdout: &b, Stderr: &b})
	return code, b.String()
}

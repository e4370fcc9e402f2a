package netns

import (
	"net/netip"
	"slices"
	"strconv"
	"testing"

	kit "github.com/outrider-mesh/outrider/internal/testkit/netns"
	"github.com/outrider-mesh/outrider/iptables"
)

func TestRedirectionByNFT(t *testing.T) {
	if kit.Isolated(t) {
		testRedirection(t, iptables.NFT)
	}
}

func TestRedirectionByLegacy(t *testing.T) {
	if kit.Isolated(t) {
		testRedirection(t, iptables.Legacy)
	}
}

// task is the configuration under test: 20 application ports and 21 ignored ports, so that each list needs two rules.
func task() iptables.Config {
	cfg := iptables.Config{
		IngressPort: 15000, EgressPort: 15001,
		IgnoredUIDs: []uint32{1337}, IgnoredGIDs: []uint32{1338},
		EgressIgnoredPorts: []uint16{22},
		EgressIgnoredIPs: []netip.Prefix{netip.MustParsePrefix("10.77.9.0/24"), netip.MustParsePrefix("169.254.170.2/32"),
			netip.MustParsePrefix("169.254.169.254/32"), netip.MustParsePrefix("fd77:9::/64")},
		EnableIPv6: true,
	}
	for i := range uint16(20) {
		cfg.AppPorts = append(cfg.AppPorts, 8080+i)
		cfg.EgressIgnoredPorts = append(cfg.EgressIgnoredPorts, 2000+i)
	}
	return cfg
}

// testRedirection: this namespace is the task (10.77.0.1), another is the rest of the world (10.77.0.2 and more).
func testRedirection(t *testing.T, variant iptables.Variant) {
	world := kit.New(t, "world")
	kit.Connect(t, kit.End{Device: "eth0", Addresses: []string{"10.77.0.1/24", "fd77::1/64"}},
		kit.End{In: world, Device: "eth0", Addresses: []string{"10.77.0.2/24", "10.77.9.9/24", "169.254.170.2/32", "fd77::2/64", "fd77:9::9/64"}})
	for _, destination := range []string{"10.77.9.0/24", "169.254.170.2/32", "fd77:9::/64"} {
		kit.Here.Run(t, "ip", "route", "add", destination, "dev", "eth0")
	}
	prefer(t, variant)
	greetAll(t, world)

	for _, test := range everybodyPasses {
		test.run(t, world)
	}
	wantVariant(t, apply(t, task()), variant)
	for _, test := range redirected {
		test.run(t, world)
	}
	if _, err := iptables.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, test := range everybodyPasses {
		test.run(t, world)
	}
}

func greetAll(t *testing.T, world *kit.Namespace) {
	for _, any := range []string{"0.0.0.0", "[::]"} {
		greet(t, kit.Here, "ingress", any+":15000")
		for _, port := range []int{8080, 8099, 9090} {
			greet(t, kit.Here, "app", any+":"+strconv.Itoa(port))
		}
		for _, port := range []int{22, 80, 2000, 2019, 2020} {
			greet(t, world, "world", any+":"+strconv.Itoa(port))
		}
	}
	greet(t, kit.Here, "egress", "127.0.0.1:15001")
	greet(t, kit.Here, "egress", "[::1]:15001")
}

// prefer makes a variant the one that holds nat rules.
func prefer(t *testing.T, variant iptables.Variant) {
	t.Helper()
	for _, family := range []string{"iptables", "ip6tables"} {
		program := family + "-" + string(variant)
		kit.Require(t, program+"-save", program+"-restore")
		kit.Here.Run(t, program, "-t", "nat", "-A", "POSTROUTING", "-p", "udp", "--dport", "9", "-j", "RETURN")
	}
}

func apply(t *testing.T, cfg iptables.Config) iptables.Report {
	t.Helper()
	report, err := iptables.Apply(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func wantVariant(t *testing.T, report iptables.Report, variant iptables.Variant) {
	t.Helper()
	if len(report) != 2 || slices.ContainsFunc(report, func(o iptables.Outcome) bool { return o.Variant != variant }) {
		t.Errorf("rules went to %v, want %s", report, variant)
	}
}

// encounter is one connection and who must answer it.
type encounter struct {
	why      string
	uid, gid uint32 // who dials, in the task; 0:0 is any application
	inbound  bool   // the world dials instead
	to       string
	want     string
}

func (e encounter) run(t *testing.T, world *kit.Namespace) {
	t.Helper()
	var got string
	var err error
	switch {
	case e.inbound:
		got, err = visit(world, e.to)
	case e.uid != 0 || e.gid != 0:
		got = as(t, e.uid, e.gid, "visit "+e.to)
	default:
		got, err = visit(kit.Here, e.to)
	}
	if err != nil || got != e.want {
		t.Errorf("%s: %s answered %q (%v), want %q", e.why, e.to, got, err, e.want)
	}
}

var redirected = []encounter{
	{why: "outgoing traffic is caught", to: "10.77.0.2:80", want: "egress for 10.77.0.2:80"},
	{why: "outgoing traffic is caught", to: "[fd77::2]:80", want: "egress for [fd77::2]:80"},
	{why: "another user's is caught", uid: 1000, gid: 1000, to: "10.77.0.2:80", want: "egress for 10.77.0.2:80"},
	{why: "another user's is caught", uid: 1000, gid: 1000, to: "[fd77::2]:80", want: "egress for [fd77::2]:80"},
	{why: "the port beside the ignored ones is caught", to: "10.77.0.2:2020", want: "egress for 10.77.0.2:2020"},
	{why: "where nobody listens is caught too", to: "10.77.0.3:81", want: "egress for 10.77.0.3:81"},

	{why: "user 1337 passes", uid: 1337, gid: 1, to: "10.77.0.2:80", want: "world"},
	{why: "user 1337 passes", uid: 1337, gid: 1, to: "[fd77::2]:80", want: "world"},
	{why: "group 1338 passes", uid: 1000, gid: 1338, to: "10.77.0.2:80", want: "world"},
	{why: "group 1338 passes", uid: 1000, gid: 1338, to: "[fd77::2]:80", want: "world"},
	{why: "an ignored network passes", to: "10.77.9.9:80", want: "world"},
	{why: "an ignored network passes", to: "[fd77:9::9]:80", want: "world"},
	{why: "task metadata passes", to: "169.254.170.2:80", want: "world"},
	{why: "the first ignored port passes", to: "10.77.0.2:22", want: "world"},
	{why: "the first ignored port passes", to: "[fd77::2]:22", want: "world"},
	{why: "the 21st ignored port passes", to: "10.77.0.2:2019", want: "world"},
	{why: "the 21st ignored port passes", to: "[fd77::2]:2019", want: "world"},

	{why: "loopback is left alone", to: "127.0.0.1:8080", want: "app"},
	{why: "loopback is left alone", to: "127.3.3.3:9090", want: "app"},
	{why: "loopback is left alone", to: "[::1]:8080", want: "app"},
	{why: "the own address is left alone", to: "10.77.0.1:8080", want: "app"},
	{why: "the own address is left alone", to: "[fd77::1]:9090", want: "app"},
	{why: "the sidecar reaches the application", uid: 1337, gid: 1, to: "127.0.0.1:8080", want: "app"},

	{why: "an application port is caught", inbound: true, to: "10.77.0.1:8080", want: "ingress for 10.77.0.1:8080"},
	{why: "an application port is caught", inbound: true, to: "[fd77::1]:8080", want: "ingress for [fd77::1]:8080"},
	{why: "the 20th application port is caught", inbound: true, to: "10.77.0.1:8099", want: "ingress for 10.77.0.1:8099"},
	{why: "the 20th application port is caught", inbound: true, to: "[fd77::1]:8099", want: "ingress for [fd77::1]:8099"},
	{why: "another port is left alone", inbound: true, to: "10.77.0.1:9090", want: "app"},
	{why: "another port is left alone", inbound: true, to: "[fd77::1]:9090", want: "app"},
	{why: "the ingress port itself can be dialled", inbound: true, to: "10.77.0.1:15000", want: "ingress"},
}

var everybodyPasses = []encounter{
	{why: "without rules nothing is caught", to: "10.77.0.2:80", want: "world"},
	{why: "without rules nothing is caught", to: "[fd77::2]:80", want: "world"},
	{why: "without rules nothing is caught", inbound: true, to: "10.77.0.1:8080", want: "app"},
	{why: "without rules nothing is caught", inbound: true, to: "[fd77::1]:8080", want: "app"},
}

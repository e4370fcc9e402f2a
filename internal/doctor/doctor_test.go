package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/outrider-mesh/outrider/internal/config"
	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/terminal"
	"github.com/outrider-mesh/outrider/iptables"
)

// Each change to a task in which all is right, and what is said then.
func TestEachFaultIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*place, *Patient)
		about  string
		want   Verdict // of all together, too, where it is Wrong
		seen   string
		fix    string // part of it
	}{
		"nothing": {nil, "way in", Good, "redirect works, direct works", ""},
		"no rules, and none asked for": {func(p *place, _ *Patient) { p.noRules() },
			"way in", Doubtful, "direct works, redirect does not", "outrider iptables apply"},
		"no rules, though asked for": {func(p *place, q *Patient) { p.noRules(); q.RulesAsked = true },
			"way in", Wrong, "direct works, redirect does not", "outrider iptables apply"},
		"rules, and no sidecar": {func(p *place, _ *Patient) { p.noSidecar(); p.world = syscall.ECONNREFUSED },
			"redirect", Wrong, "not taken: connection refused", "start the sidecar"},
		"neither rules nor a sidecar": {func(p *place, _ *Patient) { p.noRules(); p.noSidecar() },
			"way in", Wrong, "neither redirect nor direct works", "outrider run"},
		"another proxy takes all": {func(p *place, q *Patient) { p.nginx(); q.Egress, q.Rules.EgressPort = 15011, 15011 },
			"redirect", Wrong, "taken by somebody else than port 15011", "iptables verify"},
		"the sidecar on another port": {func(p *place, q *Patient) { q.Egress, q.Rules.EgressPort = 15011, 15011 },
			"redirect", Wrong, "taken by somebody else than port 15011", "--egress-port 15001"},
		"something else on the egress port": {func(p *place, _ *Patient) { p.nginx() }, "redirect", Wrong, "came out at port 15001, at nginx (pid 9", "start the sidecar"},
		"no route, rules as planned": {func(p *place, _ *Patient) { p.world = syscall.ENETUNREACH },
			"redirect", Good, "the rules are as planned, and the sidecar listens", ""},
		"no route, rules not readable": {func(p *place, _ *Patient) {
			p.world, p.tableErr = syscall.ENETUNREACH, &iptables.PrivilegeError{Doing: "running iptables-save", Answer: "no"}
		},
			"redirect", Unseen, "no route", "NET_ADMIN"},
		"asked as the sidecar's user": {func(p *place, _ *Patient) { p.uid = 1337 },
			"redirect", Good, "not tried: user 1337", ""},
		"asked as the sidecar's user, rules not readable": {func(p *place, _ *Patient) {
			p.uid, p.tableErr = 1337, &iptables.PrivilegeError{Doing: "running iptables-save", Answer: "no"}
		},
			"redirect", Unseen, "not tried: user 1337", ""},
		"rules not as planned": {func(p *place, _ *Patient) {
			p.tables[0].Differences = []iptables.Difference{{Kind: iptables.MissingRule, Expected: "-A APPMESH_EGRESS -p tcp -j RETURN"}}
		}, "rules for IPv4", Wrong, "missing rule: -A APPMESH_EGRESS", "outrider iptables apply"},
		"a foreign rule first": {func(p *place, _ *Patient) {
			p.tables[0].Differences = []iptables.Difference{{Kind: iptables.ForeignFirst, Found: "-A OUTPUT -j X", Undo: "iptables-nft -t nat -D OUTPUT -j X"}}
		}, "rules for IPv4", Wrong, "foreign rule first: -A OUTPUT -j X", "-D OUTPUT"},
		"rules spelt otherwise": {func(p *place, _ *Patient) {
			p.tables[0].Differences = []iptables.Difference{{Kind: iptables.SpeltOtherwise, Harmless: true}}
		}, "rules for IPv4", Good, "same effect", ""},
		"no program to read rules": {func(p *place, _ *Patient) {
			p.tableErr = &iptables.MissingError{Program: "iptables-save", Package: "iptables"}
		},
			"rules", Unseen, "iptables-save not found: install", ""},
		"a sidecar run by root, rules not readable": {func(p *place, _ *Patient) { p.runAs(0); p.tableErr = &iptables.PrivilegeError{} },
			"user of the sidecar", Doubtful, "as planned, for they cannot be read", ""},
		"rules not readable": {func(p *place, _ *Patient) {
			p.tableErr = &iptables.PrivilegeError{Doing: "running iptables-save", Answer: "no"}
		},
			"rules", Unseen, "permission denied", "as root"},
		"IPv6 left alone without an address": {func(p *place, _ *Patient) { p.noRulesFor6() }, "rules for IPv6", Good, "no IPv6 address", ""},
		"IPv6 left alone with an address": {func(p *place, _ *Patient) {
			p.noRulesFor6()
			p.write("proc/self/net/if_inet6", "fd000000000000000000000000000001 02 40 00 80 eth0\n")
		}, "rules for IPv6", Wrong, "there are none", "apply"},
		"a listener without a rule": {func(p *place, _ *Patient) { p.tables[0].InForce.AppPorts = []uint16{8080, 9090} },
			"app port 9090", Wrong, "no listener there", "take 9090 out"},
		"a rule without a listener": {func(p *place, _ *Patient) { p.tables[0].InForce.AppPorts = []uint16{9090} },
			"app port 8080", Wrong, "do not lead to it", "add 8080"},
		"a sidecar run by root": {func(p *place, _ *Patient) { p.runAs(0) },
			"user of the sidecar", Wrong, "0, whose traffic the rules do not let pass (they ignore user 1337)", "--ignored-uid 0"},
		"a sidecar run by root without rules": {func(p *place, _ *Patient) { p.runAs(0); p.noRules() },
			"user of the sidecar", Doubtful, "0, whose traffic", ""},
		"a sidecar that cannot be seen": {func(p *place, _ *Patient) { p.unseen() },
			"user of the sidecar", Good, "1337, whose traffic the rules let pass", ""},
		"a sidecar ignored by its group": {func(p *place, _ *Patient) {
			p.tables[0].InForce.IgnoredUIDs, p.tables[0].InForce.IgnoredGIDs = nil, []uint32{1337}
		}, "user of the sidecar", Good, "group 1337", ""},
		"an app of the sidecar's user": {func(p *place, _ *Patient) {
			p.gone(8080)
			p.process(8, "app", 1337, 1)
			p.listen("0.0.0.0:8080", 8, 1337)
		},
			"user of the app", Wrong, "app (pid 8, user 1337) on port 8080", "another user"},
		"the egress port taken":      {func(p *place, _ *Patient) { p.nginx() }, "port 15001 (outgoing)", Wrong, "taken by nginx (pid 9, user 0), which is no sidecar", "--egress-addr"},
		"the ingress port not bound": {func(p *place, _ *Patient) { p.gone(15000) }, "port 15000 (incoming)", Wrong, "nobody listens", "--ingress-addr"},
		"ports free":                 {func(p *place, _ *Patient) { p.noRules(); p.noSidecar() }, "port 15001 (outgoing)", Good, "free", ""},
		"an app that is not there":   {func(p *place, _ *Patient) { p.gone(8080) }, "app at 127.0.0.1:8080", Doubtful, "nobody listens", "start the app"},
		"an app on the task's address": {func(p *place, _ *Patient) { p.gone(8080); p.listen("10.0.0.9:8080", 8, 1000) },
			"app at 127.0.0.1:8080", Wrong, "listens on 10.0.0.9:8080 only", "--app-addr 10.0.0.9"},
		"an app on all of IPv6": {func(p *place, _ *Patient) { p.gone(8080); p.listen("[::]:8080", 8, 1000) },
			"app at 127.0.0.1:8080", Good, "[::]:8080: app (pid 8", ""},
		"a packet filter": {func(p *place, _ *Patient) { p.world = os.ErrDeadlineExceeded },
			"redirect", Wrong, "not taken: i/o timeout", "-t raw"},
		"a packet filter, in short": {func(p *place, _ *Patient) { p.world = os.ErrDeadlineExceeded },
			"way in", Wrong, "direct works, redirect does not", "-t raw"},
		"a packet filter on loopback": {func(p *place, _ *Patient) { p.dropped = 15000 },
			"direct", Wrong, "127.0.0.1:15000: i/o timeout", "-t filter"},
		"two kinds of difference": {func(p *place, _ *Patient) {
			p.tables[0].Differences = []iptables.Difference{{Kind: iptables.ExtraRule, Found: "-A APPMESH_EGRESS -j X"}, {Kind: iptables.ExtraRule}, {Kind: iptables.ExtraChain}}
		}, "rules for IPv4", Wrong, "extra rule, extra chain: -A APPMESH_EGRESS -j X", "apply"},
		"a DNS server that is silent": {func(p *place, _ *Patient) { p.mute = true },
			"resolver", Wrong, "10.0.0.2: none of 2 names got an answer: server misbehaving", "port 53"},
		"a sidecar run by root without rules, that is tried": {func(p *place, _ *Patient) { p.runAs(0); p.noRules() },
			"redirect", Doubtful, "a connection to 192.0.2.1:9 was not taken", "apply"},
		"asked as the sidecar's user without rules": {func(p *place, _ *Patient) { p.uid = 1337; p.noRules() },
			"redirect", Doubtful, "a connection to 192.0.2.1:9 was not taken", "apply"},
		"a discovery name missing": {func(p *place, _ *Patient) { delete(p.names, "v1.test") },
			"name v1.test", Wrong, "no such name", "serviceDiscovery"},
		"a virtual service missing": {func(p *place, _ *Patient) { delete(p.names, "svc.local") },
			"name svc.local", Wrong, "no such name", "any address but loopback"},
		"a virtual service missing, dialled directly": {func(p *place, _ *Patient) { delete(p.names, "svc.local"); p.noRules() },
			"name svc.local", Doubtful, "no such name", ""},
		"a virtual service on loopback": {func(p *place, _ *Patient) { p.names["svc.local"] = []string{"127.0.0.1"} },
			"name svc.local", Wrong, "127.0.0.1", "any other address"},
		"a discovery name on loopback": {func(p *place, _ *Patient) { p.names["v1.test"] = []string{"::1"} },
			"name v1.test", Doubtful, "::1", ""},
		"no resolver":           {func(p *place, _ *Patient) { delete(p.files, "etc/resolv.conf") }, "resolver", Doubtful, "does not exist", ""},
		"a sidecar that drains": {func(p *place, _ *Patient) { p.state(503, "DRAINING") }, "admin page", Wrong, "DRAINING", "health --wait"},
		"no admin page":         {func(p *place, _ *Patient) { p.gone(9901) }, "admin page", Wrong, "connection refused", "--admin"},
		"an admin page on the second of its addresses": {func(p *place, q *Patient) {
			q.Admin.Addrs.V = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:9902"), netip.MustParseAddrPort("127.0.0.1:9901")}
			p.closed[9902] = true
		}, "admin page", Good, "LIVE", ""},
		"somebody else's page": {func(p *place, _ *Patient) { p.page["/server_info"] = answer{status: 404} }, "admin page", Wrong, "404", ""},
		"another node's sidecar": {func(p *place, q *Patient) { q.Snapshot.Resource.Name = "back" },
			"resource", Doubtful, "stands for mesh/m/virtualNode/front", "--node"},
		"few files": {func(p *place, _ *Patient) {
			p.write(fmt.Sprintf("proc/%d/limits", sidecarPID), "Max open files            256                 512                files     \n")
		}, "open files", Wrong, "512 may be open at once (soft limit 256), of the sidecar", "ulimits"},
		"not many files": {func(p *place, _ *Patient) { p.noSidecar() }, "open files", Doubtful, "4096 may be open at once (soft limit 1024), of doctor", "ulimits"},
		"any files": {func(p *place, _ *Patient) {
			p.write(fmt.Sprintf("proc/%d/limits", sidecarPID), "Max open files   unlimited unlimited files\n")
		}, "open files", Good, "any number", ""},
		"a small table of connections": {func(p *place, _ *Patient) { p.write("proc/sys/net/netfilter/nf_conntrack_max", "4096\n") }, "tracked connections", Doubtful, "12 of 4096", "nf_conntrack_max"},
		"a full table of connections":  {func(p *place, _ *Patient) { p.write("proc/sys/net/netfilter/nf_conntrack_count", "262000\n") }, "tracked connections", Wrong, "262000 of 262144", "nf_conntrack_max"},
		"ports within the dynamic ones": {func(p *place, _ *Patient) { p.write("proc/sys/net/ipv4/ip_local_port_range", "1024\t65535\n") },
			"dynamic ports", Doubtful, "1024 to 65535", "ip_local_reserved_ports=15000"},
		"few dynamic ports": {func(p *place, _ *Patient) { p.write("proc/sys/net/ipv4/ip_local_port_range", "60000\t61000\n") }, "dynamic ports", Doubtful, "60000 to 61000", "32768"},
		"little memory": {func(p *place, _ *Patient) {
			p.write("proc/self/cgroup", "0::/\n")
			p.write("sys/fs/cgroup/memory.max", "33554432\n")
		}, "CPU and memory", Doubtful, "memory up to 28 MiB", "raise"},
		"a warning": {func(p *place, q *Patient) {
			q.Warnings = []config.Warning{{Severity: mesh.Warning, Variable: "APPMESH_X", Message: "no such variable"}}
		}, "environment", Doubtful, "APPMESH_X: no such variable", ""},
		"a variable refused": {func(p *place, q *Patient) {
			q.Refused = &config.UsageError{Problems: []string{"ENVOY_CONCURRENCY: no number"}}
		},
			"environment", Wrong, "ENVOY_CONCURRENCY", ""},
		"no documents":  {func(p *place, q *Patient) { q.Snapshot, q.NoSnapshot = nil, "none given" }, "documents", Unseen, "none given", "--mesh"},
		"bad documents": {func(p *place, q *Patient) { q.Snapshot, q.NoSnapshot, q.Errors = nil, "2 errors", 2 }, "documents", Wrong, "2 errors", "validate"},
		"a gateway":     {gatewayOn(80), "way in: gateway port 80", Good, "held by outrider", ""},
		"a gateway with rules": {func(p *place, q *Patient) {
			rules := slices.Clone(p.tables)
			gatewayOn(80)(p, q)
			p.tables = rules
		}, "rules", Doubtful, "is intercepted", "remove"},
		"a gateway that is not there": {func(p *place, q *Patient) { gatewayOn(80)(p, q); p.noSidecar(); p.gone(80) },
			"way in: gateway port 80", Wrong, "nobody listens", "NET_BIND_SERVICE"},
	} {
		t.Run(name, func(t *testing.T) {
			p, q := wellDone(), patient()
			if c.change != nil {
				c.change(p, &q)
			}
			all := Examine(t.Context(), p.machine(), q)
			found := false
			for _, f := range all {
				if f.About != c.about {
					continue
				}
				found = true
				if f.Verdict != c.want || !strings.Contains(f.Seen, c.seen) || !strings.Contains(f.Fix, c.fix) {
					t.Errorf("got %+v", f)
				}
			}
			if !found || c.want == Wrong && Worst(all) != Wrong || name == "nothing" && len(all) != tally(all)[Good] {
				t.Errorf("all: %+v", all)
			}
			for _, f := range all {
				if f.Verdict == Wrong && (f.Why == "" || f.Fix == "") && f.About != "names" {
					t.Errorf("wrong without a reason or a fix: %+v", f)
				}
			}
			if p.tried > 1 {
				t.Errorf("tried %d times", p.tried)
			}
		})
	}
}

func (p *place) noRules() {
	p.world = syscall.EHOSTUNREACH
	for i := range p.tables {
		p.tables[i].InForce = iptables.InForce{}
		p.tables[i].Differences = []iptables.Difference{{Kind: iptables.NotIntercepted}}
	}
}

func (p *place) noRulesFor6() {
	p.tables[1].InForce = iptables.InForce{}
	p.tables[1].Differences = []iptables.Difference{{Kind: iptables.NotIntercepted}}
}

func (p *place) noSidecar() { p.gone(15000, 15001, 9901) }

// nginx has the egress port.
func (p *place) nginx() {
	p.gone(15001)
	clear(p.closed)
	p.process(9, "nginx", 0, 0)
	p.listen("0.0.0.0:15001", 9, 0)
}

func (p *place) runAs(uid uint32) {
	p.noSidecar()
	p.process(sidecarPID, "outrider", uid, uid)
	for _, at := range []string{"0.0.0.0:15000", "127.0.0.1:15001", "0.0.0.0:9901"} {
		p.listen(at, sidecarPID, uid)
	}
	clear(p.closed)
}

// unseen puts the sidecar into a process namespace of its own.
func (p *place) unseen() {
	p.noSidecar()
	for _, at := range []string{"0.0.0.0:15000", "127.0.0.1:15001", "0.0.0.0:9901"} {
		p.listen(at, 0, 1337)
	}
	clear(p.closed)
}

func (p *place) state(status int, state string) {
	p.page["/ready"] = answer{status: status, text: state + "\n"}
	p.page["/server_info"] = answer{status: 200, text: `{"state": "` + state + `"}`}
}

func gatewayOn(port uint16) func(*place, *Patient) {
	return func(p *place, q *Patient) {
		p.noRules()
		p.listen(fmt.Sprintf("0.0.0.0:%d", port), sidecarPID, 1337)
		q.Snapshot = &mesh.Snapshot{Resource: mesh.Resource{Mesh: "m", Name: "front", Kind: mesh.VirtualGateway}, Inbound: []*mesh.Listener{{Port: port}}}
	}
}

// Nobody said which rules there ought to be, and those of ECS let more pass than the flags do by themselves: they are
// as they should be, and no fix may take away what they hold.
func TestRulesOfOthersAreThePlanWhereNobodyAskedForAny(t *testing.T) {
	p, q := wellDone(), patient()
	q.Snapshot, q.NoSnapshot, q.Rules.AppPorts, q.Rules.IngressPort = nil, "none given", nil, 0
	for i := range p.tables {
		p.tables[i].InForce.EgressIgnoredPorts = []uint16{22, 2049}
		p.tables[i].InForce.EgressIgnoredIPs = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("169.254.170.2/32")}
	}
	m := p.machine()
	const want = "outrider iptables apply --app-ports 8080 --egress-ignored-ports 22,2049 --egress-ignored-ips 10.0.0.0/8"
	m.Verify = func(_ context.Context, cfg iptables.Config) ([]iptables.Comparison, error) {
		p.tables[0].Differences = []iptables.Difference{{Kind: iptables.ExtraRule, Found: "-A APPMESH_EGRESS -j X"}}
		if cfg.Command("apply") == want {
			p.tables[0].Differences = []iptables.Difference{{Kind: iptables.MissingJump, Expected: "-A OUTPUT -j APPMESH_EGRESS"}}
		}
		return p.tables, nil
	}
	for _, f := range Examine(t.Context(), m, q) {
		if f.About == "rules for IPv4" && (!strings.HasPrefix(f.Seen, "missing jump") || f.Fix != want) {
			t.Errorf("got %+v", f)
		}
	}
	q.RulesAsked = true
	for _, f := range Examine(t.Context(), m, q) {
		if f.About == "rules for IPv4" && !strings.HasPrefix(f.Seen, "extra rule") {
			t.Errorf("asked for, got %+v", f)
		}
	}
}

// A connection into a circle would go round until it is closed: it is not made.
func TestNothingIsTriedThatWouldRunInACircle(t *testing.T) {
	p := wellDone()
	p.runAs(0)
	Examine(t.Context(), p.machine(), patient())
	if p.tried > 0 {
		t.Error("it was tried")
	}
}

// However many names never answer, all is over after the time for all.
func TestLookingNamesUpIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, q := wellDone(), patient()
		for i := range 200 {
			host := fmt.Sprintf("n%d.test", i)
			p.names[host] = []string{"never"}
			q.Snapshot.Clusters = append(q.Snapshot.Clusters, &mesh.Cluster{Discovery: mesh.Discovery{Kind: mesh.CloudMap, Host: host}})
		}
		c := &chart{machine: p.machine(), patient: &q}
		all := c.names(t.Context())
		n, text := tally(all), fmt.Sprint(all)
		if n[Wrong] != mostNames+1 || !strings.Contains(text, "no answer within 2s") || !strings.Contains(text, "more do not resolve") || !strings.Contains(text, "were not asked for") {
			t.Errorf("%v\n%s", n, text)
		}
	})
}

func TestTheReportFitsTheTerminal(t *testing.T) {
	p, q := wellDone(), patient()
	p.runAs(0)
	p.noRulesFor6()
	delete(p.names, "svc.local")
	q.Snapshot.Inbound[0].VirtualHosts[0].Routes[0].Targets[0].Cluster.Discovery.Addrs[0] = netip.MustParseAddrPort("127.0.0.1:8081")
	all := Examine(t.Context(), p.machine(), q)
	var b strings.Builder
	if err := WriteText(terminal.New(&b, func(string) string { return "" }), all); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if len(line) > terminal.Width+1 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	wrong, good := strings.Index(b.String(), "wrong\n"), strings.Index(b.String(), "\ngood\n")
	if wrong != 0 || good < wrong || !strings.Contains(b.String(), "    fix  ") {
		t.Errorf("got\n%s", b.String())
	}
	b.Reset()
	if err := WriteJSON(&b, all); err != nil || !strings.Contains(b.String(), `"verdict": "wrong"`) || !strings.Contains(b.String(), `"about": "way in"`) {
		t.Errorf("%v\n%s", err, b.String())
	}
}

func TestErrorsAreToldByTheirEnd(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&net.OpError{Op: "dial", Net: "tcp4", Err: syscall.ECONNREFUSED}, "connection refused"},
		{errors.New("plain"), "plain"}, {nil, ""},
	} {
		if got := plain(c.err); got != c.want {
			t.Errorf("%v: %q", c.err, got)
		}
	}
}

func FuzzSockets(f *testing.F) {
	f.Add("   0: 0100007F:3A99 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1337        0 12345 1\n")
	f.Add("   1: 00000000000000000000000001000000:3A99 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 1 1\n")
	f.Add("a b c d e f g h i j\n: : : :\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range parseSockets(text) {
			if !s.local.IsValid() || !s.remote.IsValid() {
				t.Fatalf("%q gives %+v", text, s)
			}
		}
	})
}

func TestSocketsAreRead(t *testing.T) {
	all := parseSockets("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
		"   0: 0100007F:3A99 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1337        0 12345 1\n" +
		"   1: 00000000000000000000000001000000:3A99 0000000000000000FFFF00000100007F:1F90 01 0:0 0:0 0 0 0 99 1\n")
	if len(all) != 2 || all[0].local.String() != "127.0.0.1:15001" || !all[0].listens || all[0].uid != 1337 || all[0].inode != "12345" ||
		all[1].local.String() != "[::1]:15001" || all[1].remote.String() != "127.0.0.1:8080" || all[1].listens {
		t.Errorf("got %+v", all)
	}
}

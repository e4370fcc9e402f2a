package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// setting is a flag and its OUTRIDER_ variable.
type setting struct {
	flag string
	// arg names the value in the help; empty for a boolean.
	arg  string
	help string
	// join stands between the values of a flag given several times; empty lets
	// the last count.
	join string
	// private keeps the text out of complaints about it.
	private bool
	set     func(p *parser, text, from string) error
}

// variable is the setting's own environment variable.
func (s setting) variable() string {
	return "OUTRIDER_" + strings.ToUpper(strings.ReplaceAll(s.flag, "-", "_"))
}

// inlineVariable has no flag: documents do not belong on a command line.
const inlineVariable = "OUTRIDER_MESH_INLINE"

// maxProcs bounds --concurrency: more threads than that are a typing mistake.
const maxProcs = 1024

// adminFlag is the one flag that others than `outrider run` have, too.
const adminFlag = "admin-addr"

// settings are all flags, in the order of the help.
var settings = slices.Concat(generalSettings, http2Settings)

var generalSettings = []setting{
	{flag: "mesh", arg: "PATHS", join: ",",
		help: "App Mesh documents: files, directories, globs; repeat or separate by commas (/etc/outrider/mesh)",
		set:  into(func(r *Run) *Value[[]string] { return &r.Documents.Paths }, list)},
	{flag: "param", arg: "NAME=VALUE", join: "\n", private: true,
		help: "a parameter of CloudFormation templates, also AWS::Region, RESOURCE or RESOURCE.ATTRIBUTE; repeat, in the variable one per line",
		set:  into(func(r *Run) *Value[map[string]string] { return &r.Documents.Params }, assignments)},
	{flag: "import", arg: "NAME=VALUE", join: "\n", private: true,
		help: "what another CloudFormation stack exports, for ImportValue; repeat, in the variable one per line",
		set:  into(func(r *Run) *Value[map[string]string] { return &r.Documents.Imports }, assignments)},
	{flag: "node", arg: "RESOURCE",
		help: "what to stand for: mesh/MESH/virtualNode/NODE, mesh/MESH/virtualGateway/GATEWAY, or its ARN (APPMESH_RESOURCE_ARN; APPMESH_RESOURCE_NAME; APPMESH_VIRTUAL_NODE_NAME)",
		set:  func(p *parser, text, from string) error { return p.setResource(text, from) }},
	{flag: "endpoints", arg: "FILE",
		help: "static endpoints by discovery name, instead of DNS, for tests and laptops",
		set:  into(func(r *Run) *Value[string] { return &r.Documents.Endpoints }, text)},
	{flag: "ingress-addr", arg: "ADDRS",
		help: "where redirected inbound connections arrive: ip:port or :port, separated by commas (:15000)",
		set:  into(func(r *Run) *Value[[]netip.AddrPort] { return &r.Listen.Ingress }, addresses)},
	{flag: "egress-addr", arg: "ADDRS",
		help: "where redirected outbound connections arrive (127.0.0.1:15001,[::1]:15001)",
		set:  into(func(r *Run) *Value[[]netip.AddrPort] { return &r.Listen.Egress }, addresses)},
	{flag: "app-addr", arg: "IP",
		help: "address of the local app (127.0.0.1, or ::1 as the documents say)",
		set:  into(func(r *Run) *Value[netip.Addr] { return &r.Listen.App }, address)},
	{flag: "forwarded", arg: "WORD",
		help: "X-Forwarded-For and -Proto of what comes in: off, append (this is the edge), or behind=N (N proxies such as an ALB before it) (off)",
		set:  into(func(r *Run) *Value[Forwarded] { return &r.Listen.Forwarded }, parseForwarded)},
	{flag: adminFlag, arg: "ADDRS",
		help: "admin interface: ip:port, or unix:///path (127.0.0.1:9901; 0.0.0.0:9901 when APPMESH_ variables are set; ENVOY_ADMIN_MODE; ENVOY_ADMIN_ACCESS_PORT; ENVOY_ADMIN_ACCESS_ENABLE_IPV6)",
		set:  func(p *parser, text, from string) error { return p.setAdmin(text, from) }},
	{flag: "admin-open",
		help: "let peers that are not loopback use the whole admin interface, not only ready, server_info and stats",
		set:  into(func(r *Run) *Value[bool] { return &r.Admin.Open }, boolean)},
	{flag: "concurrency", arg: "N",
		help: "threads that work at once (as many as cgroup, affinity and ECS task allow; ENVOY_CONCURRENCY)",
		set:  into(func(r *Run) *Value[int] { return &r.Runtime.Procs }, integer(1, maxProcs))},
	{flag: "log-level", arg: "LEVEL",
		help: "trace, debug, info, warning, error, critical or off (info; ENVOY_LOG_LEVEL)",
		set:  into(func(r *Run) *Value[Level] { return &r.Log.Level }, ParseLevel)},
	{flag: "log-format", arg: "FORMAT",
		help: "text, in Envoy's shape, or json (text)",
		set:  into(func(r *Run) *Value[Format] { return &r.Log.Format }, parseFormat)},
	{flag: "drain-time", arg: "DURATION",
		help: "longest wait between SIGTERM and the end (20s; LISTENER_DRAIN_WAIT_TIME_S)",
		set:  into(func(r *Run) *Value[time.Duration] { return &r.Drain.Time }, duration(0, time.Hour))},
	{flag: "drain-wait-app",
		help: "let the drain end early only once the app's ports refuse connections (true)",
		set:  into(func(r *Run) *Value[bool] { return &r.Drain.WaitApp }, boolean)},
	{flag: "retry-unsafe",
		help: "retry non-idempotent requests by the default policy, too, as App Mesh did",
		set:  into(func(r *Run) *Value[bool] { return &r.Retry.Unsafe }, boolean)},
	{flag: "retry-budget", arg: "PERCENT",
		help: "retries allowed for each hundred active requests; 0 or off: no budget (20)",
		set:  into(func(r *Run) *Value[int] { return &r.Retry.BudgetPercent }, percent)},
	{flag: "retry-budget-min", arg: "N",
		help: "retries that the budget always allows at once (3)",
		set:  into(func(r *Run) *Value[int] { return &r.Retry.BudgetMin }, integer(0, 1<<20))},
	{flag: "retry-buffer", arg: "BYTES",
		help: "how much of a request body is kept while a retry is possible, like 65536, 64KiB, 1MiB (64KiB)",
		set:  into(func(r *Run) *Value[int] { return &r.Retry.Buffer }, byteCount(0, 16<<20))},
	{flag: "dns-refresh", arg: "DURATION",
		help: "time between two lookups of a name (5s)",
		set:  into(func(r *Run) *Value[time.Duration] { return &r.DNS.Refresh }, duration(100*time.Millisecond, time.Hour))},
	{flag: "dns-empty-keep", arg: "DURATION",
		help: "how long endpoints stay when their name is gone or its answer empty (60s)",
		set:  into(func(r *Run) *Value[time.Duration] { return &r.DNS.EmptyKeep }, duration(0, 24*time.Hour))},
	{flag: "live-timeout", arg: "DURATION",
		help: "how long LIVE waits for the first lookup of every name (5s)",
		set:  into(func(r *Run) *Value[time.Duration] { return &r.DNS.LiveTimeout }, duration(0, time.Hour))},
}

// into parses a text and puts it where it belongs.
func into[T any](at func(*Run) *Value[T], parse func(string) (T, error)) func(*parser, string, string) error {
	return func(p *parser, text, from string) error {
		v, err := parse(text)
		if err != nil {
			return err
		}
		*at(p.run) = Value[T]{v, from}
		return nil
	}
}

// RunUsage is the help text of `outrider run`.
func RunUsage() string {
	var b strings.Builder
	b.WriteString("usage: outrider run [flags]\n\n" +
		"Serves as the sidecar of one App Mesh virtual node, or as a virtual gateway. Each flag --some-flag may be\n" +
		"given as variable OUTRIDER_SOME_FLAG instead; the variables of an App Mesh task\n" +
		"work too. Documents may also be text in " + inlineVariable + " (or gzip in base64).\n\n")
	for _, s := range settings {
		name := "--" + s.flag
		if s.arg != "" {
			name += " " + s.arg
		}
		if len(name) > 26 {
			fmt.Fprintf(&b, "  %s\n", name)
			name = ""
		}
		fmt.Fprintf(&b, "  %-26s %s\n", name, s.help)
	}
	fmt.Fprintf(&b, "  %-26s %s\n", "--version", "print the version and end")
	return b.String()
}

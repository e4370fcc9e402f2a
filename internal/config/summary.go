package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// Summary gives one line "name=value (source)" for every setting that is in
// force, named as its flag. Documents given inline appear as a size only,
// parameters and imports by name.
func (r *Run) Summary() []string {
	var s summary
	add(&s, "mesh", r.Documents.Paths, func(v []string) string { return strings.Join(v, ",") })
	add(&s, "mesh-inline", r.Documents.Inline, func(v string) string { return fmt.Sprintf("%d bytes", len(v)) })
	add(&s, "param", r.Documents.Params, nameList)
	add(&s, "import", r.Documents.Imports, nameList)
	add(&s, "endpoints", r.Documents.Endpoints, plain)
	add(&s, "node", r.Resource.Name, plain)
	add(&s, "node-cluster", r.Resource.Cluster, plain)
	if r.Resource.Name.V.Kind != mesh.VirtualGateway {
		add(&s, "ingress-addr", r.Listen.Ingress, joined)
		add(&s, "egress-addr", r.Listen.Egress, joined)
	}
	if r.Listen.App.V.IsValid() {
		add(&s, "app-addr", r.Listen.App, plain)
	}
	add(&s, "forwarded", r.Listen.Forwarded, plain)
	add(&s, "admin-addr", r.Admin.Addrs, joined)
	add(&s, "admin-addr", r.Admin.Socket, func(path string) string { return "unix://" + path })
	add(&s, "admin-open", r.Admin.Open, plain)
	add(&s, "log-level", r.Log.Level, plain)
	add(&s, "log-format", r.Log.Format, plain)
	add(&s, "drain-time", r.Drain.Time, plain)
	add(&s, "drain-wait-app", r.Drain.WaitApp, plain)
	add(&s, "retry-unsafe", r.Retry.Unsafe, plain)
	add(&s, "retry-budget", r.Retry.BudgetPercent, budgetText)
	add(&s, "retry-budget-min", r.Retry.BudgetMin, plain)
	add(&s, "retry-buffer", r.Retry.Buffer, plain)
	add(&s, "dns-refresh", r.DNS.Refresh, plain[time.Duration])
	add(&s, "dns-empty-keep", r.DNS.EmptyKeep, plain)
	add(&s, "live-timeout", r.DNS.LiveTimeout, plain)
	r.HTTP2.summary(&s)
	add(&s, "max-requests-per-connection", r.Upstream.MaxRequestsPerConnection, plain)
	add(&s, "max-unfinished-uploads", r.Upstream.MaxUnfinishedUploads, plain)
	add(&s, "grpc-timeout", r.Upstream.GRPCTimeout, plain)
	if r.Runtime.Procs.V > 0 {
		add(&s, "concurrency", r.Runtime.Procs, plain)
	}
	return s
}

type summary []string

// add leaves out what nobody has set.
func add[T any](s *summary, name string, v Value[T], show func(T) string) {
	if v.From != "" {
		*s = append(*s, name+"="+show(v.V)+" ("+v.From+")")
	}
}

// nameList leaves values out.
func nameList(v map[string]string) string {
	return strings.Join(slices.Sorted(maps.Keys(v)), ",")
}

func plain[T any](v T) string { return fmt.Sprint(v) }

func joined[T fmt.Stringer](v []T) string {
	var parts []string
	for _, part := range v {
		parts = append(parts, part.String())
	}
	return strings.Join(parts, ",")
}

func budgetText(percent int) string {
	if percent == 0 {
		return "off"
	}
	return fmt.Sprintf("%d%%", percent)
}

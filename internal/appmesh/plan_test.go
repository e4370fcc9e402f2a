package appmesh

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// plan writes a snapshot as text for golden files: everything a sidecar is
// told, one decision on a line, and where it came from.
func plan(s *mesh.Snapshot) string {
	if s == nil {
		return "no snapshot\n"
	}
	b := &strings.Builder{}
	fmt.Fprintf(b, "%s egress %s preference %s\n", s.Resource, s.Egress, s.Preference)
	if l := s.AccessLog; l != nil {
		fmt.Fprintf(b, "access log %q text %q json %q (%s)\n", l.Path, l.Text, l.JSON, l.Origin)
	}
	for _, l := range append(append([]*mesh.Listener{}, s.Inbound...), s.Outbound...) {
		planListener(b, l)
	}
	for _, c := range s.Clusters {
		planCluster(b, c)
	}
	return b.String()
}

func planListener(b *strings.Builder, l *mesh.Listener) {
	fmt.Fprintf(b, "\n%s %d %s (%s)\n", l.Direction, l.Port, l.Protocol, l.Origin)
	if t := l.TLS; t != nil {
		fmt.Fprintf(b, "  tls %s certificate %q trust %v names %v (%s)\n", t.Mode, t.Certificate, t.ClientTrust, t.ClientNames, t.Origin)
	}
	if l.Refuse != "" {
		fmt.Fprintf(b, "  refused: %s\n", l.Refuse)
	}
	if l.Protocol == mesh.TCP {
		fmt.Fprintf(b, "  to %s idle %s\n", planTargets(l.Targets), planTimeout(l.IdleTimeout))
	}
	if l.Gate != nil {
		fmt.Fprintf(b, "  gate %s any port %v\n", l.Gate.Name, l.AnyPort)
	}
	var services []*mesh.VirtualHost
	for i := range l.VirtualHosts {
		services = append(services, planHost(b, "host", &l.VirtualHosts[i])...)
	}
	slices.SortFunc(services, func(a, b *mesh.VirtualHost) int { return cmp.Compare(planService(a), planService(b)) })
	for _, h := range slices.Compact(services) {
		planHost(b, "service", h)
	}
}

// planHost writes a host, and returns the services that its routes lead to.
func planHost(b *strings.Builder, what string, h *mesh.VirtualHost) (services []*mesh.VirtualHost) {
	fmt.Fprintf(b, "  %s %s %q (%s)\n", what, h.Name, h.Domains, h.Origin)
	for _, r := range h.Routes {
		fmt.Fprintf(b, "    route %q %s (%s)\n", r.Name, planMatch(r.Match), r.Origin)
		if r.Service != nil {
			services = append(services, r.Service)
			fmt.Fprintf(b, "      rewrite %s (%s)\n      to service %s\n", r.Rewrite, r.Rewrite.Origin, planService(r.Service))
			if r.Rewrite.Service != r.Service.Name || len(r.Targets) > 0 || r.Timeout != (mesh.Timeout{}) || r.Idle != (mesh.Timeout{}) || r.Retry != nil || r.Refuse != "" {
				fmt.Fprintf(b, "      and what no gateway route has: %+v %+v\n", r, r.Rewrite)
			}
			continue
		}
		fmt.Fprintf(b, "      to %s\n      timeout %s idle %s\n", planTargets(r.Targets), planTimeout(r.Timeout), planTimeout(r.Idle))
		if r.Refuse != "" {
			fmt.Fprintf(b, "      refused: %s\n", r.Refuse)
		}
		if p := r.Retry; p != nil {
			fmt.Fprintf(b, "      retry %d per try %s on %03b codes %v grpc %b explicit %v backoff %s..%s (%s)\n",
				p.MaxRetries, p.PerTryTimeout, p.On, p.StatusCodes, p.GRPCStatus, p.Explicit, p.BackoffBase, p.BackoffMax, p.Origin)
		}
	}
	return services
}

// planService names a service by its first route's place too, since one may be
// reached on several ports.
func planService(h *mesh.VirtualHost) string {
	if len(h.Routes) == 0 {
		return h.Name + " without routes"
	}
	return h.Name + " " + h.Routes[0].Origin.String()
}

func planMatch(m mesh.Match) string {
	var parts []string
	for _, p := range []struct{ name, value string }{{"prefix", m.Prefix}, {"exact", m.Exact}, {"regex", m.Regex}, {"method", m.Method}, {"scheme", m.Scheme}} {
		if p.value != "" {
			parts = append(parts, p.name+" "+p.value)
		}
	}
	if m.GRPC {
		parts = append(parts, "grpc")
	}
	for _, h := range m.Headers {
		parts = append(parts, fmt.Sprintf("header %s kind %d %q [%d,%d) invert %v", h.Name, h.Kind, h.Value, h.Start, h.End, h.Invert))
	}
	for _, q := range m.Query {
		parts = append(parts, fmt.Sprintf("query %s kind %d %q", q.Name, q.Kind, q.Value))
	}
	return strings.Join(parts, ", ")
}

func planTargets(ts []mesh.Target) string {
	var parts []string
	for _, t := range ts {
		parts = append(parts, fmt.Sprintf("%s*%d", t.Cluster.Name, t.Weight))
	}
	return strings.Join(parts, " ")
}

func planTimeout(t mesh.Timeout) string { return fmt.Sprintf("%s (%s)", t.Value, t.Origin) }

func planCluster(b *strings.Builder, c *mesh.Cluster) {
	fmt.Fprintf(b, "\ncluster %s %s node %q connect %s (%s)\n", c.Name, c.Protocol, c.Node, c.ConnectTimeout, c.Origin)
	d := c.Discovery
	kind := [...]string{"none", "static", "logical dns", "strict dns", "cloud map", "original destination"}[d.Kind]
	fmt.Fprintf(b, "  %s %q port %d preference %s addrs %v\n", kind, d.Host, d.Port, d.Preference, d.Addrs)
	if c.Limits != (mesh.Limits{}) {
		fmt.Fprintf(b, "  limits %+v\n", c.Limits)
	}
	if h := c.HealthCheck; h != nil {
		fmt.Fprintf(b, "  health check %s %q port %d every %s timeout %s healthy %d unhealthy %d (%s)\n",
			h.Protocol, h.Path, h.Port, h.Interval, h.Timeout, h.Healthy, h.Unhealthy, h.Origin)
	}
	if o := c.Outlier; o != nil {
		fmt.Fprintf(b, "  outliers %d in %s eject %s at most %d%% (%s)\n", o.MaxServerErrors, o.Interval, o.BaseEjectionDuration, o.MaxEjectionPercent, o.Origin)
	}
	if t := c.TLS; t != nil {
		fmt.Fprintf(b, "  tls enforce %v certificate %q trust %v names %v (%s)\n", t.Enforce, t.Certificate, t.Trust, t.Names, t.Origin)
	}
	if c.Refuse != "" {
		fmt.Fprintf(b, "  refused: %s\n", c.Refuse)
	}
}

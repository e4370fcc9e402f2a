package admin

import (
	"cmp"
	"slices"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// A virtual gateway's routes are told as App Mesh's Envoy told them, which went
// through itself (App Mesh 2.5): rds_ingress_<protocol>_<port> rewrites and
// leads to the self_redirect cluster, rds_egress_<protocol>_15001 has the
// virtual services.

// gatewayAction is what a gateway route says beside a routeAction.
type gatewayAction struct {
	Cluster       string         `json:"cluster,omitempty"`
	PrefixRewrite *string        `json:"prefix_rewrite,omitempty"`
	PathRewrite   string         `json:"path_rewrite,omitempty"`
	HostRewrite   string         `json:"host_rewrite_literal,omitempty"`
	HeadersToAdd  []headerMember `json:"request_headers_to_add,omitempty"`
}

type headerMember struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// gatewayRouteOf is an entry of a gateway's listener. Its timeout is the longest
// among the routes that it leads to.
func gatewayRouteOf(r *mesh.Route, gate *mesh.Cluster) routeMember {
	out := routeMember{Name: r.Name, Match: matchOf(&r.Match), Refused: r.Refuse, Origin: r.Origin.String()}
	timeout, idle := longest(r.Service)
	out.Route = routeAction{Timeout: seconds(timeout), IdleTimeout: seconds(idle)}
	if gate != nil {
		out.Route.Cluster = gate.Name
	}
	if w := r.Rewrite; w != nil {
		out.Route.PrefixRewrite, out.Route.PathRewrite, out.Route.HostRewrite = w.Prefix, w.Path, w.Host
	}
	if out.Route.HostRewrite == "" {
		out.Route.HeadersToAdd = []headerMember{{"x-app-mesh-virtual-service", r.Service.Name}}
	}
	return out
}

// longest are the longest timeouts among a service's routes, where 0 is no
// limit; App Mesh's own where it has none.
func longest(service *mesh.VirtualHost) (timeout, idle time.Duration) {
	if len(service.Routes) == 0 {
		return 15 * time.Second, 300 * time.Second
	}
	timeout, idle = service.Routes[0].Timeout.Value, service.Routes[0].Idle.Value
	for _, r := range service.Routes[1:] {
		timeout, idle = longer(timeout, r.Timeout.Value), longer(idle, r.Idle.Value)
	}
	return timeout, idle
}

func longer(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return 0
	}
	return max(a, b)
}

// servicesOf are the virtual services behind a snapshot's gateway listeners, as
// route configurations of the port by which Envoy came back to itself.
func servicesOf(listeners []*mesh.Listener) (configs []routeConfig) {
	told := make(map[*mesh.VirtualHost]bool)
	at := make(map[mesh.Protocol]int)
	for _, l := range listeners {
		for i := range l.VirtualHosts {
			for _, r := range l.VirtualHosts[i].Routes {
				if r.Service == nil || told[r.Service] {
					continue
				}
				told[r.Service] = true
				n, known := at[l.Protocol]
				if !known {
					n = len(configs)
					at[l.Protocol] = n
					configs = append(configs, routeConfig{Name: "rds_egress_" + l.Protocol.String() + "_15001"})
				}
				configs[n].Hosts = append(configs[n].Hosts, virtualHostOf(r.Service, nil))
			}
		}
	}
	for _, c := range configs {
		slices.SortStableFunc(c.Hosts, func(a, b virtualHost) int { return cmp.Compare(a.Name, b.Name) })
	}
	return configs
}

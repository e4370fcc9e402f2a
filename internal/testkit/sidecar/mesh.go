package sidecar

import (
	"net/netip"
	"strconv"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// Cluster is a static cluster with the connect timeout of endpoints.
func Cluster(name string, addrs ...netip.AddrPort) *mesh.Cluster {
	return &mesh.Cluster{
		Name:           name,
		Discovery:      mesh.Discovery{Kind: mesh.Static, Addrs: addrs},
		ConnectTimeout: time.Second,
	}
}

// Named is a cluster whose endpoints come from Names.
func Named(name string, kind mesh.DiscoveryKind) *mesh.Cluster {
	return &mesh.Cluster{
		Name:           name,
		Discovery:      mesh.Discovery{Kind: kind, Host: name + ".local"},
		ConnectTimeout: time.Second,
	}
}

// Chosen is a cluster that connects to the address the app chose: suffix
// "_amazonaws" or "_mesh-allow-all".
func Chosen(suffix string) *mesh.Cluster {
	return &mesh.Cluster{
		Name:           "cds_egress_test" + suffix,
		Discovery:      mesh.Discovery{Kind: mesh.OriginalDst},
		ConnectTimeout: time.Second,
	}
}

// Route matches everything, shares it equally among the clusters, and has
// App Mesh's timeouts and default retries.
func Route(clusters ...*mesh.Cluster) mesh.Route {
	r := mesh.Route{
		Name:    "route",
		Match:   mesh.Match{Prefix: "/"},
		Timeout: mesh.Timeout{Value: 15 * time.Second},
		Idle:    mesh.Timeout{Value: 300 * time.Second},
		Retry:   mesh.DefaultRetry(),
	}
	for _, c := range clusters {
		r.Targets = append(r.Targets, mesh.Target{Cluster: c, Weight: 1})
	}
	return r
}

// Backend is the egress chain of one virtual service.
func Backend(service string, port uint16, routes ...mesh.Route) *mesh.Listener {
	return &mesh.Listener{
		Direction: mesh.Egress,
		Port:      port,
		VirtualHosts: []mesh.VirtualHost{{
			Name:    service,
			Domains: []string{service, service + ":" + strconv.Itoa(int(port))},
			Routes:  routes,
		}},
	}
}

// TCPBackend is the egress chain of a TCP service.
func TCPBackend(port uint16, clusters ...*mesh.Cluster) *mesh.Listener {
	l := &mesh.Listener{Direction: mesh.Egress, Port: port, Protocol: mesh.TCP}
	for _, c := range clusters {
		l.Targets = append(l.Targets, mesh.Target{Cluster: c, Weight: 1})
	}
	return l
}

// App is the ingress chain of the local app: every host, nothing retried.
func App(port uint16, c *mesh.Cluster) *mesh.Listener {
	r := Route(c)
	r.Name, r.Retry = "", nil
	c.ConnectTimeout = 250 * time.Millisecond
	return &mesh.Listener{
		Direction:    mesh.Ingress,
		Port:         port,
		VirtualHosts: []mesh.VirtualHost{{Name: "app", Domains: []string{"*"}, Routes: []mesh.Route{r}}},
	}
}

// Mesh is a snapshot of the chains, with the clusters they name. An access log
// is asked for.
func Mesh(chains ...*mesh.Listener) *mesh.Snapshot {
	snap := &mesh.Snapshot{
		Resource:  mesh.Resource{Mesh: "test", Name: "front"},
		AccessLog: &mesh.AccessLog{Path: "records"},
	}
	named := make(map[*mesh.Cluster]bool)
	add := func(targets []mesh.Target) {
		for _, t := range targets {
			if !named[t.Cluster] {
				named[t.Cluster] = true
				snap.Clusters = append(snap.Clusters, t.Cluster)
			}
		}
	}
	var addHost func(*mesh.VirtualHost)
	addHost = func(host *mesh.VirtualHost) {
		for _, r := range host.Routes {
			add(r.Targets)
			if r.Service != nil {
				addHost(r.Service)
			}
		}
	}
	for _, l := range chains {
		if l.Gate != nil {
			add([]mesh.Target{{Cluster: l.Gate}})
		}
		if l.Direction == mesh.Ingress {
			snap.Inbound = append(snap.Inbound, l)
		} else {
			snap.Outbound = append(snap.Outbound, l)
		}
		add(l.Targets)
		for i := range l.VirtualHosts {
			addHost(&l.VirtualHosts[i])
		}
	}
	return snap
}

// WithEgress adds the clusters that every compiled mesh has for traffic no
// backend covers.
func WithEgress(snap *mesh.Snapshot, filter mesh.EgressFilter) *mesh.Snapshot {
	snap.Egress = filter
	snap.Clusters = append(snap.Clusters, Chosen("_amazonaws"))
	if filter == mesh.AllowAll {
		snap.Clusters = append(snap.Clusters, Chosen("_mesh-allow-all"))
	}
	return snap
}

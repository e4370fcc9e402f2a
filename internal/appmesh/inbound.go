package appmesh

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// inbound compiles the chains of the ingress port: one for each listener of
// the node, straight to the local app on the same port (App Mesh 2.2).
func (c *compiler) inbound() {
	for i := range c.reach.self.ports {
		l := &c.reach.self.ports[i]
		local := c.localCluster(l)
		chain := &mesh.Listener{Direction: mesh.Ingress, Port: l.port, Protocol: l.protocol, TLS: serverTLS(l), Refuse: refusal(l), Origin: mesh.At(l.spec.at)}
		times := l.spec.get("timeout", l.protocol.String())
		targets := []mesh.Target{{Cluster: local, Weight: 1}}
		if l.protocol == mesh.TCP {
			chain.Targets, chain.IdleTimeout = targets, timeout(times.get("idle"), defaultIdle)
		} else {
			chain.VirtualHosts = []mesh.VirtualHost{{
				Name: local.Name, Domains: []string{"*"}, Origin: chain.Origin,
				Routes: []mesh.Route{{
					Match:   mesh.Match{Prefix: "/"},
					Targets: targets,
					Timeout: timeout(times.get("perRequest"), defaultPerRequest),
					Idle:    timeout(times.get("idle"), defaultIdle),
					Origin:  chain.Origin,
				}},
			}}
		}
		c.snapshot.Inbound = append(c.snapshot.Inbound, chain)
	}
	slices.SortFunc(c.snapshot.Inbound, byPort)
}

func byPort(a, b *mesh.Listener) int { return cmp.Compare(a.Port, b.Port) }

// refusal says why a node's listener cannot be served, or "".
func refusal(l *listener) string {
	if l.tls == "STRICT" {
		return "the listener demands TLS (STRICT), which is not done yet"
	}
	return ""
}

// appAddr is where the app listens. Decision: the node's own ipPreference
// counts before the mesh's, as it does for the node's callers.
func (c *compiler) appAddr() netip.Addr {
	if c.opt.AppHost.IsValid() {
		return c.opt.AppHost
	}
	if p := c.nodePreference(c.reach.self); p == mesh.IPv6Only || p == mesh.IPv6Preferred {
		return netip.IPv6Loopback()
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

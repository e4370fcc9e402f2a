package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// sidecarPorts says who holds the ports of the sidecar.
func (c *chart) sidecarPorts() (all []Finding) {
	if c.socketsErr != nil {
		return []Finding{{About: "ports", Verdict: Unseen, Seen: "who listens: " + c.socketsErr.Error(), Fix: "mount /proc"}}
	}
	_, runs := c.sidecar()
	ports := []struct {
		port uint16
		what string
		flag string
	}{{c.patient.Ingress, "incoming", "--ingress-addr, and ProxyIngressPort with it"}, {c.patient.Egress, "outgoing", "--egress-addr, and ProxyEgressPort with it"}, {c.adminPort(), "admin", "--admin-addr"}}
	for _, p := range ports {
		if p.port == 0 || c.patient.gateway() && p.what != "admin" {
			continue
		}
		f := Finding{About: fmt.Sprintf("port %d (%s)", p.port, p.what), Verdict: Good}
		sockets := c.listeners(p.port)
		switch {
		case len(sockets) == 0 && runs:
			f.Verdict, f.Seen = Wrong, "the sidecar runs, and nobody listens there"
			f.Why, f.Fix = "the sidecar was given another port, or is ending", "give it this one: "+p.flag
		case len(sockets) == 0:
			f.Seen = "free for a sidecar"
		default:
			c.held(&f, sockets, p.flag)
		}
		all = append(all, f)
	}
	return all
}

// held names the holders of a port; all of them have to be a sidecar.
func (c *chart) held(f *Finding, sockets []socket, flag string) {
	var names []string
	for _, s := range sockets {
		p := c.holder(s)
		if !c.isSidecar(p) {
			f.Verdict, f.Seen = Wrong, "taken by "+p.String()+", which is no sidecar"
			f.Why, f.Fix = "the sidecar cannot have it", "stop that process, or give the sidecar another port: "+flag
			return
		}
		names = append(names, p.String())
	}
	f.Seen = "held by " + strings.Join(slices.Compact(names), ", ")
}

// apps are the addresses where the sidecar dials the app: those of the documents, else the app ports of the rules.
func (c *chart) apps() (all []netip.AddrPort) {
	if c.patient.gateway() {
		return nil
	}
	if c.patient.Snapshot == nil {
		for _, port := range c.patient.Rules.AppPorts {
			all = append(all, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port))
		}
		return all
	}
	for _, l := range c.patient.Snapshot.Inbound {
		for _, t := range targets(l) {
			if t.Cluster != nil {
				all = append(all, t.Cluster.Discovery.Addrs...)
			}
		}
	}
	slices.SortFunc(all, netip.AddrPort.Compare)
	return slices.Compact(all)
}

func targets(l *mesh.Listener) []mesh.Target {
	all := slices.Clone(l.Targets)
	for _, h := range l.VirtualHosts {
		for _, r := range h.Routes {
			all = append(all, r.Targets...)
		}
	}
	return all
}

// appPorts says whether the app listens where the sidecar dials it.
func (c *chart) appPorts() (all []Finding) {
	if c.socketsErr != nil {
		return nil
	}
	for _, a := range c.apps() {
		f := Finding{About: "app at " + a.String(), Verdict: Good}
		sockets := c.listeners(a.Port())
		reached := slices.IndexFunc(sockets, func(s socket) bool { return serves(s.local.Addr(), a.Addr()) })
		switch {
		case len(sockets) == 0:
			f.Verdict, f.Seen = Doubtful, "nobody listens there"
			f.Why, f.Fix = "requests for the app get 503 until it does", "start the app, or correct the listener's port"
		case reached < 0:
			f.Verdict, f.Seen = Wrong, fmt.Sprintf("listens on %s only", sockets[0].local)
			f.Why = fmt.Sprintf("the sidecar dials %s", a)
			f.Fix = fmt.Sprintf("let the app listen on %s or on all addresses, or start the sidecar with --app-addr %s", a.Addr(), sockets[0].local.Addr())
		default:
			f.Seen = "listens on " + sockets[reached].local.String() + ": " + c.holder(sockets[reached]).String()
		}
		all = append(all, f)
	}
	return all
}

// serves: a socket bound to an address takes what is dialled. One on all IPv6 addresses is taken to take IPv4 too, as
// it does unless it was made otherwise, which cannot be seen.
func serves(bound, dialled netip.Addr) bool {
	return bound == dialled || bound == netip.IPv6Unspecified() || bound == netip.IPv4Unspecified() && dialled.Is4()
}

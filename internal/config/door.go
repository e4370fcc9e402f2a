package config

import "net/netip"

// A Door is where a client reaches an admin page: what it dials.
type Door struct{ Network, Address string }

// Doors are where a client on this host reaches the page, in the order in which
// to try them: they lead to one sidecar, and a host may lack the family of one.
func (a Admin) Doors() []Door {
	if a.Socket.V != "" {
		return []Door{{"unix", a.Socket.V}}
	}
	doors := make([]Door, len(a.Addrs.V))
	for i, addr := range a.Addrs.V {
		doors[i] = Door{"tcp", dialable(addr).String()}
	}
	return doors
}

// dialable is where a port bound to all addresses is reached.
func dialable(addr netip.AddrPort) netip.AddrPort {
	switch {
	case !addr.Addr().IsUnspecified():
		return addr
	case addr.Addr().Is6():
		return netip.AddrPortFrom(netip.IPv6Loopback(), addr.Port())
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), addr.Port())
}

package app

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/proxy"
)

// isGateway tells a virtual gateway. It has no app, no ports that anything is
// redirected to, and listens where its listeners say.
func (s *sidecar) isGateway() bool { return s.cfg.Resource.Name.V.Kind == mesh.VirtualGateway }

// gatewayBinds are the addresses of a gateway's listeners: all of IPv4, and all
// of IPv6 too when any ipPreference is set (App Mesh 2.2).
func (s *sidecar) gatewayBinds(snap *mesh.Snapshot) (binds []proxy.Bind) {
	for _, l := range snap.Inbound {
		bind := proxy.Bind{Direction: mesh.Ingress, Chain: l.Port, Addr: netip.AddrPortFrom(netip.IPv4Unspecified(), l.Port)}
		binds = append(binds, bind)
		if snap.Preference != mesh.AnyFamily {
			bind.Addr, bind.Optional = netip.AddrPortFrom(netip.IPv6Unspecified(), l.Port), true
			binds = append(binds, bind)
		}
	}
	return binds
}

// countPorts counts the ports that a change of documents has brought, or could
// not bring.
func (s *sidecar) countPorts(before []netip.AddrPort, err error) {
	if failed := new(net.OpError); errors.As(err, &failed) && failed.Op == "listen" {
		s.updates.ListenerFailed()
	}
	for _, addr := range s.server.Addrs(mesh.Ingress) {
		if !slices.Contains(before, addr) {
			s.updates.ListenerBound()
		}
	}
}

// explainBind says what to do about a port of ours that could not be bound.
func (s *sidecar) explainBind(err error) error {
	switch {
	case !s.isGateway():
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%w: ports below 1024 need the capability CAP_NET_BIND_SERVICE; "+
			"give it to the container, or the gateway's listener a port from 1024 on (on Fargate there is no other way) and let the load balancer map it", err)
	case errors.Is(err, syscall.EADDRINUSE) && s.hasPort(err):
		return fmt.Errorf("%w: the gateway has the port itself, for its admin page and a listener; "+
			"give one of them another (--admin-addr, ENVOY_ADMIN_ACCESS_PORT)", err)
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w: another process has the port; stop it, or give the gateway's listener (or --admin-addr) another one", err)
	}
	return explainBind(err)
}

// hasPort tells whether the port that could not be bound is one that we have.
func (s *sidecar) hasPort(err error) bool {
	failed := new(net.OpError)
	if !errors.As(err, &failed) {
		return false
	}
	port := portOf(failed.Addr)
	return port != 0 && (slices.ContainsFunc(s.adminListeners, func(l net.Listener) bool { return portOf(l.Addr()) == port }) ||
		slices.ContainsFunc(s.server.Addrs(mesh.Ingress), func(a netip.AddrPort) bool { return a.Port() == port }))
}

// portOf is the port of a TCP address; 0 of any other.
func portOf(a net.Addr) uint16 {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Port()
	}
	return 0
}

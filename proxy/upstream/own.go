package upstream

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/outrider-mesh/outrider/internal/sock"
)

// Own tells the manager on which addresses this process itself listens, so
// that it never dials itself: a request would go round for ever. It must be
// called before there is traffic to them.
func (m *Manager) Own(addrs []netip.AddrPort) { m.own.Store(&addrs) }

// dial connects to an address that is not ours.
func (m *Manager) dial(ctx context.Context, addr netip.AddrPort, timeout time.Duration) (*sock.Conn, error) {
	if listening := m.own.Load(); listening != nil {
		for _, own := range *listening {
			if own.Port() == addr.Port() && m.covers(own.Addr(), addr.Addr()) {
				return nil, fmt.Errorf("connecting to %s: that is this proxy itself", addr)
			}
		}
	}
	return sock.Dial(ctx, addr, timeout)
}

// covers tells whether a listener on own takes connections to addr. It is
// asked only for our own ports.
func (m *Manager) covers(own, addr netip.Addr) bool {
	if own == addr {
		return true
	}
	if !own.IsUnspecified() {
		return false
	}
	if addr.IsLoopback() || addr.IsUnspecified() {
		return true
	}
	local, err := net.InterfaceAddrs()
	if err != nil {
		return true // rather refuse than go round
	}
	for _, a := range local {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Unmap() == addr {
			return true
		}
	}
	return false
}

//go:build linux

package peers

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
)

// freeAddr finds a loopback address nobody listens on, below the range the kernel takes ports for outgoing connections
// from, so that ten thousand of those do not take it before its owner has started.
func freeAddr() (netip.AddrPort, error) {
	for range 100 {
		addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(20000+rand.IntN(12000)))
		l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(addr))
		if err != nil {
			continue
		}
		return addr, l.Close()
	}
	return netip.AddrPort{}, errors.New("no free port between 20000 and 32000 on 127.0.0.1")
}

//go:build linux

package e2e

import (
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
)

// network is 256 addresses of loopback that belong to one test.
type network [3]byte

var networks atomic.Uint32

// newNetwork draws a network that no other test of this process has, and probably none of another.
func newNetwork(t *testing.T) network {
	t.Helper()
	for range 50 {
		n := networks.Add(1)
		seed := uint32(os.Getpid())*2654435761 + n
		candidate := network{127, byte(1 + (seed>>8)%250), byte(1 + seed%250)}
		listener, err := net.Listen("tcp", candidate.at(1, 1).String())
		if err != nil {
			listener, err = net.Listen("tcp", candidate.at(1, 15000).String()) // not root: no port 1
		}
		if err == nil {
			t.Cleanup(func() { listener.Close() }) // taken as long as the test runs
			return candidate
		}
	}
	t.Fatal("no free network on loopback")
	return network{}
}

func (n network) at(host byte, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{n[0], n[1], n[2], host}), port)
}

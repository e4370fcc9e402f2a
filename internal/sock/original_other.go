//go:build !linux

package sock

import (
	"errors"
	"net/netip"
	"syscall"
)

// OriginalDst is known on Linux alone; elsewhere every connection is direct.
func (c *Conn) OriginalDst() (netip.AddrPort, bool) { return netip.AddrPort{}, false }

// PeerGone is known on Linux alone; elsewhere a client that left is noticed
// when its answer is written.
func (c *Conn) PeerGone() bool { return false }

// CutOff is known on Linux alone.
func (c *Conn) CutOff() bool { return false }

// Dead is known on Linux alone.
func (c *Conn) Dead() bool { return false }

// NoIPv6 tells from a listen error that the host has no IPv6 to listen on.
func NoIPv6(err error) bool {
	return errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL)
}

//go:build !linux

package testkit

import (
	"net/netip"
	"testing"
)

func full(t testing.TB) netip.AddrPort {
	t.Helper()
	t.Skip("an accept queue is filled on Linux only")
	return netip.AddrPort{}
}

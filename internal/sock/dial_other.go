//go:build !linux

package sock

import (
	"context"
	"net/netip"
	"time"
)

// Dial connects within timeout (0: the kernel's own), or until ctx ends.
func Dial(ctx context.Context, addr netip.AddrPort, timeout time.Duration) (*Conn, error) {
	return dialPlain(ctx, addr, timeout)
}

//go:build !linux

package sock

import "net/netip"

// Local is our end's address.
func (c *Conn) Local() netip.AddrPort { return c.local }

package sock

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// Listen binds a TCP address; a port of 0 is chosen by the kernel. Only the
// address's own family is served: two listeners make a dual stack, so that the
// level of SO_ORIGINAL_DST and the peer's spelling are never in doubt.
func Listen(addr netip.AddrPort) (*net.TCPListener, error) {
	network := "tcp4"
	if addr.Addr().Is6() {
		network = "tcp6"
	}
	lc := net.ListenConfig{KeepAlive: -1}
	l, err := lc.Listen(context.Background(), network, addr.String())
	if err != nil {
		return nil, err
	}
	return l.(*net.TCPListener), nil
}

// dialPlain is Dial by the net package.
func dialPlain(ctx context.Context, addr netip.AddrPort, timeout time.Duration) (*Conn, error) {
	d := net.Dialer{Timeout: timeout, KeepAlive: -1}
	nc, err := d.DialContext(ctx, "tcp", addr.String())
	if err != nil {
		return nil, err
	}
	return New(nc), nil
}

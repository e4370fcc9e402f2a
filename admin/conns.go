package admin

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
)

// How many connections may be open. Peers from elsewhere have a bound of
// their own, so that they cannot shut out the health check on loopback.
const (
	maxLocal  = 256
	maxRemote = 64
)

// listener closes connections beyond the bounds as soon as they come.
type listener struct {
	net.Listener
	local, remote atomic.Int64
}

// Accept waits for a connection within the bounds.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		open, bound := &l.local, int64(maxLocal)
		if !isLocal(c.RemoteAddr().String()) {
			open, bound = &l.remote, maxRemote
		}
		if open.Add(1) > bound {
			open.Add(-1)
			_ = c.Close() // refused
			continue
		}
		return &conn{Conn: c, open: open}, nil
	}
}

// conn gives its place back when it is closed.
type conn struct {
	net.Conn
	open  *atomic.Int64
	close sync.Once
}

// Close closes the connection.
func (c *conn) Close() error {
	c.close.Do(func() { c.open.Add(-1) })
	return c.Conn.Close()
}

// isLocal tells whether a peer is on this host's loopback, or on a Unix
// socket, whose peers have no address with a port.
func isLocal(peer string) bool {
	a, err := netip.ParseAddrPort(peer)
	return err != nil && isUnix(peer) || err == nil && a.Addr().Unmap().IsLoopback()
}

// isUnix: net names the peer of a Unix socket "" or "@", or by a path.
func isUnix(peer string) bool {
	return peer == "" || peer[0] == '@' || peer[0] == '/'
}

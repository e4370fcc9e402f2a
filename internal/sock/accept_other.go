//go:build !linux

package sock

import "net"

// Listener takes connections.
type Listener struct{ *net.TCPListener }

// NewListener takes over l.
func NewListener(l *net.TCPListener) (*Listener, error) { return &Listener{l}, nil }

// Accept waits for the next connection.
func (l *Listener) Accept() (*Conn, error) {
	nc, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	return New(nc), nil
}

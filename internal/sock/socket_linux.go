package sock

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// socket is a TCP connection as a net.Conn that we made ourselves of a
// descriptor: os.File knows the poller, and asks the kernel for nothing else.
type socket struct {
	file          *os.File
	raw           syscall.RawConn
	local, remote netip.AddrPort
}

// newSocket owns fd, which must be connected or about to be, and not block.
func newSocket(fd uintptr, remote netip.AddrPort) (*socket, error) {
	file := os.NewFile(fd, "tcp")
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &socket{file: file, raw: raw, remote: remote}, nil
}

// newOwn is New without asking for what is known.
func newOwn(s *socket) *Conn {
	c := &Conn{nc: s, raw: s.raw, remote: s.remote, local: s.local}
	c.in.fn, c.out.fn = c.onReadable, c.onWritable
	return c
}

func (s *socket) Read(p []byte) (int, error)  { return s.file.Read(p) }
func (s *socket) Write(p []byte) (int, error) { return s.file.Write(p) }

func (s *socket) Close() error {
	if err := s.file.Close(); errors.Is(err, os.ErrClosed) {
		return net.ErrClosed
	} else {
		return err
	}
}

func (s *socket) LocalAddr() net.Addr  { return net.TCPAddrFromAddrPort(s.local) }
func (s *socket) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(s.remote) }

func (s *socket) SetDeadline(t time.Time) error      { return s.file.SetDeadline(t) }
func (s *socket) SetReadDeadline(t time.Time) error  { return s.file.SetReadDeadline(t) }
func (s *socket) SetWriteDeadline(t time.Time) error { return s.file.SetWriteDeadline(t) }

package l4

import (
	"io"

	"github.com/outrider-mesh/outrider/internal/sock"
)

// RelayConn relays bytes between s.Down and up.
func (s *Session) RelayConn(up *sock.Conn) {
	s.Upstream = up.Remote()
	done := make(chan struct{})
	go func() {
		defer close(done)
		up.Write(s.Early)
		n, _ := io.Copy(struct{ io.Writer }{up}, struct{ io.Reader }{s.Down})
		s.Received = uint64(n) + uint64(len(s.Early))
		up.CloseWrite()
	}()
	s.Down.Write(s.Late)
	n, _ := io.Copy(struct{ io.Writer }{s.Down}, struct{ io.Reader }{up})
	s.Sent = uint64(n) + uint64(len(s.Late))
	s.Down.CloseWrite()
	<-done
}

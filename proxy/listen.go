package proxy

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/stat"
)

// Bind is a listening address and its place in the sidecar.
type Bind struct {
	Direction mesh.Direction
	Addr      netip.AddrPort
	// Chain is the port of the mesh.Listener that serves every connection, for a
	// gateway's listeners. 0: where the client wanted to go says which one.
	Chain uint16
	// Optional says that a host without this address family is no failure.
	Optional bool
}

// ports are a server's listeners.
type ports struct {
	mu      sync.Mutex
	open    []*listener
	going   []*listener // closed by the change under way
	serving bool        // they are accepted from
	closed  [2]bool     // by mesh.Direction: no new ones
}

// listener is one bound socket.
type listener struct {
	bind    Bind
	tcp     *sock.Listener
	stats   *stat.Group
	drained sync.WaitGroup // ends with the accept loop
	// leaving is set while the listener goes because a snapshot does not have it
	// any more: the chain that it had, which serves to the end what has come.
	leaving atomic.Pointer[chain]
}

func (l *listener) addr() netip.AddrPort { return l.tcp.Addr().(*net.TCPAddr).AddrPort() }

// Listen binds addresses, before Serve. An error names the address that could
// not be bound; nothing is then left open.
func (s *Server) Listen(binds []Bind) error {
	change, err := s.Rebind(binds)
	if err != nil {
		return err
	}
	change.Swap(s.Routing())
	return nil
}

// Ports are listeners that a change of routing brings and takes away. One of
// Swap and Undo must follow.
type Ports struct {
	server      *Server
	keep, fresh []*listener
	stale       []*listener
}

// Rebind binds those addresses that are not bound yet. An error names the one
// that could not be, and nothing has changed then. Until Swap nothing is
// accepted from them, and those that are bound and not among binds stay.
func (s *Server) Rebind(binds []Bind) (*Ports, error) {
	s.ports.mu.Lock()
	defer s.ports.mu.Unlock()
	p := &Ports{server: s}
	for _, b := range binds {
		i := slices.IndexFunc(s.ports.open, func(l *listener) bool { return l.bind == b })
		if i >= 0 {
			p.keep = append(p.keep, s.ports.open[i])
			continue
		}
		if s.ports.closed[b.Direction] {
			continue // as the operator has asked: see CloseListeners
		}
		l, err := s.listen(b)
		if err != nil {
			p.Undo()
			return nil, fmt.Errorf("listening on %s port %s: %w", b.Direction, b.Addr, err)
		}
		if l != nil {
			p.fresh = append(p.fresh, l)
		}
	}
	for _, l := range s.ports.open {
		if !slices.Contains(p.keep, l) {
			p.stale = append(p.stale, l)
		}
	}
	return p, nil
}

// listen binds one address; nil for one that need not be there and is not.
func (s *Server) listen(b Bind) (*listener, error) {
	bound, err := sock.Listen(b.Addr)
	if err != nil && b.Optional && sock.NoIPv6(err) {
		s.Log.Info("not listening: this host has no such address family", "address", b.Addr.String())
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	tcp, err := sock.NewListener(bound)
	if err != nil {
		return nil, err
	}
	// App Mesh 2.1: the stat name says 0.0.0.0, whatever is bound.
	prefix := fmt.Sprintf("listener.0.0.0.0_%d.", b.Addr.Port())
	return &listener{bind: b, tcp: tcp, stats: s.Stats.Group(prefix, &listenerLayout)}, nil
}

// Addrs are the addresses that are bound after the change.
func (p *Ports) Addrs() (addrs []netip.AddrPort) {
	for _, l := range slices.Concat(p.keep, p.fresh) {
		addrs = append(addrs, l.addr())
	}
	return addrs
}

// Undo closes what was bound.
func (p *Ports) Undo() {
	for _, l := range p.fresh {
		l.tcp.Close()
	}
}

// Swap makes a routing the current one, as Server.Swap does, and changes the
// listeners with it: new ones are accepted from, those that are gone are closed
// once what waits in their queues was accepted, which takes a moment, and their
// connections end with the exchange under way, or now. For that it does not wait.
func (p *Ports) Swap(r *Routing) {
	s := p.server
	for _, l := range p.stale {
		l.leaving.Store(s.Routing().inbound[l.bind.Chain])
	}
	s.Swap(r)
	p.open()
	closeAfterRest(p.stale)
	s.dismiss(p.stale)
	s.ports.mu.Lock()
	s.ports.going = nil
	s.ports.mu.Unlock()
}

// open has the new listeners accepted from.
func (p *Ports) open() {
	s := p.server
	s.ports.mu.Lock()
	defer s.ports.mu.Unlock()
	s.ports.open, s.ports.going = p.keep, p.stale
	for _, l := range p.fresh {
		if s.ports.closed[l.bind.Direction] {
			l.tcp.Close() // meanwhile
			continue
		}
		s.ports.open = append(s.ports.open, l)
		if s.ports.serving {
			s.accepting(l)
		}
	}
}

// dismiss ends the connections of listeners that are gone.
func (s *Server) dismiss(gone []*listener) {
	if len(gone) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if slices.Contains(gone, c.listener) {
			c.drain()
			c.hurry()
		}
	}
}

// Addrs are the addresses bound, per direction.
func (s *Server) Addrs(d mesh.Direction) (addrs []netip.AddrPort) {
	s.ports.mu.Lock()
	defer s.ports.mu.Unlock()
	for _, l := range s.ports.open {
		if l.bind.Direction == d {
			addrs = append(addrs, l.addr())
		}
	}
	return addrs
}

// accepting accepts from a listener until it is closed.
func (s *Server) accepting(l *listener) { l.drained.Go(func() { s.accept(l) }) }

// accept takes connections until the listener is closed. Out of descriptors
// it waits a moment instead of spinning.
func (s *Server) accept(l *listener) {
	for {
		sc, err := l.tcp.Accept()
		switch {
		case err == nil:
			s.start(l, sc)
		case errors.Is(err, net.ErrClosed), isDeadline(err):
			return
		default:
			s.Log.Warn("accepting a connection failed", "address", l.bind.Addr.String(), "error", err)
			select {
			case <-time.After(50 * time.Millisecond):
			case <-s.quit:
				return
			}
		}
	}
}

func isDeadline(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// CloseListeners stops accepting on the ports that match, for good, after what
// waits in their queues was accepted.
func (s *Server) CloseListeners(match func(mesh.Direction) bool) {
	s.ports.mu.Lock()
	for d := range s.ports.closed {
		s.ports.closed[d] = s.ports.closed[d] || match(mesh.Direction(d))
	}
	var closing []*listener
	for _, l := range slices.Concat(s.ports.open, s.ports.going) {
		if match(l.bind.Direction) {
			closing = append(closing, l)
		}
	}
	s.ports.mu.Unlock()
	closeAfterRest(closing)
}

// acceptRest is how long a listener that closes still accepts what waits in its
// queue.
const acceptRest = 20 * time.Millisecond

func closeAfterRest(closing []*listener) {
	for _, l := range closing {
		l.tcp.SetDeadline(time.Now().Add(acceptRest))
	}
	for _, l := range closing {
		l.drained.Wait()
		l.tcp.Close()
	}
}

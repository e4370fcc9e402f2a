package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/stat"
	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/proxy/l7/h2"
)

// Bind is a listening address and its place in the sidecar.
type Bind struct {
	Direction mesh.Direction
	Addr      netip.AddrPort
	// Optional says that a host without this address family is no failure.
	Optional bool
}

// Server serves the two ports. Its routing is swapped while it serves; the
// zero routing closes every connection.
type Server struct {
	Log   *slog.Logger
	Stats *stat.Set
	// HTTP2 is what connections of HTTP/2 share. NewServer makes one that works;
	// whoever replaces it, before Serve, closes its crew after Stop.
	HTTP2 *h2.Config

	routing atomic.Pointer[Routing]
	streams streams

	listeners []*listener
	serving   sync.WaitGroup

	mu    sync.Mutex
	conns map[*conn]struct{}

	draining  atomic.Bool
	failing   atomic.Bool
	exchanges atomic.Int64 // under way
	accepted  atomic.Int64 // when the last connection was accepted or request began
	quit      chan struct{}
	quitOnce  sync.Once
	crew      *l7.Crew // begins connections, and serves the HTTP2 that NewServer made
	crewOnce  sync.Once
}

// listener is one bound socket.
type listener struct {
	bind    Bind
	tcp     *sock.Listener
	stats   *stat.Group
	drained sync.WaitGroup // ends with the accept loop
}

// NewServer makes a server that serves nothing yet.
func NewServer(log *slog.Logger, stats *stat.Set) *Server {
	s := &Server{Log: log, Stats: stats, conns: make(map[*conn]struct{}), quit: make(chan struct{}), crew: l7.NewCrew()}
	s.HTTP2 = &h2.Config{
		Budget:     h2.NewBudget(windowBudget),
		Crew:       s.crew,
		Stats:      stats.Group("http2.", &h2.Layout),
		StreamIdle: streamIdle,
		ConnIdle:   connIdle,
	}
	s.streams = newStreams(stats)
	s.routing.Store(&Routing{Snapshot: &mesh.Snapshot{}})
	return s
}

// windowBudget is by how many bytes the windows of all connections may grow
// together.
const windowBudget = 64 << 20

// Swap makes a routing the current one: it decides every request read from now
// on. Exchanges under way keep what they have.
func (s *Server) Swap(r *Routing) { s.routing.Store(r) }

// Routing is the current one.
func (s *Server) Routing() *Routing { return s.routing.Load() }

// Listen binds the addresses. An error names the address that could not be
// bound; nothing is then left open.
func (s *Server) Listen(binds []Bind) error {
	for _, b := range binds {
		tcp, err := listen(b.Addr)
		if err != nil && b.Optional && sock.NoIPv6(err) {
			s.Log.Info("not listening: this host has no such address family", "address", b.Addr.String())
			continue
		}
		if err != nil {
			s.closeListeners()
			return fmt.Errorf("listening on %s port %s: %w", b.Direction, b.Addr, err)
		}
		// App Mesh 2.1: the stat name says 0.0.0.0, whatever is bound.
		prefix := fmt.Sprintf("listener.0.0.0.0_%d.", b.Addr.Port())
		s.listeners = append(s.listeners, &listener{bind: b, tcp: tcp, stats: s.Stats.Group(prefix, &listenerLayout)})
	}
	return nil
}

func listen(addr netip.AddrPort) (*sock.Listener, error) {
	tcp, err := sock.Listen(addr)
	if err != nil {
		return nil, err
	}
	return sock.NewListener(tcp)
}

// Addrs are the addresses bound, per direction.
func (s *Server) Addrs(d mesh.Direction) (addrs []netip.AddrPort) {
	for _, l := range s.listeners {
		if l.bind.Direction == d {
			addrs = append(addrs, l.tcp.Addr().(*net.TCPAddr).AddrPort())
		}
	}
	return addrs
}

// Serve starts to accept. It returns at once; Stop ends it.
func (s *Server) Serve() {
	for _, l := range s.listeners {
		l.drained.Go(func() { s.accept(l) })
	}
	s.serving.Go(s.sweep)
}

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

func (s *Server) start(l *listener, sc *sock.Conn) {
	c := &conn{server: s, listener: l, sock: sc}
	c.wake.Wake = c.sock.Wake
	s.accepted.Store(int64(sock.Now()))
	s.mu.Lock()
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	s.serving.Add(1)
	s.crew.Do(c)
}

// Drain makes every response from now on end its connection, and tells the
// clients of HTTP/2 now. New connections are still accepted: the app may still
// call out, load balancers may still dial.
func (s *Server) Drain() {
	if s.draining.Swap(true) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.drain()
	}
}

// Fail is Drain for as long as it is set (admin: /healthcheck/fail).
func (s *Server) Fail(failing bool) { s.failing.Store(failing) }

func (s *Server) closing() bool { return s.draining.Load() || s.failing.Load() }

// Quiet tells how many exchanges are under way, and for how long nothing new
// has come.
func (s *Server) Quiet() (exchanges int64, since time.Duration) {
	return s.exchanges.Load(), sock.Now() - time.Duration(s.accepted.Load())
}

// acceptRest is how long Stop still accepts what waits in the queues.
const acceptRest = 20 * time.Millisecond

// Stop serves what the accept queues still hold, closes the listeners, lets
// exchanges under way finish until ctx ends, and closes everything. Calling it
// again does nothing more.
func (s *Server) Stop(ctx context.Context) {
	s.Drain()
	s.CloseListeners(func(mesh.Direction) bool { return true })
	done := make(chan struct{})
	go func() {
		s.quitOnce.Do(func() { close(s.quit) })
		s.closeIdle()
		s.serving.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		s.closeAll()
		<-done
	}
	s.crewOnce.Do(s.crew.Close)
}

// CloseListeners stops accepting on the ports that match, after what waits in
// their queues was accepted.
func (s *Server) CloseListeners(match func(mesh.Direction) bool) {
	for _, l := range s.listeners {
		if match(l.bind.Direction) {
			l.tcp.SetDeadline(time.Now().Add(acceptRest))
		}
	}
	for _, l := range s.listeners {
		if match(l.bind.Direction) {
			l.drained.Wait()
			l.tcp.Close()
		}
	}
}

func (s *Server) closeListeners() {
	for _, l := range s.listeners {
		l.tcp.Close()
	}
	s.listeners = nil
}

// closeIdle closes connections between two requests. One that was accepted a
// moment ago and has sent nothing yet may still do so.
func (s *Server) closeIdle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.hurry()
	}
}

func (s *Server) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.peer.Leave()
		c.sock.Close()
	}
}

// Connections is how many downstream connections are open.
func (s *Server) Connections() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(len(s.conns))
}

// AppAddrs are the addresses of the local app behind an ingress chain.
func AppAddrs(l *mesh.Listener) (addrs []netip.AddrPort) {
	add := func(targets []mesh.Target) {
		for _, t := range targets {
			addrs = append(addrs, t.Cluster.Discovery.Addrs...)
		}
	}
	add(l.Targets)
	for _, host := range l.VirtualHosts {
		for _, r := range host.Routes {
			add(r.Targets)
		}
	}
	return addrs
}

package proxy

import (
	"context"
	"log/slog"
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

// Server serves the two ports of a sidecar, or those of a gateway's listeners.
// Its routing is swapped while it serves; the zero routing closes every
// connection.
type Server struct {
	Log   *slog.Logger
	Stats *stat.Set
	// HTTP2 is what connections of HTTP/2 share. NewServer makes one that works;
	// whoever replaces it, before Serve, closes its crew after Stop.
	HTTP2 *h2.Config

	routing atomic.Pointer[Routing]
	streams streams

	ports   ports
	serving sync.WaitGroup

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

// Serve starts to accept. It returns at once; Stop ends it.
func (s *Server) Serve() {
	s.ports.mu.Lock()
	s.ports.serving = true
	for _, l := range s.ports.open {
		s.accepting(l)
	}
	s.ports.mu.Unlock()
	s.serving.Go(s.sweep)
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

package app

import (
	"context"
	"errors"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/outrider-mesh/outrider/internal/live"
	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/proxy"
)

// finishTime is how long exchanges under way may take once the drain is over:
// ECS kills what outlives its stopTimeout, so the drain time is nearly all.
const finishTime = time.Second

// lastTime is how long ending at once may take: closing connections, writing
// what the access log still holds, removing the admin socket.
const lastTime = 2 * time.Second

// takeSignals begins to receive the signals a sidecar acts on. Until release
// none of them ends the process by itself. A first process (PID 1) that leaves
// them to the runtime would be ended by them with exit code 2.
func takeSignals() (signals <-chan os.Signal, release func()) {
	c := make(chan os.Signal, 4)
	signal.Notify(c, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}

// ends tells whether a signal asks for the end, and does what the others ask
// for: SIGUSR1 opens the access log anew; SIGHUP is ignored, as Envoy does.
func (s *sidecar) ends(sig os.Signal) bool {
	switch sig {
	case syscall.SIGUSR1:
		if err := s.live.ReopenLogs(); err != nil {
			s.log.Logger("main").Warn("reopening the access log failed", "error", err)
		}
		return false
	case syscall.SIGHUP:
		return false
	}
	return true
}

// awaitEnd serves until a signal, /quitquitquit or ctx ends it. SIGTERM,
// SIGINT and SIGQUIT drain first; a second one ends at once.
func (s *sidecar) awaitEnd(ctx context.Context) {
	log := s.log.Logger("main")
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.quit:
			log.Info("ending: /quitquitquit")
			return
		case sig := <-s.signals:
			if s.ends(sig) {
				log.Info("draining", "signal", sig.String(), "at most", s.cfg.Drain.Time.V.String())
				s.drain(ctx)
				return
			}
		}
	}
}

// drain keeps serving, with Connection: close, until the drain time is over or
// nobody needs us any longer, and then lets what is under way finish. Another
// signal ends both at once.
func (s *sidecar) drain(ctx context.Context) {
	s.draining.Store(true)
	s.server.Drain()
	serving, quit := context.WithCancel(ctx)
	defer quit()
	finishing, atOnce := context.WithCancel(context.Background())
	var listening sync.WaitGroup
	defer listening.Wait()
	defer atOnce()
	listening.Go(func() {
		for asked := s.quit; ; {
			select {
			case <-finishing.Done():
				return
			case <-asked:
				asked = nil
				quit()
			case sig := <-s.signals:
				if s.ends(sig) {
					s.log.Logger("main").Info("ending at once", "signal", sig.String())
					s.last = time.AfterFunc(lastTime, s.abandon)
					quit()
					atOnce()
					return
				}
			}
		}
	})
	d := live.Drain{Time: s.cfg.Drain.Time.V, Quiet: s.server.Quiet, AppGone: s.appGone}
	if !s.cfg.Drain.WaitApp.V || s.isGateway() { // which has no app
		d.AppGone = nil
	}
	d.Wait(serving)
	finish, done := context.WithTimeout(finishing, finishTime)
	defer done()
	s.server.Stop(finish)
}

// abandon ends a process that does not get to its end by itself, a file or a
// peer being stuck.
func (s *sidecar) abandon() {
	s.closeAdmin()
	os.Exit(ExitFine)
}

// closeAdmin closes the admin page's listeners, which removes a socket's file.
// A page told to shut down before it began to serve has closed nothing.
func (s *sidecar) closeAdmin() {
	for _, l := range s.adminListeners {
		l.Close()
	}
}

// appGone tells whether the app's ports refuse connections.
func (s *sidecar) appGone(ctx context.Context) (gone, known bool) {
	snap, _ := s.live.Current()
	for _, l := range snap.Inbound {
		for _, addr := range proxy.AppAddrs(l) {
			known = true
			dial := net.Dialer{Timeout: 200 * time.Millisecond}
			c, err := dial.DialContext(ctx, "tcp", addr.String())
			if err == nil {
				c.Close()
			}
			if !errors.Is(err, syscall.ECONNREFUSED) {
				return false, true
			}
		}
	}
	return known, known
}

// close ends all parts, in the order opposite to the flow.
func (s *sidecar) close() int {
	stop, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s.server.Stop(stop)
	s.names.Close()
	s.manager.Close()
	s.admin.Shutdown(stop)
	s.closeAdmin()
	if err := s.live.Close(); err != nil {
		s.log.Logger("main").Warn("closing the access log failed", "error", err)
	}
	if s.last != nil {
		s.last.Stop()
	}
	s.log.Logger("main").Info("ended")
	return ExitFine
}

// drainPorts drains by request of the admin page.
func (s *sidecar) drainPorts(graceful, inboundOnly, skipExit bool) {
	if !graceful {
		s.closePorts(inboundOnly)
		return
	}
	s.server.Drain()
	if skipExit {
		return
	}
	go func() {
		select {
		case <-time.After(s.cfg.Drain.Time.V):
			s.closePorts(inboundOnly)
		case <-s.quit:
		}
	}()
}

// closePorts stops accepting. The admin page shows the ports no longer, though
// what waits in their queues is still taken.
func (s *sidecar) closePorts(inboundOnly bool) {
	match := func(d mesh.Direction) bool { return !inboundOnly || d == mesh.Ingress }
	for d := range s.closed {
		if match(mesh.Direction(d)) {
			s.closed[d].Store(true)
		}
	}
	go s.server.CloseListeners(match)
}

package app

import (
	"context"
	"errors"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/outrider-mesh/outrider/internal/live"
	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/proxy"
)

// finishTime is how long exchanges under way may take once the drain is over.
const finishTime = 5 * time.Second

// awaitEnd serves until a signal, /quitquitquit or ctx ends it. SIGTERM,
// SIGINT and SIGQUIT drain first; a second one ends at once. SIGUSR1 opens the
// access log anew; SIGHUP is ignored, as Envoy does.
func (s *sidecar) awaitEnd(ctx context.Context) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGHUP)
	defer signal.Stop(signals)
	log := s.log.Logger("main")
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.quit:
			log.Info("ending: /quitquitquit")
			return
		case sig := <-signals:
			switch sig {
			case syscall.SIGUSR1:
				if err := s.live.ReopenLogs(); err != nil {
					log.Warn("reopening the access log failed", "error", err)
				}
			case syscall.SIGHUP:
			default:
				log.Info("draining", "signal", sig.String(), "at most", s.cfg.Drain.Time.V.String())
				s.drain(ctx, signals)
				return
			}
		}
	}
}

// drain keeps serving, with Connection: close, until the drain time is over,
// nobody needs us any longer, or another signal comes.
func (s *sidecar) drain(ctx context.Context, signals <-chan os.Signal) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.draining.Store(true)
	s.server.Drain()
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-s.quit:
				cancel()
			case sig := <-signals:
				if sig != syscall.SIGUSR1 && sig != syscall.SIGHUP {
					s.log.Logger("main").Info("ending at once", "signal", sig.String())
					os.Exit(ExitFine)
				}
			}
		}
	}()
	d := live.Drain{Time: s.cfg.Drain.Time.V, Quiet: s.server.Quiet, AppGone: s.appGone}
	if !s.cfg.Drain.WaitApp.V {
		d.AppGone = nil
	}
	d.Wait(ctx)
	finish, done := context.WithTimeout(context.Background(), finishTime)
	defer done()
	s.server.Stop(finish)
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
	if err := s.live.Close(); err != nil {
		s.log.Logger("main").Warn("closing the access log failed", "error", err)
	}
	s.log.Logger("main").Info("ended")
	return ExitFine
}

// drainPorts drains by request of the admin page.
func (s *sidecar) drainPorts(graceful, inboundOnly, skipExit bool) {
	match := func(d mesh.Direction) bool { return !inboundOnly || d == mesh.Ingress }
	if graceful {
		s.server.Drain()
		if skipExit {
			return
		}
		go func() {
			select {
			case <-time.After(s.cfg.Drain.Time.V):
				s.server.CloseListeners(match)
			case <-s.quit:
			}
		}()
		return
	}
	go s.server.CloseListeners(match)
}

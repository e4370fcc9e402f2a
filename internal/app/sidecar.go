package app

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/outrider-mesh/outrider/admin"
	"github.com/outrider-mesh/outrider/internal/config"
	"github.com/outrider-mesh/outrider/internal/discovery"
	"github.com/outrider-mesh/outrider/internal/live"
	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/stat"
	"github.com/outrider-mesh/outrider/internal/telemetry"
	"github.com/outrider-mesh/outrider/proxy"
	"github.com/outrider-mesh/outrider/proxy/filter"
	"github.com/outrider-mesh/outrider/proxy/l7/h2"
	"github.com/outrider-mesh/outrider/proxy/upstream"
)

// replayBudget bounds what all exchanges together keep of request bodies.
const replayBudget = 64 << 20

// warmTime is how long a swap waits for the names of new clusters.
const warmTime = 300 * time.Millisecond

// sidecar is the parts of a running sidecar.
type sidecar struct {
	cfg       *config.Run
	log       *telemetry.Log
	documents *documents

	stats   *stat.Set
	server  *proxy.Server
	manager *upstream.Manager
	names   *discovery.Watcher
	live    *live.State
	admin   *admin.Server
	updates *admin.Updates

	adminListeners []net.Listener
	initialized    atomic.Bool
	unhealthy      atomic.Bool
	draining       atomic.Bool
	closed         [2]atomic.Bool // by mesh.Direction: the port was closed by request
	quit           chan struct{}  // closed by /quitquitquit
	signals        <-chan os.Signal
	last           *time.Timer // ends what a second signal could not; nil before it
}

// newSidecar makes all parts and binds all addresses; nothing is served yet.
func newSidecar(cfg *config.Run, log *telemetry.Log, snap *mesh.Snapshot) (*sidecar, error) {
	s := &sidecar{cfg: cfg, log: log, stats: new(stat.Set), quit: make(chan struct{})}
	// One budget for both sides, also if it is 0: without one nothing would
	// bound the sum of what connections buffer.
	limits, budget := http2Limits(&cfg.HTTP2), h2.NewBudget(cfg.HTTP2.StreamBufferBudget.V)
	s.server = proxy.NewServer(log.Logger("conn"), s.stats)
	s.server.HTTP2.Limits, s.server.HTTP2.Budget = limits, budget
	if err := s.server.Listen(s.binds(snap)); err != nil {
		return nil, s.explainBind(err)
	}
	if err := s.listenAdmin(); err != nil {
		return nil, s.explainBind(err)
	}
	s.manager = upstream.NewManager(upstream.Settings{
		RetryPercent: uint32(cfg.Retry.BudgetPercent.V),
		RetryLeast:   uint32(cfg.Retry.BudgetMin.V),
		RetryUnsafe:  cfg.Retry.Unsafe.V,
		ReplayMost:   int64(cfg.Retry.Buffer.V),
		ReplayBudget: replayBudget,
		HTTP2:        limits,
		StreamBudget: budget,

		MaxRequestsPerConnection: cfg.Upstream.MaxRequestsPerConnection.V,
		MaxUnfinishedUploads:     cfg.Upstream.MaxUnfinishedUploads.V,
		GRPCTimeout:              grpcTimeout(cfg.Upstream.GRPCTimeout.V),

		Log: log.Logger("upstream"),
	}, s.stats)
	names, err := discovery.New(discovery.Options{
		Refresh:   cfg.DNS.Refresh.V,
		EmptyKeep: cfg.DNS.EmptyKeep.V,
		Endpoints: cfg.Documents.Endpoints.V,
		Stats:     s.stats,
		Report:    s.reportName,
	})
	if err != nil {
		return nil, err
	}
	s.names = names
	s.live = &live.State{
		Server:    s.server,
		Upstream:  s.manager,
		Names:     watcher{names},
		Stats:     s.stats,
		RouterLog: log.Logger("router"),
		Forwarded: filter.Forwarded{Append: cfg.Listen.Forwarded.V.Append, Proxies: cfg.Listen.Forwarded.V.Proxies},
		OpenLog: func(spec *mesh.AccessLog) (live.AccessLog, error) {
			return telemetry.OpenAccessLog(spec, s.stats)
		},
		WarmTime: warmTime,
	}
	if s.isGateway() {
		s.live.Ports = s.gatewayBinds
	}
	s.updates = admin.NewUpdates(s.stats)
	for range len(s.server.Addrs(mesh.Ingress)) + len(s.server.Addrs(mesh.Egress)) {
		s.updates.ListenerBound()
	}
	s.admin = admin.New(s.page())
	s.admin.RegisterStats(s.connections)
	return s, nil
}

// binds are the addresses of the two ports, or of a gateway's.
func (s *sidecar) binds(snap *mesh.Snapshot) (binds []proxy.Bind) {
	if s.isGateway() {
		return s.gatewayBinds(snap)
	}
	add := func(d mesh.Direction, addrs config.Value[[]netip.AddrPort]) {
		for _, a := range addrs.V {
			binds = append(binds, proxy.Bind{Direction: d, Addr: a,
				Optional: strings.HasPrefix(addrs.From, "default") && a.Addr().Is6()})
		}
	}
	add(mesh.Ingress, s.cfg.Listen.Ingress)
	add(mesh.Egress, s.cfg.Listen.Egress)
	return binds
}

func (s *sidecar) listenAdmin() error {
	if path := s.cfg.Admin.Socket.V; path != "" {
		l, err := listenSocket(path)
		if err != nil {
			return fmt.Errorf("listening on admin socket: %w", err)
		}
		s.adminListeners = append(s.adminListeners, l)
		return nil
	}
	for _, a := range s.cfg.Admin.Addrs.V {
		network := "tcp4"
		if a.Addr().Is6() {
			network = "tcp6"
		}
		l, err := net.Listen(network, a.String())
		if err != nil {
			return fmt.Errorf("listening on admin port %s: %w", a, err)
		}
		s.adminListeners = append(s.adminListeners, l)
	}
	return nil
}

// listenSocket makes a unix socket that its owner alone can use. One that a
// dead process left behind is replaced.
func listenSocket(path string) (net.Listener, error) {
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return nil, fmt.Errorf("%s is in use by another process", path)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		os.Remove(path)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// serve puts the snapshot in force, becomes LIVE and serves until it is told
// to end. started is called when everything is in place.
func (s *sidecar) serve(ctx context.Context, snap *mesh.Snapshot, started func()) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	log := s.log.Logger("main")
	go config.Heartbeat(ctx)
	for _, l := range s.adminListeners {
		go s.admin.Serve(l)
	}
	if err := s.live.Apply(ctx, snap); err != nil {
		log.Error("starting failed", "error", err)
		return ExitEnvironment
	}
	s.updates.Accepted(snap)
	if !s.awaitNames(ctx) {
		return s.close()
	}
	s.server.Serve()
	s.initialized.Store(true)
	started()
	log.Info("LIVE", "resource", s.cfg.Resource.NodeID.V)
	tidy := time.AfterFunc(tidyAfter, debug.FreeOSMemory)
	defer tidy.Stop()
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		s.watchDocuments(ctx)
	}()
	s.awaitEnd(ctx)
	cancel()
	<-watching
	return s.close()
}

// tidyAfter is when what the start has left behind is given back to the
// system: documents are parsed once and rarely again.
const tidyAfter = time.Second

// awaitNames waits until every cluster was looked up once, for a limited time:
// a name that never resolves does not hold LIVE back. It says false when the
// sidecar was told to end meanwhile: nothing was served, nothing is drained.
func (s *sidecar) awaitNames(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.DNS.LiveTimeout.V)
	defer cancel()
	looked := make(chan []string, 1)
	go func() { looked <- s.names.Await(ctx) }()
	log := s.log.Logger("main")
	for {
		select {
		case left := <-looked:
			if len(left) > 0 {
				s.log.Logger("dns").Warn("going LIVE before every name was looked up", "clusters", strings.Join(left, " "))
			}
			return true
		case <-s.quit:
			log.Info("ending before LIVE: /quitquitquit")
		case sig := <-s.signals:
			if !s.ends(sig) {
				continue
			}
			log.Info("ending before LIVE", "signal", sig.String())
		}
		cancel()
		<-looked
		return false
	}
}

// reportName logs when a name cannot be looked up, and when it can again.
func (s *sidecar) reportName(host string, err error) {
	if err != nil {
		s.log.Logger("dns").Warn("lookup failed, keeping the endpoints known", "host", host, "error", err)
		return
	}
	s.log.Logger("dns").Info("lookup works again", "host", host)
}

// watcher fits a discovery.Watcher to live.
type watcher struct{ *discovery.Watcher }

func (w watcher) Sync(clusters []*mesh.Cluster, update func(string, []netip.AddrPort)) {
	watches := make([]discovery.Watch, 0, len(clusters))
	for _, c := range clusters {
		if c.Discovery.Kind == mesh.Static || c.Discovery.Kind == mesh.OriginalDst {
			continue
		}
		watches = append(watches, discovery.Watch{Cluster: c, Update: func(addrs []netip.AddrPort) { update(c.Name, addrs) }})
	}
	w.Watcher.Sync(watches)
}

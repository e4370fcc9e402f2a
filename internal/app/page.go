package app

import (
	"cmp"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/outrider-mesh/outrider/admin"
	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/telemetry"
)

// page is what the admin page is told and may do.
func (s *sidecar) page() admin.Config {
	remote := admin.RemoteStats
	if s.cfg.Admin.Open.V {
		remote = admin.RemoteAll
	}
	return admin.Config{
		Info: admin.Info{
			Version:     admin.BuildVersion(Version()),
			NodeID:      s.cfg.Resource.NodeID.V,
			NodeCluster: s.cfg.Resource.Cluster.V,
			Started:     time.Now(),
			Concurrency: runtime.GOMAXPROCS(0),
			ConfigPath:  strings.Join(s.cfg.Documents.Paths.V, ","),
			LogLevel:    s.cfg.Log.Level.V.String(),
			LogFormat:   s.cfg.Log.Format.V.String(),
			DrainTime:   s.cfg.Drain.Time.V,
			HTTP2: admin.HTTP2Options{
				MaxConcurrentStreams:    s.cfg.HTTP2.MaxConcurrentStreams.V,
				InitialStreamWindow:     s.cfg.HTTP2.InitialStreamWindow.V,
				InitialConnectionWindow: s.cfg.HTTP2.InitialConnectionWindow.V,
			},
		},
		Remote:     remote,
		Engine:     engine{s},
		Stats:      s.stats,
		Metrics:    telemetry.NewExposition(s.stats),
		Logs:       s.log,
		Controls:   controls{s, new(sync.Once)},
		Snapshot:   s.live.Current,
		Explain:    s.explain,
		ReopenLogs: s.live.ReopenLogs,
	}
}

// engine shows the admin page what serves traffic.
type engine struct{ *sidecar }

// State is Envoy's word for how far the process is.
func (e engine) State() admin.State {
	switch snap, _ := e.live.Current(); {
	case snap == nil:
		return admin.PreInitializing
	case !e.initialized.Load():
		return admin.Initializing
	case e.draining.Load() || e.unhealthy.Load():
		return admin.Draining
	}
	return admin.Live
}

// Listeners are the ports as long as they are open, under App Mesh's names: the
// two of a sidecar, or each of a gateway's.
func (e engine) Listeners() (listeners []admin.Listener) {
	for _, d := range []mesh.Direction{mesh.Ingress, mesh.Egress} {
		addrs := e.server.Addrs(d)
		if len(addrs) == 0 || e.closed[d].Load() {
			continue
		}
		if !e.isGateway() {
			listeners = append(listeners, listenerOf(d, addrs))
			continue
		}
		for _, same := range byPort(addrs) {
			l := listenerOf(d, same)
			l.Chain = same[0].Port()
			listeners = append(listeners, l)
		}
	}
	return listeners
}

func listenerOf(d mesh.Direction, addrs []netip.AddrPort) admin.Listener {
	return admin.Listener{
		Name:      "lds_" + d.String() + "_0.0.0.0_" + strconv.Itoa(int(addrs[0].Port())),
		Addresses: addrs,
		Egress:    d == mesh.Egress,
	}
}

// byPort gathers the addresses of each port, in the order of ports.
func byPort(addrs []netip.AddrPort) (groups [][]netip.AddrPort) {
	slices.SortStableFunc(addrs, func(a, b netip.AddrPort) int { return cmp.Compare(a.Port(), b.Port()) })
	for i, a := range addrs {
		if i == 0 || addrs[i-1].Port() != a.Port() {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], a)
	}
	return groups
}

// Clusters are those of the snapshot, with their endpoints at this moment.
func (e engine) Clusters() (clusters []admin.Cluster) {
	snap, _ := e.live.Current()
	if snap == nil {
		return nil
	}
	for _, spec := range snap.Clusters {
		c := e.manager.Cluster(spec.Name)
		if c == nil {
			continue
		}
		shown := admin.Cluster{Name: spec.Name, Limits: spec.Limits}
		for _, ep := range c.Members().Endpoints {
			cells := &ep.Cells
			shown.Endpoints = append(shown.Endpoints, admin.Endpoint{
				Address:  ep.Addr(),
				Hostname: hostname(spec),
				Connections: admin.EndpointConnections{
					Active:      uint64(max(cells.CxActive.Value(), 0)),
					ConnectFail: cells.CxConnectFail.Value(),
					Total:       cells.CxTotal.Value(),
				},
				Requests: admin.EndpointRequests{
					Active:  uint64(max(cells.RqActive.Value(), 0)),
					Error:   cells.RqError.Value(),
					Success: cells.RqSuccess.Value(),
					Timeout: cells.RqTimeout.Value(),
					Total:   cells.RqTotal.Value(),
				},
			})
		}
		clusters = append(clusters, shown)
	}
	return clusters
}

// hostname is the name the endpoints were found by; none for addresses.
func hostname(spec *mesh.Cluster) string {
	if _, err := netip.ParseAddr(spec.Discovery.Host); err == nil {
		return ""
	}
	return spec.Discovery.Host
}

func (s *sidecar) connections() int64 { return s.server.Connections() }

// controls carries out what the admin page is asked to change.
type controls struct {
	*sidecar
	once *sync.Once
}

// SetHealthy is /healthcheck/fail and /healthcheck/ok.
func (c controls) SetHealthy(healthy bool) {
	c.unhealthy.Store(!healthy)
	c.server.Fail(!healthy)
}

// Drain is /drain_listeners.
func (c controls) Drain(d admin.Drain) { c.drainPorts(d.Graceful, d.InboundOnly, d.SkipExit) }

// Quit is /quitquitquit.
func (c controls) Quit() { c.once.Do(func() { close(c.quit) }) }

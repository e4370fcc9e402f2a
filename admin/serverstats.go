package admin

import (
	"hash/fnv"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/stat"
)

// RegisterStats adds the group "server.", and the count of listeners, to the
// Set of the Config. connections
// gives the number of downstream connections open on all listeners.
func (s *Server) RegisterStats(connections func() int64) {
	set, info := s.cfg.Stats, &s.cfg.Info
	set.GaugeFunc("server.uptime", func() int64 { return int64(s.cfg.Now().Sub(info.Started) / time.Second) })
	set.GaugeFunc("server.state", func() int64 { return int64(s.cfg.Engine.State()) })
	set.GaugeFunc("server.live", func() int64 { return bit(s.cfg.Engine.State() == Live) })
	set.GaugeFunc("server.concurrency", func() int64 { return int64(info.Concurrency) })
	set.GaugeFunc("server.total_connections", connections)
	set.GaugeFunc("server.parent_connections", func() int64 { return 0 }) // no hot restart
	set.GaugeFunc("server.hot_restart_epoch", func() int64 { return 0 })
	set.GaugeFunc("server.version", func() int64 { return versionNumber(info.Version) })
	// The greatest number of 32 bits is Envoy's "there is no certificate".
	set.GaugeFunc("server.days_until_first_cert_expiring", func() int64 { return 1<<32 - 1 })
	set.GaugeFunc("listener_manager.total_listeners_active", func() int64 { return int64(len(s.cfg.Engine.Listeners())) })
	set.GaugeFunc("server.memory_allocated", func() int64 { return int64(readMemory().Allocated) })
	set.GaugeFunc("server.memory_heap_size", func() int64 { return int64(readMemory().HeapSize) })
	set.GaugeFunc("server.memory_physical_size", func() int64 { return int64(readMemory().Physical) })
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// versionNumber is the first six digits of the commit (Envoy: server.version).
func versionNumber(version string) int64 {
	n, err := strconv.ParseInt(version[:min(6, len(version))], 16, 64)
	if err != nil {
		return 0
	}
	return n
}

// The cells of one kind of discovery; Envoy's names. "Attempt" counts every
// reading of the documents that led to an answer.
const (
	updateAttempt = iota
	updateSuccess
	updateRejected
	updateFailure
)

var updateLayout = stat.Layout{
	Counters: []string{"update_attempt", "update_success", "update_rejected", "update_failure"},
}

// The cells of listeners being bound.
const (
	listenerCreateSuccess = iota
	listenerCreateFailure
)

var listenerLayout = stat.Layout{Counters: []string{"listener_create_success", "listener_create_failure"}}

// Updates counts what became of changed documents, under the names that
// dashboards of App Mesh have: listener_manager.lds.* and
// cluster_manager.cds.*. The documents are one whole, so the two go together.
type Updates struct {
	groups   [2]*stat.Group
	listener *stat.Group
	snapshot atomic.Pointer[mesh.Snapshot]
}

// NewUpdates adds the cells to set.
func NewUpdates(set *stat.Set) *Updates {
	u := &Updates{groups: [2]*stat.Group{
		set.Group("listener_manager.lds.", &updateLayout),
		set.Group("cluster_manager.cds.", &updateLayout),
	}}
	u.listener = set.Group("listener_manager.", &listenerLayout)
	u.snapshot.Store(&mesh.Snapshot{})
	version := func() int64 { return snapshotNumber(u.snapshot.Load().Version) }
	text := func() string { return u.snapshot.Load().Version }
	for _, prefix := range []string{"listener_manager.lds.", "cluster_manager.cds."} {
		set.GaugeFunc(prefix+"version", version)
		set.TextFunc(prefix+"version_text", text)
	}
	set.GaugeFunc("cluster_manager.active_clusters", func() int64 { return int64(len(u.snapshot.Load().Clusters)) })
	set.GaugeFunc("cluster_manager.warming_clusters", func() int64 { return 0 })
	return u
}

// Accepted counts documents that are in force now.
func (u *Updates) Accepted(snapshot *mesh.Snapshot) {
	u.snapshot.Store(snapshot)
	u.count(updateSuccess)
}

// Rejected counts documents with errors; the ones before stay in force.
func (u *Updates) Rejected() { u.count(updateRejected) }

// Failed counts documents that could not be read at all.
func (u *Updates) Failed() { u.count(updateFailure) }

// ListenerBound counts a port that was bound.
func (u *Updates) ListenerBound() { u.listener.Counter(listenerCreateSuccess).Inc() }

// ListenerFailed counts a port that could not be bound.
func (u *Updates) ListenerFailed() { u.listener.Counter(listenerCreateFailure).Inc() }

func (u *Updates) count(what int) {
	for _, g := range u.groups {
		g.Counter(updateAttempt).Inc()
		g.Counter(what).Inc()
	}
}

// snapshotNumber tells versions apart in a gauge (Envoy hashes the text too);
// 0 is none yet.
func snapshotNumber(version string) int64 {
	if version == "" {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(version)) // a hash takes all
	return int64(h.Sum64() >> 1)
}

package admin

import (
	"strings"
	"testing"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/stat"
)

func values(set *stat.Set) map[string]int64 {
	all := make(map[string]int64)
	set.Each(func(c *stat.Cell) { all[string(c.AppendName(nil))] = c.Value })
	return all
}

func TestServerStatsSayWhatDashboardsAsk(t *testing.T) {
	s, f := newTest()
	s.RegisterStats(func() int64 { return 17 })
	f.state = Draining
	got := values(s.cfg.Stats)
	for name, want := range map[string]int64{
		"server.uptime": 6, "server.state": 1, "server.live": 0, "server.concurrency": 2,
		"server.total_connections": 17, "server.version": 0x012345, "server.days_until_first_cert_expiring": 4294967295,
		"listener_manager.total_listeners_active": 2,
	} {
		if got[name] != want {
			t.Errorf("%s = %d, want %d", name, got[name], want)
		}
	}
	for _, name := range []string{"server.memory_allocated", "server.memory_heap_size", "server.memory_physical_size"} {
		if got[name] <= 0 {
			t.Errorf("%s = %d", name, got[name])
		}
	}
}

func TestThereIsNoControlPlaneToBeConnectedTo(t *testing.T) {
	s, _ := newTest()
	s.RegisterStats(func() int64 { return 0 })
	NewUpdates(s.cfg.Stats)
	for name := range values(s.cfg.Stats) {
		if strings.HasPrefix(name, "control_plane.") {
			t.Error(name)
		}
	}
}

func TestUpdatesAreCountedForListenersAndClusters(t *testing.T) {
	set := new(stat.Set)
	u := NewUpdates(set)
	if v := values(set); v["listener_manager.lds.version"] != 0 || v["cluster_manager.active_clusters"] != 0 {
		t.Error("before the first documents: ", v)
	}
	u.Accepted(&mesh.Snapshot{Version: "a", Clusters: []*mesh.Cluster{{}, {}}})
	u.Rejected()
	u.Rejected()
	u.Failed()
	u.ListenerBound()
	u.ListenerBound()
	u.ListenerFailed()
	got := values(set)
	for _, prefix := range []string{"listener_manager.lds.", "cluster_manager.cds."} {
		for name, want := range map[string]int64{"update_attempt": 4, "update_success": 1, "update_rejected": 2, "update_failure": 1} {
			if got[prefix+name] != want {
				t.Errorf("%s%s = %d, want %d", prefix, name, got[prefix+name], want)
			}
		}
		if got[prefix+"version"] == 0 {
			t.Errorf("%sversion = 0", prefix)
		}
	}
	if got["listener_manager.listener_create_success"] != 2 || got["listener_manager.listener_create_failure"] != 1 {
		t.Error("listeners: ", got)
	}
	if got["cluster_manager.active_clusters"] != 2 {
		t.Error(got["cluster_manager.active_clusters"])
	}
}

func TestDurationsReadAsProtobufPrintsThem(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 15 * time.Second: "15s", 250 * time.Millisecond: "0.250s", 1500 * time.Microsecond: "0.001500s", 7: "0.000000007s",
	} {
		if got := seconds(d); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestTheBuildVersionHasEnvoysShape(t *testing.T) {
	if got := BuildVersion("1.2.3"); len(strings.Split(got, "/")) != 5 || !strings.Contains(got, "/1.2.3/") {
		t.Error(got)
	}
}

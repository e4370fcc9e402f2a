package live_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/live"
	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/internal/testkit/sidecar"
)

// to is a mesh whose one backend, "svc", is the given cluster.
func to(c *mesh.Cluster) *mesh.Snapshot {
	return sidecar.Mesh(sidecar.Backend("svc", 8080, sidecar.Route(c)))
}

func TestASnapshotThatCannotBeCompiledLeavesEverythingAsItWas(t *testing.T) {
	app, other := testkit.NewApp(t), testkit.NewApp(t)
	good := to(sidecar.Cluster("c", app.Addr))
	s := sidecar.Start(t, good)
	records := s.Records

	bad := to(sidecar.Cluster("c", other.Addr))
	bad.Clusters[0].Limits.MaxRequests = 1
	bad.Outbound[0].VirtualHosts[0].Routes[0].Match = mesh.Match{Regex: "("}
	bad.AccessLog = &mesh.AccessLog{Path: "another"}
	bad.Clusters = append(bad.Clusters, sidecar.Cluster("more", other.Addr))
	if err := s.State.Apply(t.Context(), bad); err == nil || !strings.Contains(err.Error(), "compiling routes") {
		t.Errorf("Apply: %v", err)
	}
	if got := s.Get("svc", "/"); got.Status != 200 || app.Calls() != 1 || other.Calls() != 0 {
		t.Errorf("got %d; %d and %d calls", got.Status, app.Calls(), other.Calls())
	}
	if current, _ := s.State.Current(); current != good {
		t.Error("the snapshot in force is another")
	}
	if c := s.Manager.Cluster("more"); c != nil {
		t.Error("a cluster of the bad snapshot exists")
	}
	if n := s.Manager.Cluster("c").Breaker().Requests.Max(); n != 0 {
		t.Errorf("a limit of the bad snapshot is in force: %d", n)
	}
	if s.Records != records || records.Closed() {
		t.Error("the access log was touched")
	}
}

func TestAnAccessLogThatCannotBeOpenedLeavesEverythingAsItWas(t *testing.T) {
	app := testkit.NewApp(t)
	s := sidecar.Start(t, to(sidecar.Cluster("c", app.Addr)))
	s.State.OpenLog = func(*mesh.AccessLog) (live.AccessLog, error) { return nil, errors.New("no such directory") }
	next := to(sidecar.Cluster("d", app.Addr))
	next.AccessLog = &mesh.AccessLog{Path: "/nowhere/log"}
	if err := s.State.Apply(t.Context(), next); err == nil {
		t.Error("no error")
	}
	if s.Manager.Cluster("d") != nil {
		t.Error("a cluster of the refused snapshot exists")
	}
	if got := s.Get("svc", "/"); got.Status != 200 {
		t.Errorf("got %d", got.Status)
	}
	if s.Records.Closed() {
		t.Error("the log in force was closed")
	}
}

func TestAnAccessLogIsKeptOrSwapped(t *testing.T) {
	app := testkit.NewApp(t)
	snap := func(log *mesh.AccessLog) *mesh.Snapshot {
		m := to(sidecar.Cluster("c", app.Addr))
		m.AccessLog = log
		return m
	}
	s := sidecar.Start(t, snap(&mesh.AccessLog{Path: "a"}))
	first := s.Records
	s.Apply(snap(&mesh.AccessLog{Path: "a"}))
	if s.Records != first || first.Closed() {
		t.Error("the same log was opened anew")
	}
	s.Apply(snap(&mesh.AccessLog{Path: "a", Text: "%PROTOCOL%"}))
	second := s.Records
	if second == first || !first.Closed() {
		t.Error("another format did not open another log, or the first stayed open")
	}
	s.Get("svc", "/")
	second.Next(t)
	s.Apply(snap(nil))
	if !second.Closed() {
		t.Error("the log stayed open though none is asked for")
	}
	s.Get("svc", "/")
	s.Apply(snap(&mesh.AccessLog{Path: "a"}))
	s.Get("svc", "/")
	s.Records.Next(t)
	s.Stop()
	if !s.Records.Closed() {
		t.Error("Close left the log open")
	}
}

func TestAClusterThatIsNamedAgainStartsAnewAndCountsOn(t *testing.T) {
	app, other := testkit.NewApp(t, testkit.Text("a")), testkit.NewApp(t, testkit.Text("b"))
	s := sidecar.Start(t, to(sidecar.Cluster("c", app.Addr)))
	c := testkit.Dial(t, s.Egress)
	for range 3 {
		c.Do("GET", "svc", "/", "")
	}
	first := s.Manager.Cluster("c")
	s.Apply(to(sidecar.Cluster("d", other.Addr)))
	if got := c.Do("GET", "svc", "/", ""); got.Body != "b" {
		t.Errorf("got %q", got.Body)
	}
	if s.Manager.Cluster("c") != nil {
		t.Error("the cluster is still there")
	}
	testkit.Eventually(t, "its idle connections closed", func() bool { return s.Gauge("cluster.c.upstream_cx_active") == 0 })
	s.Apply(to(sidecar.Cluster("c", app.Addr)))
	if s.Manager.Cluster("c") == first {
		t.Error("the retired cluster came back")
	}
	if got := c.Do("GET", "svc", "/", ""); got.Body != "a" {
		t.Errorf("got %q", got.Body)
	}
	s.Counts(map[string]uint64{"cluster.c.upstream_rq_total": 4, "cluster.c.upstream_cx_total": 2, "http.egress.downstream_rq_total": 5})
}

func TestAClusterThatStaysKeepsItsConnections(t *testing.T) {
	app := testkit.NewApp(t)
	s := sidecar.Start(t, to(sidecar.Cluster("c", app.Addr)))
	c := testkit.Dial(t, s.Egress)
	for range 5 {
		c.Do("GET", "svc", "/", "")
		next := to(sidecar.Cluster("c", app.Addr))
		next.Clusters[0].Limits.MaxConnections = 7
		s.Apply(next)
	}
	if app.Conns() != 1 {
		t.Errorf("%d connections", app.Conns())
	}
	if n := s.Manager.Cluster("c").Breaker().Connections.Max(); n != 7 {
		t.Errorf("the new limit is %d", n)
	}
}

// A request that is under way on a cluster that goes finishes there.
func TestARequestUnderWayOutlivesItsCluster(t *testing.T) {
	gate, arrived := make(chan struct{}), make(chan struct{}, 1)
	app := testkit.NewApp(t, testkit.Announce(arrived, testkit.After(gate, testkit.Text("late"))))
	s := sidecar.Start(t, to(sidecar.Cluster("c", app.Addr)))
	c := testkit.Dial(t, s.Egress)
	c.Request("GET", "svc", "/", "")
	testkit.Wait(t, "the request", arrived)
	s.Apply(&mesh.Snapshot{})
	close(gate)
	if got := c.Receive("GET"); got.Status != 200 || got.Body != "late" {
		t.Errorf("got %d %q", got.Status, got.Body)
	}
	testkit.Eventually(t, "its connection closed", func() bool { return s.Gauge("cluster.c.upstream_cx_active") == 0 })
}

// New clusters are looked up before anything is sent to them, old ones until
// nothing is.
func TestNamesAreWatchedAsLongAsTheirClustersAreUsed(t *testing.T) {
	app := testkit.NewApp(t)
	names := &sidecar.Names{}
	names.Set("a", app.Addr)
	names.Set("b", app.Addr)
	s := sidecar.StartWith(t, to(sidecar.Named("a", mesh.StrictDNS)), sidecar.Settings(), names)
	if got := s.Get("svc", "/"); got.Status != 200 {
		t.Errorf("got %d", got.Status)
	}
	s.Apply(to(sidecar.Named("b", mesh.StrictDNS)))
	if got := s.Get("svc", "/"); got.Status != 200 {
		t.Errorf("got %d right after the swap", got.Status)
	}
	if names.Watched("a") || !names.Watched("b") {
		t.Errorf("watched: a %v, b %v", names.Watched("a"), names.Watched("b"))
	}
	names.Set("a", testkit.Refused(t)) // nobody listens any more
	if got := s.Get("svc", "/"); got.Status != 200 {
		t.Errorf("got %d", got.Status)
	}
}

func TestReopenLogsWithoutALogDoesNothing(t *testing.T) {
	s := sidecar.Start(t, &mesh.Snapshot{})
	if err := s.State.ReopenLogs(); err != nil {
		t.Error(err)
	}
	if snap, since := s.State.Current(); snap == nil || since.IsZero() {
		t.Error("no snapshot is in force")
	}
	if snap, since := new(live.State).Current(); snap != nil || !since.IsZero() {
		t.Error("a state without a snapshot has one")
	}
}

package upstream

import (
	"log/slog"
	"net/netip"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/internal/stat"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// full is an endpoint of a cluster that may have one connection, and has it.
func full(t *testing.T) (*Endpoint, *conn) {
	t.Helper()
	app := testkit.NewApp(t)
	m := NewManager(Settings{Log: slog.New(slog.DiscardHandler)}, new(stat.Set))
	t.Cleanup(m.Close)
	clusters, _ := m.Sync([]*mesh.Cluster{{
		Name:      "c",
		Discovery: mesh.Discovery{Kind: mesh.Static, Addrs: []netip.AddrPort{app.Addr}},
		Limits:    mesh.Limits{MaxConnections: 1},
	}})
	e := clusters[0].Members().Endpoints[0]
	if !e.reserve() {
		t.Fatal("no place for the first connection")
	}
	sc, err := sock.Dial(t.Context(), e.Addr(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return e, newConn(e, sc, m.crew)
}

func TestAConnectionThatCameBackBeforeTheWaitBeganIsTaken(t *testing.T) {
	e, c := full(t)
	if e.reserve() {
		t.Fatal("a second place")
	}
	e.pool.put(c) // between the caller's look and its wait
	if got, ok := e.pool.wait(&l7.Exchange{}, sock.Now()+1); got != c || !ok {
		t.Errorf("wait = %v, %v; want the connection", got, ok)
	}
	e.pool.put(c)
}

func TestAPlaceThatCameBackBeforeTheWaitBeganIsTaken(t *testing.T) {
	e, c := full(t)
	c.close(e.cluster.stats.Counter(cxDestroyLocal))
	if got, ok := e.pool.wait(&l7.Exchange{}, sock.Now()+1); got != nil || !ok {
		t.Errorf("wait = %v, %v; want a place", got, ok)
	}
	if e.reserve() {
		t.Error("the place was not taken")
	}
	e.free()
}

func TestAWaiterWhoseClientHasGoneAlreadyDoesNotWait(t *testing.T) {
	e, c := full(t)
	ex := &l7.Exchange{Peer: &l7.Peer{}}
	ex.Peer.Leave()
	if got, ok := e.pool.wait(ex, 0); got != nil || ok {
		t.Errorf("wait = %v, %v; want neither", got, ok)
	}
	e.pool.put(c)
	if e.pool.take() != c {
		t.Error("the connection did not come back to the pool")
	}
	e.pool.put(c)
}

package proxy_test

import (
	"io"
	"net"
	"net/http"
	"testing"

	"golang.org/x/net/http2"

	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/internal/testkit/sidecar"
)

// A drain tells each connection once, and drops nothing: streams under way, and
// those that were on their way before the client knew.
func TestADrainTellsTheClientToGoElsewhere(t *testing.T) {
	app, arrived, gate := gated(t)
	s := startApp(t, app)
	f := newFramer(t, s.Egress)
	slow := f.get("/slow")
	testkit.Wait(t, "the first request", arrived)
	s.Server.Drain()
	next := f.get("/next")
	testkit.Wait(t, "the second request", arrived)
	gate <- struct{}{}
	gate <- struct{}{}
	answered, notices := map[uint32]bool{}, 0
	for len(answered) < 2 || notices < 2 {
		fr := f.until("two answers and two GOAWAYs", func(fr http2.Frame) bool { return true })
		switch fr := fr.(type) {
		case *http2.MetaHeadersFrame:
			answered[fr.StreamID] = fr.PseudoValue("status") == "200"
		case *http2.GoAwayFrame:
			notices++
			if fr.ErrCode != http2.ErrCodeNo || fr.LastStreamID < next {
				t.Errorf("GOAWAY %v, last stream %d", fr.ErrCode, fr.LastStreamID)
			}
		}
	}
	if !answered[slow] || !answered[next] {
		t.Errorf("answered %v", answered)
	}
	f.over()
	s.Counts(map[string]uint64{"http.egress.downstream_cx_drain_close": 1, "http.egress.downstream_rq_2xx": 2})
	if r := s.Records.Next(t); r.Code != 200 || r.Flags != "" {
		t.Errorf("record %+v", r)
	}
}

func TestStopWaitsForStreamsAndEndsConnectionsWithoutAny(t *testing.T) {
	app, arrived, gate := gated(t)
	s := startApp(t, app)
	busy, idle, fresh := newFramer(t, s.Egress), newFramer(t, s.Egress), newFramer(t, s.Egress)
	idle.request(true, ":method", "GET", ":scheme", "http", ":path", "/", ":authority", "nobody")
	idle.head(1)
	fresh.until("SETTINGS", func(fr http2.Frame) bool { _, ok := fr.(*http2.SettingsFrame); return ok })
	stream := busy.get("/last")
	testkit.Wait(t, "the request", arrived)
	done := stop(t, s)
	for _, f := range []*framer{idle, fresh} {
		f.goAway()
		f.over()
		f.conn.Close()
	}
	busy.goAway()
	gate <- struct{}{}
	if got := busy.head(stream).PseudoValue("status"); got != "200" {
		t.Errorf("the stream under way got %q", got)
	}
	busy.over()
	busy.conn.Close()
	testkit.Wait(t, "the stop", done)
	if _, err := net.Dial("tcp", s.Egress.String()); err == nil {
		t.Error("the port is still open")
	}
}

// Clients that keep asking lose nothing while the sidecar stops.
func TestADrainUnderLoadDropsNothing(t *testing.T) {
	s := startWeb(t, 2, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	c := webClient(t, 2, s.Egress)
	answers := make(chan int, 200)
	for range cap(answers) {
		go func() { answers <- fetch(t, c, "GET", "http://svc/", nil).StatusCode }()
	}
	for i := range cap(answers) {
		if i == 20 {
			s.Server.Drain()
		}
		if got := testkit.Wait(t, "an answer", answers); got != 200 {
			t.Errorf("got %d", got)
		}
	}
}

func TestStopOutOfPatienceCancelsStreams(t *testing.T) {
	arrived, gone := make(chan struct{}, 1), make(chan error, 1)
	s := startApp(t, testkit.NewApp(t, testkit.Announce(arrived, testkit.HangUntilGone(gone))))
	f := newFramer(t, s.Egress)
	f.get("/")
	testkit.Wait(t, "the request", arrived)
	s.Stop() // has 100 ms
	testkit.Wait(t, "the upstream request cancelled", gone)
	f.over()
	if n := s.Server.Connections(); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

// A reload changes the next stream of a connection and cuts none.
func TestAReloadChangesTheNextStream(t *testing.T) {
	app, arrived, gate := gated(t)
	snap := sidecar.Mesh(sidecar.Backend("svc", 8080, sidecar.Route(sidecar.Cluster("old", app.Addr))))
	s := sidecar.Start(t, snap)
	f := newFramer(t, s.Egress)
	old := f.get("/old")
	testkit.Wait(t, "the old request", arrived)
	fresh := testkit.NewApp(t, testkit.Status(201))
	s.Apply(sidecar.Mesh(sidecar.Backend("svc", 8080, sidecar.Route(sidecar.Cluster("new", fresh.Addr)))))
	if got := f.head(f.get("/new")).PseudoValue("status"); got != "201" {
		t.Errorf("the new stream got %q", got)
	}
	gate <- struct{}{}
	if got := f.head(old).PseudoValue("status"); got != "200" {
		t.Errorf("the old stream got %q", got)
	}
}

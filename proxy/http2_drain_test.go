package proxy_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

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

// A connection that has no response to come is told as well: one that is idle,
// one that had no stream yet, one whose streams are long.
func TestADrainTellsEveryConnectionAtOnce(t *testing.T) {
	app, arrived, gate := gated(t)
	s := startApp(t, app)
	busy, idle, fresh := newFramer(t, s.Egress), newFramer(t, s.Egress), newFramer(t, s.Egress)
	idle.request(true, ":method", "GET", ":scheme", "http", ":path", "/", ":authority", "nobody")
	idle.head(1)
	fresh.until("SETTINGS", func(fr http2.Frame) bool { _, ok := fr.(*http2.SettingsFrame); return ok })
	long := busy.get("/long")
	testkit.Wait(t, "the request", arrived)
	s.Server.Drain()
	for _, f := range []*framer{busy, idle, fresh} {
		if fr := f.goAway(); fr.LastStreamID != 1<<31-1 || fr.ErrCode != http2.ErrCodeNo {
			t.Errorf("the first notice is %v", fr)
		}
	}
	// What was sent before the client has heard of it is served (its PING is not
	// answered yet).
	late := busy.get("/late")
	testkit.Wait(t, "the late request", arrived)
	if fr := busy.goAway(); fr.LastStreamID != late {
		t.Errorf("the last notice is %v, want stream %d", fr, late)
	}
	gate <- struct{}{}
	gate <- struct{}{}
	statuses := map[uint32]string{}
	for range 2 {
		fr := busy.until("an answer", func(fr http2.Frame) bool { _, ok := fr.(*http2.MetaHeadersFrame); return ok }).(*http2.MetaHeadersFrame)
		statuses[fr.StreamID] = fr.PseudoValue("status")
	}
	if statuses[long] != "200" || statuses[late] != "200" {
		t.Errorf("answers %v", statuses)
	}
	for _, f := range []*framer{busy, idle, fresh} {
		f.over()
	}
	s.Counts(map[string]uint64{"http.egress.downstream_cx_drain_close": 3})
}

// A connection that is made while the server drains is served, and told with
// its first response. HTTP/1 has its own way to say so.
func TestAConnectionMadeDuringADrainIsServed(t *testing.T) {
	s := startApp(t, testkit.NewApp(t))
	s.Server.Drain()
	f := newFramer(t, s.Egress)
	f.until("SETTINGS", func(fr http2.Frame) bool { _, ok := fr.(*http2.SettingsFrame); return ok })
	stream := f.get("/")
	told, answered := 0, false
	for told < 2 || !answered {
		switch fr := f.until("an answer and two notices", func(http2.Frame) bool { return true }).(type) {
		case *http2.GoAwayFrame:
			told++
		case *http2.MetaHeadersFrame:
			answered = fr.StreamID == stream && fr.PseudoValue("status") == "200"
		}
	}
	f.over()
	if got := s.Get("svc", "/"); got.Status != 200 || !got.Close {
		t.Errorf("HTTP/1 got %d, close %v", got.Status, got.Close)
	}
}

// A connection that meets the drain before its preface is whole is served too.
func TestADrainWaitsForAPreface(t *testing.T) {
	s := startApp(t, testkit.NewApp(t))
	f := bareFramer(t, s.Egress)
	io.WriteString(f.conn, http2.ClientPreface[:10])
	testkit.Eventually(t, "the connection", func() bool { return s.Server.Connections() == 1 })
	s.Server.Drain()
	io.WriteString(f.conn, http2.ClientPreface[10:])
	f.WriteSettings()
	if fr, err := f.ReadFrame(); err != nil || fr.Header().Type != http2.FrameSettings {
		t.Fatalf("the first frame is %v, %v", fr, err)
	}
	if got := f.head(f.get("/")).PseudoValue("status"); got != "200" {
		t.Errorf("got %q", got)
	}
	f.goAway()
	f.over()
}

// Clients that take a GOAWAY for what it is lose nothing: neither requests that
// they send all the time, with bodies, nor gRPC calls, nor a gRPC stream that
// was there before and goes on.
func TestClientsThatUnderstandADrainLoseNothing(t *testing.T) {
	s := startWeb(t, 2, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	c := webClient(t, 2, s.Egress)
	const callers, calls = 8, 40
	begun := make(chan struct{}, callers*calls)
	var callersDone sync.WaitGroup
	for range callers {
		callersDone.Go(func() {
			for range calls {
				begun <- struct{}{}
				if got := fetch(t, c, "POST", "http://svc/", strings.NewReader("body")); got.StatusCode != 200 || got.body != "body" {
					t.Errorf("got %d %q, %v", got.StatusCode, got.body, got.err)
				}
			}
		})
	}
	for range callers * calls / 4 {
		testkit.Wait(t, "a request", begun)
	}
	s.Server.Drain()
	callersDone.Wait()
}

func TestGRPCOutlivesADrain(t *testing.T) {
	app := grpc.NewServer()
	testgrpc.RegisterTestServiceServer(app, interop.NewTestServer())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go app.Serve(l)
	t.Cleanup(app.Stop)
	s := start(t, sidecar.Route(webCluster(2, l.Addr().(*net.TCPAddr).AddrPort())))
	cc, err := grpc.NewClient(s.Egress.String(), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority("svc"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cc.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	client := testgrpc.NewTestServiceClient(cc)
	talk, err := client.FullDuplexCall(ctx)
	if err != nil {
		t.Fatal(err)
	}
	echo := func(n int) {
		t.Helper()
		for i := range n {
			err := talk.Send(&testgrpc.StreamingOutputCallRequest{ResponseParameters: []*testgrpc.ResponseParameters{{Size: 10}}})
			if _, got := talk.Recv(); err != nil || got != nil {
				t.Fatalf("message %d: %v, %v", i, err, got)
			}
			if _, err := client.EmptyCall(ctx, &testgrpc.Empty{}); err != nil {
				t.Fatalf("call %d: %v", i, err)
			}
		}
	}
	echo(3)
	s.Server.Drain()
	echo(20)
	talk.CloseSend()
	if _, err := talk.Recv(); err != io.EOF {
		t.Errorf("the stream ended by %v", err)
	}
}

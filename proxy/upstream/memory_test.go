package upstream

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/stat"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/proxy/l7"
	"github.com/outrider-mesh/outrider/proxy/l7/h2"
)

// pourer is a server that answers with a head and all that the windows allow.
func pourer(t *testing.T) netip.AddrPort {
	return testkit.NewTCP(t, func(c *net.TCPConn) {
		if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
			return
		}
		f := http2.NewFramer(c, c)
		f.WriteSettings()
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				return
			}
			if h, ok := frame.(*http2.HeadersFrame); ok {
				f.WriteHeaders(http2.HeadersFrameParam{StreamID: h.StreamID, BlockFragment: []byte{0x88}, EndHeaders: true}) // :status 200
				for range 3 {
					f.WriteData(h.StreamID, false, make([]byte, 16<<10))
				}
			}
		}
	})
}

// A stream that we reset for want of memory broke no protocol.
func TestAStreamThatMemoryWasShortOfIsAnOverflow(t *testing.T) {
	t.Run("before its head", func(t *testing.T) {
		f := outcome{reset: resetBy(h2.ErrMemory), err: h2.ErrMemory}.failure(false)
		if f.Status != 503 || f.Flag != l7.FlagUpstreamOverflow || f.Details != "upstream_reset_before_response_started{overflow}" {
			t.Errorf("got %d, %v, %q", f.Status, f.Flag, f.Details)
		}
	})
	t.Run("after its head", func(t *testing.T) {
		m := NewManager(Settings{
			Log:          slog.New(slog.DiscardHandler),
			HTTP2:        h2.Limits{InitialStreamWindow: 1 << 16, InitialConnectionWindow: 1 << 16},
			StreamBudget: h2.NewBudget(1),
		}, new(stat.Set))
		t.Cleanup(m.Close)
		clusters, _ := m.Sync([]*mesh.Cluster{{Name: "c", Protocol: mesh.HTTP2, ConnectTimeout: time.Second,
			Discovery: mesh.Discovery{Kind: mesh.Static, Addrs: []netip.AddrPort{pourer(t)}}}})
		ex := &l7.Exchange{}
		ex.Request = l7.Request{Method: []byte("GET"), Target: []byte("/"), Authority: []byte("a"), Body: l7.Empty}
		if err := clusters[0].Forward(ex, &mesh.Route{}); err != nil {
			t.Fatal(err)
		}
		stats := m.stats.Group("cluster.c.http2.", &h2.Layout)
		testkit.Eventually(t, "the stream was reset", func() bool { return stats.Counter(resets(t)).Value() == 1 })
		var err error
		for err == nil {
			_, err = ex.Response.Body.Next()
		}
		if !errors.Is(err, h2.ErrMemory) {
			t.Errorf("the body ends with %v", err)
		}
		ex.End(false)
		if ex.Flags.String() != "UO" || ex.Details != "upstream_reset_after_response_started{overflow}" {
			t.Errorf("flags %s, details %q", ex.Flags.String(), ex.Details)
		}
		if n := clusters[0].stats.Counter(cxProtocolError).Value(); n != 0 {
			t.Errorf("upstream_cx_protocol_error = %d", n)
		}
	})
	t.Run("a request's body", func(t *testing.T) {
		f := brokenBody(h2.ErrMemory)
		if f.Status != 0 || f.Flag != l7.FlagUpstreamOverflow || !errors.Is(f, h2.ErrMemory) {
			t.Errorf("got %d, %v", f.Status, f.Flag)
		}
	})
}

// resets is the counter of such streams in h2's layout.
func resets(t *testing.T) int {
	for i, name := range h2.Layout.Counters {
		if name == "buffer_budget_resets" {
			return i
		}
	}
	t.Fatal("h2 counts no streams that memory was short of")
	return 0
}

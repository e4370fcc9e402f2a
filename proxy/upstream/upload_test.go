package upstream_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/testkit"
)

// Whoever begins uploads and ends none does not use the app up.
func TestUnfinishedUploadsAreBounded(t *testing.T) {
	for _, protocol := range []mesh.Protocol{mesh.HTTP, mesh.HTTP2} {
		t.Run(protocol.String(), func(t *testing.T) {
			arrived := make(chan struct{}, 10)
			handle := func(w http.ResponseWriter, r *http.Request) {
				arrived <- struct{}{}
				body, _ := io.ReadAll(r.Body)
				fmt.Fprint(w, len(body))
			}
			addr, _ := serveH2(t, handle)
			if protocol == mesh.HTTP {
				addr = testkit.NewApp(t, func(c *testkit.Call) {
					arrived <- struct{}{}
					body, err := c.ReadBody()
					if err != nil {
						return
					}
					c.Reply(200, fmt.Sprint(len(body)))
				}).Addr
			}
			s := startH2With(t, addr, func(s *h2setup) {
				s.cluster.Protocol = protocol
				s.settings.MaxUnfinishedUploads = 2
			})
			const head = "POST / HTTP/1.1\r\nhost: svc\r\ncontent-length: 10\r\n\r\n"
			var clients []*testkit.Client
			for range 2 {
				c := testkit.Dial(t, s.Egress)
				c.Send(head + "half ")
				testkit.Wait(t, "an upload", arrived)
				clients = append(clients, c)
			}
			third := testkit.Dial(t, s.Egress)
			third.Send(head)
			if got := third.Receive("POST"); got.Status != 503 || got.Body != resetText+"overflow" || got.Header.Get("x-envoy-overloaded") != "true" {
				t.Errorf("one more got %d %q %v", got.Status, got.Body, got.Header)
			}
			if r := s.Records.Next(t); r.Flags != "UO" || r.Details != "upstream_reset_before_response_started{overflow}" || r.Attempts != 0 {
				t.Errorf("record %q %q after %d attempts", r.Flags, r.Details, r.Attempts)
			}
			// Those that are whole when they are forwarded do not count.
			if got := testkit.Dial(t, s.Egress).Do("POST", "svc", "/", "whole"); got.Body != "5" {
				t.Errorf("a whole request got %d %q", got.Status, got.Body)
			}
			testkit.Wait(t, "the whole one", arrived)

			clients[0].Send("half.")
			if got := clients[0].Receive("POST"); got.Body != "10" {
				t.Errorf("got %d %q", got.Status, got.Body)
			}
			clients[1].Close()
			testkit.Eventually(t, "one has ended, one was left", func() bool { return s.Gauge("cluster.c.upstream_rq_active") == 0 })
			for range 2 {
				c := testkit.Dial(t, s.Egress)
				c.Send(head)
				testkit.Wait(t, "an upload in a place that was given back", arrived)
				defer c.Close()
			}
			s.Counts(map[string]uint64{"cluster.c.upstream_rq_unfinished_overflow": 1, "cluster.c.upstream_rq_pending_overflow": 0})
		})
	}
}

// The place is free when the request has come, long before its answer.
func TestAnUploadThatHasEndedHoldsNoPlace(t *testing.T) {
	arrived, gate := make(chan struct{}, 10), make(chan struct{})
	addr, _ := serveH2(t, func(w http.ResponseWriter, r *http.Request) {
		io.ReadAll(r.Body)
		arrived <- struct{}{}
		<-gate
	})
	s := startH2With(t, addr, func(s *h2setup) { s.settings.MaxUnfinishedUploads = 1 })
	var clients []*testkit.Client
	for range 3 {
		c := testkit.Dial(t, s.Egress)
		c.Send("POST / HTTP/1.1\r\nhost: svc\r\ncontent-length: 4\r\n\r\nbo")
		testkit.Eventually(t, "it was forwarded", func() bool { return s.Gauge("cluster.c.upstream_rq_active") == int64(len(clients)+1) })
		c.Send("dy")
		testkit.Wait(t, "it has come", arrived)
		clients = append(clients, c)
	}
	close(gate)
	for _, c := range clients {
		if got := c.Receive("POST"); got.Status != 200 {
			t.Errorf("got %d %q", got.Status, got.Body)
		}
	}
}

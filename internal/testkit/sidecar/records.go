package sidecar

import (
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/outrider-mesh/outrider/internal/stat"
	"github.com/outrider-mesh/outrider/internal/testkit"
)

// Record is what a test asks of an access record.
type Record struct {
	Method, Path, Authority string
	Code                    int
	Flags, Details          string
	Route, Cluster          string
	Upstream, Local         netip.AddrPort
	Downstream              netip.AddrPort
	ServerName, Sniffed     string
	TransportFailure        string
	Attempts                int
	Received, Sent          uint64
	Duration, UpstreamTime  time.Duration
}

// Records is an access log that the test reads.
type Records struct {
	c      chan Record
	closed atomic.Bool
}

// Log implements proxy.AccessLog.
func (r *Records) Log(s *stat.Record) {
	r.c <- Record{
		Method: string(s.Method), Path: string(s.Path), Authority: string(s.Authority),
		Code: s.Code, Flags: s.Flags, Details: s.Details,
		Route: s.Route, Cluster: s.Cluster, Upstream: s.Upstream, Local: s.Local, Downstream: s.Downstream, ServerName: s.ServerName, Sniffed: s.Sniffed,
		TransportFailure: s.TransportFailure, Attempts: s.Attempts,
		Received: s.BytesReceived, Sent: s.BytesSent,
		Duration: s.Duration, UpstreamTime: s.UpstreamTime,
	}
}

// Close notes that the log was closed.
func (r *Records) Close() error {
	r.closed.Store(true)
	return nil
}

// Closed tells whether the log was closed.
func (r *Records) Closed() bool { return r.closed.Load() }

// Next waits for the next record.
func (r *Records) Next(t testing.TB) Record {
	t.Helper()
	return testkit.Wait(t, "an access record", r.c)
}

// mostRecords may wait to be read; a test that makes more asks for no log.
const mostRecords = 1 << 14

//go:build linux

// Package footprint measures what Outrider costs while it does little or nothing: the time to LIVE, memory at rest, memory per
// connection, stream and TCP pair, allocations per request. No peers: the targets are absolute.
package footprint

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/outrider-mesh/outrider/bench/peers"
)

// Metric reads one metric without labels from Outrider's Prometheus page.
func metric(ctx context.Context, peer *peers.Peer, name string) (float64, error) {
	page, err := peers.Get(ctx, peer.Admin, "/stats/prometheus")
	if err != nil {
		return 0, err
	}
	return find(page, name)
}

func find(page []byte, name string) (float64, error) {
	for line := range bytes.Lines(page) {
		if value, ok := bytes.CutPrefix(line, []byte(name+" ")); ok {
			return strconv.ParseFloat(string(bytes.TrimSpace(value)), 64)
		}
	}
	return 0, fmt.Errorf("the Prometheus page has no metric %s", name)
}

// pause waits, or ends early with ctx.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

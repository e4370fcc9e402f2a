package l4

import (
	"github.com/outrider-mesh/outrider/internal/stat"
	"github.com/outrider-mesh/outrider/proxy/relay"
)

// The counters of TCP connections, "tcp.<prefix>." (Envoy 7.2).
const (
	cxTotal = iota
	cxNoRoute
	cxRxBytes
	cxTxBytes
	idleTimeout
)

var layout = stat.Layout{
	Counters: []string{
		cxTotal:     "downstream_cx_total",
		cxNoRoute:   "downstream_cx_no_route",
		cxRxBytes:   "downstream_cx_rx_bytes_total",
		cxTxBytes:   "downstream_cx_tx_bytes_total",
		idleTimeout: "idle_timeout",
	},
}

// Stats are the cells of the TCP connections of one direction. Nil counts
// nothing.
type Stats struct{ group *stat.Group }

// NewStats makes the cells "tcp.<prefix>."; App Mesh's prefixes are "ingress" and
// "egress".
func NewStats(set *stat.Set, prefix string) *Stats {
	return &Stats{set.Group("tcp."+prefix+".", &layout)}
}

// NoRoute counts a connection that no cluster takes.
func (s *Stats) NoRoute() {
	s.inc(cxTotal)
	s.inc(cxNoRoute)
}

// Failed counts a connection whose upstream could not be reached.
func (s *Stats) Failed() { s.inc(cxTotal) }

// began counts a connection that is to be relayed, and lets its sides count
// what passes while it does.
func (s *Stats) began(down, up *relay.Side) {
	if s != nil {
		s.inc(cxTotal)
		down.Sent, up.Sent = s.group.Counter(cxRxBytes), s.group.Counter(cxTxBytes)
	}
}

func (s *Stats) ended(end relay.End) {
	if end == relay.Idle {
		s.inc(idleTimeout)
	}
}

func (s *Stats) inc(counter int) {
	if s != nil {
		s.group.Counter(counter).Inc()
	}
}

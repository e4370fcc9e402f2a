package h2

import "github.com/outrider-mesh/outrider/internal/stat"

// The counters of connections (Envoy: codec statistics, 7.2).
const (
	rxReset = iota
	txReset
	rxMessagingError
	headerOverflow
	emptyFramesFlood
	priorityFlood
	windowUpdateFlood
	outboundFlood
	outboundControlFlood
	prematureResets
	streamsRefused
	goAwaySent
	goAwayReceived
	trailers
	flowPaused
	memoryResets
)

// The gauge of connections.
const streamsActive = iota

// Layout is the cells of connections: the group "http2." downstream,
// "cluster.<name>.http2." upstream.
var Layout = stat.Layout{
	Counters: []string{
		rxReset:              "rx_reset",
		txReset:              "tx_reset",
		rxMessagingError:     "rx_messaging_error",
		headerOverflow:       "header_overflow",
		emptyFramesFlood:     "inbound_empty_frames_flood",
		priorityFlood:        "inbound_priority_frames_flood",
		windowUpdateFlood:    "inbound_window_update_frames_flood",
		outboundFlood:        "outbound_flood",
		outboundControlFlood: "outbound_control_flood",
		prematureResets:      "too_many_premature_resets",
		streamsRefused:       "stream_refused_errors",
		goAwaySent:           "goaway_sent",
		goAwayReceived:       "goaway_received", // ours
		trailers:             "trailers",
		flowPaused:           "flow_control_paused",  // ours: DATA had to wait for a window
		memoryResets:         "buffer_budget_resets", // ours: see ErrMemory
	},
	Gauges: []string{
		streamsActive: "streams_active",
	},
}

// floods says which counter a flood counts in.
var floods = map[*Error]int{
	errBlockTooLong:    headerOverflow,
	errEmptyFrames:     emptyFramesFlood,
	errPriorityFlood:   priorityFlood,
	errWindowFlood:     windowUpdateFlood,
	errOutboundFlood:   outboundFlood,
	errControlFlood:    outboundControlFlood,
	errPrematureResets: prematureResets,
}

// countError counts why a connection or a stream was ended by us.
func (c *conn) countError(err *Error) {
	switch cell, isFlood := floods[err]; {
	case isFlood:
		c.stats.Counter(cell).Inc()
	case err == errTooManyFields, err == errFieldsTooLong:
		c.stats.Counter(headerOverflow).Inc()
	case err == errRefusing:
		c.stats.Counter(streamsRefused).Inc()
	case !err.Remote:
		c.stats.Counter(rxMessagingError).Inc()
	}
}

package config

import (
	"fmt"
	"math"
	"time"
)

// HTTP2 bounds what a peer may ask of an HTTP/2 connection, on either side.
// The names are Envoy's (http2_protocol_options and two runtime keys).
type HTTP2 struct {
	// MaxConcurrentStreams is how many streams a peer may have open at once;
	// it is announced in SETTINGS.
	MaxConcurrentStreams Value[uint32]
	// InitialStreamWindow and InitialConnectionWindow are bytes that a peer may
	// send before anything was passed on.
	InitialStreamWindow, InitialConnectionWindow Value[uint32]
	// MaxHeaderBytes and MaxHeaders bound a header block, decoded.
	MaxHeaderBytes, MaxHeaders Value[uint32]
	Floods                     HTTP2Floods
	// StreamBufferBudget is how many bytes of bodies all connections together may
	// hold that nobody has taken yet, grown windows included; see Measured.
	StreamBufferBudget Value[int64]
}

// HTTP2Floods are the bounds whose breach ends a connection
// (ENHANCE_YOUR_CALM).
type HTTP2Floods struct {
	// MaxOutboundFrames and MaxOutboundControlFrames are frames that wait for a
	// peer who does not read.
	MaxOutboundFrames, MaxOutboundControlFrames Value[uint32]
	// MaxConsecutiveInboundFramesWithEmptyPayload: HEADERS, CONTINUATION and
	// DATA without content and without an end.
	MaxConsecutiveInboundFramesWithEmptyPayload Value[uint32]
	// MaxInboundPriorityFramesPerStream is for each stream ever opened,
	// MaxInboundWindowUpdateFramesPerDataFrameSent for each DATA frame sent.
	MaxInboundPriorityFramesPerStream            Value[uint32]
	MaxInboundWindowUpdateFramesPerDataFrameSent Value[uint32]
	// Of PrematureResetTotalStreamCount streams fewer than half may end without
	// an answer within PrematureResetMinStreamLifetime.
	PrematureResetTotalStreamCount  Value[uint32]
	PrematureResetMinStreamLifetime Value[time.Duration]
}

// Upstream says how endpoints are spoken to, beyond what documents say.
type Upstream struct {
	// MaxRequestsPerConnection retires a connection after so many; 0: never.
	MaxRequestsPerConnection Value[uint32]
	// MaxUnfinishedUploads is for each cluster: requests under way whose body has
	// not come as a whole; 0: no bound.
	MaxUnfinishedUploads Value[uint32]
	GRPCTimeout          Value[GRPCTimeout]
}

// GRPCTimeout is what a request's grpc-timeout does.
type GRPCTimeout uint8

// PassGRPCTimeout hands it to the upstream, which may heed it, as App Mesh did.
// LimitByGRPCTimeout lets it shorten the route's timeout too.
const (
	PassGRPCTimeout GRPCTimeout = iota
	LimitByGRPCTimeout
)

// String is the spelling of --grpc-timeout.
func (t GRPCTimeout) String() string { return [...]string{"pass", "limit"}[t] }

func parseGRPCTimeout(s string) (GRPCTimeout, error) {
	word, err := oneOf("pass", "limit")(s)
	if word == "limit" {
		return LimitByGRPCTimeout, err
	}
	return PassGRPCTimeout, err
}

// maxWindow is the largest window there is (RFC 9113 section 6.9.1), minWindow
// the one every connection has without saying so.
const (
	maxWindow = math.MaxInt32
	minWindow = 65535
)

// http2Settings are the flags of HTTP2 and Upstream.
var http2Settings = []setting{
	{flag: "http2-max-concurrent-streams", arg: "N",
		help: "streams that a peer may have open on one connection (1024)",
		set:  into(func(r *Run) *Value[uint32] { return &r.HTTP2.MaxConcurrentStreams }, count(1, math.MaxInt32))},
	{flag: "http2-initial-stream-window", arg: "BYTES",
		help: "bytes a stream may send unasked (64KiB)",
		set:  into(func(r *Run) *Value[uint32] { return &r.HTTP2.InitialStreamWindow }, bytes32(minWindow, maxWindow))},
	{flag: "http2-initial-connection-window", arg: "BYTES",
		help: "bytes all streams of a connection together may send unasked (1MiB)",
		set:  into(func(r *Run) *Value[uint32] { return &r.HTTP2.InitialConnectionWindow }, bytes32(minWindow, maxWindow))},
	{flag: "http2-max-header-bytes", arg: "BYTES",
		help: "size of a header block, decoded (60KiB)",
		set:  into(func(r *Run) *Value[uint32] { return &r.HTTP2.MaxHeaderBytes }, bytes32(1<<10, 8<<20))},
	{flag: "http2-max-headers", arg: "N",
		help: "fields of a header block (100)",
		set:  into(func(r *Run) *Value[uint32] { return &r.HTTP2.MaxHeaders }, count(1, 65535))},
	{flag: "http2-max-outbound-frames", arg: "N",
		help: "frames that may wait for a peer that does not read (10000)",
		set:  into(func(r *Run) *Value[uint32] { return &r.HTTP2.Floods.MaxOutboundFrames }, count(1, math.MaxInt32))},
	{flag: "http2-max-outbound-control-frames", arg: "N",
		help: "of these, answers to PING, SETTINGS and resets (1000)",
		set:  into(func(r *Run) *Value[uint32] { return &r.HTTP2.Floods.MaxOutboundControlFrames }, count(1, math.MaxInt32))},
	{flag: "http2-max-consecutive-inbound-frames-with-empty-payload", arg: "N",
		help: "frames without content in a row (1)",
		set: into(func(r *Run) *Value[uint32] { return &r.HTTP2.Floods.MaxConsecutiveInboundFramesWithEmptyPayload },
			count(1, math.MaxInt32))},
	{flag: "http2-max-inbound-priority-frames-per-stream", arg: "N",
		help: "PRIORITY frames for each stream opened (100)",
		set:  into(func(r *Run) *Value[uint32] { return &r.HTTP2.Floods.MaxInboundPriorityFramesPerStream }, count(1, math.MaxInt32))},
	{flag: "http2-max-inbound-window-update-frames-per-data-frame-sent", arg: "N",
		help: "WINDOW_UPDATE frames for each DATA frame sent (10)",
		set: into(func(r *Run) *Value[uint32] { return &r.HTTP2.Floods.MaxInboundWindowUpdateFramesPerDataFrameSent },
			count(1, math.MaxInt32))},
	{flag: "http2-premature-reset-total-stream-count", arg: "N",
		help: "a connection is closed when half of so many streams ended early (500)",
		set:  into(func(r *Run) *Value[uint32] { return &r.HTTP2.Floods.PrematureResetTotalStreamCount }, count(1, math.MaxInt32))},
	{flag: "http2-premature-reset-min-stream-lifetime", arg: "DURATION",
		help: "a stream that ends without an answer before this age ended early (1s)",
		set: into(func(r *Run) *Value[time.Duration] { return &r.HTTP2.Floods.PrematureResetMinStreamLifetime },
			duration(time.Millisecond, time.Hour))},
	{flag: "http2-stream-buffer-budget", arg: "BYTES",
		help: "bytes that all connections may hold of bodies nobody has taken; past it who holds most is reset (an eighth of the memory limit)",
		set: into(func(r *Run) *Value[int64] { return &r.HTTP2.StreamBufferBudget }, func(s string) (int64, error) {
			n, err := byteCount(0, 1<<40)(s)
			return int64(n), err
		})},
	{flag: "max-requests-per-connection", arg: "N",
		help: "requests after which a connection to an endpoint is retired; 0: never (0)",
		set:  into(func(r *Run) *Value[uint32] { return &r.Upstream.MaxRequestsPerConnection }, count(0, math.MaxInt32))},
	{flag: "max-unfinished-uploads", arg: "N",
		help: "requests to a cluster whose body is still coming, gRPC calls with an open request side too; 0: no bound (4096)",
		set:  into(func(r *Run) *Value[uint32] { return &r.Upstream.MaxUnfinishedUploads }, count(0, math.MaxInt32))},
	{flag: "grpc-timeout", arg: "WORD",
		help: "pass a request's grpc-timeout on, or let it limit the route's timeout too: pass or limit (pass)",
		set:  into(func(r *Run) *Value[GRPCTimeout] { return &r.Upstream.GRPCTimeout }, parseGRPCTimeout)},
}

func count(least, most int) func(string) (uint32, error) {
	return func(s string) (uint32, error) {
		n, err := integer(least, most)(s)
		return uint32(n), err
	}
}

func bytes32(least, most int) func(string) (uint32, error) {
	return func(s string) (uint32, error) {
		n, err := byteCount(least, most)(s)
		return uint32(n), err
	}
}

// defaultHTTP2 is Envoy's defaults for floods and headers; windows and streams
// are ours (Envoy 1.36's 1024 streams, smaller windows that grow on demand).
func defaultHTTP2() HTTP2 {
	return HTTP2{
		MaxConcurrentStreams:    byDefault[uint32](1024),
		InitialStreamWindow:     byDefault[uint32](64 << 10),
		InitialConnectionWindow: byDefault[uint32](1 << 20),
		MaxHeaderBytes:          byDefault[uint32](60 << 10),
		MaxHeaders:              byDefault[uint32](100),
		Floods: HTTP2Floods{
			MaxOutboundFrames:                            byDefault[uint32](10000),
			MaxOutboundControlFrames:                     byDefault[uint32](1000),
			MaxConsecutiveInboundFramesWithEmptyPayload:  byDefault[uint32](1),
			MaxInboundPriorityFramesPerStream:            byDefault[uint32](100),
			MaxInboundWindowUpdateFramesPerDataFrameSent: byDefault[uint32](10),
			PrematureResetTotalStreamCount:               byDefault[uint32](500),
			PrematureResetMinStreamLifetime:              byDefault(time.Second),
		},
	}
}

// The budget where nobody sets one: a share of the memory limit, and not less
// than some streams need; what it is where no limit is known.
const (
	budgetShare     = 8
	budgetLeast     = 32 << 20
	budgetUnlimited = 128 << 20
)

// Measured settles StreamBufferBudget by the runtime's memory limit in bytes
// (debug.SetMemoryLimit(-1): math.MaxInt64 is none), unless it was set.
func (h *HTTP2) Measured(memoryLimit int64) {
	switch {
	case h.StreamBufferBudget.From != "":
	case memoryLimit <= 0 || memoryLimit == math.MaxInt64:
		h.StreamBufferBudget = Value[int64]{budgetUnlimited, fromDefault + ": no memory limit"}
	default:
		from := fmt.Sprintf("%s: 1/%d of %d MiB, at least %d MiB", fromDefault, budgetShare, memoryLimit>>20, budgetLeast>>20)
		h.StreamBufferBudget = Value[int64]{max(memoryLimit/budgetShare, budgetLeast), from}
	}
}

// check finds what is wrong only in combination.
func (h *HTTP2) check(p *parser) {
	control, all := h.Floods.MaxOutboundControlFrames, h.Floods.MaxOutboundFrames
	if control.V > all.V {
		p.problem("http2-max-outbound-control-frames %d (%s): more than http2-max-outbound-frames %d (%s), which counts them too",
			control.V, control.From, all.V, all.From)
	}
	if h.InitialConnectionWindow.V < h.InitialStreamWindow.V {
		p.problem("http2-initial-connection-window %d (%s): less than http2-initial-stream-window %d (%s), which no stream could use",
			h.InitialConnectionWindow.V, h.InitialConnectionWindow.From, h.InitialStreamWindow.V, h.InitialStreamWindow.From)
	}
}

// summary adds a line for each setting.
func (h *HTTP2) summary(s *summary) {
	add(s, "http2-max-concurrent-streams", h.MaxConcurrentStreams, plain)
	add(s, "http2-initial-stream-window", h.InitialStreamWindow, plain)
	add(s, "http2-initial-connection-window", h.InitialConnectionWindow, plain)
	add(s, "http2-max-header-bytes", h.MaxHeaderBytes, plain)
	add(s, "http2-max-headers", h.MaxHeaders, plain)
	f := &h.Floods
	add(s, "http2-max-outbound-frames", f.MaxOutboundFrames, plain)
	add(s, "http2-max-outbound-control-frames", f.MaxOutboundControlFrames, plain)
	add(s, "http2-max-consecutive-inbound-frames-with-empty-payload", f.MaxConsecutiveInboundFramesWithEmptyPayload, plain)
	add(s, "http2-max-inbound-priority-frames-per-stream", f.MaxInboundPriorityFramesPerStream, plain)
	add(s, "http2-max-inbound-window-update-frames-per-data-frame-sent", f.MaxInboundWindowUpdateFramesPerDataFrameSent, plain)
	add(s, "http2-premature-reset-total-stream-count", f.PrematureResetTotalStreamCount, plain)
	add(s, "http2-premature-reset-min-stream-lifetime", f.PrematureResetMinStreamLifetime, plain)
	add(s, "http2-stream-buffer-budget", h.StreamBufferBudget, plain)
}

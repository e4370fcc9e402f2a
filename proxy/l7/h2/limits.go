package h2

import (
	"cmp"
	"time"
)

// Limits bound what a peer may ask of a connection. A zero field is its
// default, which is Envoy's but for the windows (Envoy 2.7, 11.2, 11.3).
type Limits struct {
	// MaxConcurrentStreams is how many streams a downstream peer may have open,
	// and how many we open to an upstream one that allows more.
	MaxConcurrentStreams uint32 // 1024
	// The windows with which a stream and a connection begin, in bytes.
	InitialStreamWindow     uint32 // 64 KiB
	InitialConnectionWindow uint32 // 1 MiB
	// MaxHeaderBytes and MaxHeaders bound one header block, decoded (as RFC 9113
	// 6.5.2 counts) and as it comes.
	MaxHeaderBytes uint32 // 60 KiB
	MaxHeaders     uint32 // 100
	// What may wait for a peer that does not read: frames of all kinds, and
	// answers to PING, SETTINGS and breaches.
	MaxOutboundFrames        uint32 // 10,000
	MaxOutboundControlFrames uint32 // 1,000
	// MaxConsecutiveInboundFramesWithEmptyPayload bounds DATA, HEADERS and
	// CONTINUATION that carry nothing and end nothing.
	MaxConsecutiveInboundFramesWithEmptyPayload uint32 // 1
	// MaxInboundPriorityFramesPerStream counts for each stream opened, and one.
	MaxInboundPriorityFramesPerStream uint32 // 100
	// MaxInboundWindowUpdateFramesPerDataFrameSent allows 5 + 2 * (streams opened
	// + this * DATA frames sent).
	MaxInboundWindowUpdateFramesPerDataFrameSent uint32 // 10
	// Premature resets: streams that end without an answer within the lifetime.
	// The connection ends when half of so many streams did.
	PrematureResetTotalStreamCount  uint32        // 500
	PrematureResetMinStreamLifetime time.Duration // 1 s
}

// or gives the limits with defaults for what is zero.
func (l Limits) or() Limits {
	return Limits{
		MaxConcurrentStreams:                         cmp.Or(l.MaxConcurrentStreams, 1024),
		InitialStreamWindow:                          min(cmp.Or(l.InitialStreamWindow, 64<<10), maxWindow),
		InitialConnectionWindow:                      min(max(cmp.Or(l.InitialConnectionWindow, 1<<20), defaultWindow), maxWindow),
		MaxHeaderBytes:                               cmp.Or(l.MaxHeaderBytes, 60<<10),
		MaxHeaders:                                   cmp.Or(l.MaxHeaders, 100),
		MaxOutboundFrames:                            cmp.Or(l.MaxOutboundFrames, 10000),
		MaxOutboundControlFrames:                     cmp.Or(l.MaxOutboundControlFrames, 1000),
		MaxConsecutiveInboundFramesWithEmptyPayload:  cmp.Or(l.MaxConsecutiveInboundFramesWithEmptyPayload, 1),
		MaxInboundPriorityFramesPerStream:            cmp.Or(l.MaxInboundPriorityFramesPerStream, 100),
		MaxInboundWindowUpdateFramesPerDataFrameSent: cmp.Or(l.MaxInboundWindowUpdateFramesPerDataFrameSent, 10),
		PrematureResetTotalStreamCount:               cmp.Or(l.PrematureResetTotalStreamCount, 500),
		PrematureResetMinStreamLifetime:              cmp.Or(l.PrematureResetMinStreamLifetime, time.Second),
	}
}

// Numbers of RFC 9113.
const (
	defaultWindow   = 1<<16 - 1 // 6.9.2
	maxWindow       = 1<<31 - 1 // 6.9.1
	defaultMaxFrame = 1 << 14   // 4.2; also what we take
	mostMaxFrame    = 1<<24 - 1
	maxStreamID     = 1<<31 - 1
	defaultTable    = 4096 // RFC 7541, SETTINGS_HEADER_TABLE_SIZE
)

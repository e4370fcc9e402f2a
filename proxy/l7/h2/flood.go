package h2

import (
	"time"

	"golang.org/x/net/http2"
)

// floodCount counts what an abusive peer sends (Envoy 2.7, 11.3). It belongs to
// the reader, but for resets.
type floodCount struct {
	frames   int // since the output was looked at
	empties  uint32
	priority uint64
	windows  uint64
}

// empty counts frames that carry nothing, but perhaps padding, and end nothing.
func (n *floodCount) empty(c *conn, f frame, payload int) *Error {
	ends := f.flags&flagEndStream != 0
	if f.kind != http2.FrameData {
		ends = f.flags&flagEndHeaders != 0
	}
	if payload > 0 || ends {
		n.empties = 0
		return nil
	}
	if n.empties++; n.empties > c.limits.MaxConsecutiveInboundFramesWithEmptyPayload {
		return errEmptyFrames
	}
	return nil
}

func (n *floodCount) prioritize(c *conn) *Error {
	if n.priority++; n.priority > uint64(c.limits.MaxInboundPriorityFramesPerStream)*(1+c.opened.Load()) {
		return errPriorityFlood
	}
	return nil
}

func (n *floodCount) window(c *conn) *Error {
	n.windows++
	allowed := 5 + 2*(c.opened.Load()+uint64(c.limits.MaxInboundWindowUpdateFramesPerDataFrameSent)*c.dataSent.Load())
	if n.windows > allowed {
		return errWindowFlood
	}
	return nil
}

// resetCount counts streams that end before they were answered, soon after they
// began: rapid reset (CVE-2023-44487), and resets that the peer tricks us into.
// The connection's lock guards it.
type resetCount struct{ closed, premature uint32 }

// close counts a stream and tells whether there were too many of that kind.
func (r *resetCount) close(limits *Limits, lived time.Duration, answered bool) bool {
	r.closed++
	if answered || lived >= limits.PrematureResetMinStreamLifetime {
		return false
	}
	r.premature++
	most := limits.PrematureResetTotalStreamCount
	return r.premature*2 >= max(most, r.closed)
}

// streamRing remembers a few streams: those that we have reset last, since what
// was under way on them is no breach (RFC 9113 5.1), and those that have ended.
// The connection's lock guards it.
type streamRing struct {
	ids  []uint32 // as many as were needed, up to most
	most int
	next int
}

func (r *streamRing) add(id uint32) {
	if len(r.ids) < r.most {
		r.ids = append(r.ids, id)
		return
	}
	r.ids[r.next%r.most] = id
	r.next++
}

func (r *streamRing) has(id uint32) bool {
	for _, known := range r.ids {
		if known == id {
			return true
		}
	}
	return false
}

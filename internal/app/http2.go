package app

import (
	"github.com/outrider-mesh/outrider/internal/config"
	"github.com/outrider-mesh/outrider/proxy/l7/h2"
	"github.com/outrider-mesh/outrider/proxy/upstream"
)

// http2Limits are the settings as the codec takes them, for both sides.
func http2Limits(c *config.HTTP2) h2.Limits {
	floods := &c.Floods
	return h2.Limits{
		MaxConcurrentStreams:                         c.MaxConcurrentStreams.V,
		InitialStreamWindow:                          c.InitialStreamWindow.V,
		InitialConnectionWindow:                      c.InitialConnectionWindow.V,
		MaxHeaderBytes:                               c.MaxHeaderBytes.V,
		MaxHeaders:                                   c.MaxHeaders.V,
		MaxOutboundFrames:                            floods.MaxOutboundFrames.V,
		MaxOutboundControlFrames:                     floods.MaxOutboundControlFrames.V,
		MaxConsecutiveInboundFramesWithEmptyPayload:  floods.MaxConsecutiveInboundFramesWithEmptyPayload.V,
		MaxInboundPriorityFramesPerStream:            floods.MaxInboundPriorityFramesPerStream.V,
		MaxInboundWindowUpdateFramesPerDataFrameSent: floods.MaxInboundWindowUpdateFramesPerDataFrameSent.V,
		PrematureResetTotalStreamCount:               floods.PrematureResetTotalStreamCount.V,
		PrematureResetMinStreamLifetime:              floods.PrematureResetMinStreamLifetime.V,
	}
}

func grpcTimeout(t config.GRPCTimeout) upstream.GRPCTimeout {
	if t == config.LimitByGRPCTimeout {
		return upstream.LimitByGRPCTimeout
	}
	return upstream.PassGRPCTimeout
}

package proxy

import (
	"testing"

	"github.com/outrider-mesh/outrider/proxy/l7/h2"
)

// A stream that we reset for want of memory is no breach of its client's.
func TestAClientIsNotBlamedForWantOfMemory(t *testing.T) {
	h, e := &http2{}, &exchange{}
	h.blame(e, h2.ErrMemory)
	if got := e.Flags.String(); got != "UO" || e.Details != "http2.buffer_budget" || h.logged.Load() || h.cut.Load() {
		t.Errorf("flags %s, details %q", got, e.Details)
	}
}

package config

import (
	"math"
	"testing"
)

// TestStreamBufferBudget: a share of the memory limit unless it was set.
func TestStreamBufferBudget(t *testing.T) {
	for _, c := range []struct {
		says  string
		limit int64
		want  int64
		from  string
	}{
		{"a small task", 115 << 20, 32 << 20, "default: 1/8 of 115 MiB, at least 32 MiB"},
		{"a large one", 4 << 30, 512 << 20, "default: 1/8 of 4096 MiB, at least 32 MiB"},
		{"no limit", math.MaxInt64, 128 << 20, "default: no memory limit"},
	} {
		h := defaultHTTP2()
		h.Measured(c.limit)
		if h.StreamBufferBudget != (Value[int64]{c.want, c.from}) {
			t.Errorf("%s: got %+v", c.says, h.StreamBufferBudget)
		}
	}
	h := defaultHTTP2()
	h.StreamBufferBudget = Value[int64]{0, "--http2-stream-buffer-budget"}
	if h.Measured(4 << 30); h.StreamBufferBudget.V != 0 {
		t.Errorf("what was set stays: got %+v", h.StreamBufferBudget)
	}
}

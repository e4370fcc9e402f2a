package config

import (
	"math"
	"os"
	"strings"
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

// TestHTTP2SettingsAreDocumented: a row for each, with its variable and its
// default.
func TestHTTP2SettingsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string]string)
	for _, line := range strings.Split(string(page), "\n") {
		if name, rest, ok := strings.Cut(strings.TrimPrefix(line, "| `"), "` | "); ok && strings.HasPrefix(line, "| `") {
			rows[name] = rest
		}
	}
	for _, s := range http2Settings {
		open, end := strings.LastIndexByte(s.help, '('), strings.LastIndexByte(s.help, ')')
		if row := rows[s.variable()]; !strings.HasPrefix(row, s.help[open+1:end]) {
			t.Errorf("docs/configuration.md: no row of %s with default %q: %q", s.variable(), s.help[open+1:end], row)
		}
		if !strings.HasPrefix(s.variable(), "OUTRIDER_HTTP2_") && s.flag != "max-requests-per-connection" && s.flag != "max-unfinished-uploads" && s.flag != "grpc-timeout" {
			t.Errorf("%s is not of this group", s.flag)
		}
	}
}

package telemetry

import "log/slog"

// Envoy's levels as slog levels; debug, info, warning and error are slog's own.
const (
	LevelTrace    = slog.Level(-8)
	LevelCritical = slog.Level(12)
	// LevelOff, set on a component, silences it. Nothing is logged at it.
	LevelOff = slog.Level(1 << 20)
)

var levels = [...]struct {
	level slog.Level
	name  string
}{
	{LevelTrace, "trace"},
	{slog.LevelDebug, "debug"},
	{slog.LevelInfo, "info"},
	{slog.LevelWarn, "warning"},
	{slog.LevelError, "error"},
	{LevelCritical, "critical"},
	{LevelOff, "off"},
}

// ParseLevel reads one of Envoy's level names. "warn" is a level on Envoy's
// command line and in ENVOY_LOG_LEVEL and so here; the admin call refuses it.
func ParseLevel(name string) (level slog.Level, ok bool) {
	if name == "warn" {
		return slog.LevelWarn, true
	}
	for _, l := range levels {
		if l.name == name {
			return l.level, true
		}
	}
	return 0, false
}

// levelName is the name of the highest of Envoy's levels that is not above level.
func levelName(level slog.Level) string {
	name := levels[0].name
	for _, l := range levels {
		if level >= l.level {
			name = l.name
		}
	}
	return name
}

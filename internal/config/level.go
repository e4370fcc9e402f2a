package config

import (
	"errors"
	"strings"
)

// Level is one of Envoy's log levels, ascending by consequence.
type Level uint8

// The levels; Info is what Envoy starts with.
const (
	Trace Level = iota
	Debug
	Info
	Warn
	Error
	Critical
	Off
)

var levels = [...]string{"trace", "debug", "info", "warning", "error", "critical", "off"}

// String is Envoy's spelling.
func (l Level) String() string { return levels[l] }

// ParseLevel takes Envoy's names in any case, and "warn" for "warning".
func ParseLevel(s string) (Level, error) {
	word := strings.ToLower(s)
	if word == "warn" {
		return Warn, nil
	}
	for i, name := range levels {
		if word == name {
			return Level(i), nil
		}
	}
	return Info, errors.New("not one of " + strings.Join(levels[:], ", "))
}

// Format is the shape of the process log.
type Format uint8

// Text is Envoy's line shape; JSON one object per line.
const (
	Text Format = iota
	JSON
)

// String is the spelling of --log-format.
func (f Format) String() string { return [...]string{"text", "json"}[f] }

func parseFormat(s string) (Format, error) {
	switch s {
	case "text":
		return Text, nil
	case "json":
		return JSON, nil
	}
	return Text, errors.New("neither text nor json")
}

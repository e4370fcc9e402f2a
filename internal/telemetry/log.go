package telemetry

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
)

// LogFormat is the shape of the process log.
type LogFormat uint8

// LogText is Envoy's line (App Mesh 2.13), LogJSON one object per line.
const (
	LogText LogFormat = iota
	LogJSON
)

// Log is the process log: one Write call for each line, from any goroutine.
// An error of Write is dropped: there is nowhere left to tell it. A Write that
// blocks holds up whoever logs, as Envoy's does.
type Log struct {
	format LogFormat
	pid    int

	write sync.Mutex
	out   io.Writer

	mu         sync.Mutex
	initial    slog.Level
	components map[string]*component
}

// component is a part of the program with a level of its own (Envoy: a logger).
type component struct {
	name  string
	level slog.LevelVar
}

// defaultComponent takes what names no component, as Envoy's "main" does.
const defaultComponent = "main"

// NewLog makes a log in which every component starts at level. Components that
// are named here can be set through /logging before they log their first line.
func NewLog(out io.Writer, format LogFormat, level slog.Level, components ...string) *Log {
	l := &Log{format: format, pid: os.Getpid(), out: out, initial: level, components: make(map[string]*component)}
	l.component(defaultComponent)
	for _, name := range components {
		l.component(name)
	}
	return l
}

// Logger gives the logger of a component. Components are named in code: there
// are as many as the code has names.
func (l *Log) Logger(name string) *slog.Logger {
	return slog.New(&handler{log: l, component: l.component(name)})
}

// Handler gives a handler that logs for "main" until an attribute
// slog.String("component", ...) says otherwise.
func (l *Log) Handler() slog.Handler {
	return &handler{log: l, component: l.component(defaultComponent)}
}

// Each calls visit for every component, in order of names (admin: /logging).
func (l *Log) Each(visit func(component, level string)) {
	l.mu.Lock()
	all := slices.SortedFunc(maps.Values(l.components), func(a, b *component) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
	l.mu.Unlock()
	for _, c := range all {
		visit(c.name, levelName(c.level.Level()))
	}
}

// SetLevel sets the level of one component, or of all, present and to come,
// when name is empty. It is false, and nothing changes, when there is no such
// component or level.
func (l *Log) SetLevel(name, level string) bool {
	to, ok := ParseLevel(level)
	if !ok {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if name != "" {
		c := l.components[name]
		if c != nil {
			c.level.Set(to)
		}
		return c != nil
	}
	l.initial = to
	for _, c := range l.components {
		c.level.Set(to)
	}
	return true
}

func (l *Log) component(name string) *component {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.components[name]
	if c == nil {
		c = &component{name: name}
		c.level.Set(l.initial)
		l.components[name] = c
	}
	return c
}

// handler is a slog.Handler bound to a component, with attributes already in
// the log's format.
type handler struct {
	log       *Log
	component *component
	attrs     []byte
	group     string // "a.b." before the keys of attributes
}

func (h *handler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.component.level.Level() && level < LevelOff
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.attrs = slices.Clip(h.attrs)
	for _, a := range attrs {
		if name, ok := h.componentOf(a); ok {
			c.component = h.log.component(name)
			continue
		}
		c.attrs = h.log.appendAttr(c.attrs, h.group, a)
	}
	return &c
}

func (h *handler) WithGroup(name string) slog.Handler {
	c := *h
	if name != "" {
		c.group += name + "."
	}
	return &c
}

func (h *handler) componentOf(a slog.Attr) (name string, ok bool) {
	if h.group != "" || a.Key != "component" || a.Value.Kind() != slog.KindString {
		return "", false
	}
	return a.Value.String(), true
}

// Handle writes one line. A record that names a component itself is held to
// that component's level.
func (h *handler) Handle(_ context.Context, r slog.Record) error {
	c := h.component
	r.Attrs(func(a slog.Attr) bool {
		if name, ok := h.componentOf(a); ok {
			c = h.log.component(name)
			return false
		}
		return true
	})
	if r.Level < c.level.Level() || r.Level >= LevelOff {
		return nil
	}
	line := lines.Get().(*line)
	line.buf = h.appendLine(line.buf[:0], c.name, &r)
	h.log.write.Lock()
	_, _ = h.log.out.Write(line.buf)
	h.log.write.Unlock()
	line.release()
	return nil
}

func (h *handler) appendLine(dst []byte, component string, r *slog.Record) []byte {
	l := h.log
	dst = l.appendHead(dst, component, r)
	dst = append(dst, h.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		if _, ok := h.componentOf(a); !ok {
			dst = l.appendAttr(dst, h.group, a)
		}
		return true
	})
	if l.format == LogJSON {
		dst = append(dst, '}')
	}
	return append(dst, '\n')
}

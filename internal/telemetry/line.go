package telemetry

import "sync"

// line is memory for one line while it is formatted.
type line struct {
	buf     []byte
	scratch []byte // a value before it is escaped
}

var lines = sync.Pool{New: func() any { return &line{buf: make([]byte, 0, 1024)} }}

// release gives the line back; what one huge line took is not kept.
func (l *line) release() {
	if cap(l.buf)+cap(l.scratch) <= 64<<10 {
		lines.Put(l)
	}
}

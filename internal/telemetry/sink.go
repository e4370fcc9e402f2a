package telemetry

import (
	"errors"
	"io"
	"sync"
	"time"

	"github.com/outrider-mesh/outrider/internal/stat"
)

const (
	// flushEvery bounds how long a line waits before it is written.
	flushEvery = time.Second
	// flushSize is how many bytes wait for one write (Envoy: 64 KiB).
	flushSize = 64 << 10
	// queueSize is how many bytes may wait while a write is under way.
	queueSize = 1 << 20
	// closeWait bounds how long closing waits for a write.
	closeWait = 2 * time.Second
)

// The cells a sink counts in; the first five are named as Envoy's.
const (
	writeBuffered = iota
	writeCompleted
	writeFailed
	flushedByTimer
	reopenFailed
)

var fileLayout = stat.Layout{
	Counters: []string{"write_buffered", "write_completed", "write_failed", "flushed_by_timer", "reopen_failed"},
	Gauges:   []string{"write_total_buffered"},
}

var lineLayout = stat.Layout{Counters: []string{"lines", "lines_dropped"}}

// sink is a file, the one goroutine that writes it, and the bytes that wait.
type sink struct {
	open  func() (io.WriteCloser, error)
	file  *stat.Group
	lines *stat.Group

	wake  chan struct{} // one token: there is something to do
	done  chan struct{} // closed when the goroutine has ended
	timer *time.Timer   // flushes what the size alone would leave waiting

	mu      sync.Mutex
	waiting []byte
	next    io.WriteCloser // to use after what waits now was written
	closed  bool
}

func newSink(open func() (io.WriteCloser, error), set *stat.Set) (*sink, error) {
	w, err := open()
	if err != nil {
		return nil, err
	}
	s := &sink{
		open:  open,
		file:  set.Group("filesystem.", &fileLayout),
		lines: set.Group("access_log.", &lineLayout),
		wake:  make(chan struct{}, 1),
		done:  make(chan struct{}),
	}
	s.timer = time.AfterFunc(flushEvery, func() {
		s.file.Counter(flushedByTimer).Inc()
		s.poke()
	})
	s.timer.Stop()
	go s.run(w)
	return s, nil
}

// append queues a line, or drops it when too much waits already.
func (s *sink) append(line []byte) {
	if len(line) == 0 {
		return
	}
	s.mu.Lock()
	n := len(s.waiting)
	if s.closed || n+len(line) > queueSize {
		s.mu.Unlock()
		s.lines.Counter(1).Inc()
		return
	}
	s.waiting = append(s.waiting, line...)
	if n == 0 {
		s.timer.Reset(flushEvery)
	}
	s.file.Gauge(0).Add(int64(len(line)))
	s.mu.Unlock()
	s.lines.Counter(0).Inc()
	s.file.Counter(writeBuffered).Inc()
	if n < flushSize && n+len(line) >= flushSize {
		s.poke()
	}
}

func (s *sink) reopen() error {
	w, err := s.open()
	if err != nil {
		s.file.Counter(reopenFailed).Inc()
		return err
	}
	s.mu.Lock()
	unused := w
	if !s.closed {
		unused, s.next = s.next, w
	}
	s.mu.Unlock()
	if unused != nil {
		_ = unused.Close() // nothing was written to it
	}
	s.poke()
	return nil
}

func (s *sink) close() error {
	s.mu.Lock()
	s.closed = true
	s.timer.Stop()
	s.mu.Unlock()
	s.poke()
	giveUp := time.NewTimer(closeWait)
	defer giveUp.Stop()
	select {
	case <-s.done:
		return nil
	case <-giveUp.C:
		return errors.New("close access log: the file takes no bytes; what was queued is lost")
	}
}

// poke wakes the writer; while it is at work one token waits for it.
func (s *sink) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run writes until the sink is closed. w belongs to it.
func (s *sink) run(w io.WriteCloser) {
	defer close(s.done)
	var spare []byte
	for range s.wake {
		s.mu.Lock()
		batch, next, closed := s.waiting, s.next, s.closed
		s.waiting, s.next = spare[:0], nil
		s.timer.Stop()
		s.mu.Unlock()

		s.write(w, batch)
		if next != nil {
			_ = w.Close() // every write told its own error
			w = next
		}
		if closed {
			_ = w.Close()
			return
		}
		spare = batch
		if cap(spare) > 4*flushSize {
			spare = nil // a burst is over
		}
	}
}

func (s *sink) write(w io.Writer, batch []byte) {
	if len(batch) == 0 {
		return
	}
	if _, err := w.Write(batch); err != nil {
		s.file.Counter(writeFailed).Inc()
	} else {
		s.file.Counter(writeCompleted).Inc()
	}
	s.file.Gauge(0).Add(-int64(len(batch)))
}

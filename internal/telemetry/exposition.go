package telemetry

import (
	"io"
	"sync"

	"github.com/outrider-mesh/outrider/internal/stat"
)

// Exposition prints the cells of a Set in Prometheus' text format (0.0.4), as
// Envoy's /stats/prometheus does, and after them what client_golang's
// collectors say of the Go runtime and the process.
type Exposition struct {
	set       *stat.Set
	collected gatherer

	mu   sync.Mutex
	plan *plan
	w    seriesWriter
}

// NewExposition reads from set.
func NewExposition(set *stat.Set) *Exposition {
	return &Exposition{set: set, collected: newCollectors()}
}

// WritePrometheus prints what the query asks for. Scrapes wait for one
// another. The only errors are those of w and of the collectors.
func (e *Exposition) WritePrometheus(w io.Writer, q stat.Query) error {
	if err := e.writeCells(w, q); err != nil {
		return err
	}
	return writeCollected(w, e.collected, q.Match)
}

func (e *Exposition) writeCells(w io.Writer, q stat.Query) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.plan == nil || e.plan.version != e.set.Version() {
		e.plan = newPlan(e.set)
	}
	e.w.start(w, q)
	for i := range e.plan.families {
		e.w.family(&e.plan.families[i])
	}
	return e.w.end()
}

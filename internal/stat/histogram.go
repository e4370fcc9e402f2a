package stat

import "sync/atomic"

// Buckets are the upper bounds of a histogram's buckets, Envoy's defaults
// (unit-less; milliseconds for times). The last bucket has no bound.
var Buckets = [...]float64{0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000,
	10000, 30000, 60000, 300000, 600000, 1800000, 3600000}

// Unit is how many of what Observe takes make one of what is shown:
// microseconds for histograms of milliseconds.
const Unit = 1000

// Histogram counts values in log-linear steps fine enough for quantiles
// (eight steps for each doubling: a value is at most 12.5 % below its step's
// end) from 0 up to 2^42; what is larger counts in the last step. The unit of
// Observe is the thousandth of the unit shown. It takes no memory before the
// first value. The zero value is ready.
type Histogram struct {
	cells atomic.Pointer[histogramCells]
}

type histogramCells struct {
	sum    atomic.Uint64
	counts [steps]atomic.Uint64
}

// Observe counts one value, in thousandths of the unit shown.
func (h *Histogram) Observe(v uint64) {
	cells := h.cells.Load()
	if cells == nil {
		h.cells.CompareAndSwap(nil, new(histogramCells))
		cells = h.cells.Load()
	}
	cells.sum.Add(v)
	cells.counts[step(v)].Add(1)
}

// Used tells whether a value was ever observed.
func (h *Histogram) Used() bool { return h.cells.Load() != nil }

// Read copies what was counted since the start into r. Values that come while
// it copies may be in the sum and not in the counts, or the other way round.
func (h *Histogram) Read(r *Reading) {
	*r = Reading{}
	cells := h.cells.Load()
	if cells == nil {
		return
	}
	r.sum = cells.sum.Load()
	for i := range cells.counts {
		r.counts[i] = cells.counts[i].Load()
		r.total += r.counts[i]
	}
}

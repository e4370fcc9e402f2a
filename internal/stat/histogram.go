package stat

import "sync/atomic"

// Buckets are the upper bounds of a histogram's buckets, Envoy's defaults
// (unit-less; milliseconds for times). The last bucket has no bound.
var Buckets = [...]float64{0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000,
	10000, 30000, 60000, 300000, 600000, 1800000, 3600000}

// Histogram counts values in log-linear steps fine enough for quantiles
// (eight steps for each doubling: 6 % at most off) from 1 up to 2^41. The
// unit of Observe is the thousandth of the unit shown: microseconds for
// histograms of milliseconds. It takes no memory before the first value.
// The zero value is ready.
type Histogram struct {
	cells atomic.Pointer[histogramCells]
}

type histogramCells struct {
	sum    atomic.Uint64
	counts [steps]atomic.Uint64
}

const (
	subBits = 3
	steps   = (41 - subBits + 2) << subBits
)

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

package stat

import (
	"math"
	"sync"
)

// Quantiles are those that Envoy shows of a histogram.
var Quantiles = [...]float64{0, .25, .5, .75, .9, .95, .99, .995, .999, 1}

// Reading is a copy of what a histogram had counted at one moment. It is some
// 2.5 KB: keep one and read into it again. The zero value holds no values.
type Reading struct {
	sum    uint64
	total  uint64
	counts [steps]uint64
}

// Count is the number of values.
func (r *Reading) Count() uint64 { return r.total }

// Sum is the sum of all values, in the unit shown.
func (r *Reading) Sum() float64 { return float64(r.sum) / Unit }

// Quantile estimates the value that a share q (0 to 1) of all values does not
// exceed, in the unit shown, taking values as spread evenly over their step
// (Envoy does the same over its own bins). 0 gives the start of the lowest
// step that has a value, 1 the end of the highest. Without values it is NaN.
func (r *Reading) Quantile(q float64) float64 {
	if r.total == 0 || math.IsNaN(q) {
		return math.NaN()
	}
	want := min(max(q, 0), 1) * float64(r.total)
	var below, last float64
	for i, n := range r.counts {
		if n == 0 {
			continue
		}
		from, to := float64(lower(i)), float64(lower(i+1))
		count := float64(n)
		if below+count >= want {
			return (from + (to-from)*(want-below)/count) / Unit
		}
		below, last = below+count, to
	}
	return last / Unit
}

// Cumulative fills dst with the number of values not above each of Buckets. A
// step that a bound cuts gives the part of its values that lies below, rounded
// down: counts never fall from bound to bound or from scrape to scrape.
func (r *Reading) Cumulative(dst *[len(Buckets)]uint64) {
	var below uint64
	i := 0
	for b, bound := range Buckets {
		end := uint64(bound*Unit) + 1 // the first value above the bound
		for i < steps && lower(i+1) <= end {
			below += r.counts[i]
			i++
		}
		dst[b] = below
		if i < steps && lower(i) < end {
			share := float64(end-lower(i)) / float64(lower(i+1)-lower(i))
			dst[b] += uint64(float64(r.counts[i]) * share)
		}
	}
}

// Steps calls yield for every step that has values, ascending: its lower
// bound and width in the unit shown, and how many values it holds.
func (r *Reading) Steps(yield func(from, width float64, count uint64)) {
	for i, n := range r.counts {
		if n > 0 {
			from := lower(i)
			yield(float64(from)/Unit, float64(lower(i+1)-from)/Unit, n)
		}
	}
}

// since turns r, read later than before, into what came between the two.
func (r *Reading) since(before *Reading) {
	r.sum -= before.sum
	r.total = 0
	for i := range r.counts {
		r.counts[i] -= before.counts[i]
		r.total += r.counts[i]
	}
}

// Intervals remembers what one reader saw of each histogram when it last
// looked. (Envoy latches intervals at a flush; a reader of its own that
// flushes when it is asked is Envoy's stats_flush_on_admin.) It keeps one
// Reading for each histogram that ever had a value. The zero value is ready.
type Intervals struct {
	mu   sync.Mutex
	seen map[*Histogram]*Reading
}

// Read reads all that h counted into total, and what is new since the last
// Read of h into interval. The first interval is all.
func (v *Intervals) Read(h *Histogram, interval, total *Reading) {
	v.mu.Lock()
	defer v.mu.Unlock()
	h.Read(total)
	*interval = *total
	before := v.seen[h]
	if before == nil {
		if total.total == 0 {
			return
		}
		if v.seen == nil {
			v.seen = make(map[*Histogram]*Reading)
		}
		before = new(Reading)
		v.seen[h] = before
	}
	interval.since(before)
	*before = *total
}

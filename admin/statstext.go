package admin

import (
	"io"
	"math"
	"strconv"

	"github.com/outrider-mesh/outrider/internal/stat"
)

func (s *Server) writeStatsText(w io.Writer, cells phased, buckets string) {
	p := page{w: w}
	for i := range cells.texts {
		c := &cells.texts[i]
		p.buf = append(c.AppendName(p.buf), `: "`...)
		p.buf = append(append(p.buf, c.Text...), "\"\n"...)
		p.full()
	}
	for i := range cells.numbers {
		c := &cells.numbers[i]
		p.buf = append(c.AppendName(p.buf), ": "...)
		p.buf = append(strconv.AppendInt(p.buf, c.Value, 10), '\n')
		p.full()
	}
	var h pair
	for i := range cells.histograms {
		c := &cells.histograms[i]
		s.intervals.Read(c.Histogram, &h.interval, &h.total)
		p.buf = append(c.AppendName(p.buf), ':')
		p.buf = append(h.appendText(p.buf, buckets), '\n')
		p.full()
	}
	p.flush()
}

// pair is what a histogram got since it was last shown, and since the start.
type pair struct{ interval, total stat.Reading }

func (h *pair) appendText(dst []byte, buckets string) []byte {
	if buckets == "detailed" {
		dst = append(dst, "\n  totals="...)
		dst = appendSteps(dst, &h.total)
		dst = append(dst, "\n  intervals="...)
		dst = appendSteps(dst, &h.interval)
		dst = append(dst, "\n  summary="...)
		return h.appendQuantiles(dst)
	}
	if h.total.Count() == 0 {
		return append(dst, " No recorded values"...)
	}
	if buckets == "cumulative" || buckets == "disjoint" {
		for _, b := range h.buckets(buckets) {
			dst = append(dst, " B"...)
			dst = strconv.AppendFloat(dst, b.bound, 'f', -1, 64)
			dst = append(dst, '(')
			dst = strconv.AppendUint(dst, b.interval, 10)
			dst = append(dst, ',')
			dst = strconv.AppendUint(dst, b.total, 10)
			dst = append(dst, ')')
		}
		return dst
	}
	return h.appendQuantiles(append(dst, ' '))
}

// appendQuantiles prints "P0(nan,1) P25(nan,1.025) ...".
func (h *pair) appendQuantiles(dst []byte) []byte {
	for i, q := range stat.Quantiles {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, 'P')
		dst = append(appendNumber(dst, q*100), '(')
		dst = append(appendNumber(dst, h.interval.Quantile(q)), ',')
		dst = append(appendNumber(dst, h.total.Quantile(q)), ')')
	}
	return dst
}

// appendNumber prints six digits, as C++ streams do.
func appendNumber(dst []byte, f float64) []byte {
	if math.IsNaN(f) {
		return append(dst, "nan"...)
	}
	return strconv.AppendFloat(dst, f, 'g', 6, 64)
}

// appendSteps prints "lower,width:count, ...".
func appendSteps(dst []byte, r *stat.Reading) []byte {
	first := true
	r.Steps(func(from, width float64, n uint64) {
		if !first {
			dst = append(dst, ", "...)
		}
		first = false
		dst = append(appendNumber(dst, from), ',')
		dst = append(appendNumber(dst, width), ':')
		dst = strconv.AppendUint(dst, n, 10)
	})
	return dst
}

type bucket struct {
	bound           float64
	interval, total uint64
}

// buckets are cumulative, or without what the one before holds ("disjoint").
func (h *pair) buckets(mode string) []bucket {
	var interval, total [len(stat.Buckets)]uint64
	h.interval.Cumulative(&interval)
	h.total.Cumulative(&total)
	all := make([]bucket, len(stat.Buckets))
	for i, bound := range stat.Buckets {
		all[i] = bucket{bound, interval[i], total[i]}
		if mode == "disjoint" && i > 0 {
			all[i].interval -= interval[i-1]
			all[i].total -= total[i-1]
		}
	}
	return all
}

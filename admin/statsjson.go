package admin

import (
	"encoding/json"
	"io"
	"math"
	"strconv"

	"github.com/outrider-mesh/outrider/internal/stat"
)

// writeStatsJSON prints one line, as Envoy does for /stats?format=json:
// numbers bare, histograms as the last element.
func (s *Server) writeStatsJSON(w io.Writer, cells phased, buckets string) {
	p := page{w: w, buf: []byte(`{"stats":[`)}
	comma := false
	next := func() {
		if comma {
			p.buf = append(p.buf, ',')
		}
		comma = true
		p.full()
	}
	for i := range cells.texts {
		next()
		p.buf = append(appendNamed(p.buf, &cells.texts[i]), `,"value":`...)
		p.buf = append(appendQuoted(p.buf, cells.texts[i].Text), '}')
	}
	for i := range cells.numbers {
		next()
		p.buf = append(appendNamed(p.buf, &cells.numbers[i]), `,"value":`...)
		p.buf = append(strconv.AppendInt(p.buf, cells.numbers[i].Value, 10), '}')
	}
	if len(cells.histograms) > 0 {
		next()
		s.appendHistograms(&p, cells.histograms, buckets)
	}
	p.buf = append(p.buf, "]}"...)
	p.flush()
}

// appendNamed opens an object with the cell's name.
func appendNamed(dst []byte, c *stat.Cell) []byte {
	return appendQuoted(append(dst, `{"name":`...), string(c.AppendName(nil)))
}

func appendQuoted(dst []byte, text string) []byte {
	quoted, _ := json.Marshal(text) // a string always encodes
	return append(dst, quoted...)
}

func (s *Server) appendHistograms(p *page, cells []stat.Cell, buckets string) {
	list := ""
	switch buckets {
	case "cumulative", "disjoint":
		p.buf = append(p.buf, `{"histograms":[`...)
	case "detailed":
		p.buf = appendSupported(append(p.buf, `{"histograms":{"supported_percentiles":`...))
		list = `,"details":[`
	default:
		p.buf = appendSupported(append(p.buf, `{"histograms":{"supported_quantiles":`...))
		list = `,"computed_quantiles":[`
	}
	p.buf = append(p.buf, list...)
	var h pair
	for i := range cells {
		if i > 0 {
			p.buf = append(p.buf, ',')
		}
		s.intervals.Read(cells[i].Histogram, &h.interval, &h.total)
		p.buf = appendNamed(p.buf, &cells[i])
		p.buf = append(h.appendJSON(p.buf, buckets), '}')
		p.full()
	}
	p.buf = append(p.buf, ']')
	if list != "" {
		p.buf = append(p.buf, '}')
	}
	p.buf = append(p.buf, '}')
}

func appendSupported(dst []byte) []byte {
	dst = append(dst, '[')
	for i, q := range stat.Quantiles {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendJSONNumber(dst, q*100)
	}
	return append(dst, ']')
}

// appendJSON prints the members behind the name.
func (h *pair) appendJSON(dst []byte, buckets string) []byte {
	switch buckets {
	case "cumulative", "disjoint":
		dst = append(dst, `,"buckets":[`...)
		for i, b := range h.buckets(buckets) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSONNumber(append(dst, `{"upper_bound":`...), b.bound)
			dst = strconv.AppendUint(append(dst, `,"interval":`...), b.interval, 10)
			dst = strconv.AppendUint(append(dst, `,"cumulative":`...), b.total, 10)
			dst = append(dst, '}')
		}
		return append(dst, ']')
	case "detailed":
		dst = appendJSONSteps(append(dst, `,"totals":`...), &h.total)
		dst = appendJSONSteps(append(dst, `,"intervals":`...), &h.interval)
		return h.appendJSONQuantiles(append(dst, `,"percentiles":`...))
	}
	return h.appendJSONQuantiles(append(dst, `,"values":`...))
}

func (h *pair) appendJSONQuantiles(dst []byte) []byte {
	dst = append(dst, '[')
	for i, q := range stat.Quantiles {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendJSONNumber(append(dst, `{"cumulative":`...), h.total.Quantile(q))
		dst = appendJSONNumber(append(dst, `,"interval":`...), h.interval.Quantile(q))
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func appendJSONSteps(dst []byte, r *stat.Reading) []byte {
	dst = append(dst, '[')
	first := true
	r.Steps(func(from, width float64, n uint64) {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = appendJSONNumber(append(dst, `{"lower_bound":`...), from)
		dst = appendJSONNumber(append(dst, `,"width":`...), width)
		dst = strconv.AppendUint(append(dst, `,"count":`...), n, 10)
		dst = append(dst, '}')
	})
	return append(dst, ']')
}

func appendJSONNumber(dst []byte, f float64) []byte {
	if math.IsNaN(f) {
		return append(dst, "null"...)
	}
	return strconv.AppendFloat(dst, f, 'g', 6, 64)
}

package telemetry

import (
	"io"
	"strconv"

	"github.com/outrider-mesh/outrider/internal/stat"
)

// flushAt is how many bytes gather before they are written.
const flushAt = 32 << 10

// seriesWriter prints series. It keeps its memory from scrape to scrape, so
// that a scrape makes no garbage.
type seriesWriter struct {
	w     io.Writer
	query stat.Query
	err   error
	buf   []byte

	metric string // of the family being printed
	phase  phase
	opened bool   // its "# TYPE" line is out
	name   []byte // of a cell, for the query
	suffix []byte // of a cell's name: a response code
	labels []byte // of the series being printed

	reading stat.Reading
	buckets [len(stat.Buckets)]uint64
}

func (w *seriesWriter) start(out io.Writer, q stat.Query) {
	w.w, w.query, w.err = out, q, nil
	if w.buf == nil {
		w.buf = make([]byte, 0, flushAt+4<<10)
	}
	w.buf = w.buf[:0]
}

func (w *seriesWriter) end() error {
	w.flush()
	w.w, w.query = nil, stat.Query{}
	return w.err
}

func (w *seriesWriter) flush() {
	if w.err == nil && len(w.buf) > 0 {
		_, w.err = w.w.Write(w.buf)
	}
	w.buf = w.buf[:0]
}

// family prints all series of a family that are asked for.
func (w *seriesWriter) family(f *family) {
	if f.phase == phaseTexts && !w.query.Texts {
		return
	}
	w.metric, w.phase, w.opened = f.metric, f.phase, false
	for i := range f.parts {
		p := &f.parts[i]
		switch p.kind {
		case partComputed:
			w.computed(p)
		case partText:
			w.text(p)
		}
		for j := range p.members {
			w.member(p, &p.members[j])
			if len(w.buf) >= flushAt {
				w.flush()
			}
		}
	}
}

func (w *seriesWriter) computed(p *part) {
	if w.wants("", p.name, true) {
		w.setLabels(p.labels, "")
		w.sample("")
		w.value(p.number())
	}
}

// text prints a readout as a gauge of 0 with the text as a label.
func (w *seriesWriter) text(p *part) {
	if w.wants("", p.name, true) {
		w.setLabels(p.labels, "")
		w.addLabel("text_value", p.text())
		w.sample("")
		w.value(0)
	}
}

func (w *seriesWriter) member(p *part, m *member) {
	prefix := m.group.Prefix()
	switch p.kind {
	case partCounter:
		if c := m.group.Counter(p.index); w.wants(prefix, p.name, c.Used()) {
			w.setLabels(p.labels, m.labels)
			w.sample("")
			w.count(c.Value())
		}
	case partGauge:
		if g := m.group.Gauge(p.index); w.wants(prefix, p.name, g.Used()) {
			w.setLabels(p.labels, m.labels)
			w.sample("")
			w.value(g.Value())
		}
	case partCodes:
		w.codes(p, m)
	case partClasses:
		w.classes(p, m)
	case partHistogram:
		if h := m.group.Histogram(p.index); w.wants(prefix, p.name, h.Used()) {
			h.Read(&w.reading)
			w.setLabels(p.labels, m.labels)
			w.histogram()
		}
	}
}

// codes prints one series for each response code seen.
func (w *seriesWriter) codes(p *part, m *member) {
	m.group.Codes().Each(func(code int, c *stat.Counter) {
		w.suffix = strconv.AppendInt(append(w.suffix[:0], '_'), int64(code), 10)
		w.code(p, m, "envoy_response_code", w.suffix[1:], c.Value())
	})
}

// classes prints one series for each class of response codes seen.
func (w *seriesWriter) classes(p *part, m *member) {
	for class := 1; class <= 5; class++ {
		if n, used := m.group.Codes().Class(class); used {
			w.suffix = append(w.suffix[:0], '_', byte('0'+class), 'x', 'x')
			w.code(p, m, "envoy_response_code_class", w.suffix[1:2], n)
		}
	}
}

// code prints one count of responses; the cell's name ends in w.suffix.
func (w *seriesWriter) code(p *part, m *member, label string, value []byte, n uint64) {
	if match := w.query.Match; match != nil {
		w.name = append(append(w.name[:0], m.group.Prefix()...), p.name...)
		if w.name = append(w.name, w.suffix...); !match(w.name) {
			return
		}
	}
	w.labels = append(append(w.labels[:0], label...), `="`...)
	w.labels = append(append(w.labels, value...), '"')
	if m.labels != "" {
		w.labels = append(append(w.labels, ','), m.labels...)
	}
	w.sample("")
	w.count(n)
}

// histogram prints w.reading.
func (w *seriesWriter) histogram() {
	bare := len(w.labels)
	if w.query.Summaries {
		for _, q := range stat.Quantiles {
			w.addLabel("quantile", "")
			w.labels = strconv.AppendFloat(w.labels[:len(w.labels)-1], q, 'g', -1, 64)
			w.labels = append(w.labels, '"')
			w.sample("")
			w.float(w.reading.Quantile(q))
			w.labels = w.labels[:bare]
		}
	} else {
		w.reading.Cumulative(&w.buckets)
		for i := range w.buckets {
			w.addLabel("le", "")
			w.labels = strconv.AppendFloat(w.labels[:len(w.labels)-1], stat.Buckets[i], 'f', -1, 64)
			w.labels = append(w.labels, '"')
			w.sample("_bucket")
			w.count(w.buckets[i])
			w.labels = w.labels[:bare]
		}
		w.addLabel("le", "+Inf")
		w.sample("_bucket")
		w.count(w.reading.Count())
		w.labels = w.labels[:bare]
	}
	w.sample("_sum")
	w.float(w.reading.Sum())
	w.sample("_count")
	w.count(w.reading.Count())
}

// wants tells whether a cell is asked for.
func (w *seriesWriter) wants(prefix, name string, used bool) (ok bool) {
	ok, w.name = w.query.Wants(w.name, prefix, name, used)
	return ok
}

// setLabels sets the labels of the next samples.
func (w *seriesWriter) setLabels(first, then string) {
	w.labels = append(w.labels[:0], first...)
	if first != "" && then != "" {
		w.labels = append(w.labels, ',')
	}
	w.labels = append(w.labels, then...)
}

func (w *seriesWriter) addLabel(label, value string) {
	if len(w.labels) > 0 {
		w.labels = append(w.labels, ',')
	}
	w.labels = append(append(w.labels, label...), `="`...)
	w.labels = append(appendLabelValue(w.labels, value), '"')
}

// sample prints all of a line but its value, after the "# TYPE" line if this
// is the family's first.
func (w *seriesWriter) sample(suffix string) {
	if !w.opened {
		w.opened = true
		w.buf = append(append(w.buf, "# TYPE "...), w.metric...)
		w.buf = append(append(append(w.buf, ' '), w.typeName()...), '\n')
	}
	w.buf = append(append(w.buf, w.metric...), suffix...)
	w.buf = append(append(append(w.buf, '{'), w.labels...), "} "...)
}

func (w *seriesWriter) typeName() string {
	switch {
	case w.phase == phaseCounters:
		return "counter"
	case w.phase != phaseHistograms:
		return "gauge"
	case w.query.Summaries:
		return "summary"
	}
	return "histogram"
}

func (w *seriesWriter) count(n uint64) {
	w.buf = append(strconv.AppendUint(w.buf, n, 10), '\n')
}

func (w *seriesWriter) value(n int64) {
	w.buf = append(strconv.AppendInt(w.buf, n, 10), '\n')
}

func (w *seriesWriter) float(f float64) {
	w.buf = append(strconv.AppendFloat(w.buf, f, 'g', -1, 64), '\n')
}

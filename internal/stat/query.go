package stat

// Query narrows what a reader of a Set asks for. The zero value asks for all.
type Query struct {
	// UsedOnly leaves out what was never touched (Envoy: usedonly).
	UsedOnly bool
	// Match, unless nil, tells whether a cell of that full name is wanted; the
	// name is borrowed.
	Match func(name []byte) bool
	// Texts asks for text readouts where they are not shown by themselves
	// (Envoy: text_readouts, for Prometheus).
	Texts bool
	// Summaries asks for quantiles instead of buckets (Envoy:
	// histogram_buckets=summary, for Prometheus).
	Summaries bool
}

// Wants tells whether a cell is asked for. The name is prefix+name; buf is
// memory to build it in and is given back.
func (q *Query) Wants(buf []byte, prefix, name string, used bool) (ok bool, _ []byte) {
	if q.UsedOnly && !used {
		return false, buf
	}
	if q.Match == nil {
		return true, buf
	}
	buf = append(append(buf[:0], prefix...), name...)
	return q.Match(buf), buf
}

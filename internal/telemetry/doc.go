// Package telemetry is what is read from the cells and told about the
// traffic: the process log, the access log and the Prometheus text. It is the
// only importer of Prometheus.
//
// The process log (log.go) is a slog.Handler that prints Envoy's line shape or
// JSON; each component's level can be changed while the process runs.
//
// The access log is compiled once from an Envoy format string (format.go finds
// the operators, operator.go says which exist, value.go answers them from a
// stat.Record) and then writes a line without allocating: formatted on the
// goroutine that served the exchange, because what a record holds is borrowed,
// and handed over as bytes to the one goroutine that writes the file (sink.go).
// A file that cannot keep up costs lines, which are counted, never requests.
//
// The Prometheus text (exposition.go) is written straight from the cells with
// Envoy's tag extraction (tags.go); client_golang's Go and process collectors
// follow it (collectors.go). Counting itself is internal/stat's.
package telemetry

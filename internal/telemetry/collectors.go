package telemetry

import (
	"io"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// gatherer is what is left of Prometheus behind this file.
type gatherer interface {
	Gather() ([]*dto.MetricFamily, error)
}

// newCollectors is a registry of our own with client_golang's Go and process
// collectors: nobody else's metrics get into it.
func newCollectors() gatherer {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// writeCollected prints the families whose name is wanted, in text format. It
// calls expfmt's text encoder itself: promhttp would bring content negotiation
// and compression that the admin page does not have.
func writeCollected(w io.Writer, g gatherer, match func(name []byte) bool) error {
	families, err := g.Gather()
	for _, f := range families { // what could be gathered is there beside an error
		if match != nil && !match([]byte(f.GetName())) {
			continue
		}
		if _, err := expfmt.MetricFamilyToText(w, f); err != nil {
			return err
		}
	}
	return err
}

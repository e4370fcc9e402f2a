package admin

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"

	"github.com/outrider-mesh/outrider/internal/stat"
)

// statsQuery is what /stats was asked for.
type statsQuery struct {
	stat.Query
	kinds   []stat.Kind // nil: all
	buckets string
}

func (s *Server) stats(w http.ResponseWriter, q url.Values) {
	if q.Get("format") == "prometheus" {
		s.prometheus(w, q)
		return
	}
	query, problem := readStatsQuery(q)
	if problem == "" && !slices.Contains([]string{"", "text", "json"}, q.Get("format")) {
		problem = "usage: /stats?format=(json|prometheus|text)\n"
	}
	if problem != "" {
		refuse(w, http.StatusBadRequest, problem)
		return
	}
	cells := s.selectCells(&query)
	if q.Get("format") == "json" {
		w.Header().Set("Content-Type", "application/json")
		s.writeStatsJSON(w, cells, query.buckets)
		return
	}
	s.writeStatsText(w, cells, query.buckets)
}

func (s *Server) prometheus(w http.ResponseWriter, q url.Values) {
	query, problem := readStatsQuery(q)
	if problem == "" && !slices.Contains([]string{"", "none", "cumulative", "summary"}, query.buckets) {
		problem = "usage: histogram_buckets=(cumulative|summary) for prometheus\n"
	}
	if problem != "" {
		refuse(w, http.StatusBadRequest, problem)
		return
	}
	query.Texts = q.Has("text_readouts")
	query.Summaries = query.buckets == "summary"
	// What was written is out already; the scraper sees a cut answer.
	_ = s.cfg.Metrics.WritePrometheus(w, query.Query)
}

// readStatsQuery reads the parameters that all formats share.
func readStatsQuery(q url.Values) (query statsQuery, problem string) {
	query.UsedOnly = q.Has("usedonly")
	if filter := q.Get("filter"); filter != "" {
		re, err := regexp.Compile(filter)
		if err != nil {
			return query, "Invalid re2 regex"
		}
		query.Match = re.Match
	}
	switch q.Get("type") {
	case "", "All":
	case "Counters":
		query.kinds = []stat.Kind{stat.KindCounter}
	case "Gauges":
		query.kinds = []stat.Kind{stat.KindGauge}
	case "Histograms":
		query.kinds = []stat.Kind{stat.KindHistogram}
	case "TextReadouts":
		query.kinds = []stat.Kind{stat.KindText}
	default:
		return query, "invalid &type= param"
	}
	query.buckets = q.Get("histogram_buckets")
	if !slices.Contains([]string{"", "none", "cumulative", "disjoint", "detailed", "summary"}, query.buckets) {
		return query, "usage: histogram_buckets=(cumulative|disjoint|detailed|summary|none)\n"
	}
	if query.buckets == "none" {
		query.buckets = ""
	}
	return query, ""
}

// phased are the cells in Envoy's three phases, each ordered by name.
type phased struct{ texts, numbers, histograms []stat.Cell }

func (s *Server) selectCells(query *statsQuery) (p phased) {
	var name []byte
	s.cfg.Stats.Each(func(c *stat.Cell) {
		if query.kinds != nil && !slices.Contains(query.kinds, c.Kind) {
			return
		}
		var ok bool
		if ok, name = query.Wants(name, c.Prefix, c.Name, c.Used); !ok {
			return
		}
		switch c.Kind {
		case stat.KindText:
			p.texts = append(p.texts, *c)
		case stat.KindHistogram:
			p.histograms = append(p.histograms, *c)
		default:
			p.numbers = append(p.numbers, *c)
		}
	})
	return p
}

// page gathers output and writes it in large pieces.
type page struct {
	w   io.Writer
	buf []byte
}

func (p *page) full() {
	if len(p.buf) >= 32<<10 {
		p.flush()
	}
}

func (p *page) flush() {
	_, _ = p.w.Write(p.buf) // the peer may have gone
	p.buf = p.buf[:0]
}

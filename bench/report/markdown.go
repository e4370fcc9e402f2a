package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Comparison is a whole benchmark run.
type Comparison struct {
	Date     string
	Machine  string
	Versions []string // of the peers
	How      string   // rounds, durations, processors
	Missing  []string // what was to be measured and could not be, and why
	Outcomes []Outcome
}

// Write renders the comparison. An error is the writer's.
func (c Comparison) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured %s on %s.\n\n%s\n\nPeers: %s.\n", c.Date, c.Machine, c.How, strings.Join(c.Versions, ", "))
	for _, missing := range c.Missing {
		fmt.Fprintf(&b, "\n**Not measured**: %s.\n", missing)
	}
	for _, o := range c.Outcomes {
		o.write(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Missed counts the goals that were measured and not met.
func (c Comparison) Missed() int {
	n := 0
	for _, o := range c.Outcomes {
		for _, v := range o.Verdicts() {
			if !v.Met && !v.Unknown {
				n++
			}
		}
	}
	return n
}

// Failed counts the requests that failed, through whichever peer.
func (c Comparison) Failed() int64 {
	var n int64
	for _, o := range c.Outcomes {
		for _, samples := range o.Samples {
			n += sum(samples, func(s Sample) int64 { return s.Failed })
		}
	}
	return n
}

func (o Outcome) write(b *strings.Builder) {
	fmt.Fprintf(b, "\n### %s\n\n%s.\n\n", o.Name, o.Title)
	b.WriteString(Table(o.rows()))
	b.WriteString("\n")
	if ratios := o.ratios(o.Main.figure()); len(ratios) > 0 {
		fmt.Fprintf(b, "- %s, ratio of %s to", o.Main, o.Subject)
		for i, r := range ratios {
			if i > 0 {
				b.WriteString(";")
			}
			fmt.Fprintf(b, " %s %.2f (rounds %.2f to %.2f)", r.peer, r.median, r.lowest, r.highest)
		}
		b.WriteString("\n")
	}
	for _, v := range o.Verdicts() {
		fmt.Fprintf(b, "- %s\n", v)
	}
}

// column is one figure of every peer. What says something of a process says nothing of the run without a proxy.
type column struct {
	name    string
	show    func(samples []Sample) string
	process bool
}

func (o Outcome) rows() [][]string {
	columns := o.columns()
	heading := []string{"peer"}
	for _, c := range columns {
		heading = append(heading, c.name)
	}
	rows := [][]string{heading}
	for _, peer := range o.Peers {
		row := []string{peer}
		for _, c := range columns {
			if c.process && peer == o.Baseline {
				row = append(row, "-")
			} else {
				row = append(row, c.show(o.Samples[peer]))
			}
		}
		rows = append(rows, row)
	}
	return rows
}

func (o Outcome) columns() []column {
	unit := cmp.Or(o.Unit, "req")
	var columns []column
	add := func(name, format string, of figure, process bool) {
		columns = append(columns, column{name, func(samples []Sample) string { return fmt.Sprintf(format, median(samples, of)) }, process})
	}
	if o.Main == Throughput {
		add("MiB/s", "%.0f", mibPerSecond, false)
		add("MiB/CPU s", "%.0f", mibPerCPU, true)
		add("busy %", "%.0f", busy, true)
		return append(columns, o.others()...)
	}
	if o.Bulk {
		columns = append(columns, column{"CPU us/" + unit, func([]Sample) string { return "-" }, true})
	} else {
		add("CPU us/"+unit, "%.2f", cpuPerRequest, true)
	}
	if o.Main == PerCPU {
		add(unit+"/CPU s", "%.0f", perCPUSecond, true)
	}
	add("busy %", "%.0f", busy, true)
	add(unit+"/s", "%.0f", perSecond, false)
	add("p50 us", "%.0f", p50, false)
	add("p99 us", "%.0f", p99, false)
	if base := o.Samples[o.Baseline]; len(base) > 0 {
		under50, under99 := median(base, p50), median(base, p99)
		add("p50 added", "%.0f", func(s Sample) float64 { return p50(s) - under50 }, true)
		add("p99 added", "%.0f", func(s Sample) float64 { return p99(s) - under99 }, true)
	}
	if o.Bulk {
		add("bulk MiB/s", "%.0f", bulkRate, false)
	}
	return append(columns, o.others()...)
}

// others are the columns that every table ends with.
func (o Outcome) others() []column {
	of := func(figure figure, format string) func([]Sample) string {
		return func(samples []Sample) string { return fmt.Sprintf(format, median(samples, figure)) }
	}
	return []column{
		{"RSS MiB", of(rss, "%.1f"), true}, {"upstream", of(upstream, "%.0f"), false}, {"opened", of(opened, "%.0f"), false},
		{"failed", func(samples []Sample) string {
			return fmt.Sprint(sum(samples, func(s Sample) int64 { return s.Failed }))
		}, false},
		{"unsent", func(samples []Sample) string {
			return fmt.Sprint(sum(samples, func(s Sample) int64 { return s.Unsent }))
		}, false},
	}
}

func sum(samples []Sample, of func(Sample) int64) int64 {
	var n int64
	for _, s := range samples {
		n += of(s)
	}
	return n
}

// Table renders rows, the first of them the heading, as a Markdown table with aligned columns: the first to the left, the others to the right.
func Table(rows [][]string) string {
	if len(rows) == 0 {
		return ""
	}
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell), 3)
		}
	}
	var b strings.Builder
	for n, row := range rows {
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				b.WriteString("| " + cell + pad)
			} else {
				b.WriteString(" | " + pad + cell)
			}
		}
		b.WriteString(" |\n")
		if n == 0 {
			for i, width := range widths {
				if i == 0 {
					b.WriteString("|" + strings.Repeat("-", width+2))
				} else {
					b.WriteString("|" + strings.Repeat("-", width+1) + ":")
				}
			}
			b.WriteString("|\n")
		}
	}
	return b.String()
}

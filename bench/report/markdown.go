package report

import (
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
	Outcomes []Outcome
}

// Write renders the comparison. An error is the writer's.
func (c Comparison) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured %s on %s.\n\n%s\n\nPeers: %s.\n", c.Date, c.Machine, c.How, strings.Join(c.Versions, ", "))
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
	rows := [][]string{o.heading()}
	for _, peer := range o.Peers {
		rows = append(rows, o.row(peer))
	}
	b.WriteString(Table(rows))
	b.WriteString("\n")
	if measure := o.mainMeasure(); len(o.ratios(measure.figure())) > 0 {
		fmt.Fprintf(b, "- %s, ratio of %s to", measure, o.Subject)
		for i, r := range o.ratios(measure.figure()) {
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

// mainMeasure is what all peers are compared by, goals or not.
func (o Outcome) mainMeasure() Measure {
	if o.Bulk {
		return P99
	}
	return CPU
}

func (o Outcome) heading() []string {
	row := []string{"peer", "CPU us/req", "busy %", "req/s", "p50 us", "p99 us"}
	if len(o.Samples[o.Baseline]) > 0 {
		row = append(row, "p50 added", "p99 added")
	}
	if o.Bulk {
		row = append(row, "bulk MiB/s")
	}
	return append(row, "RSS MiB", "upstream", "opened", "failed", "unsent")
}

func (o Outcome) row(peer string) []string {
	samples := o.Samples[peer]
	show := func(format string, of figure) string { return fmt.Sprintf(format, median(samples, of)) }
	cpu, load, memory := show("%.2f", cpuPerRequest), show("%.0f", busy), show("%.1f", rss)
	if peer == o.Baseline {
		cpu, load, memory = "-", "-", "-"
	}
	if o.Bulk {
		cpu = "-"
	}
	row := []string{peer, cpu, load, show("%.0f", perSecond), show("%.0f", p50), show("%.0f", p99)}
	if base := o.Samples[o.Baseline]; len(base) > 0 {
		if peer == o.Baseline {
			row = append(row, "-", "-")
		} else {
			row = append(row, fmt.Sprintf("%.0f", median(samples, p50)-median(base, p50)),
				fmt.Sprintf("%.0f", median(samples, p99)-median(base, p99)))
		}
	}
	if o.Bulk {
		row = append(row, show("%.0f", bulkRate))
	}
	return append(row, memory, show("%.0f", upstream), show("%.0f", opened),
		fmt.Sprint(sum(samples, func(s Sample) int64 { return s.Failed })),
		fmt.Sprint(sum(samples, func(s Sample) int64 { return s.Unsent })))
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

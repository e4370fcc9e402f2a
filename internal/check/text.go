package check

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/terminal"
)

// Detail is how much of a report people want to read.
type Detail uint8

// Brief counts the fields of a mesh that are honoured and tells others once for
// each cause; Whole lists every one.
const (
	Brief Detail = iota
	Whole
)

// labels is how wide the column of standings is.
const labels = 14

// WriteText writes the report for people.
func (r *Report) WriteText(p *terminal.Paper, detail Detail) {
	for i := range r.Sections {
		writeSection(p, &r.Sections[i], detail)
		p.Blank()
	}
	for _, what := range r.LeftOut {
		p.Line(0, terminal.Dim("left out: "), terminal.Text(what))
	}
	n := r.Count()
	p.Line(0, terminal.Text(n.summary()))
	style := terminal.Good
	if !r.Fine() {
		style = terminal.Bad
	}
	p.Line(0, style(r.Conclusion()))
}

// summary counts by severity, the worst first.
func (n Counts) summary() string {
	var parts []string
	for s := mesh.Wrong + 1; s > 0; s-- {
		parts = append(parts, fmt.Sprintf("%d %s", n.Standing[s-1], s-1))
	}
	return strings.Join(parts, ", ")
}

// writeSection writes the worst first, what is simply honoured last.
func writeSection(p *terminal.Paper, s *Section, detail Detail) {
	p.Line(0, terminal.Strong(s.Title))
	verdicts := slices.Clone(s.Verdicts)
	slices.SortStableFunc(verdicts, func(a, b Verdict) int {
		return cmp.Or(cmp.Compare(b.Effect, a.Effect), cmp.Compare(b.Standing, a.Standing))
	})
	var plain []string
	told, shared := make(map[string]bool), make(map[string]int)
	for i := range verdicts {
		shared[verdicts[i].cause(*s)]++
	}
	for i := range verdicts {
		v := &verdicts[i]
		switch cause := v.cause(*s); {
		case v.Standing == mesh.Honoured && v.Message == "" && detail == Brief:
			plain = append(plain, v.Subject)
		case detail == Whole:
			writeVerdict(p, v, 1)
		case !told[cause]:
			told[cause] = true
			writeVerdict(p, v, shared[cause])
		}
	}
	switch label := terminal.Good(mesh.Honoured.String()); {
	case len(plain) == 0:
	case s.About == aboutMesh:
		p.Item(2, labels, label, terminal.Text(counted(len(plain), "field")+" (--all lists them)"))
	default:
		p.Item(2, labels, label, terminal.Text(strings.Join(plain, ", ")))
	}
}

// writeVerdict writes one verdict, which may stand for several of its cause.
func writeVerdict(p *terminal.Paper, v *Verdict, n int) {
	label := terminal.Doubt(v.Standing.String())
	switch {
	case v.Effect == mesh.OnTraffic:
		label = terminal.Bad(v.Standing.String())
	case v.Standing == mesh.Honoured:
		label = terminal.Good(v.Standing.String())
	}
	what := strings.TrimSpace(v.Resource + " " + v.Subject)
	if v.Value != "" && v.Resource != "" {
		what += " " + strconv.Quote(clip(v.Value))
	}
	if what != "" && v.Message != "" {
		what += ": "
	}
	text := []terminal.Span{terminal.Text(what), terminal.Text(oneLine(v.Message))}
	if effect := v.Effect.String(); effect != "" {
		text = append(text, terminal.Strong(" ("+effect+")"))
	}
	place := v.Position
	place.Column = 0
	switch {
	case n > 1:
		text = append(text, terminal.Dim(fmt.Sprintf(" [%d places, the first is %s]", n, place)))
	case place.File != "":
		text = append(text, terminal.Dim(" ["+place.String()+"]"))
	}
	p.Item(2, labels, label, text...)
	if v.Hint != "" {
		p.Item(2, labels, terminal.Text(""), terminal.Dim("-> "+oneLine(v.Hint)))
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// longest is how much of a value is shown, in characters.
const longest = 40

func clip(s string) string {
	s = oneLine(s)
	if runes := []rune(s); len(runes) > longest {
		return string(runes[:longest-3]) + "..."
	}
	return s
}

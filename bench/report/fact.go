package report

import (
	"fmt"
	"io"
	"strconv"
)

// Fact is a figure that stands for itself, with or without a target.
type Fact struct {
	What   string
	Value  float64
	Unit   string
	AtMost float64 // the target; 0: none, the fact is shown for its own sake
	Note   string
}

// Missed tells whether the fact has a target and does not meet it.
func (f Fact) Missed() bool { return f.AtMost > 0 && f.Value > f.AtMost }

func (f Fact) verdict() string {
	switch {
	case f.AtMost == 0:
		return "-"
	case f.Missed():
		return fmt.Sprintf("**missed by %.0f %%**", (f.Value/f.AtMost-1)*100)
	}
	return "met"
}

// WriteFacts renders facts as one table.
func WriteFacts(w io.Writer, facts []Fact) error {
	rows := [][]string{{"figure", "measured", "target", "verdict", "note"}}
	for _, f := range facts {
		target := "-"
		if f.AtMost > 0 {
			target = "at most " + number(f.AtMost, f.Unit)
		}
		rows = append(rows, []string{f.What, number(f.Value, f.Unit), target, f.verdict(), f.Note})
	}
	_, err := io.WriteString(w, Table(rows))
	return err
}

// number shows a value with three digits of precision, more only if they stand before the point.
func number(v float64, unit string) string {
	text := strconv.FormatFloat(v, 'g', 3, 64)
	if v >= 100 || v <= -100 {
		text = strconv.FormatFloat(v, 'f', 0, 64)
	} else if v > -0.001 && v < 0.001 {
		text = strconv.FormatFloat(v, 'f', 4, 64)
	}
	if unit == "" {
		return text
	}
	return text + " " + unit
}

package doctor

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/outrider-mesh/outrider/internal/terminal"
)

// WriteText is the report for people: what is wrong first, what is good last, and one line that sums up.
func WriteText(paper *terminal.Paper, findings []Finding) error {
	for _, group := range []struct {
		verdict Verdict
		colour  func(string) terminal.Span
	}{{Wrong, terminal.Bad}, {Doubtful, terminal.Doubt}, {Unseen, terminal.Strong}, {Good, terminal.Good}} {
		first := true
		for _, f := range findings {
			if f.Verdict != group.verdict {
				continue
			}
			if first {
				paper.Line(0, group.colour(string(group.verdict)))
				first = false
			}
			writeFinding(paper, f)
		}
		if !first {
			paper.Blank()
		}
	}
	n := tally(findings)
	paper.Line(0, terminal.Text(fmt.Sprintf("%d wrong, %d doubtful, %d could not be looked at, %d good", n[Wrong], n[Doubtful], n[Unseen], n[Good])))
	return paper.Flush()
}

func writeFinding(paper *terminal.Paper, f Finding) {
	paper.Line(2, terminal.Strong(f.About+": "), terminal.Text(f.Seen))
	if f.Why != "" {
		paper.Item(4, 5, terminal.Dim("why"), terminal.Text(f.Why))
	}
	if f.Fix != "" {
		paper.Item(4, 5, terminal.Dim("fix"), terminal.Text(f.Fix))
	}
}

func tally(findings []Finding) map[Verdict]int {
	n := map[Verdict]int{}
	for _, f := range findings {
		n[f.Verdict]++
	}
	return n
}

// WriteJSON is the same for machines. Its fields are part of what is promised.
func WriteJSON(w io.Writer, findings []Finding) error {
	n := tally(findings)
	report := struct {
		Verdict  Verdict   `json:"verdict"`
		Wrong    int       `json:"wrong"`
		Doubtful int       `json:"doubtful"`
		Unseen   int       `json:"couldNotLook"`
		Good     int       `json:"good"`
		Findings []Finding `json:"findings"`
	}{Worst(findings), n[Wrong], n[Doubtful], n[Unseen], n[Good], findings}
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

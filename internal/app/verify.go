package app

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/outrider-mesh/outrider/internal/terminal"
	"github.com/outrider-mesh/outrider/iptables"
)

// verification is how `outrider iptables verify` answers.
type verification struct {
	format string // text or json
	fix    string // the command that makes the kernel as planned
}

// verifyTables says what of the plan is in force: exit code 0 if traffic goes as
// planned, 1 if it does not.
func verifyTables(ctx context.Context, p *Process, cfg iptables.Config, v verification) int {
	families, err := iptables.Verify(ctx, cfg)
	if err != nil {
		return iptablesResult(p, nil, err)
	}
	same := true
	for _, c := range families {
		same = same && c.Same()
	}
	if v.format == "json" {
		err = v.writeJSON(p.Stdout, families, same)
	} else {
		err = v.writeText(terminal.New(p.Stdout, p.Getenv), families)
	}
	switch {
	case err != nil:
		return ExitEnvironment
	case !same:
		return ExitFindings
	}
	return ExitFine
}

// applyCommand is the apply that has these flags.
func applyCommand(fs *flag.FlagSet) string {
	command, taken := "outrider iptables apply", iptablesFlags()
	fs.Visit(func(f *flag.Flag) {
		if slices.Contains(taken, f.Name) {
			command += " --" + f.Name + " " + shellWord(f.Value.String())
		}
	})
	return command
}

// iptablesFlags are the names of the flags that say what is intercepted.
func iptablesFlags() (names []string) {
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	new(iptables.Flags).Register(fs)
	fs.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	return names
}

// shellWord is a text as a shell takes it.
func shellWord(text string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,=@%+"
	if text != "" && strings.Trim(text, plain) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// writeText is one paragraph for each family, and the way out at the end.
func (v verification) writeText(paper *terminal.Paper, families []iptables.Comparison) error {
	apply := false
	for _, c := range families {
		paper.Line(0, verdict(c)...)
		if c.Remark != "" {
			paper.Line(2, terminal.Doubt("note: "), terminal.Text(c.Remark))
		}
		for _, d := range c.Differences {
			writeDifference(paper, c, d)
			apply = apply || !d.Harmless && d.Undo == ""
		}
	}
	if apply {
		paper.Line(0, terminal.Text("To put it right: "), terminal.Strong(v.fix))
	}
	return paper.Flush()
}

// verdict is the first line about a family.
func verdict(c iptables.Comparison) []terminal.Span {
	family, table := terminal.Strong(c.Family.String()+": "), terminal.Dim(" ("+string(c.Variant)+")")
	wrong := 0
	for _, d := range c.Differences {
		if !d.Harmless {
			wrong++
		}
	}
	switch {
	case c.Skipped != "":
		return []terminal.Span{family, terminal.Text("skipped: " + c.Skipped)}
	case len(c.Differences) == 0:
		return []terminal.Span{family, terminal.Good("as planned"), table}
	case wrong == 0:
		return []terminal.Span{family, terminal.Good("as planned in effect"), terminal.Text(", not in text"), table}
	case wrong == 1:
		return []terminal.Span{family, terminal.Bad("1 difference"), table}
	}
	return []terminal.Span{family, terminal.Bad(strconv.Itoa(wrong) + " differences"), table}
}

func writeDifference(paper *terminal.Paper, c iptables.Comparison, d iptables.Difference) {
	kind := terminal.Bad(string(d.Kind))
	if d.Harmless {
		kind = terminal.Dim(string(d.Kind))
	}
	meaning := ": " + d.Kind.Meaning()
	if d.Variant != c.Variant {
		meaning += " (" + string(d.Variant) + ")"
	}
	paper.Line(2, kind, terminal.Text(meaning))
	if d.Expected != "" {
		paper.Item(4, 10, terminal.Dim("expected"), terminal.Text(d.Expected))
	}
	if d.Found != "" {
		paper.Item(4, 10, terminal.Dim("found"), terminal.Text(d.Found))
	}
	if d.Undo != "" {
		paper.Item(4, 10, terminal.Dim("fix"), terminal.Strong(d.Undo), terminal.Text(" if it is not meant"))
	}
}

// writeJSON is the same for machines. Its fields are part of what is promised.
func (v verification) writeJSON(w io.Writer, families []iptables.Comparison, same bool) error {
	type difference struct {
		Kind     string `json:"kind"`
		Table    string `json:"table,omitempty"`
		Chain    string `json:"chain,omitempty"`
		Expected string `json:"expected,omitempty"`
		Found    string `json:"found,omitempty"`
		Meaning  string `json:"meaning"`
		Harmless bool   `json:"harmless"`
		Fix      string `json:"fix,omitempty"`
	}
	type family struct {
		Family      string       `json:"family"`
		Table       string       `json:"table,omitempty"`
		SameEffect  bool         `json:"sameEffect"`
		SameText    bool         `json:"sameText"`
		Skipped     string       `json:"skipped,omitempty"`
		Note        string       `json:"note,omitempty"`
		Differences []difference `json:"differences"`
	}
	report := struct {
		AsPlanned bool     `json:"asPlanned"`
		Families  []family `json:"families"`
	}{AsPlanned: same}
	for _, c := range families {
		f := family{Family: c.Family.String(), Table: string(c.Variant), SameEffect: c.Same(), SameText: len(c.Differences) == 0,
			Skipped: c.Skipped, Note: c.Remark, Differences: []difference{}}
		for _, d := range c.Differences {
			fix := d.Undo
			if fix == "" && !d.Harmless {
				fix = v.fix
			}
			f.Differences = append(f.Differences, difference{string(d.Kind), string(d.Variant), d.Chain, d.Expected, d.Found, d.Kind.Meaning(), d.Harmless, fix})
		}
		report.Families = append(report.Families, f)
	}
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

//go:build linux

package main

import (
	"fmt"
	"io"
	"strings"
)

// table prints a row as soon as it is known.
type table struct {
	out          io.Writer
	rows, broken int
}

// columns is how wide a terminal is at least.
const columns = 80

func newTable(out io.Writer) *table { return &table{out: out} }

// row is one promise: what was asked, what the documents promise, what happened.
func (t *table) row(asked, promised, happened string, ok bool) {
	t.rows++
	mark := "ok"
	if !ok {
		t.broken++
		mark = "BROKEN"
	}
	t.cell(mark, asked)
	t.cell("  promise", promised)
	t.cell("  so", happened)
}

// cell prints a label and a text, over several lines if it is long.
func (t *table) cell(label, text string) {
	const indent = 10
	for i, line := range wrap(text, columns-indent) {
		if i > 0 {
			label = ""
		}
		fmt.Fprintf(t.out, "%-*s%s\n", indent, label, line)
	}
}

func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case len([]rune(line))+1+len([]rune(word)) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}

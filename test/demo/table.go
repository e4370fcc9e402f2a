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

var widths = [3]int{36, 40, 34}

func newTable(out io.Writer) *table {
	t := &table{out: out}
	t.line("asked", "the documents promise", "what happened", "")
	fmt.Fprintln(out, strings.Repeat("-", widths[0]+widths[1]+widths[2]+10))
	return t
}

// row is one promise.
func (t *table) row(asked, promised, happened string, ok bool) {
	t.rows++
	mark := "ok"
	if !ok {
		t.broken++
		mark = "BROKEN"
	}
	t.line(asked, promised, happened, mark)
}

// line prints cells, those that are too long over several lines.
func (t *table) line(asked, promised, happened, mark string) {
	var wrapped [3][]string
	height := 1
	for i, cell := range []string{asked, promised, happened} {
		wrapped[i] = wrap(cell, widths[i])
		height = max(height, len(wrapped[i]))
	}
	for n := range height {
		var line strings.Builder
		for i := range wrapped {
			cell := ""
			if n < len(wrapped[i]) {
				cell = wrapped[i][n]
			}
			fmt.Fprintf(&line, "%-*s  ", widths[i], cell)
		}
		if n == 0 {
			line.WriteString(mark)
		}
		fmt.Fprintln(t.out, strings.TrimRight(line.String(), " "))
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

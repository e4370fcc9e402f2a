package terminal

import (
	"bufio"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// Width is how many columns a line takes at most, but for words that are
// longer by themselves.
const Width = 80

// Paper is what a report is written on. One goroutine uses it.
type Paper struct {
	out    *bufio.Writer
	colour bool
}

// New writes on w, in colour if that is a terminal and the environment does not
// ask otherwise (NO_COLOR, TERM=dumb). Nothing is lost but on Flush.
func New(w io.Writer, getenv func(string) string) *Paper {
	p := &Paper{out: bufio.NewWriter(w)}
	if f, ok := w.(*os.File); ok && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb" {
		info, err := f.Stat()
		p.colour = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// Flush writes what is left and gives the first error of all writing.
func (p *Paper) Flush() error { return p.out.Flush() }

// Blank writes an empty line.
func (p *Paper) Blank() { p.out.WriteByte('\n') }

// A Span is a piece of a line in one colour.
type Span struct {
	text  string
	style string
}

// The spans. Text is plain; Strong is what to look at first; Good, Doubt and
// Bad are verdicts; Dim is what may be passed over, places for example.
func Text(s string) Span   { return Span{s, ""} }
func Strong(s string) Span { return Span{s, "1"} }
func Good(s string) Span   { return Span{s, "32"} }
func Doubt(s string) Span  { return Span{s, "33"} }
func Bad(s string) Span    { return Span{s, "31"} }
func Dim(s string) Span    { return Span{s, "2"} }

// Line writes one line that begins indent columns from the left. It is wrapped
// at blanks; what does not fit goes on below, four columns further in.
func (p *Paper) Line(indent int, spans ...Span) { p.hang(indent, 4, spans) }

// Item writes a label in a column of its own, width columns wide, and the text
// behind it; what does not fit goes on under the text. A label that is too
// long stands on a line of its own.
func (p *Paper) Item(indent, width int, label Span, text ...Span) {
	n := utf8.RuneCountInString(label.text)
	if n >= width {
		p.hang(indent, width, []Span{label})
		p.hang(indent+width, 0, text)
		return
	}
	label.text += strings.Repeat(" ", width-n)
	p.hang(indent, width, append([]Span{label}, text...))
}

// hang writes spans, wrapped. Blanks are held back until a word follows them,
// so that no line ends in them.
func (p *Paper) hang(indent, hang int, spans []Span) {
	column, fresh, held := indent, true, indent
	for _, s := range spans {
		for _, piece := range pieces(s.text) {
			n := utf8.RuneCountInString(piece)
			if piece[0] == ' ' {
				column, held = column+n, held+n
				continue
			}
			if !fresh && column+n > Width {
				p.out.WriteByte('\n')
				column = indent + hang
				if n <= Width { // A long word stands further left, so that it fits.
					column = min(column, Width-n)
				}
				held = column
			}
			p.out.WriteString(strings.Repeat(" ", held))
			p.write(piece, s.style)
			column, held, fresh = column+n, 0, false
		}
	}
	p.out.WriteByte('\n')
}

func (p *Paper) write(text, style string) {
	if !p.colour || style == "" {
		p.out.WriteString(text)
		return
	}
	p.out.WriteString("\x1b[" + style + "m" + text + "\x1b[0m")
}

// pieces cuts a text before and after each run of blanks.
func pieces(s string) (all []string) {
	for s != "" {
		n := strings.IndexByte(s, ' ')
		switch {
		case n < 0:
			n = len(s)
		case n == 0:
			n = len(s) - len(strings.TrimLeft(s, " "))
		}
		all, s = append(all, s[:n]), s[n:]
	}
	return all
}

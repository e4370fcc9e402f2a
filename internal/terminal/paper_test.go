package terminal

import (
	"os"
	"strings"
	"testing"
)

func written(t *testing.T, write func(*Paper)) string {
	t.Helper()
	var b strings.Builder
	p := New(&b, func(string) string { return "" })
	write(p)
	if err := p.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestLinesAreWrappedAtEightyColumns(t *testing.T) {
	words := strings.Repeat("word ", 30)
	got := written(t, func(p *Paper) { p.Line(2, Strong("first "), Text(words)) })
	want := "  first" + strings.Repeat(" word", 14) + "\n      " + strings.TrimSpace(strings.Repeat("word ", 15)) + "\n      word\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, line := range strings.Split(got, "\n") {
		if len(line) > Width || strings.HasSuffix(line, " ") {
			t.Errorf("%d columns: %q", len(line), line)
		}
	}
}

func TestAWordLongerThanALineIsNotCut(t *testing.T) {
	long := strings.Repeat("x", 100)
	if got := written(t, func(p *Paper) { p.Line(0, Text("a "+long+" b")) }); got != "a\n    "+long+"\n    b\n" {
		t.Errorf("got %q", got)
	}
}

func TestALongWordStandsFurtherLeft(t *testing.T) {
	long := strings.Repeat("x", 75)
	if got := written(t, func(p *Paper) { p.Item(2, 14, Text("wrong"), Text("a "+long+" b")) }); got != "  wrong         a\n     "+long+"\n                b\n" {
		t.Errorf("got %q", got)
	}
}

func TestItemsStandInColumns(t *testing.T) {
	got := written(t, func(p *Paper) {
		p.Item(2, 10, Good("honoured"), Text("short"))
		p.Item(2, 10, Bad("wrong"), Text(strings.Repeat("word ", 20)))
		p.Item(2, 10, Text("longer-than-ten"), Text("below"))
	})
	want := "  honoured  short\n" +
		"  wrong     " + strings.TrimSpace(strings.Repeat("word ", 13)) + "\n            " + strings.TrimSpace(strings.Repeat("word ", 7)) + "\n" +
		"  longer-than-ten\n            below\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestColourIsForTerminalsAlone(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/report")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if New(f, func(string) string { return "" }).colour {
		t.Error("a file is coloured")
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if p := New(null, func(string) string { return "" }); !p.colour {
		t.Error("a character device is not coloured")
	}
	if p := New(null, func(name string) string { return map[string]string{"NO_COLOR": "1"}[name] }); p.colour {
		t.Error("NO_COLOR is not obeyed")
	}
	got := written(t, func(p *Paper) { p.colour = true; p.Line(0, Good("yes"), Text(" no")) })
	if got != "\x1b[32myes\x1b[0m no\n" {
		t.Errorf("got %q", got)
	}
}

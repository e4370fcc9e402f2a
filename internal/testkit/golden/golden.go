// Package golden runs the tests whose cases lie in testdata/*.txtar: a head that
// says what the case shows, files, and last "want", what is to come of them.
// With -update what comes is what is wanted from then on.
//
//	# what this shows
//	# resource: mesh/m/virtualNode/n
//	-- nodes.yaml --
//	...
//	-- want --
//	...
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/outrider-mesh/outrider/internal/terminal"
)

// Update is the flag of every test that can rewrite what it wants.
var Update = flag.Bool("update", false, "rewrite what is wanted")

// A File is one of an archive.
type File struct {
	Name string
	Data []byte
}

// An Archive is a case: the head and the files, without "want".
type Archive struct {
	Head  string
	Files []File
}

// Test holds every archive of testdata against what answer makes of it.
func Test(t *testing.T, answer func(*testing.T, *Archive) string) {
	t.Helper()
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) { hold(t, name, answer) })
	}
}

const wantMark = "-- want --\n"

func hold(t *testing.T, name string, answer func(*testing.T, *Archive) string) {
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	asked, want, _ := strings.Cut(string(data), wantMark)
	got := answer(t, Split(asked))
	switch {
	case got == want:
	case !*Update:
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	default:
		if err := os.WriteFile(name, []byte(asked+wantMark+got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Split reads an archive: a head, then "-- name --" before each file.
func Split(text string) *Archive {
	a := new(Archive)
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "-- "); ok && strings.HasSuffix(name, " --") {
			a.Files = append(a.Files, File{Name: strings.TrimSuffix(name, " --")})
		} else if last := len(a.Files) - 1; last < 0 {
			a.Head += line
		} else {
			a.Files[last].Data = append(a.Files[last].Data, line...)
		}
	}
	return a
}

// Setting is what the head says of a name, as "# name: value".
func (a *Archive) Setting(name string) string {
	for line := range strings.Lines(a.Head) {
		if value, ok := strings.CutPrefix(line, "# "+name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// Assignments are the NAME=VALUE words of a setting.
func (a *Archive) Assignments(name string) map[string]string {
	all := make(map[string]string)
	for _, word := range strings.Fields(a.Setting(name)) {
		name, value, _ := strings.Cut(word, "=")
		all[name] = value
	}
	return all
}

// Text is that of a file, and whether there is one.
func (a *Archive) Text(name string) (string, bool) {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data), true
		}
	}
	return "", false
}

// OnPaper wants no line of a report to be wider than a terminal, but for a word
// that is alone on its line.
func OnPaper(t *testing.T, report string) {
	t.Helper()
	for line := range strings.Lines(report) {
		line = strings.TrimSuffix(line, "\n")
		if n := utf8.RuneCountInString(line); n > terminal.Width && len(strings.Fields(line)) > 1 {
			t.Errorf("%d columns: %q", n, line)
		}
	}
}

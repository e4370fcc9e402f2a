package explain_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/outrider-mesh/outrider/internal/app"
	"github.com/outrider-mesh/outrider/internal/terminal"
)

var update = flag.Bool("update", false, "rewrite testdata/*.txtar")

// An archive holds documents and questions: NAME.ask is the command's arguments,
// one on a line, NAME.answer its exit code and what it prints. The text in front
// of all files is where to ask, if not beside the documents.
func TestWhatPeopleAreTold(t *testing.T) {
	archives, _ := filepath.Glob("testdata/*.txtar")
	if len(archives) == 0 {
		t.Fatal("no archives")
	}
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			path, _ := filepath.Abs(name)
			where, files := unpack(string(text))
			enter(t, where, files)
			for i := range files {
				question, is := strings.CutSuffix(files[i].name, ".ask")
				if !is {
					continue
				}
				answer := &files[i+1]
				if got := answered(t, files[i].text); got != answer.text && !*update {
					t.Errorf("%s: got\n%s\nwant\n%s", question, got, answer.text)
				} else {
					answer.text = got
				}
				checkPaper(t, question, answer.text)
			}
			if *update {
				os.WriteFile(path, []byte(pack(where, files)), 0o644)
			}
		})
	}
}

// enter goes where the documents are.
func enter(t *testing.T, where string, files []file) {
	if dir := strings.TrimSpace(where); dir != "" {
		t.Chdir(dir)
		return
	}
	dir := t.TempDir()
	for _, f := range files {
		if strings.HasSuffix(f.name, ".yaml") {
			if err := os.WriteFile(filepath.Join(dir, f.name), []byte(f.text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Chdir(dir)
}

func answered(t *testing.T, args string) string {
	var out, err bytes.Buffer
	code := app.Main(t.Context(), &app.Process{Args: append([]string{"explain"}, strings.Split(strings.TrimSpace(args), "\n")...), Stdout: &out, Stderr: &err})
	return fmt.Sprintf("exit %d\n%s%s", code, out.String(), err.String())
}

// checkPaper wants lines of 80 columns, but for a long word alone, and no colour.
func checkPaper(t *testing.T, question, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		long := utf8.RuneCountInString(line) > terminal.Width && strings.Contains(strings.TrimSpace(line), " ")
		if long || strings.HasSuffix(line, " ") || strings.Contains(line, "\x1b") {
			t.Errorf("%s: %d columns: %q", question, utf8.RuneCountInString(line), line)
		}
	}
}

type file struct{ name, text string }

// unpack takes an archive apart: lines "-- name --" begin a file.
func unpack(text string) (front string, files []file) {
	for line := range strings.Lines(text) {
		name, is := strings.CutPrefix(strings.TrimSuffix(line, " --\n"), "-- ")
		switch {
		case is && strings.HasSuffix(line, " --\n"):
			files = append(files, file{name: name})
		case len(files) == 0:
			front += line
		default:
			files[len(files)-1].text += line
		}
	}
	return front, files
}

func pack(front string, files []file) string {
	var b strings.Builder
	b.WriteString(front)
	for _, f := range files {
		fmt.Fprintf(&b, "-- %s --\n%s", f.name, f.text)
	}
	return b.String()
}

package telemetry

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/stat"
)

// file is a file in memory. When gate is set, a write waits for it.
type file struct {
	mu     sync.Mutex
	buf    bytes.Buffer
	writes int
	closed bool
	gate   chan struct{}
	fail   error
}

func (f *file) Write(p []byte) (int, error) {
	if f.gate != nil {
		<-f.gate
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes++
	f.buf.Write(p)
	return len(p), f.fail
}

func (f *file) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	return nil
}

func (f *file) text() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.buf.String()
}

func opens(files ...*file) func() (io.WriteCloser, error) {
	return func() (io.WriteCloser, error) {
		if len(files) == 0 {
			return nil, errors.New("no such directory")
		}
		f := files[0]
		files = files[1:]
		return f, nil
	}
}

func mustSink(t *testing.T, set *stat.Set, files ...*file) *sink {
	t.Helper()
	s, err := newSink(opens(files...), set)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func counted(set *stat.Set, name string) (n int64) {
	set.Each(func(c *stat.Cell) {
		if string(c.AppendName(nil)) == name {
			n = c.Value
		}
	})
	return n
}

func TestALineIsWrittenWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f file
		var set stat.Set
		s := mustSink(t, &set, &f)
		s.append([]byte("a\n"))
		s.append([]byte("b\n"))
		time.Sleep(flushEvery - 1)
		synctest.Wait()
		if f.text() != "" {
			t.Error("it did not wait for more lines")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if f.text() != "a\nb\n" || f.writes != 1 {
			t.Errorf("%q in %d writes", f.text(), f.writes)
		}
		if counted(&set, "filesystem.flushed_by_timer") != 1 || counted(&set, "filesystem.write_total_buffered") != 0 {
			t.Error("not counted")
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
}

func TestManyLinesAreWrittenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f file
		s := mustSink(t, new(stat.Set), &f)
		s.append(make([]byte, flushSize-1))
		synctest.Wait()
		if len(f.text()) != 0 {
			t.Error("written too early")
		}
		s.append([]byte("x"))
		synctest.Wait()
		if len(f.text()) != flushSize {
			t.Error("64 KiB wait for the timer")
		}
		_ = s.close()
	})
}

func TestLinesThatFindTheQueueFullAreDroppedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := file{gate: make(chan struct{})}
		var set stat.Set
		s := mustSink(t, &set, &f)
		line := make([]byte, 1<<10)
		for range flushSize / len(line) {
			s.append(line) // on its way to a file that takes nothing
		}
		synctest.Wait()
		for range queueSize/len(line) + 7 {
			s.append(line)
		}
		if got := counted(&set, "access_log.lines_dropped"); got != 7 {
			t.Errorf("%d dropped", got)
		}
		close(f.gate)
		if err := s.close(); err != nil {
			t.Error(err)
		}
		if got := len(f.text()); got != flushSize+queueSize {
			t.Errorf("%d bytes", got)
		}
	})
}

func TestClosingWritesWhatWaitsAndTakesNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f file
		var set stat.Set
		s := mustSink(t, &set, &f)
		s.append([]byte("last\n"))
		if err := s.close(); err != nil {
			t.Error(err)
		}
		s.append([]byte("late\n"))
		if f.text() != "last\n" || !f.closed || counted(&set, "access_log.lines_dropped") != 1 {
			t.Errorf("%q, closed %v", f.text(), f.closed)
		}
		if err := s.close(); err != nil {
			t.Error("closing twice: ", err)
		}
	})
}

func TestClosingGivesUpOnAFileThatTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := file{gate: make(chan struct{})}
		s := mustSink(t, new(stat.Set), &f)
		s.append([]byte("a\n"))
		before := time.Now()
		if err := s.close(); err == nil || time.Since(before) != closeWait {
			t.Error(err, time.Since(before))
		}
		close(f.gate)
	})
}

func TestReopeningLeavesWhatWasLoggedInTheOldFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var old, now file
		var set stat.Set
		s := mustSink(t, &set, &old, &now)
		s.append([]byte("before\n"))
		if err := s.reopen(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		s.append([]byte("after\n"))
		if err := s.reopen(); err == nil || counted(&set, "filesystem.reopen_failed") != 1 {
			t.Error("the third file cannot be opened")
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
		if old.text() != "before\n" || now.text() != "after\n" || !old.closed || !now.closed {
			t.Errorf("%q %q", old.text(), now.text())
		}
	})
}

func TestFilesOpenedTooOftenOrTooLateAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := []*file{{gate: make(chan struct{})}, {}, {}, {}}
		s := mustSink(t, new(stat.Set), files...)
		s.append([]byte("a\n"))
		time.Sleep(flushEvery)
		synctest.Wait() // the writer is held up in the first file
		_ = s.reopen()
		_ = s.reopen()
		close(files[0].gate)
		_ = s.close()
		_ = s.reopen()
		for i, f := range files {
			if !f.closed {
				t.Errorf("file %d is open", i)
			}
		}
	})
}

func TestAFailedWriteIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := file{fail: errors.New("no space left on device")}
		var set stat.Set
		s := mustSink(t, &set, &f)
		s.append([]byte("a\n"))
		_ = s.close()
		if counted(&set, "filesystem.write_failed") != 1 || counted(&set, "filesystem.write_completed") != 0 {
			t.Error("not counted")
		}
	})
}

func TestAnAccessLogIsAppendedToAndRotated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	if err := os.WriteFile(path, []byte("there already\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := OpenAccessLog(&mesh.AccessLog{Path: path, Text: "%RESPONSE_CODE%\n"}, new(stat.Set))
	if err != nil {
		t.Fatal(err)
	}
	a.Log(&stat.Record{Code: 200})
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := a.Reopen(); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	old, _ := os.ReadFile(path + ".1")
	now, err := os.ReadFile(path)
	if string(old) != "there already\n200\n" || err != nil || len(now) != 0 {
		t.Errorf("%q %q %v", old, now, err)
	}
}

func TestAnAccessLogMayGoToStandardOutput(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	os.Stdout = w
	a, err := OpenAccessLog(&mesh.AccessLog{Path: "/dev/stdout"}, new(stat.Set))
	os.Stdout = stdout
	if err != nil {
		t.Fatal(err)
	}
	a.Log(exchange())
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if _, err := w.WriteString("still open\n"); err != nil {
		t.Error("the log closed the process's output: ", err)
	}
	_ = w.Close()
	got, _ := io.ReadAll(r)
	if !strings.HasPrefix(string(got), "[2026-11-21T14:40:15.120Z] \"GET ") || !strings.HasSuffix(string(got), "still open\n") {
		t.Errorf("%q", got)
	}
}

func TestAnAccessLogThatCannotBeOpenedSaysWhere(t *testing.T) {
	at := mesh.At(mesh.Position{File: "mesh/nodes.yaml", Line: 9})
	for path, want := range map[string]string{
		"":                      "mesh/nodes.yaml:9: open access log: no path is given",
		"/no/such/dir/file.log": "mesh/nodes.yaml:9: open access log: open /no/such/dir/file.log: no such file or directory",
	} {
		if _, err := OpenAccessLog(&mesh.AccessLog{Path: path, Origin: at}, new(stat.Set)); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := OpenAccessLog(&mesh.AccessLog{Path: "/dev/stderr", Text: "%NO%", Origin: at}, new(stat.Set)); err == nil {
		t.Error("a bad format must not open")
	}
}

func TestLoggingALineDoesNotAllocate(t *testing.T) {
	a, err := OpenAccessLog(&mesh.AccessLog{Path: os.DevNull}, new(stat.Set))
	if err != nil {
		t.Fatal(err)
	}
	r := exchange()
	for range 2000 { // both buffers reach their size
		a.Log(r)
	}
	// Below one: a collection may empty the pool of lines.
	if n := testing.AllocsPerRun(1000, func() { a.Log(r) }); n >= 1 {
		t.Errorf("%g allocations", n)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

package telemetry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestALineHasEnvoysShape(t *testing.T) {
	var out bytes.Buffer
	l := NewLog(&out, LogText, slog.LevelInfo)
	l.Logger("router").Warn("no endpoint is left", "cluster", "cds_a", "tried", 3)
	want := fmt.Sprintf(`^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\]\[%d\]\[warning\]\[router\] `+
		`\[internal/telemetry/log_test\.go:\d+\] no endpoint is left cluster=cds_a tried=3\n$`, os.Getpid())
	if !regexp.MustCompile(want).MatchString(out.String()) {
		t.Errorf("%s\nwant %s", out.String(), want)
	}
}

func record(level slog.Level, message string, attrs ...slog.Attr) slog.Record {
	r := slog.NewRecord(time.Date(2026, 11, 21, 14, 40, 15, 123e6, time.UTC), level, message, 0)
	r.AddAttrs(attrs...)
	return r
}

func handled(t *testing.T, format LogFormat, with func(slog.Handler) slog.Handler, r slog.Record) string {
	t.Helper()
	var out bytes.Buffer
	l := NewLog(&out, format, LevelTrace)
	l.pid = 1
	if err := with(l.Handler()).Handle(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func asIs(h slog.Handler) slog.Handler { return h }

var attributes = []slog.Attr{
	slog.String("plain", "a"), slog.String("spaced", "a b"), slog.String("empty", ""), slog.String("forged", "x\n[2026] y=\"z\""),
	slog.Duration("after", 1500*time.Millisecond), slog.Bool("ok", true), slog.Float64("share", 0.5),
	slog.Any("err", errors.New("connection refused")), slog.Any("to", netip.MustParseAddrPort("[::1]:80")),
	slog.Group("try", slog.Int("n", 2), slog.Group("of", slog.Uint64("max", 3))), slog.Any("nil", nil), {},
	slog.Time("at", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)), slog.Any("raw", []byte("b")),
}

func TestTextAttributes(t *testing.T) {
	got := handled(t, LogText, asIs, record(slog.LevelError, "failed", attributes...))
	want := `[2026-11-21 14:40:15.123][1][error][main] failed plain=a spaced="a b" empty="" forged="x\n[2026] y=\"z\"" ` +
		`after=1.5s ok=true share=0.5 err="connection refused" to=[::1]:80 try.n=2 try.of.max=3 nil=<nil> at=2026-01-02T03:04:05Z raw=b` + "\n"
	if got != want {
		t.Errorf("\n%s\nwant\n%s", got, want)
	}
}

func TestJSONAttributes(t *testing.T) {
	got := handled(t, LogJSON, asIs, record(LevelCritical, "fai\"led\n", append(attributes, slog.String("time", "now"))...))
	want := `{"time":"2026-11-21T14:40:15.123Z","level":"critical","component":"main","message":"fai\"led\n","plain":"a","spaced":"a b",` +
		`"empty":"","forged":"x\n[2026] y=\"z\"","after":"1.5s","ok":true,"share":0.5,"err":"connection refused","to":"[::1]:80",` +
		`"try.n":2,"try.of.max":3,"nil":"<nil>","at":"2026-01-02T03:04:05Z","raw":"b","attr.time":"now"}` + "\n"
	if got != want {
		t.Errorf("\n%s\nwant\n%s", got, want)
	}
	if !json.Valid([]byte(got)) {
		t.Error("not JSON")
	}
}

func TestAMessageCannotForgeALine(t *testing.T) {
	got := handled(t, LogText, asIs, record(slog.LevelInfo, "one\n[2026-11-21] two\x1b[31m"))
	if strings.Count(got, "\n") != 1 || strings.Contains(got, "\x1b") {
		t.Errorf("%q", got)
	}
}

func TestGroupsAndComponentsOfALogger(t *testing.T) {
	got := handled(t, LogText, func(h slog.Handler) slog.Handler {
		return h.WithAttrs([]slog.Attr{slog.String("component", "pool"), slog.Int("a", 1)}).WithGroup("g").
			WithAttrs([]slog.Attr{slog.Int("b", 2)}).WithGroup("")
	}, record(slog.LevelDebug, "m", slog.Int("c", 3), slog.String("component", "no")))
	if want := "[2026-11-21 14:40:15.123][1][debug][pool] m a=1 g.b=2 g.c=3 g.component=no\n"; got != want {
		t.Errorf("\n%s\nwant\n%s", got, want)
	}
}

func TestARecordMayNameItsComponent(t *testing.T) {
	got := handled(t, LogText, asIs, record(LevelTrace, "m", slog.String("component", "dns"), slog.Int("a", 1)))
	if want := "[2026-11-21 14:40:15.123][1][trace][dns] m a=1\n"; got != want {
		t.Error(got)
	}
}

func TestLevelsChangeWhileRunning(t *testing.T) {
	var out bytes.Buffer
	l := NewLog(&out, LogText, slog.LevelInfo, "dns")
	router := l.Logger("router")
	lines := func(want int) {
		t.Helper()
		router.Debug("d")
		router.Error("e")
		if n := strings.Count(out.String(), "\n"); n != want {
			t.Errorf("%d lines, want %d", n, want)
		}
		out.Reset()
	}
	lines(1)
	if !l.SetLevel("router", "trace") {
		t.Error("router is a component")
	}
	lines(2)
	l.SetLevel("", "off")
	lines(0)
	l.SetLevel("", "debug")
	lines(2)
	if l.SetLevel("nobody", "info") || l.SetLevel("router", "loud") {
		t.Error("no such component, no such level")
	}
	l.SetLevel("dns", "warn")
	var all []string
	l.Each(func(component, level string) { all = append(all, component+"="+level) })
	if got := strings.Join(all, " "); got != "dns=warning main=debug router=debug" {
		t.Error(got)
	}
}

func TestAComponentSilencedByItsOwnNameStaysSilent(t *testing.T) {
	var out bytes.Buffer
	l := NewLog(&out, LogText, slog.LevelInfo, "dns")
	l.SetLevel("dns", "error")
	slog.New(l.Handler()).Info("m", "component", "dns")
	if out.Len() != 0 {
		t.Error(out.String())
	}
}

func TestLevelsHaveEnvoysNames(t *testing.T) {
	for _, name := range []string{"trace", "debug", "info", "warning", "error", "critical", "off"} {
		level, ok := ParseLevel(name)
		if !ok || levelName(level) != name {
			t.Errorf("%s: %v, %v", name, level, ok)
		}
	}
	if levelName(-100) != "trace" || levelName(slog.LevelInfo+1) != "info" {
		t.Error("levels in between take the name below")
	}
}

// writes counts calls and looks for lines that are not whole.
type writes struct {
	mu    sync.Mutex
	n     int
	split bool
}

func (w *writes) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.n++
	w.split = w.split || bytes.Count(p, []byte("\n")) != 1 || p[len(p)-1] != '\n' || p[0] != '['
	return len(p), io.ErrShortWrite // nobody to tell: ignored
}

func TestALineIsOneWrite(t *testing.T) {
	var w writes
	l := NewLog(&w, LogText, slog.LevelInfo)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			log := l.Logger("router").With("a", 1)
			for range 100 {
				log.Info("m", "b", 2)
			}
		})
	}
	all.Wait()
	if w.n != 800 || w.split {
		t.Errorf("%d writes, split %v", w.n, w.split)
	}
}

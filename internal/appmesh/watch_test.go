package appmesh

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
)

// TestWatchQuiet runs the watcher on false events and a false clock.
func TestWatchQuiet(t *testing.T) {
	type step struct {
		after time.Duration
		event fsnotify.Event
		same  bool // the event changes nothing of what the paths mean
	}
	write := func(name string) fsnotify.Event { return fsnotify.Event{Name: name, Op: fsnotify.Write} }
	// often is n events, one each 100 ms.
	often := func(n int, event fsnotify.Event, same bool) []step {
		return slices.Repeat([]step{{100 * time.Millisecond, event, same}}, n)
	}
	for _, c := range []struct {
		says  string
		steps []step
		want  int32
	}{
		{"nothing is none", nil, 0},
		{"one write is one change", []step{{0, write("d/a.yaml"), false}}, 1},
		{"writes close together are one change", []step{{0, write("d/a.yaml"), false}, {400 * time.Millisecond, write("d/a.yaml"), false}, {400 * time.Millisecond, write("d/b.yaml"), false}}, 1},
		{"writes apart are two", []step{{0, write("d/a.yaml"), false}, {time.Second, write("d/a.yaml"), false}}, 2},
		{"a changed mode is none", []step{{0, fsnotify.Event{Name: "d/a.yaml", Op: fsnotify.Chmod}, true}}, 0},
		{"a log beside the documents is none", []step{{0, write("d/access.log"), true}, {0, write("d/.a.yaml.swp"), true}}, 0},
		{"a Kubernetes swap is one", []step{{0, fsnotify.Event{Name: "d/..data_tmp", Op: fsnotify.Create}, true}, {0, fsnotify.Event{Name: "d/..data", Op: fsnotify.Create}, false}}, 1},
		{"a named file is one whatever it ends in", []step{{0, write("named.txt"), false}}, 1},
		{"a file that a glob names is one", []step{{0, write("g/x.conf"), false}}, 1},
		{"a new directory is one", []step{{0, fsnotify.Event{Name: "d/new", Op: fsnotify.Create}, false}}, 1},
		{"a change without an event is seen by the poll", []step{{0, fsnotify.Event{}, false}}, 1},
		{"a log without an extension is none", often(300, write("d/log"), true), 0},
		{"a change beside a busy log is one, in its time", append([]step{{0, write("d/a.yaml"), false}}, often(20, write("log"), true)...), 1},
		{"a change that only the poll sees is one, also beside a busy log", append([]step{{0, fsnotify.Event{}, false}}, often(110, write("d/log"), true)...), 1},
		{"documents that are written for ever are read all the same", often(120, write("d/a.yaml"), false), 3},
	} {
		t.Run(c.says, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var changes, version atomic.Int32
				events := make(chan fsnotify.Event)
				start := version.Load()
				w := watcher{seen: string(rune(start)), paths: []string{"d", "named.txt", "g/*.conf"}, quiet: 500 * time.Millisecond, poll: 10 * time.Second,
					changed: func() { changes.Add(1) }, renew: func() {}, look: func() string { return string(rune(version.Load())) }}
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- w.run(ctx, events, nil) }()
				for _, s := range c.steps {
					time.Sleep(s.after)
					synctest.Wait() // the first look is over
					if !s.same {
						version.Add(1)
					}
					if s.event.Name != "" {
						events <- s.event
					}
				}
				if strings.Contains(c.says, "beside a busy log") {
					synctest.Wait()
				} else {
					time.Sleep(time.Minute)
				}
				if got := changes.Load(); got != c.want {
					t.Errorf("%d changes, want %d", got, c.want)
				}
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestWatchNewDirectory: a directory is watched as soon as it is there, though
// it holds nothing yet.
func TestWatchNewDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var renewed atomic.Int32
		events := make(chan fsnotify.Event)
		w := watcher{paths: []string{"d"}, quiet: 500 * time.Millisecond, poll: time.Hour,
			changed: func() {}, renew: func() { renewed.Add(1) }, look: func() string { return "" }}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.run(ctx, events, nil) }()
		synctest.Wait()
		before := renewed.Load()
		for range 100 {
			events <- fsnotify.Event{Name: "d/new", Op: fsnotify.Create}
		}
		time.Sleep(time.Second)
		if n := renewed.Load() - before; n == 0 || n > 2 {
			t.Errorf("%d times watched anew, want once at first and once for the rest", n)
		}
		cancel()
		<-done
	})
}

// TestWatchFiles runs the watcher on real files. It waits for each change as
// long as it takes.
func TestWatchFiles(t *testing.T) {
	dir := t.TempDir()
	mounted := filepath.Join(dir, "mounted")
	put(t, filepath.Join(mounted, "..v1", "mesh.yaml"), "1")
	put(t, filepath.Join(mounted, "..v2", "mesh.yaml"), "2")
	link(t, "..v1", filepath.Join(mounted, "..data"))
	link(t, filepath.Join("..data", "mesh.yaml"), filepath.Join(mounted, "mesh.yaml"))
	plain := filepath.Join(dir, "plain")
	put(t, filepath.Join(plain, "a.yaml"), "1")
	single := filepath.Join(dir, "single", "one.txt")
	put(t, single, "1")
	globbed := filepath.Join(dir, "globbed")
	put(t, filepath.Join(globbed, "x.conf"), "1")

	changes := make(chan struct{}, 100)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	watch := NewWatch([]string{mounted, plain, single, filepath.Join(globbed, "*.conf")})
	put(t, filepath.Join(plain, "a.yaml"), "made before it runs")
	go func() {
		done <- watch.Run(ctx, 10*time.Millisecond, func() { changes <- struct{}{} })
	}()
	// What was written after the watch was made and before it runs is seen.
	<-changes
	for _, c := range []struct {
		says string
		do   func()
	}{
		{"a file is written", func() { put(t, filepath.Join(plain, "a.yaml"), "2") }},
		{"a file is replaced by renaming, as editors do", func() {
			put(t, filepath.Join(plain, ".a.tmp"), "3")
			move(t, filepath.Join(plain, ".a.tmp"), filepath.Join(plain, "a.yaml"))
		}},
		{"the replaced file is written again", func() { put(t, filepath.Join(plain, "a.yaml"), "4") }},
		{"a file appears", func() { put(t, filepath.Join(plain, "b.yaml"), "1") }},
		{"a file goes", func() { _ = os.Remove(filepath.Join(plain, "b.yaml")) }},
		{"a directory appears", func() { put(t, filepath.Join(plain, "sub", "c.yaml"), "1") }},
		{"Kubernetes swaps its link", func() {
			link(t, "..v2", filepath.Join(mounted, "..data_tmp"))
			move(t, filepath.Join(mounted, "..data_tmp"), filepath.Join(mounted, "..data"))
		}},
		{"a named file is written", func() { put(t, single, "2") }},
		{"a named file is replaced", func() {
			put(t, single+".new", "3")
			move(t, single+".new", single)
		}},
		{"a glob matches one more", func() { put(t, filepath.Join(globbed, "y.conf"), "1") }},
	} {
		for len(changes) > 0 { // what one step left behind is not the next one's
			<-changes
		}
		c.do()
		select {
		case <-changes:
		case <-time.After(30 * time.Second):
			t.Fatalf("%s: not noticed", c.says)
		}
	}
	// What happens in a directory that appeared is noticed too: it is
	// watched since the change that showed it.
	put(t, filepath.Join(plain, "sub", "d.yaml"), "1")
	<-changes
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func link(t *testing.T, target, name string) {
	t.Helper()
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
}

func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// TestDirectories: what is watched, for paths that exist and that do not.
func TestDirectories(t *testing.T) {
	dir := tree(t, "mesh/a.yaml", "", "mesh/sub/b.yaml", "", "mesh/.git/c.yaml", "", "real/d.yaml", "", "globs/x/e.yaml", "")
	link(t, filepath.Join(dir, "real", "d.yaml"), filepath.Join(dir, "d.yaml"))
	got := map[string]bool{}
	for _, d := range directories([]string{filepath.Join(dir, "mesh"), filepath.Join(dir, "d.yaml"), filepath.Join(dir, "later", "f.yaml"), filepath.Join(dir, "globs", "*", "*.yaml")}) {
		rel, err := filepath.Rel(dir, d)
		if err != nil {
			t.Fatal(err)
		}
		got[rel] = true
	}
	for _, want := range []string{".", "mesh", "mesh/sub", "real", "later", "globs", "globs/x"} {
		if !got[want] {
			t.Errorf("%s is not watched: %v", want, got)
		}
	}
	if got["mesh/.git"] {
		t.Error("a hidden directory is watched")
	}
}

package appmesh

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// pollEvery is how often files are looked at without being told. It is the net under
// file events, which do not come from network file systems, links that lead
// elsewhere or directories that match a glob later.
const pollEvery = 10 * time.Second

// longestSettle bounds the wait for quiet: documents that are written without
// a pause are read all the same.
const longestSettle = 10 // times the quiet that is waited for

// A Watch notices when what some paths mean changes.
type Watch struct {
	paths []string
	since string // the fingerprint of what its owner has read, or older
}

// NewWatch remembers what ReadPaths(paths) would read now. Made before the
// first read, it makes Run report whatever was written since.
func NewWatch(paths []string) *Watch { return &Watch{paths, fingerprint(paths)} }

// Run calls changed, from its own goroutine, whenever what the paths mean has
// changed and then been quiet for that long (or has not been quiet for ten
// times that long); changed may read at leisure, what happens meanwhile is not
// lost. It blocks until ctx is done and returns nil then. A host without file
// events (inotify limits) is polled only: that is the error-free fallback,
// every 10 s.
//
// Directories are watched, not files: an editor that writes by renaming and
// Kubernetes, which swaps the link ..data, both leave a watched file behind
// dead. An event is only a reason to look: whatever else is written into those
// directories holds nothing back.
func (w *Watch) Run(ctx context.Context, quiet time.Duration, changed func()) error {
	r := watcher{paths: w.paths, quiet: quiet, poll: pollEvery, changed: changed, seen: w.since,
		look: func() string { return fingerprint(w.paths) }}
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		r.renew = func() {}
		return r.run(ctx, nil, nil)
	}
	defer notify.Close()
	r.renew = func() {
		for _, dir := range directories(w.paths) {
			_ = notify.Add(dir) // a directory that vanished is the poll's to notice
		}
	}
	return r.run(ctx, notify.Events, notify.Errors)
}

// watcher is a Watch at work.
type watcher struct {
	paths       []string
	quiet, poll time.Duration
	changed     func()
	// look sums up what the paths mean now; renew watches directories that
	// are new.
	look  func() string
	renew func()

	// seen is what changed was last told of, latest what was there at the
	// last look. They differ while settling.
	seen, latest string
	settling     bool
	begun        time.Time // of settling
	settle       *time.Timer
	// again looks once more, after events that came too soon after a look.
	again   *time.Timer
	waiting bool      // again is running
	next    time.Time // before it nothing is looked at
	created bool      // something came that may be a directory
}

func (w *watcher) run(ctx context.Context, events <-chan fsnotify.Event, errors <-chan error) error {
	w.settle, w.again = stopped(), stopped()
	defer w.settle.Stop()
	defer w.again.Stop()
	poll := time.NewTicker(w.poll)
	defer poll.Stop()
	w.renew()
	w.latest = w.seen
	w.check()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, open := <-events:
			if !open {
				events = nil
			} else if w.relevant(e) {
				w.created = w.created || e.Has(fsnotify.Create)
				w.checkSoon()
			}
		case _, open := <-errors: // events were lost
			if !open {
				errors = nil
				continue
			}
			w.checkSoon()
		case <-w.again.C:
			w.waiting = false
			w.check()
		case <-poll.C:
			w.check()
		case <-w.settle.C:
			w.settled()
		}
	}
}

func stopped() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// checkSoon is check, but not too often: events may come by the thousand.
func (w *watcher) checkSoon() {
	switch wait := time.Until(w.next); {
	case w.waiting:
	case wait <= 0:
		w.check()
	default:
		w.waiting = true
		w.again.Reset(wait)
	}
}

// check looks, and waits for quiet if anything has changed since it looked
// last.
func (w *watcher) check() {
	start := time.Now()
	if w.created {
		w.created = false
		w.renew() // first, so that what is written into it later is told
	}
	latest := w.look()
	w.next = start.Add(max(w.quiet/10, 10*time.Since(start))) // a large tree takes a tenth of a core at most
	if latest == w.latest {
		return
	}
	w.latest = latest
	if !w.settling {
		w.settling, w.begun = true, start
	}
	w.settle.Reset(max(0, min(w.quiet, w.rest())))
}

// rest is how long settling may still take.
func (w *watcher) rest() time.Duration { return w.quiet*longestSettle - time.Since(w.begun) }

// settled reports the change, if nothing has come since the last look.
func (w *watcher) settled() {
	if latest := w.look(); latest != w.latest && w.rest() > 0 {
		w.latest = latest
		w.settle.Reset(min(w.quiet, w.rest()))
		return
	}
	w.settling = false
	w.renew()
	w.latest = w.look() // before changed reads, so that no later write is missed
	if w.latest != w.seen {
		w.seen = w.latest
		w.changed()
	}
}

// relevant leaves out what cannot change what the paths mean, so that nothing
// is looked at for it: logs in the same directory. What it lets pass may still
// be nothing.
func (w *watcher) relevant(e fsnotify.Event) bool {
	name := filepath.Clean(e.Name)
	for _, p := range w.paths {
		if filepath.Clean(p) == name {
			return true
		}
		if matched, _ := filepath.Match(p, name); matched {
			return true
		}
	}
	base := filepath.Base(name)
	if strings.HasPrefix(base, ".") {
		return base == "..data"
	}
	return isDocument(base) || filepath.Ext(base) == "" // a directory
}

// fingerprint is equal as long as no file that the paths mean comes, goes, is
// written, or becomes readable or unreadable.
func fingerprint(paths []string) string {
	files, _, err := listFiles(paths)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, f := range files {
		info, err := os.Stat(f.name)
		if err != nil || f.err != nil {
			fmt.Fprintf(&b, "%q %v %v\n", f.name, err, f.err)
			continue
		}
		fmt.Fprintf(&b, "%q %d %d %v", f.name, info.Size(), info.ModTime().UnixNano(), info.Mode())
		if more, ok := info.Sys().(*syscall.Stat_t); ok {
			fmt.Fprintf(&b, " %d %d %d", more.Ino, more.Uid, more.Gid)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// directories are those where an event may mean that the paths mean
// something else: directories read, with all below them, and those that hold
// the named files, links and matches.
func directories(paths []string) []string {
	seen := make(map[string]bool)
	var dirs []string
	add := func(dir string) {
		if dir = filepath.Clean(dir); !seen[dir] && len(dirs) < maxSources {
			seen[dir] = true
			dirs = append(dirs, dir)
		}
	}
	tree := func(root string) {
		_ = filepath.WalkDir(root+string(filepath.Separator), func(name string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.IsDir() {
				return nil
			}
			if filepath.Clean(name) != filepath.Clean(root) && strings.HasPrefix(entry.Name(), ".") {
				return filepath.SkipDir
			}
			add(name)
			return nil
		})
	}
	for _, p := range paths {
		info, err := os.Stat(p)
		switch {
		case err == nil && info.IsDir():
			add(filepath.Dir(filepath.Clean(p))) // p itself may be a link that is swapped
			tree(p)
		case err == nil:
			add(filepath.Dir(p))
			if target, err := filepath.EvalSymlinks(p); err == nil {
				add(filepath.Dir(target))
			}
		case isGlob(p):
			add(globBase(p))
			matches, _ := filepath.Glob(p)
			for _, m := range matches {
				add(filepath.Dir(m))
				if info, err := os.Stat(m); err == nil && info.IsDir() {
					tree(m)
				}
			}
		default:
			add(filepath.Dir(p))
		}
	}
	return dirs
}

// globBase is the last directory of a glob before its first wildcard.
func globBase(p string) string {
	return filepath.Dir(p[:strings.IndexAny(p, "*?[")] + "x")
}

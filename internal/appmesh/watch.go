package appmesh

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// pollEvery is how often files are looked at without being told. It is the net under
// file events, which do not come from network file systems, links that lead
// elsewhere or directories that match a glob later.
const pollEvery = 10 * time.Second

// Watch calls changed, from its own goroutine, whenever what ReadPaths(paths)
// reads has changed and then been quiet for that long; changed may read at
// leisure, what happens meanwhile is not lost. It blocks until ctx is done
// and returns nil then. A host without file events (inotify limits) is polled
// only: that is the error-free fallback, every 10 s.
//
// Directories are watched, not files: an editor that writes by renaming and
// Kubernetes, which swaps the link ..data, both leave a watched file behind dead.
func Watch(ctx context.Context, paths []string, quiet time.Duration, changed func()) error {
	w := watcher{paths: paths, quiet: quiet, poll: pollEvery, changed: changed, look: func() string { return fingerprint(paths) }}
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		w.renew = func() {}
		return w.run(ctx, nil, nil)
	}
	defer notify.Close()
	w.renew = func() {
		for _, dir := range directories(paths) {
			_ = notify.Add(dir) // a directory that vanished is the poll's to notice
		}
	}
	return w.run(ctx, notify.Events, notify.Errors)
}

type watcher struct {
	paths       []string
	quiet, poll time.Duration
	changed     func()
	// look sums up what the paths mean now; renew watches directories that
	// are new.
	look  func() string
	renew func()
}

func (w *watcher) run(ctx context.Context, events <-chan fsnotify.Event, errors <-chan error) error {
	w.renew()
	seen := w.look()
	poll := time.NewTicker(w.poll)
	defer poll.Stop()
	settle := time.NewTimer(w.quiet)
	settle.Stop()
	defer settle.Stop()
	settling := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, open := <-events:
			if !open {
				events = nil
			} else if w.relevant(e) {
				settling = true
				settle.Reset(w.quiet)
			}
		case _, open := <-errors: // events were lost
			if !open {
				errors = nil
				continue
			}
			settling = true
			settle.Reset(w.quiet)
		case <-poll.C:
			if !settling && w.look() != seen {
				settling = true
				settle.Reset(w.quiet)
			}
		case <-settle.C:
			settling = false
			w.renew()
			seen = w.look() // before changed reads, so that no later write is missed
			w.changed()
		}
	}
}

// relevant leaves out what ReadPaths would not read: logs in the same
// directory must not hold back the quiet for ever.
func (w *watcher) relevant(e fsnotify.Event) bool {
	if e.Op == fsnotify.Chmod {
		return false
	}
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

// fingerprint is equal as long as no file that the paths mean comes, goes or
// is written.
func fingerprint(paths []string) string {
	files, _, err := listFiles(paths)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil {
			fmt.Fprintf(&b, "%q gone\n", name)
			continue
		}
		fmt.Fprintf(&b, "%q %d %d\n", name, info.Size(), info.ModTime().UnixNano())
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

//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// canaryMoves are the weights that the file is edited to, one after the other.
var canaryMoves = []struct{ v1, v2, tolerance int }{
	{80, 20, 65}, {50, 50, 80}, {0, 100, 0}, {80, 20, 65},
}

// canary moves the weights by editing the file while the front app keeps calling. Each phase is judged by a thousand requests
// that began after the sidecar had said that the new weights are in force.
func canary(ctx context.Context, w *world, t *table) {
	l := &load{total: outcome{Statuses: map[int]int{}}}
	var running sync.WaitGroup
	running.Go(func() { l.run(ctx, w) })
	for i, move := range canaryMoves {
		asked, note := "under load: the file as it is", ""
		var err error
		if i > 0 {
			asked = fmt.Sprintf("under load: routes.json edited to %d/%d", move.v1, move.v2)
			note, err = w.edit(ctx, move.v1, move.v2)
		}
		v1, v2 := 0, 0
		if err == nil {
			v1, v2, err = l.phase(ctx, w, fmt.Sprintf("canary-%d", i))
		}
		happened := fmt.Sprintf("the apps counted %d and %d%s", v1, v2, note)
		if err != nil {
			happened = err.Error()
		}
		t.row(asked, fmt.Sprintf("next 1,000: user-v1 %d ± %d", move.v1*10, move.tolerance), happened,
			err == nil && v1+v2 == phaseBatches*batch && between(v1, move.v1*10, move.tolerance))
	}
	l.stopped.Store(true)
	running.Wait()
	t.row("all requests under load, edits included", "no failed request", result(l.total, l.err),
		l.err == nil && l.total.Failed == 0 && len(l.total.Statuses) == 1 && l.total.Statuses[200] > 0)
}

// The load comes in batches of so many requests; a phase has so many batches.
const batch, phaseBatches = 100, 10

// load is the front app kept busy.
type load struct {
	stopped atomic.Bool
	mu      sync.Mutex
	tag     string // of the phase
	left    int    // batches that the phase still lacks
	total   outcome
	err     error // the driver could not ask the front app
}

func (l *load) run(ctx context.Context, w *world) {
	for !l.stopped.Load() && ctx.Err() == nil {
		tag := l.nextTag()
		got, err := w.call(ctx, order{URL: target + "/", Header: map[string]string{tagHeader: tag}, N: batch, Many: 8})
		if err != nil {
			l.err = err
			return
		}
		l.note(tag, got)
	}
}

func (l *load) nextTag() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left > 0 {
		return l.tag
	}
	return "moving"
}

func (l *load) note(tag string, got outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for status, n := range got.Statuses {
		l.total.Statuses[status] += n
	}
	l.total.Failed += got.Failed
	l.total.Errors = append(l.total.Errors, got.Errors...)
	if tag == l.tag {
		l.left--
	}
}

// phase has the next thousand requests counted by the apps.
func (l *load) phase(ctx context.Context, w *world, tag string) (v1, v2 int, err error) {
	l.mu.Lock()
	l.tag, l.left = tag, phaseBatches
	l.mu.Unlock()
	over := func() bool { l.mu.Lock(); defer l.mu.Unlock(); return l.left == 0 }
	if err := w.poll(ctx, 20*time.Second, over, w.member("front").sidecar); err != nil {
		return 0, 0, fmt.Errorf("a thousand requests: %w", err)
	}
	return len(w.served("user-v1", tag)), len(w.served("user-v2", tag)), nil
}

// edit writes the weights into the document and waits until the front's sidecar counts an update.
func (w *world) edit(ctx context.Context, v1, v2 int) (note string, err error) {
	before := w.updates(ctx)
	text := strings.Replace(w.routes, `"weight": 80`, `"weight": `+strconv.Itoa(v1), 1)
	text = strings.Replace(text, `"weight": 20`, `"weight": `+strconv.Itoa(v2), 1)
	began := time.Now()
	if err := os.WriteFile(w.routesFile(), []byte(text), 0o644); err != nil {
		return "", err
	}
	front := w.member("front").sidecar
	if err := w.poll(ctx, 10*time.Second, func() bool { return w.updates(ctx) > before }, front); err != nil {
		return "", fmt.Errorf("the edited file is not in force: %w", err)
	}
	return fmt.Sprintf("; in force after %.1f s", time.Since(began).Seconds()), nil
}

// updates is how often the front's sidecar has taken new documents.
func (w *world) updates(ctx context.Context) (sum int) {
	_, body, err := fetch(ctx, "http://"+w.member("front").admin.String()+"/stats?filter=lds.update_success")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(body) {
		if _, value, found := strings.Cut(strings.TrimSpace(line), ": "); found {
			n, _ := strconv.Atoi(value) // no number: a name that only looks like ours
			sum += n
		}
	}
	return sum
}

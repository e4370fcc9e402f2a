//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"
)

// runStage makes the world, takes the steps and removes everything. It ends early when its standard input does.
func runStage(o options) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // blocks until the first process has ended, or wants the end
		cancel()
	}()
	w := &world{options: o, began: time.Now()}
	code := w.perform(ctx)
	w.end()
	if ctx.Err() != nil && !o.keep {
		return exitInterrupted
	}
	return code
}

func (w *world) perform(ctx context.Context) int {
	if err := w.make(ctx); err != nil {
		if ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, "demo:", err)
		}
		return exitEnvironment
	}
	w.describe()
	t := newTable(os.Stdout)
	for _, s := range steps {
		if w.options.step != "" && w.options.step != s.name || ctx.Err() != nil {
			continue
		}
		before := t.broken
		s.take(ctx, w, t)
		if t.broken > before && ctx.Err() == nil {
			w.explain(s)
		}
	}
	if ctx.Err() != nil {
		return exitInterrupted
	}
	code := w.verdict(t)
	if w.options.keep {
		w.sayWhatToTry()
		<-ctx.Done()
	}
	return code
}

// verdict prints the last line.
func (w *world) verdict(t *table) int {
	took := time.Since(w.began).Seconds()
	if t.broken > 0 {
		fmt.Printf("\nverdict: BROKEN: %d of %d promises, %.0f s\n", t.broken, t.rows, took)
		return exitBroken
	}
	fmt.Printf("\nverdict: all %d promises held, %.0f s\n", t.rows, took)
	return 0
}

// explain shows what helps after a broken promise.
func (w *world) explain(s step) {
	m := w.member(s.sidecar)
	fmt.Printf("\n  the last lines of %s's sidecar:\n", m.name)
	for _, line := range m.sidecar.tail(20) {
		fmt.Println("  | " + line)
	}
	again := "make demo STEP=" + s.name
	if w.options.direct && os.Geteuid() == 0 {
		again = "bin/demo -direct -step " + s.name
	}
	fmt.Printf("  once more: %s    (with KEEP=1 to look around)\n\n", again)
}

package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"github.com/outrider-mesh/outrider/internal/appmesh"
	"github.com/outrider-mesh/outrider/internal/config"
	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/telemetry"
)

// run starts the sidecar and serves until it is told to end.
func run(ctx context.Context, p *Process, args []string) int {
	cfg, warnings, err := config.ParseRun(args, p.Environ)
	var usage *config.UsageError
	switch {
	case errors.Is(err, config.ErrHelp):
		fmt.Fprint(p.Stdout, config.RunUsage())
		return ExitFine
	case errors.As(err, &usage):
		fmt.Fprintf(p.Stderr, "outrider run: %s\n", usage)
		return ExitUsage
	case err != nil:
		fmt.Fprintf(p.Stderr, "outrider run: %s\n", err)
		return ExitUsage
	case cfg.Version:
		return Main(ctx, &Process{Args: []string{"version"}, Stdout: p.Stdout})
	}
	signals, release := takeSignals()
	defer release()
	log := newLog(p, cfg)
	main := log.Logger("main")
	for _, w := range warnings {
		main.Warn(w.String())
	}
	budget := cfg.Runtime.Measure(ctx, config.ThisMachine())
	chosen := budget.Apply()
	cfg.HTTP2.Measured(debug.SetMemoryLimit(-1))
	if _, err := config.RaiseFileLimit(); err != nil {
		main.Warn("raising the limit of open files failed", "error", err)
	}
	documents := newDocuments(cfg)
	snap, findings, err := documents.read()
	if err != nil {
		fmt.Fprintf(p.Stderr, "outrider run: %s\n", err)
		return ExitEnvironment
	}
	if snap == nil {
		appmesh.WriteText(p.Stderr, findings, documents.count)
		fmt.Fprintf(p.Stderr, "outrider run: not starting: errors within reach of %s\n", cfg.Resource.Name.V)
		return ExitFindings
	}
	sidecar, err := newSidecar(cfg, log, snap)
	if err != nil {
		fmt.Fprintf(p.Stderr, "outrider run: %s\n", err)
		return ExitEnvironment
	}
	sidecar.documents, sidecar.signals = documents, signals
	return sidecar.serve(ctx, snap, func() { summarize(main, cfg, chosen, snap, findings, sidecar) })
}

func newLog(p *Process, cfg *config.Run) *telemetry.Log {
	format := telemetry.LogText
	if cfg.Log.Format.V == config.JSON {
		format = telemetry.LogJSON
	}
	level, ok := telemetry.ParseLevel(cfg.Log.Level.V.String())
	if !ok {
		level = slog.LevelInfo
	}
	return telemetry.NewLog(p.Stderr, format, level, "main", "config", "conn", "http", "router", "tcp", "upstream", "dns", "admin")
}

// documents is where the documents come from, and how they are read.
type documents struct {
	cfg   *config.Run
	watch *appmesh.Watch // nil: there is nothing to watch
	count int
}

// newDocuments begins to watch the documents: what is written while they are
// read and the sidecar starts is not lost.
func newDocuments(cfg *config.Run) *documents {
	d := &documents{cfg: cfg}
	if paths := cfg.Documents.Paths.V; len(paths) > 0 {
		d.watch = appmesh.NewWatch(paths)
	}
	return d
}

// read reads and compiles what the resource reaches. A nil snapshot without an
// error says that the findings forbid to start; err that the documents could
// not be had at all.
func (d *documents) read() (*mesh.Snapshot, []mesh.Finding, error) {
	var sources []appmesh.Source
	var findings []mesh.Finding
	if paths := d.cfg.Documents.Paths.V; len(paths) > 0 {
		read, found, err := appmesh.ReadPaths(paths)
		if err != nil {
			return nil, nil, fmt.Errorf("reading documents (%s): %w", d.cfg.Documents.Paths.From, err)
		}
		sources, findings = read, found
	}
	if inline := d.cfg.Documents.Inline.V; inline != "" {
		source, err := appmesh.ReadInline(inline)
		if err != nil {
			return nil, nil, fmt.Errorf("reading documents from %s: %w", d.cfg.Documents.Inline.From, err)
		}
		sources = append(sources, source)
	}
	docs := checksWith(d.cfg.Documents.Params.V, d.cfg.Documents.Imports.V).Parse(sources)
	d.count = docs.Documents()
	snap, found := docs.Compile(d.cfg.Resource.Name.V, appmesh.Options{AppHost: d.cfg.Listen.App.V})
	return snap, slices.Concat(findings, found, docs.Unasked()), nil
}

// settle is how long documents must be quiet before they are read again.
const settle = 500 * time.Millisecond

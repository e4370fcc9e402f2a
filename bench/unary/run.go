//go:build linux

package unary

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	"github.com/outrider-mesh/outrider/bench/load"
)

// Config is one run.
type Config struct {
	Addr        netip.AddrPort
	Authority   string
	Connections int
	Calls       int           // under way at once on a connection
	Warmup      time.Duration // load before the measured window, in no figure
	Duration    time.Duration // the measured window
	Timeout     time.Duration // of a call; 0: 5 s

	// AtStart and AtEnd, if set, are called when the measured window begins and ends.
	AtStart, AtEnd func()
}

// run is a run under way. Latencies are rare enough, beside what a call costs, for one lock.
type run struct {
	config  Config
	mu      sync.Mutex
	result  load.Result
	inside  bool // the window is open
	message []byte
}

// Run generates the load. An error is one of configuration or of this machine; calls that fail are in the result. The whole process runs on one
// Go processor meanwhile: the machine's are pinned, and idle ones that look for work would take it from those that have some.
func Run(ctx context.Context, config Config) (load.Result, error) {
	if config.Connections < 1 || config.Calls < 1 || config.Duration <= 0 || config.Warmup < 0 {
		return load.Result{}, fmt.Errorf("unary: %d connections of %d calls for %v: want at least one of each", config.Connections, config.Calls, config.Duration)
	}
	if config.Timeout == 0 {
		config.Timeout = 5 * time.Second
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	r := &run{config: config, result: load.NewResult(), message: make([]byte, requestSize)}
	conns, err := r.connect(ctx)
	defer func() {
		for _, conn := range conns {
			_ = conn.Close()
		}
	}()
	if err != nil {
		return load.Result{}, err
	}
	loops, stop := context.WithCancel(ctx)
	defer stop()
	var done sync.WaitGroup
	for _, conn := range conns {
		for range config.Calls {
			done.Go(func() { r.loop(loops, conn) })
		}
	}
	pause(ctx, config.Warmup)
	began := r.mark(true, config.AtStart)
	pause(ctx, config.Duration)
	r.result.Elapsed = r.mark(false, config.AtEnd).Sub(began)
	stop()
	done.Wait()
	return r.result, nil
}

func (r *run) connect(ctx context.Context) (conns []*grpc.ClientConn, err error) {
	ctx, cancel := context.WithTimeout(ctx, r.config.Timeout)
	defer cancel()
	for range r.config.Connections {
		conn, err := dial(r.config.Addr, r.config.Authority)
		if err != nil {
			return conns, err
		}
		conns = append(conns, conn)
		conn.Connect()
		for state := conn.GetState(); state != connectivity.Ready; state = conn.GetState() {
			if !conn.WaitForStateChange(ctx, state) {
				return conns, fmt.Errorf("unary: connect to %s: %w", r.config.Addr, context.Cause(ctx))
			}
		}
	}
	return conns, nil
}

// mark opens or closes the window and calls the hook at that moment.
func (r *run) mark(inside bool, hook func()) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inside = inside
	if hook != nil {
		hook()
	}
	return time.Now()
}

// loop calls until ctx ends; the call it is at then is brought to its end.
func (r *run) loop(ctx context.Context, conn *grpc.ClientConn) {
	var reply []byte
	for ctx.Err() == nil {
		began := time.Now()
		call, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.config.Timeout)
		err := conn.Invoke(call, getMethod, &r.message, &reply, grpc.ForceCodec(raw{}))
		cancel()
		if err == nil && len(reply) != answerSize {
			err = errSize
		}
		if r.count(time.Since(began), len(reply), err); err != nil {
			pause(ctx, 10*time.Millisecond) // a dead peer costs no busy loop
		}
	}
}

var errSize = errors.New("answer of another length")

// count counts what ended within the window; and failures at any time.
func (r *run) count(took time.Duration, size int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.result.Started++
		r.result.Failures[kind(err)]++
		return
	}
	r.result.Answered++
	if r.inside {
		r.result.Started++
		r.result.Window++
		r.result.Succeeded++
		r.result.Bytes += int64(size)
		r.result.Record(took.Nanoseconds())
	}
}

func kind(err error) load.Kind {
	switch {
	case errors.Is(err, errSize):
		return load.Malformed
	case status.Code(err) == codes.DeadlineExceeded:
		return load.TimedOut
	case status.Code(err) == codes.Unavailable:
		return load.ConnectFailed
	}
	return load.Status5xx
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

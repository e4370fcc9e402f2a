//go:build linux

package load

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/outrider-mesh/outrider/bench/epoll"
)

// Watch, given to Run, is how others see a run's progress; its zero value is ready, and one serves one run.
type Watch struct{ answered [MaxWorkers]atomic.Int64 }

// Answered is the number of answers so far, the warm-up's included.
func (w *Watch) Answered() int64 {
	var n int64
	for i := range w.answered {
		n += w.answered[i].Load()
	}
	return n
}

// Run generates the load and returns when it has ended and every answer is in or has timed out, or soon after ctx has ended;
// then the result holds what was measured until then. An error is one of configuration or of this machine: what
// becomes of the requests is in the result. watch may be nil.
func Run(ctx context.Context, config Config, watch *Watch) (Result, error) {
	config, err := config.Filled()
	if err != nil {
		return Result{}, err
	}
	if watch == nil {
		watch = new(Watch)
	}
	workers := make([]*worker, config.Workers)
	for k := range workers {
		workers[k] = newWorker(config, k, watch)
	}
	if err := perform(ctx, workers); err != nil {
		return Result{}, fmt.Errorf("load: %w", err)
	}
	result := NewResult()
	for _, w := range workers {
		result.merge(&w.result)
	}
	return result, nil
}

// perform runs each worker on its own thread: first all connect, then all begin at one moment.
func perform(ctx context.Context, workers []*worker) error {
	errs := make([]error, len(workers))
	var connected, done sync.WaitGroup
	begin := make(chan time.Time)
	for k, w := range workers {
		connected.Add(1)
		done.Go(func() {
			runtime.LockOSThread() // never unlocked: the thread, with its timer slack and priority, ends with the goroutine
			defer w.close()
			err := w.prepare(ctx)
			connected.Done()
			w.began = <-begin
			if err == nil {
				err = w.run(ctx)
			}
			errs[k] = err
		})
	}
	connected.Wait()
	now := time.Now()
	for range workers {
		begin <- now
	}
	done.Wait()
	return errors.Join(errs...)
}

func newWorker(config Config, k int, watch *Watch) *worker {
	share := func(total int64) int64 {
		n := total / int64(config.Workers)
		if int64(k) < total%int64(config.Workers) {
			n++
		}
		return n
	}
	w := &worker{
		config:   config,
		schedule: schedule{rate: config.Rate, worker: int64(k), of: int64(config.Workers), limit: share(config.Requests)},
		slots:    make([]slot, share(int64(config.Connections))),
		from:     int64(config.Warmup),
		to:       int64(config.Warmup + config.Duration),
		buffer:   make([]byte, readSize),
		space:    make([]byte, discardSize),
		result:   NewResult(),
		seen:     &watch.answered[k],
		first:    k == 0,
	}
	w.schedule.none = config.Requests > 0 && w.schedule.limit == 0
	w.idle.slots = make([]int, len(w.slots))
	for i := range w.slots {
		w.slots[i].fd = -1
	}
	return w
}

// prepare connects all slots, a few at a time so that no accept queue overflows. A slot that cannot connect yet is
// left to the request that will find it closed, and fail.
func (w *worker) prepare(ctx context.Context) (err error) {
	if w.poller, err = epoll.Open(512); err != nil {
		return err
	}
	if err = epoll.Precise(); err != nil {
		return fmt.Errorf("timer slack: %w", err)
	}
	if w.config.Nice > 0 {
		err = unix.Setpriority(unix.PRIO_PROCESS, 0, w.config.Nice)
	}
	if err != nil {
		return fmt.Errorf("stand back for other threads: %w", err)
	}
	const together = 128
	w.began = time.Now()
	for i := 0; i < len(w.slots) || w.opening > 0; {
		for ; i < len(w.slots) && w.opening < together; i++ {
			if w.open(i, opening) != nil {
				w.slots[i].hangUp()
				w.idle.put(i)
				continue
			}
			w.opening++
		}
		if err = w.turn(100 * time.Millisecond); err != nil {
			return err
		}
		if ctx.Err() != nil || time.Since(w.began) > w.config.Timeout {
			w.abandon(i)
			return nil
		}
	}
	return nil
}

// abandon gives up connecting before the run: slots still at it, and those from i on, stay closed until asked.
func (w *worker) abandon(i int) {
	for k := range w.slots {
		if s := &w.slots[k]; s.state == opening {
			s.hangUp()
			w.opening--
			w.idle.put(k)
		} else if k >= i {
			w.idle.put(k)
		}
	}
}

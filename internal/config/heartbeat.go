package config

import (
	"context"
	"runtime"
	"time"
)

// heartbeat is how often the runtime's monitor is sure to look.
const heartbeat = 100 * time.Millisecond

// Heartbeat blocks until ctx ends; run it on a goroutine of its own. With
// GOMAXPROCS 1 its ticks wake the runtime's monitor thread, which is what
// preempts a goroutine that hogs the only processor: system calls made raw
// (internal/sock) do not wake it, and without the ticks a request waited 1.9 s
// behind a busy loop. With more processors it returns at once.
func Heartbeat(ctx context.Context) {
	if runtime.GOMAXPROCS(0) > 1 {
		return
	}
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

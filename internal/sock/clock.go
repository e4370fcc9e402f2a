package sock

import "time"

var start = time.Now()

// Now is the process's monotonic clock: the time since it started. It costs
// half of time.Now, and follows the fake clock of testing/synctest.
func Now() time.Duration { return time.Since(start) }

// Wall turns a reading of Now into wall-clock time.
func Wall(t time.Duration) time.Time { return start.Add(t) }

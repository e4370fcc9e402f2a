//go:build linux || darwin

package config

import (
	"fmt"
	"syscall"
)

// RaiseFileLimit sets the soft limit of open files to the hard limit, as App
// Mesh's agent did, and gives the limit that holds now. (Go does the like at
// start, but gives the old limit to children.)
func RaiseFileLimit() (uint64, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("read the limit of open files: %w", err)
	}
	before := limit.Cur
	if limit.Cur == limit.Max {
		return limit.Cur, nil
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return before, fmt.Errorf("raise the limit of open files from %d to %d: %w", before, limit.Max, err)
	}
	return limit.Max, nil
}

//go:build linux

// Package measure reads what the kernel knows about processes and about the machine. Every figure of a process comes from outside it,
// from /proc, so that a peer in C and one in Go are measured by the same rule.
package measure

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// CPU is the processor time that the processes have used since they began, summed over their threads.
//
// It is the scheduler's own count in nanoseconds (/proc/PID/task/TID/schedstat), which charges a process for the network work its
// system calls cause; the clock ticks in /proc/PID/stat are coarser and charge that to nobody. A thread that ends between two readings takes
// its time with it: none of the peers ends threads under load.
func CPU(pids ...int) (time.Duration, error) {
	var total int64
	for _, pid := range pids {
		tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil {
			return 0, fmt.Errorf("processor time of process %d: %w", pid, err)
		}
		for _, task := range tasks {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/schedstat", pid, task.Name()))
			if errors.Is(err, os.ErrNotExist) {
				continue // ended just now
			}
			if err != nil {
				return 0, fmt.Errorf("processor time of process %d (the kernel must be built with SCHED_INFO): %w", pid, err)
			}
			first, _, _ := strings.Cut(string(text), " ")
			n, err := strconv.ParseInt(first, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("processor time of process %d: %w", pid, err)
			}
			total += n
		}
	}
	return time.Duration(total), nil
}

// RSS is the resident memory of the processes in bytes, pages they share counted once for each.
func RSS(pids ...int) (int64, error) {
	var total int64
	for _, pid := range pids {
		n, err := kilobytes(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Rss:")
		if err != nil {
			return 0, fmt.Errorf("resident memory of process %d: %w", pid, err)
		}
		total += n
	}
	return total, nil
}

// Descriptors is how many files the process holds open.
func Descriptors(pid int) (int, error) {
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(fds), err
}

// Family lists pid and its descendants, pid first.
func Family(pid int) []int {
	family := []int{pid}
	parents := parents()
	for i := 0; i < len(family); i++ {
		for child, parent := range parents {
			if parent == family[i] {
				family = append(family, child)
			}
		}
	}
	return family
}

func parents() map[int]int {
	found := map[int]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well formed
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // ended just now
		}
		// "PID (NAME) STATE PPID ...", and the name may hold anything, parentheses included.
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		pid, _, _ := strings.Cut(string(text), " ")
		child, err1 := strconv.Atoi(pid)
		if len(fields) < 2 || err1 != nil {
			continue
		}
		if parent, err := strconv.Atoi(fields[1]); err == nil {
			found[child] = parent
		}
	}
	return found
}

// kilobytes reads the line of a /proc file that begins with name and is counted in kB, as bytes.
func kilobytes(path, name string) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, name); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(v), "kB")), 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("%s has no line %q", path, name)
}

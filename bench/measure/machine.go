//go:build linux

package measure

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Kernel is memory the kernel holds on behalf of everybody, in bytes.
type Kernel struct {
	Slab    int64 // all its small objects: sockets, descriptors, inodes
	TCP     int64 // buffers of TCP sockets
	Sockets int64 // TCP sockets in use: a number, not bytes
}

// ReadKernel reads it. Only a difference between two readings means something, and only while nothing else happens.
func ReadKernel() (Kernel, error) {
	slab, err := kilobytes("/proc/meminfo", "Slab:")
	if err != nil {
		return Kernel{}, err
	}
	text, err := os.ReadFile("/proc/net/sockstat")
	if err != nil {
		return Kernel{}, err
	}
	k := Kernel{Slab: slab}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 0 && fields[0] == "TCP:" {
			for i := 1; i+1 < len(fields); i += 2 {
				n, _ := strconv.ParseInt(fields[i+1], 10, 64) // the kernel writes numbers
				switch fields[i] {
				case "inuse":
					k.Sockets = n
				case "mem":
					k.TCP = n * int64(os.Getpagesize())
				}
			}
		}
	}
	return k, nil
}

// Cores picks two processors for a benchmark out of those this process may use: the last for the proxy under test, the first for
// everything else. They are siblings of one core only if there is no other choice.
func Cores() (proxy, rest int, err error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return 0, 0, fmt.Errorf("which processors may be used: %w", err)
	}
	var allowed []int
	for cpu := range len(set) * 64 {
		if set.IsSet(cpu) {
			allowed = append(allowed, cpu)
		}
	}
	if len(allowed) < 2 {
		return 0, 0, fmt.Errorf("a benchmark needs two processors, this process may use %d", len(allowed))
	}
	rest = allowed[0]
	for i := len(allowed) - 1; i > 0; i-- {
		if !siblings(allowed[i], rest) {
			return allowed[i], rest, nil
		}
	}
	return allowed[len(allowed)-1], rest, nil
}

// siblings tells whether two processors are threads of one core.
func siblings(a, b int) bool {
	list, err := os.ReadFile(fmt.Sprintf("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", a))
	if err != nil {
		return false
	}
	for part := range strings.SplitSeq(strings.TrimSpace(string(list)), ",") {
		from, to, ranged := strings.Cut(part, "-")
		first, err := strconv.Atoi(from)
		if err != nil {
			return false
		}
		last := first
		if ranged {
			last, _ = strconv.Atoi(to)
		}
		if first <= b && b <= last {
			return true
		}
	}
	return false
}

// Pin keeps all threads of this process, and those it will make, on one processor.
func Pin(cpu int) error {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		if err == nil {
			err = PinThread(tid, cpu)
		}
		if err != nil && err != unix.ESRCH {
			return fmt.Errorf("pin to processor %d: %w", cpu, err)
		}
	}
	return nil
}

// PinThread keeps one thread on one processor; 0 is the calling thread.
func PinThread(tid, cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	return unix.SchedSetaffinity(tid, &set)
}

// Machine describes what the figures were made on, in one line.
func Machine() string {
	model := "unknown processor"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(v)
				break
			}
		}
	}
	kernel := "?"
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		kernel = unix.ByteSliceToString(name.Release[:])
	}
	return fmt.Sprintf("%s, %d processors, Linux %s %s, %s", model, runtime.NumCPU(), kernel, runtime.GOARCH, runtime.Version())
}

// RaiseDescriptors lets this process, and those it starts, hold n files if the machine allows it; otherwise the error
// tells how many it may.
func RaiseDescriptors(n uint64) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	if limit.Cur >= n {
		return nil
	}
	wanted := unix.Rlimit{Cur: n, Max: max(limit.Max, n)}
	if unix.Setrlimit(unix.RLIMIT_NOFILE, &wanted) == nil {
		return nil
	}
	return fmt.Errorf("need %d open files, the limit is %d (ulimit -n)", n, limit.Max)
}

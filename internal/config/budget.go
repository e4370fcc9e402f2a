package config

import (
	"context"
	"fmt"
	"io/fs"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
)

// Budget is what the Go runtime is to use of the machine.
type Budget struct {
	// Procs is GOMAXPROCS, at least 1.
	Procs Value[int]
	// Memory is GOMEMLIMIT in bytes; 0 leaves the runtime as it is.
	Memory Value[int64]
	// Notes say what could not be read.
	Notes []string
}

// Machine is where limits are read. It exists so that tests can pretend one.
type Machine struct {
	// Root is the file system from its root: /proc and /sys.
	Root fs.FS
	// CPUs is how many the affinity mask allows.
	CPUs int
	// Fetch gets the body of an answer with status 200.
	Fetch func(ctx context.Context, url string) ([]byte, error)
}

// ThisMachine is the one we run on.
func ThisMachine() Machine {
	return Machine{Root: os.DirFS("/"), CPUs: runtime.NumCPU(), Fetch: fetchMetadata}
}

// Measure chooses GOMAXPROCS and GOMEMLIMIT. A number that was set counts
// (--concurrency, ENVOY_CONCURRENCY, GOMAXPROCS, in that order; GOMEMLIMIT);
// otherwise the tightest of CPU affinity, cgroup and ECS task limits does: for
// CPUs rounded up, so 1 at up to one vCPU (Go alone stops at 2, and does not
// see a task's limit, which sits on a cgroup above ours); for memory 90 %.
// It asks the task metadata, for a second at most, only inside an ECS task.
func (r Runtime) Measure(ctx context.Context, m Machine) Budget {
	var b Budget
	cpu := tightest{math.Max(1, float64(m.CPUs)), "CPU affinity"}
	memory := tightest{math.Inf(1), ""}
	group := readCgroup(m.Root)
	cpu.with(group.cpus, group.cpuFrom)
	memory.with(group.memory, group.memoryFrom)
	if r.TaskMetadata.V != "" {
		task, err := askTask(ctx, m.Fetch, r.TaskMetadata.V)
		if err != nil {
			b.Notes = append(b.Notes, fmt.Sprintf("limits of the ECS task: %v", err))
		}
		cpu.with(task.cpus, "ECS task limit")
		memory.with(task.memory, "ECS task limit")
		memory.with(task.containerMemory, "ECS container limit")
	}
	b.Procs = Value[int]{int(math.Ceil(cpu.value)), fmt.Sprintf("%s %.4g", cpu.from, cpu.value)}
	if r.Procs.V > 0 {
		b.Procs = r.Procs
	}
	switch {
	case r.MemLimit.V != "":
		b.Memory.From = "GOMEMLIMIT " + r.MemLimit.V
	case math.IsInf(memory.value, 1):
		b.Memory.From = "no limit found"
	default:
		b.Memory = Value[int64]{int64(memory.value * 0.9), fmt.Sprintf("90 %% of %s %.0f MiB", memory.from, memory.value/(1<<20))}
	}
	return b
}

// tightest is the least of several limits, and which it was.
type tightest struct {
	value float64
	from  string
}

// with takes another limit into account; 0 is none.
func (t *tightest) with(limit float64, from string) {
	if limit > 0 && limit < t.value {
		t.value, t.from = limit, from
	}
}

// Apply tells the runtime. It stops the world for a moment: call it once, at
// start. The lines are for the start-up summary.
func (b Budget) Apply() []string {
	runtime.GOMAXPROCS(b.Procs.V)
	if b.Memory.V > 0 {
		debug.SetMemoryLimit(b.Memory.V)
	}
	return b.Summary()
}

// Summary says what was chosen and why, and what could not be read.
func (b Budget) Summary() []string {
	memory := "none"
	if b.Memory.V > 0 {
		memory = fmt.Sprintf("%d MiB", b.Memory.V>>20)
	} else if set, ok := strings.CutPrefix(b.Memory.From, "GOMEMLIMIT "); ok {
		memory = set
	}
	lines := []string{
		fmt.Sprintf("GOMAXPROCS=%d (%s)", b.Procs.V, b.Procs.From),
		fmt.Sprintf("GOMEMLIMIT=%s (%s)", memory, b.Memory.From),
	}
	return append(lines, b.Notes...)
}

package config

import (
	"io"
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
)

// cgroup is the tightest limit of our control group and of those above it, as
// far as they can be seen from here. 0 is no limit.
type cgroup struct {
	cpus       float64
	cpuFrom    string
	memory     float64
	memoryFrom string
}

// unlimited is from where on a memory limit means none: version 1 writes the
// greatest multiple of a page that fits.
const unlimited = 1 << 62

// readCgroup reads /proc/self/cgroup and the limits it leads to, of version 2
// ("0::/path") and of version 1 ("4:cpu,cpuacct:/path"). Inside a container
// the path is often one of the host's, which is not mounted here: so every
// directory from there up to the mount is tried.
func readCgroup(root fs.FS) cgroup {
	cpu, memory := tightest{value: math.Inf(1)}, tightest{value: math.Inf(1)}
	for line := range strings.SplitSeq(readText(root, "proc/self/cgroup"), "\n") {
		fields := strings.SplitN(line, ":", 3)
		if len(fields) != 3 {
			continue
		}
		controllers, dir := fields[1], fields[2]
		if controllers == "" {
			for _, d := range upwards("sys/fs/cgroup", dir) {
				cpu.with(quotaV2(readText(root, d+"/cpu.max")), "cgroup cpu.max")
				memory.with(bytesOf(readText(root, d+"/memory.max")), "cgroup memory.max")
			}
			continue
		}
		for controller := range strings.SplitSeq(controllers, ",") {
			for _, mount := range []string{controllers, controller} {
				for _, d := range upwards("sys/fs/cgroup/"+mount, dir) {
					switch controller {
					case "cpu":
						cpu.with(quotaV1(readText(root, d+"/cpu.cfs_quota_us"), readText(root, d+"/cpu.cfs_period_us")), "cgroup cpu.cfs_quota_us")
					case "memory":
						memory.with(bytesOf(readText(root, d+"/memory.limit_in_bytes")), "cgroup memory.limit_in_bytes")
					}
				}
			}
		}
	}
	var g cgroup
	if !math.IsInf(cpu.value, 1) {
		g.cpus, g.cpuFrom = cpu.value, cpu.from
	}
	if !math.IsInf(memory.value, 1) {
		g.memory, g.memoryFrom = memory.value, memory.from
	}
	return g
}

// upwards lists mount/dir and every directory above it down to mount. A dir
// outside the namespace ("/../x") leads to the mount itself.
func upwards(mount, dir string) []string {
	var dirs []string
	for dir = path.Clean("/" + dir); dir != "/"; dir = path.Dir(dir) {
		dirs = append(dirs, mount+dir)
	}
	return append(dirs, mount)
}

// quotaV2 reads "max 100000" or "50000 100000": microseconds of CPU time in
// each period.
func quotaV2(text string) float64 {
	quota, period, _ := strings.Cut(text, " ")
	return quotaV1(quota, period)
}

func quotaV1(quota, period string) float64 {
	q, err1 := strconv.ParseFloat(quota, 64)
	p, err2 := strconv.ParseFloat(period, 64)
	if err1 != nil || err2 != nil || !(q > 0 && p > 0) {
		return 0 // "max", -1, or not there
	}
	return q / p
}

func bytesOf(text string) float64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n >= unlimited {
		return 0 // "max", or not there
	}
	return float64(n)
}

// readText gives up to 64 KiB of a file, trimmed; empty when it cannot be read.
func readText(root fs.FS, name string) string {
	f, err := root.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

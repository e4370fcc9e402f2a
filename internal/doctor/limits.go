package doctor

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/outrider-mesh/outrider/internal/config"
)

// Wanted open files. A proxied connection takes two, a spliced one six. Decision: below 1,024 is wrong, for some 500
// connections are soon there; below 65,536, what Fargate gives, is doubtful.
const (
	leastFiles  = 1024
	enoughFiles = 16384
)

// openFiles judges by the hard limit: the sidecar raises the soft one to it at start.
func (c *chart) openFiles() []Finding {
	p, runs := c.sidecar()
	file, whose := "proc/self/limits", "of doctor"
	if runs && p.pid != 0 {
		if _, err := readFile(c.machine.Root, fmt.Sprintf("proc/%d/limits", p.pid)); err == nil {
			file, whose = fmt.Sprintf("proc/%d/limits", p.pid), "of the sidecar"
		}
	}
	f := Finding{About: "open files", Verdict: Good}
	soft, hard, ok := fileLimits(c.machine, file)
	if !ok {
		f.Verdict, f.Seen = Unseen, "/"+file+" does not say"
		return []Finding{f}
	}
	f.Seen = fmt.Sprintf("%s may be open at once (soft limit %s), %s", limit(hard), limit(soft), whose)
	if hard < enoughFiles {
		f.Verdict, f.Why = Doubtful, fmt.Sprintf("each proxied connection takes two: some %d connections", hard/2)
		f.Fix = `in the task definition: "ulimits": [{"name": "nofile", "softLimit": 65536, "hardLimit": 65536}]`
	}
	if hard < leastFiles {
		f.Verdict = Wrong
	}
	return []Finding{f}
}

func fileLimits(m Machine, file string) (soft, hard uint64, ok bool) {
	text, err := readFile(m.Root, file)
	if err != nil {
		return 0, 0, false
	}
	for line := range strings.Lines(text) {
		rest, found := strings.CutPrefix(line, "Max open files")
		fields := strings.Fields(rest)
		if !found || len(fields) < 2 {
			continue
		}
		return count(fields[0]), count(fields[1]), true
	}
	return 0, 0, false
}

func count(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return math.MaxUint64 // unlimited
	}
	return n
}

func limit(n uint64) string {
	if n == math.MaxUint64 {
		return "any number"
	}
	return strconv.FormatUint(n, 10)
}

// Bounds of the kernel's settings.
const (
	leastTracked = 16384 // connections; each redirected one is tracked
	leastDynamic = 8192  // ports for what this namespace opens
)

// kernel says which settings of the namespace stand in the way.
func (c *chart) kernel() (all []Finding) {
	all = append(all, c.tracking()...)
	low, high, ok := c.dynamicPorts()
	if !ok {
		return append(all, Finding{About: "dynamic ports", Verdict: Unseen, Seen: "net.ipv4.ip_local_port_range cannot be read"})
	}
	f := Finding{About: "dynamic ports", Verdict: Good, Seen: fmt.Sprintf("%d to %d", low, high)}
	if high-low < leastDynamic {
		f.Verdict, f.Why = Doubtful, "few for what the app and the sidecar open; connections to one endpoint run out of ports"
		f.Fix = "sysctl net.ipv4.ip_local_port_range=\"32768 60999\" (systemControls)"
	}
	for _, port := range []uint16{c.patient.Ingress, c.patient.Egress, c.adminPort()} {
		if int(port) >= low && int(port) <= high {
			f.Verdict, f.Why = Doubtful, fmt.Sprintf("port %d is among them: something the app opens may have it when the sidecar starts", port)
			f.Fix = fmt.Sprintf("sysctl net.ipv4.ip_local_reserved_ports=%d (systemControls)", port)
			break
		}
	}
	return append(all, f)
}

// tracking: where rules redirect, every connection is tracked.
func (c *chart) tracking() []Finding {
	most, ok := c.sysctl("proc/sys/net/netfilter/nf_conntrack_max")
	if !ok || !c.redirects() {
		return nil // nothing is tracked, or it is not to be seen from a container
	}
	now, _ := c.sysctl("proc/sys/net/netfilter/nf_conntrack_count")
	f := Finding{About: "tracked connections", Verdict: Good, Seen: fmt.Sprintf("%d of %d", now, most)}
	switch {
	case now > most/10*9:
		f.Verdict, f.Why = Wrong, "when none is left, new connections are dropped"
	case most < leastTracked:
		f.Verdict, f.Why = Doubtful, "each redirected connection takes one; when none is left, new ones are dropped"
	}
	if f.Verdict != Good {
		f.Fix = "on the host: sysctl net.netfilter.nf_conntrack_max=262144"
	}
	return []Finding{f}
}

func (c *chart) sysctl(file string) (int, bool) {
	text, err := readFile(c.machine.Root, file)
	n, wrong := strconv.Atoi(strings.TrimSpace(text))
	return n, err == nil && wrong == nil
}

func (c *chart) dynamicPorts() (low, high int, ok bool) {
	text, err := readFile(c.machine.Root, "proc/sys/net/ipv4/ip_local_port_range")
	f := strings.Fields(text)
	if err != nil || len(f) != 2 {
		return 0, 0, false
	}
	low, err = strconv.Atoi(f[0])
	high, wrong := strconv.Atoi(f[1])
	return low, high, err == nil && wrong == nil
}

// unprivilegedStart is the first port that any user may bind.
func (c *chart) unprivilegedStart() int {
	if n, ok := c.sysctl("proc/sys/net/ipv4/ip_unprivileged_port_start"); ok {
		return n
	}
	return 1024
}

// leastMemory is what a sidecar needs to be of use, in bytes; App Mesh recommended 64 MiB.
const leastMemory = 64 << 20

// memory says what a sidecar that starts here is given.
func (c *chart) memory(ctx context.Context) []Finding {
	// Without the ECS task's metadata: nothing but this machine is asked.
	b := config.Runtime{}.Measure(ctx, config.Machine{Root: c.machine.Root, CPUs: c.machine.CPUs})
	f := Finding{About: "CPU and memory", Verdict: Good, Seen: fmt.Sprintf("%d at once (%s), no limit of memory found", b.Procs.V, b.Procs.From)}
	if b.Memory.V > 0 {
		f.Seen = fmt.Sprintf("%d at once (%s), memory up to %d MiB (%s)", b.Procs.V, b.Procs.From, b.Memory.V>>20, b.Memory.From)
	}
	if b.Memory.V > 0 && b.Memory.V < leastMemory/10*9 {
		f.Verdict, f.Why = Doubtful, "App Mesh recommended 64 MiB for a sidecar, and more with many connections"
		f.Fix = "raise memoryReservation and memory of the container"
	}
	return []Finding{f}
}

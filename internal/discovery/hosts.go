package discovery

import (
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// hostsFile is what hosts(5) says: addresses by lower-case name, in order.
type hostsFile map[string][]netip.Addr

// parseHosts never fails: a line that it cannot read it leaves out.
func parseHosts(text string) hostsFile {
	hosts := make(hostsFile)
	for line := range strings.SplitSeq(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		addr, err := netip.ParseAddr(fields[0])
		if err != nil {
			continue
		}
		addr = addr.Unmap()
		for _, name := range fields[1:] {
			name = strings.ToLower(strings.TrimSuffix(name, "."))
			if dialable(addr) && !slices.Contains(hosts[name], addr) {
				hosts[name] = append(hosts[name], addr)
			}
		}
	}
	return hosts
}

// maxFile bounds what is read of a hosts file or a resolv.conf.
const maxFile = 1 << 20

// reloaded is a file's meaning, parsed again when the file's time or size has
// changed. A file that vanishes or cannot be read leaves the last meaning; one
// that never was there means what empty text means.
type reloaded[T any] struct {
	mu    sync.Mutex
	known bool
	stamp stamp
	value T
}

// stamp tells one state of a file from another.
type stamp struct {
	path string
	time time.Time
	size int64
}

func (r *reloaded[T]) read(path string, parse func(string) T) T {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, err := stampOf(path)
	if err == nil && (!r.known || now != r.stamp) {
		if text, err := readFile(path); err == nil {
			r.value, r.stamp, r.known = parse(text), now, true
		}
	}
	if !r.known {
		r.value, r.known = parse(""), true
	}
	return r.value
}

func stampOf(path string) (stamp, error) {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}, err
	}
	return stamp{path, info.ModTime(), info.Size()}, nil
}

func readFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	return string(b), err
}

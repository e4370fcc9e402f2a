package discovery

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// resolvConf is what resolv.conf(5) says, as far as a stub needs it.
type resolvConf struct {
	servers []netip.Addr // never empty
	search  []string     // without final dots
	// ndots is how many dots a name needs to be tried as it is first.
	ndots    int
	timeout  time.Duration
	attempts int
}

// Bounds, those of the C library where it has some.
const (
	maxServers  = 8
	maxSearch   = 32
	maxNdots    = 15
	maxTimeout  = 30
	maxAttempts = 5
)

// parseResolvConf never fails: what it does not know it leaves out, and a
// missing file means the server on 127.0.0.1.
func parseResolvConf(text string) resolvConf {
	c := resolvConf{ndots: 1, timeout: 5 * time.Second, attempts: 2}
	for line := range strings.SplitSeq(text, "\n") {
		if i := strings.IndexAny(line, "#;"); i >= 0 {
			line = line[:i]
		}
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "nameserver":
			if addr, err := netip.ParseAddr(fields[1]); err == nil && len(c.servers) < maxServers {
				c.servers = append(c.servers, addr.Unmap())
			}
		case "domain":
			c.search = domains(fields[1:2])
		case "search":
			c.search = domains(fields[1:])
		case "options":
			for _, option := range fields[1:] {
				c.option(option)
			}
		}
	}
	if len(c.servers) == 0 {
		c.servers = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	}
	return c
}

func domains(fields []string) []string {
	var all []string
	for _, domain := range fields {
		if domain = strings.TrimSuffix(domain, "."); domain != "" && len(all) < maxSearch {
			all = append(all, domain)
		}
	}
	return all
}

func (c *resolvConf) option(option string) {
	name, value, _ := strings.Cut(option, ":")
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return
	}
	switch name {
	case "ndots":
		c.ndots = min(n, maxNdots)
	case "timeout":
		c.timeout = time.Duration(min(max(n, 1), maxTimeout)) * time.Second
	case "attempts":
		c.attempts = min(max(n, 1), maxAttempts)
	}
}

// candidates are the absolute names to try, in order: a name that ends in a
// dot as it is; one with ndots dots as it is and then with each domain of the
// search list; any other the other way round.
func (c *resolvConf) candidates(host string) []string {
	if strings.HasSuffix(host, ".") {
		return []string{host}
	}
	var names []string
	for _, domain := range c.search {
		names = append(names, host+"."+domain+".")
	}
	if strings.Count(host, ".") >= c.ndots {
		return append([]string{host + "."}, names...)
	}
	return append(names, host+".")
}

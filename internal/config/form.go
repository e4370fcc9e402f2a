package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// The forms a value can be written in. Each gives the value, or an error that
// says what was expected.

func text(s string) (string, error) { return s, nil }

// boolean takes what Go's ParseBool takes, as App Mesh's agent did.
func boolean(s string) (bool, error) {
	v, err := strconv.ParseBool(s)
	if err != nil {
		return false, errors.New("not a boolean: 1, t, true, 0, f or false")
	}
	return v, nil
}

func integer(least, most int) func(string) (int, error) {
	return func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n < least || n > most {
			return 0, fmt.Errorf("not a whole number from %d to %d", least, most)
		}
		return n, nil
	}
}

func number(least, most float64) func(string) (float64, error) {
	return func(s string) (float64, error) {
		n, err := strconv.ParseFloat(s, 64)
		if err != nil || !(n >= least && n <= most) {
			return 0, fmt.Errorf("not a number from %v to %v", least, most)
		}
		return n, nil
	}
}

func duration(least, most time.Duration) func(string) (time.Duration, error) {
	return func(s string) (time.Duration, error) {
		d, err := time.ParseDuration(s)
		if err != nil {
			return 0, errors.New("not a duration like 500ms, 20s or 1m30s")
		}
		if d < least || d > most {
			return 0, fmt.Errorf("not from %s to %s", least, most)
		}
		return d, nil
	}
}

// percent takes "20", "20%", and "off" for 0.
func percent(s string) (int, error) {
	if s == "off" {
		return 0, nil
	}
	n, err := integer(0, 100)(strings.TrimSuffix(s, "%"))
	if err != nil {
		return 0, errors.New("not a percentage from 0 to 100, nor off")
	}
	return n, nil
}

func byteCount(least, most int) func(string) (int, error) {
	return func(s string) (int, error) {
		unit := 1
		if n, ok := strings.CutSuffix(s, "KiB"); ok {
			s, unit = n, 1<<10
		} else if n, ok := strings.CutSuffix(s, "MiB"); ok {
			s, unit = n, 1<<20
		}
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 || n > most/unit || n*unit < least {
			return 0, fmt.Errorf("not a number of bytes from %d to %d (like 65536, 64KiB, 1MiB)", least, most)
		}
		return n * unit, nil
	}
}

// list splits at commas; empty parts are dropped.
func list(s string) ([]string, error) {
	var parts []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	if parts == nil {
		return nil, errors.New("empty")
	}
	return parts, nil
}

// assignments takes NAME=VALUE, several of them one per line. Blanks around a
// name do not count, those of a value do; a value may be empty. Of one name
// given twice the last counts.
func assignments(s string) (map[string]string, error) {
	given := make(map[string]string)
	for line := range strings.SplitSeq(s, "\n") {
		line = strings.TrimSuffix(line, "\r")
		if strings.TrimSpace(line) == "" {
			continue
		}
		name, value, err := Assignment(line)
		if err != nil {
			return nil, err
		}
		given[name] = value
	}
	if len(given) == 0 {
		return nil, errors.New("empty")
	}
	return given, nil
}

// Assignment splits NAME=VALUE. The name is what stands before the first "=".
func Assignment(s string) (name, value string, err error) {
	name, value, ok := strings.Cut(s, "=")
	if name = strings.TrimSpace(name); !ok || name == "" {
		return "", "", errors.New("not NAME=VALUE")
	}
	return name, value, nil
}

func oneOf(words ...string) func(string) (string, error) {
	return func(s string) (string, error) {
		for _, word := range words {
			if s == word {
				return s, nil
			}
		}
		return "", errors.New("not one of " + strings.Join(words, ", "))
	}
}

func address(s string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, errors.New("not an IP address")
	}
	return addr.Unmap(), nil
}

// addresses takes ip:port, :port (all addresses, both families) and
// localhost:port (both loopbacks), separated by commas. Port 0 lets the
// kernel choose.
func addresses(s string) ([]netip.AddrPort, error) {
	parts, err := list(s)
	if err != nil {
		return nil, err
	}
	var all []netip.AddrPort
	for _, part := range parts {
		host, port, ok := cutPort(part)
		n, err := strconv.ParseUint(port, 10, 16)
		if !ok || err != nil {
			return nil, fmt.Errorf("%q is not ip:port, :port or localhost:port", part)
		}
		switch host {
		case "":
			all = append(all, onAll(uint16(n))...)
		case "localhost":
			all = append(all, onLoopback(uint16(n))...)
		default:
			addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
			if err != nil {
				return nil, fmt.Errorf("%q is not ip:port, :port or localhost:port", part)
			}
			all = append(all, netip.AddrPortFrom(addr.Unmap(), uint16(n)))
		}
	}
	return all, nil
}

// cutPort splits at the last colon; an IPv6 address needs its brackets.
func cutPort(s string) (host, port string, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return "", "", false
	}
	host, port = s[:i], s[i+1:]
	bare := strings.Contains(host, ":") && !(strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]"))
	return host, port, !bare
}

func onAll(port uint16) []netip.AddrPort {
	return []netip.AddrPort{
		netip.AddrPortFrom(netip.IPv4Unspecified(), port),
		netip.AddrPortFrom(netip.IPv6Unspecified(), port),
	}
}

func onLoopback(port uint16) []netip.AddrPort {
	return []netip.AddrPort{
		netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port),
		netip.AddrPortFrom(netip.IPv6Loopback(), port),
	}
}

// overlap tells whether both cannot be bound at once.
func overlap(a, b netip.AddrPort) bool {
	if a.Port() != b.Port() || a.Addr().Is4() != b.Addr().Is4() {
		return false
	}
	return a.Addr() == b.Addr() || a.Addr().IsUnspecified() || b.Addr().IsUnspecified()
}

package iptables

import (
	"net/netip"
	"strconv"
	"strings"
)

// ParsePort reads one port number, 1 to 65535. The name is what the error calls it: a flag or a property.
func ParsePort(name, text string) (uint16, error) {
	var bad problems
	return port(name, strings.TrimSpace(text), &bad), bad.err()
}

// ParsePorts reads a comma list of ports, 1 to 65535. Blanks around an entry are dropped, an entry that was there
// before is left out, an empty text is an empty list. Every bad entry is in the error, a *ConfigError.
func ParsePorts(name, list string) ([]uint16, error) {
	return parseList(name, list, port)
}

// ParseIDs reads a comma list of numeric user or group ids, 0 to 4294967294. Names are refused: the rules run in a
// namespace whose /etc/passwd need not be the sidecar's.
func ParseIDs(name, list string) ([]uint32, error) {
	return parseList(name, list, id)
}

// ParseAddresses reads a comma list of IPv4 and IPv6 addresses or CIDR blocks. Bits behind the prefix length are
// cleared, as iptables does, and an IPv4-mapped IPv6 address is the IPv4 address.
func ParseAddresses(name, list string) ([]netip.Prefix, error) {
	return parseList(name, list, address)
}

// parseList splits, trims and removes duplicates. An empty entry is a typing error that may hide a lost value.
func parseList[T comparable](name, list string, one func(name, text string, bad *problems) T) ([]T, error) {
	if strings.TrimSpace(list) == "" {
		return nil, nil
	}
	var values []T
	var bad problems
	seen := map[T]bool{}
	for entry := range strings.SplitSeq(list, ",") {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			bad.addf("%s: empty entry in %q", name, list)
			continue
		}
		if value := one(name, entry, &bad); !seen[value] {
			seen[value] = true
			values = append(values, value)
		}
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	return values, nil
}

func port(name, text string, bad *problems) uint16 {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		bad.addf("%s: %q is not a port (1 to 65535)", name, text)
	}
	return uint16(n)
}

func id(name, text string, bad *problems) uint32 {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == noID {
		bad.addf("%s: %q is not a numeric id (0 to 4294967294)", name, text)
	}
	return uint32(n)
}

func address(name, text string, bad *problems) netip.Prefix {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen())
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		bad.addf("%s: %q is neither an IP address nor a CIDR block", name, text)
		return netip.Prefix{}
	}
	if prefix.Addr().Is4In6() {
		if prefix.Bits() < 96 {
			bad.addf("%s: %q mixes IPv4 and IPv6: write the two blocks apart", name, text)
			return netip.Prefix{}
		}
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
	}
	return prefix.Masked()
}

package route

import (
	"bytes"
	"slices"
)

// suffixes finds a virtual host by the end of an authority (Envoy: domains with
// a "*" in front; the longest wins, and the star stands for one byte at least).
// There is one look-up for each length that a domain has. The zero value finds
// nothing, at the cost of a comparison.
type suffixes[D any] struct {
	lengths []int // longest first, each once
	hosts   map[string]*virtualHost[D]
}

// host gives the virtual host of an authority in lower case, or nil.
func (s *suffixes[D]) host(authority []byte) *virtualHost[D] {
	for _, n := range s.lengths {
		if n >= len(authority) {
			continue
		}
		if host := s.hosts[string(authority[len(authority)-n:])]; host != nil {
			return host
		}
	}
	return nil
}

// add adds what stands behind the star. It says false when it is there already.
func (s *suffixes[D]) add(suffix string, host *virtualHost[D]) bool {
	if s.hosts[suffix] != nil {
		return false
	}
	if s.hosts == nil {
		s.hosts = make(map[string]*virtualHost[D])
	}
	s.hosts[suffix] = host
	if n := len(suffix); !slices.Contains(s.lengths, n) {
		s.lengths = append(s.lengths, n)
		slices.SortFunc(s.lengths, func(a, b int) int { return b - a })
	}
	return true
}

// withoutPort takes the port off an authority (RFC 3986 section 3.2: digits, or
// none, behind the last colon that is no part of an IPv6 literal). What is no
// port stays.
func withoutPort(authority []byte) []byte {
	i := bytes.LastIndexByte(authority, ':')
	if i < 0 {
		return authority
	}
	for _, c := range authority[i+1:] {
		if c < '0' || c > '9' { // also the "]" of a literal
			return authority
		}
	}
	return authority[:i]
}

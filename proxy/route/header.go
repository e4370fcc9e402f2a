package route

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// headerCondition is a mesh.HeaderMatch, compiled.
type headerCondition struct {
	source     source
	name       string
	kind       mesh.MatchKind
	value      string
	pattern    *regexp.Regexp
	start, end int64
	invert     bool
}

// source says where a condition finds its value. The pseudo headers are
// Envoy's names for parts of the request line; "host" is one of them too
// (Envoy keeps Host in :authority).
type source uint8

const (
	fromField source = iota
	fromPath
	fromMethod
	fromAuthority
	fromScheme
)

// holds tells whether a request meets the condition. A header that is absent
// meets nothing but an inverted presence condition (Envoy: invert_match does
// not turn the failure of a value matcher on a missing header into a match;
// App Mesh is not known to set treat_missing_header_as_empty).
func (c *headerCondition) holds(req *l7.Request) bool {
	value, joined, present := c.lookup(req)
	if c.kind == mesh.MatchPresent {
		present = present != c.invert
	} else if present {
		present = c.compare(value) != c.invert
	}
	if joined != nil {
		joins.Put(joined)
	}
	return present
}

// joins holds memory for headers that come several times and must be joined
// before they are compared: a rare thing, bounded by the codec's header limit.
// A buffer on the stack would not do: regexp lets it escape.
var joins = sync.Pool{New: func() any { return new([]byte) }}

// lookup gives the header's value. joined, when not nil, is the memory of
// value, to be given back to joins.
func (c *headerCondition) lookup(req *l7.Request) (value []byte, joined *[]byte, present bool) {
	switch c.source {
	case fromPath: // with its query (Envoy: :path)
		return req.Target, nil, len(req.Target) > 0
	case fromMethod:
		return req.Method, nil, true
	case fromAuthority:
		return req.Authority, nil, len(req.Authority) > 0
	case fromScheme:
		switch scheme(req) {
		case "https":
			return schemeHTTPS, nil, true
		case "http":
			return schemeHTTP, nil, true
		}
		return req.Scheme, nil, true
	}
	for i := range req.Header.Fields {
		f := &req.Header.Fields[i]
		if len(f.Name) != len(c.name) || !l7.EqualFold(f.Name, c.name) {
			continue
		}
		if present {
			joined = joins.Get().(*[]byte)
			*joined, _ = req.Header.Append((*joined)[:0], c.name)
			return *joined, joined, true
		}
		value, present = f.Value, true
	}
	return value, nil, present
}

var schemeHTTP, schemeHTTPS = []byte("http"), []byte("https")

func (c *headerCondition) compare(value []byte) bool {
	switch c.kind {
	case mesh.MatchExact:
		return string(value) == c.value
	case mesh.MatchPrefix:
		return len(value) >= len(c.value) && string(value[:len(c.value)]) == c.value
	case mesh.MatchSuffix:
		return len(value) >= len(c.value) && string(value[len(value)-len(c.value):]) == c.value
	case mesh.MatchRegex:
		return c.pattern.Match(value)
	case mesh.MatchRange:
		n, ok := parseInt(value)
		return ok && c.start <= n && n < c.end
	}
	return false
}

// parseInt reads a decimal 64-bit integer with an optional sign and spaces
// around it, as Envoy's range_match does. strconv would allocate an error for
// every header that holds something else.
func parseInt(b []byte) (n int64, ok bool) {
	b = bytes.Trim(b, " \t")
	if len(b) == 0 {
		return 0, false
	}
	sign := b[0]
	if sign == '-' || sign == '+' {
		b = b[1:]
	}
	limit := uint64(1<<63 - 1)
	if sign == '-' {
		limit = 1 << 63
	}
	var u uint64
	for _, c := range b {
		d := uint64(c - '0')
		if c < '0' || c > '9' || u > (limit-d)/10 {
			return 0, false
		}
		u = u*10 + d
	}
	if sign == '-' {
		return -int64(u), len(b) > 0
	}
	return int64(u), len(b) > 0
}

func (c *headerCondition) compile(src *mesh.HeaderMatch) error {
	*c = headerCondition{
		name:   strings.ToLower(src.Name),
		kind:   src.Kind,
		value:  src.Value,
		start:  src.Start,
		end:    src.End,
		invert: src.Invert,
	}
	switch c.name {
	case "":
		return errors.New("has no name")
	case ":path":
		c.source = fromPath
	case ":method":
		c.source = fromMethod
	case ":authority", "host":
		c.source = fromAuthority
	case ":scheme":
		c.source = fromScheme
	}
	switch c.kind {
	case mesh.MatchRegex:
		pattern, err := mesh.CompilePattern(c.value)
		if err != nil {
			return fmt.Errorf("regex: %w", err)
		}
		c.pattern = pattern
	case mesh.MatchRange:
		if c.end <= c.start {
			return fmt.Errorf("range [%d, %d): the end must be greater than the start", c.start, c.end)
		}
	case mesh.MatchPresent, mesh.MatchExact, mesh.MatchPrefix, mesh.MatchSuffix:
	default:
		return fmt.Errorf("unknown kind of match %d", c.kind)
	}
	return nil
}

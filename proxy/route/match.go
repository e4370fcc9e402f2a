package route

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// match is a mesh.Match, compiled: conditions that must all hold.
type match struct {
	path    pathCondition
	method  string
	scheme  string
	grpc    bool
	headers []headerCondition
	query   []queryCondition
}

// holds tells whether a request meets all conditions.
func (m *match) holds(req *l7.Request, path, query []byte) bool {
	if !m.path.holds(path) {
		return false
	}
	if m.method != "" && string(req.Method) != m.method {
		return false
	}
	if m.scheme != "" && scheme(req) != m.scheme {
		return false
	}
	if m.grpc && !isGRPC(req) {
		return false
	}
	for i := range m.headers {
		if !m.headers[i].holds(req) {
			return false
		}
	}
	for i := range m.query {
		if !m.query[i].holds(query) {
			return false
		}
	}
	return true
}

// pathCondition is a condition on the path without its query. The zero value
// always holds.
type pathCondition struct {
	kind    pathKind
	text    string
	pattern *regexp.Regexp
}

type pathKind uint8

const (
	anyPath pathKind = iota
	prefixPath
	exactPath
	regexPath
)

// holds tells whether a path meets the condition; an empty one meets only the
// condition that asks for nothing.
func (c *pathCondition) holds(path []byte) bool {
	switch c.kind {
	case prefixPath:
		return len(path) >= len(c.text) && string(path[:len(c.text)]) == c.text
	case exactPath:
		return string(path) == c.text
	case regexPath:
		return len(path) > 0 && c.pattern.Match(path)
	}
	return true
}

// probe is one byte that a path must hold at one place: the last of a prefix
// or exact path. Neighbours in a table tend to begin alike and differ there,
// so that most routes are passed by with one comparison. The zero value
// excludes nothing.
type probe struct {
	length int32 // of the text
	last   byte
}

func (p probe) excludes(path []byte) bool {
	n := int(p.length)
	return n > 0 && (n > len(path) || path[n-1] != p.last)
}

func (c *pathCondition) probe() probe {
	if c.kind != prefixPath && c.kind != exactPath {
		return probe{}
	}
	return probe{length: int32(len(c.text)), last: c.text[len(c.text)-1]}
}

// scheme is the request's scheme as Envoy's connection manager sets it: for
// HTTP/2 what :scheme says; for HTTP/1 what an absolute target says, else a
// valid X-Forwarded-Proto, else that of the connection, which is plaintext.
func scheme(req *l7.Request) string {
	if req.Scheme != nil {
		switch {
		case l7.EqualFold(req.Scheme, "https"):
			return "https"
		case l7.EqualFold(req.Scheme, "http"):
			return "http"
		}
		return "" // neither: no condition of a document asks for it
	}
	if req.Absolute {
		return "http"
	}
	forwarded := ""
	for i := range req.Header.Fields {
		f := &req.Header.Fields[i]
		if f.ID != l7.NameXForwardedProto || f.Name == nil {
			continue
		}
		switch {
		case forwarded != "":
			return "http" // several, joined by ",": not a valid scheme
		case l7.EqualFold(f.Value, "https"):
			forwarded = "https"
		default:
			forwarded = "http"
		}
	}
	if forwarded == "https" {
		return forwarded
	}
	return "http"
}

// isGRPC tells a gRPC request by its content type: "application/grpc" or
// "application/grpc+...", not "application/grpc-web" (Envoy: grpc route match).
func isGRPC(req *l7.Request) bool {
	const want = "application/grpc"
	f := req.Header.Find(l7.NameContentType)
	if f == nil || len(f.Value) < len(want) || string(f.Value[:len(want)]) != want {
		return false
	}
	return len(f.Value) == len(want) || f.Value[len(want)] == '+'
}

func (m *match) compile(src *mesh.Match) error {
	if err := m.path.compile(src); err != nil {
		return err
	}
	m.method, m.scheme, m.grpc = src.Method, src.Scheme, src.GRPC
	if m.scheme != "" && m.scheme != "http" && m.scheme != "https" {
		return fmt.Errorf(`match.scheme %q: must be "http" or "https"`, m.scheme)
	}
	m.headers = make([]headerCondition, len(src.Headers))
	for i := range src.Headers {
		if err := m.headers[i].compile(&src.Headers[i]); err != nil {
			return fmt.Errorf("match.headers[%d] %q: %w", i, src.Headers[i].Name, err)
		}
	}
	m.query = make([]queryCondition, len(src.Query))
	for i := range src.Query {
		if err := m.query[i].compile(&src.Query[i]); err != nil {
			return fmt.Errorf("match.queryParameters[%d] %q: %w", i, src.Query[i].Name, err)
		}
	}
	return nil
}

func (c *pathCondition) compile(src *mesh.Match) error {
	given := 0
	for _, path := range []struct {
		kind pathKind
		text string
	}{{prefixPath, src.Prefix}, {exactPath, src.Exact}, {regexPath, src.Regex}} {
		if path.text != "" {
			given++
			c.kind, c.text = path.kind, path.text
		}
	}
	if given > 1 {
		return errors.New("match: prefix, exact path and regex exclude one another; keep one")
	}
	if c.kind == regexPath {
		pattern, err := mesh.CompilePattern(c.text)
		if err != nil {
			return fmt.Errorf("match.path.regex: %w", err)
		}
		c.pattern = pattern
	}
	return nil
}

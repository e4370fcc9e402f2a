package appmesh

import (
	"net/url"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// Conditions that no request can meet. They are warnings: App Mesh took them,
// and a route that never matches does no harm by itself.

// pathRule: paths begin with "/". A match that names no path takes all, as
// prefix "/" does.
func pathRule(c *checker, v *value, p *path) {
	if prefix := v.get("prefix"); prefix != nil && !strings.HasPrefix(prefix.text, "/") {
		c.failValue(prefix, p.name("prefix"), `must begin with "/"`, "")
	}
	if exact := v.get("path", "exact"); exact != nil && (!strings.HasPrefix(exact.text, "/") || strings.ContainsAny(exact.text, "?#")) {
		c.warnValue(exact, p.name("path").name("exact"), "can never match",
			`it is compared with the path as sent, which begins with "/", without the query`)
	}
	if prefix := v.get("prefix"); prefix != nil && strings.ContainsAny(prefix.text, "?#") {
		c.warnValue(prefix, p.name("prefix"), "can never match", "it is compared with the path without the query")
	}
	for _, at := range []struct {
		text  *value
		place *path
		whole bool
	}{{v.get("prefix"), p.name("prefix"), false}, {v.get("path", "exact"), p.name("path").name("exact"), true}} {
		if why := neverSpelled(at.text.str(), at.whole); why != "" {
			c.warnValue(at.text, at.place, "can never match", why)
		}
	}
	if regex := v.get("path", "regex"); regex != nil && !matchesPath(regex.text) {
		c.warnValue(regex, p.name("path").name("regex"), "can never match",
			`it must match the whole path as sent, which begins with "/", without the query`)
	}
}

// neverSpelled says why no path is spelled so when it is compared: dot segments
// and double slashes are taken out of it before, and what a path may not hold is
// escaped (App Mesh 2.6: normalize_path, merge_slashes). Empty: it may be. A
// prefix need not end where a segment does.
func neverSpelled(text string, whole bool) string {
	segments := text
	if whole {
		segments += "/"
	}
	switch {
	case strings.Contains(text, "//"):
		return `double slashes are made one before it is compared`
	case strings.Contains(segments, "/./") || strings.Contains(segments, "/../"):
		return `"." and ".." are taken out of a path before it is compared`
	case strings.Contains(text, `\`):
		return `"\" is made "/" before it is compared`
	}
	if at := strings.IndexFunc(text, escapedInPath); at >= 0 && !strings.Contains(text, "${") && !strings.Contains(text, "{{") {
		r, _ := utf8.DecodeRuneInString(text[at:])
		return strconv.Quote(string(r)) + " is escaped in a path before it is compared: write " + url.PathEscape(string(r))
	}
	return ""
}

// escapedInPath tells of a character that no path holds as it is.
func escapedInPath(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"<>^`{|}", r) }

// matchesPath tells whether an expression can match a whole path: a text that
// begins with "/" and holds neither "?" nor "#". It may err towards yes:
// assertions are taken to hold. An expression that is none is another's to
// report.
func matchesPath(expr string) bool {
	parsed, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return true
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return true
	}
	w := walk{program: program.Inst, seen: make([]bool, len(program.Inst))}
	w.from(uint32(program.Start))
	var after []uint32
	for _, at := range w.runes {
		if i := &program.Inst[at]; i.MatchRune('/') {
			after = append(after, i.Out)
		}
	}
	// Of what follows it, everything is possible but "?" and "#".
	w = walk{program: program.Inst, seen: make([]bool, len(program.Inst))}
	for _, at := range after {
		w.from(at)
	}
	for len(w.runes) > 0 && !w.matched {
		at := w.runes[len(w.runes)-1]
		w.runes = w.runes[:len(w.runes)-1]
		if i := &program.Inst[at]; takesPathRune(i) {
			w.from(i.Out)
		}
	}
	return w.matched
}

// walk goes through a program as far as it comes without a character.
type walk struct {
	program []syntax.Inst
	seen    []bool
	runes   []uint32 // where it waits for one
	matched bool
}

func (w *walk) from(at uint32) {
	todo := []uint32{at}
	for len(todo) > 0 {
		at, todo = todo[len(todo)-1], todo[:len(todo)-1]
		if w.seen[at] {
			continue
		}
		w.seen[at] = true
		switch i := &w.program[at]; i.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			todo = append(todo, i.Out, i.Arg)
		case syntax.InstCapture, syntax.InstNop, syntax.InstEmptyWidth:
			todo = append(todo, i.Out)
		case syntax.InstMatch:
			w.matched = true
		case syntax.InstFail:
		default:
			w.runes = append(w.runes, at)
		}
	}
}

// takesPathRune tells whether an instruction takes a character other than "?"
// and "#".
func takesPathRune(i *syntax.Inst) bool {
	if len(i.Rune) <= 1 {
		return len(i.Rune) == 0 || i.Rune[0] != '?' && i.Rune[0] != '#'
	}
	for at := 0; at+1 < len(i.Rune); at += 2 {
		for c := i.Rune[at]; c <= i.Rune[at+1]; c++ {
			if c != '?' && c != '#' {
				return true
			}
		}
	}
	return false
}

// headersRule: a name must be one that a request can have (RFC 9110, section
// 5.1, or one of Envoy's for the request line), and one header has one value.
func headersRule(c *checker, v *value, p *path) {
	exact := make(map[string]*value)
	for i, h := range v.items {
		m := headerMatch(h)
		at := p.index(i)
		name := h.get("name")
		switch {
		case name == nil:
			continue
		case !headerName(m.Name) && !(m.Invert && m.Kind == mesh.MatchPresent):
			c.warnValue(name, at.name("name"), "can never match: no header can have this name", "")
			continue
		case m.Kind != mesh.MatchExact || m.Invert:
			continue
		}
		given := h.get("match", "exact")
		if first := exact[m.Name]; first == nil {
			exact[m.Name] = given
		} else if first.text != given.text {
			c.warnValue(given, at.name("match").name("exact"), "can never match: the same header must be "+first.text+", too",
				"see "+place(first.at)+"; all conditions of a route must hold, write another route for the other value")
		}
	}
}

// tokens are the characters of a header's name in lower case.
const tokens = "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~"

func headerName(name string) bool {
	if slices.Contains([]string{":path", ":method", ":authority", ":scheme"}, name) {
		return true
	}
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool { return !strings.ContainsRune(tokens, r) })
}

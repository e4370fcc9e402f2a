package appmesh

import (
	"bufio"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// writeJSON writes a value over several lines, two spaces for each step in.
// It does not end the last line.
func writeJSON(b *bufio.Writer, v *value, indent string) {
	opening, closing, n := "{", "}", len(v.members)
	switch v.kind {
	case list:
		opening, closing, n = "[", "]", len(v.items)
	case object:
	default:
		b.WriteString(scalar(v))
		return
	}
	b.WriteString(opening)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n" + indent + "  ")
		if v.kind == list {
			writeJSON(b, v.items[i], indent+"  ")
			continue
		}
		b.WriteString(quote(v.members[i].name) + ": ")
		writeJSON(b, v.members[i].value, indent+"  ")
	}
	if n > 0 {
		b.WriteString("\n" + indent)
	}
	b.WriteString(closing)
}

func scalar(v *value) string {
	switch v.kind {
	case text:
		return quote(v.text)
	case null:
		return "null"
	}
	return v.text
}

// quote writes a text as JSON has it, which YAML reads alike: what is not
// printable is escaped, so that no reader takes it for a break of the line.
func quote(s string) string {
	q := []byte{'"'}
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			q = append(q, '\\', byte(r))
		case r == '\n':
			q = append(q, `\n`...)
		case r == '\t':
			q = append(q, `\t`...)
		case r > 0xffff || r < utf8.RuneSelf && r >= ' ' && r != 0x7f || unicode.IsPrint(r):
			q = utf8.AppendRune(q, r)
		default:
			q = append(q, `\u`...)
			hex := strconv.FormatInt(int64(r), 16)
			q = append(q, "0000"[len(hex):]+hex...)
		}
	}
	return string(append(q, '"'))
}

// writeYAML writes an object or a list in block style, from the start of a
// line to its end.
func writeYAML(b *bufio.Writer, v *value, indent string) {
	for _, m := range v.members {
		b.WriteString(indent + plainOrQuoted(m.name) + ":")
		writeYAMLUnder(b, m.value, indent+"  ")
	}
	for _, item := range v.items {
		if item.kind == object && len(item.members) > 0 {
			// The first member stands beside the dash.
			first, rest := record(item.members[0]), record(item.members[1:]...)
			b.WriteString(indent + "- " + plainOrQuoted(first.members[0].name) + ":")
			writeYAMLUnder(b, first.members[0].value, indent+"    ")
			writeYAML(b, rest, indent+"  ")
			continue
		}
		b.WriteString(indent + "-")
		writeYAMLUnder(b, item, indent+"  ")
	}
}

// writeYAMLUnder writes what stands behind a name or a dash.
func writeYAMLUnder(b *bufio.Writer, v *value, indent string) {
	switch {
	case v.kind == object && len(v.members) == 0:
		b.WriteString(" {}\n")
	case v.kind == list && len(v.items) == 0:
		b.WriteString(" []\n")
	case v.kind == object || v.kind == list:
		b.WriteByte('\n')
		writeYAML(b, v, indent)
	case v.kind == text:
		b.WriteString(" " + plainOrQuoted(v.text) + "\n")
	default:
		b.WriteString(" " + scalar(v) + "\n")
	}
}

// plainText is what YAML surely reads as the text that it is, but for the
// words that it, or its version 1.1, takes for something else.
var plainText = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./-]*$`)

var yamlWords = []string{"true", "false", "yes", "no", "on", "off", "y", "n", "null"}

func plainOrQuoted(s string) string {
	if plainText.MatchString(s) && !contains(yamlWords, strings.ToLower(s)) {
		return s
	}
	return quote(s)
}

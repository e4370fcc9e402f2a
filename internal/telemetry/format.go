package telemetry

import (
	"fmt"
	"strconv"
	"strings"
)

// FormatError says why a format string is no Envoy format, and where.
type FormatError struct {
	// Offset is the byte of the text at which the trouble begins, from 0.
	Offset int
	// Problem says what is the matter, Hint what to do; Hint may be empty.
	Problem, Hint string
}

// Error counts columns from 1, as editors do.
func (e *FormatError) Error() string {
	text := fmt.Sprintf("access log format: column %d: %s", e.Offset+1, e.Problem)
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

// CheckFormat tells whether Envoy would take the text as a format string or as
// the value of a JSON format; the error is a *FormatError.
func CheckFormat(text string) error {
	_, err := compileFormat(text)
	return err
}

// segment is a piece of a compiled format: literal text, or an operator.
type segment struct {
	literal  string
	operator *operator // nil for literal text
}

// operator is one use of an operator, with its arguments worked out.
type operator struct {
	code opcode
	// name and alternative are the header, query parameter or variable; lower
	// case for headers.
	name, alternative string
	// limit is the most bytes of a value, 0 for no limit.
	limit int
	// number tells that the value is a number in JSON.
	number bool
	// bits is the length of an address's prefix to print, -1 for all.
	bits int
	// keepSpaces prints spaces where they would become "_".
	keepSpaces bool
	time       timeFormat
	// fixed is a value known when the format is compiled; empty is none.
	fixed string
}

// compileFormat takes a format apart (Envoy: SubstitutionFormatParser).
func compileFormat(text string) ([]segment, error) {
	var all []segment
	var literal strings.Builder
	for i := 0; i < len(text); {
		switch {
		case text[i] != '%':
			literal.WriteByte(text[i])
			i++
		case strings.HasPrefix(text[i:], "%%"):
			literal.WriteByte('%')
			i += 2
		default:
			c, end, err := cutCommand(text, i)
			if err != nil {
				return nil, err
			}
			op, err := c.compile()
			if err != nil {
				return nil, err
			}
			if literal.Len() > 0 {
				all = append(all, segment{literal: literal.String()})
				literal.Reset()
			}
			all = append(all, segment{operator: op})
			i = end
		}
	}
	if literal.Len() > 0 {
		all = append(all, segment{literal: literal.String()})
	}
	return all, nil
}

// command is "%NAME(args):limit%" taken apart.
type command struct {
	offset  int
	name    string
	args    string
	hasArgs bool
	limit   int // -1 when none is given
}

// cutCommand reads the command that begins with the % at offset i; end is
// behind its closing %.
func cutCommand(text string, i int) (c command, end int, err error) {
	c = command{offset: i, limit: -1}
	at := i + 1
	for at < len(text) && isNameByte(text[at]) {
		at++
	}
	c.name = text[i+1 : at]
	if c.name == "" {
		return c, 0, &FormatError{i, "% begins no operator", "write %% for a percent sign"}
	}
	if at < len(text) && text[at] == '(' {
		closing := strings.IndexByte(text[at:], ')')
		if closing < 0 {
			return c, 0, &FormatError{at, "( is never closed", ""}
		}
		c.args, c.hasArgs = text[at+1:at+closing], true
		at += closing + 1
	}
	if at < len(text) && text[at] == ':' {
		from := at + 1
		for at++; at < len(text) && '0' <= text[at] && text[at] <= '9'; at++ {
		}
		if c.limit, err = strconv.Atoi(text[from:at]); err != nil {
			return c, 0, &FormatError{from, "a length must be a number", "like %REQ(USER-AGENT):40%"}
		}
	}
	if at >= len(text) || text[at] != '%' {
		return c, 0, &FormatError{i, "operator " + c.name + " is never closed by %", "write %% for a percent sign"}
	}
	return c, at + 1, nil
}

func isNameByte(b byte) bool {
	return 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '_'
}

// compile checks the command against the operator of that name.
func (c *command) compile() (*operator, error) {
	spec, ok := findOperator(c.name)
	if !ok {
		hint := ""
		if near := nearestOperator(c.name); near != "" {
			hint = "did you mean %" + near + "%?"
		}
		return nil, c.fail("Envoy knows no operator "+c.name, hint)
	}
	switch {
	case c.hasArgs && spec.args == noArgs:
		return nil, c.fail("operator "+c.name+" takes no argument in ()", "")
	case !c.hasArgs && spec.args == needsArgs:
		return nil, c.fail("operator "+c.name+" needs an argument", "like %"+c.name+"(...)%")
	case c.limit >= 0 && !spec.limit:
		return nil, c.fail("operator "+c.name+" takes no length", "")
	}
	op := &operator{code: spec.code, limit: max(c.limit, 0), number: spec.number, bits: -1}
	if problem := op.setArgs(c); problem != "" {
		return nil, c.fail(problem, "")
	}
	return op, nil
}

func (c *command) fail(problem, hint string) error {
	return &FormatError{c.offset, problem, hint}
}

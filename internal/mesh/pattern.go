package mesh

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// maxProgram bounds a compiled expression, in instructions of Go's regexp
// program: the time of a match is at most proportional to it. App Mesh's
// Envoy allowed an RE2 program of 1000. The two count differently (RE2 works
// on bytes, Go on code points): near the bound one may take what the other refuses.
const maxProgram = 1000

// ErrPatternSize is what a pattern over the bound fails with.
var ErrPatternSize = errors.New("too large")

// CompilePattern compiles an RE2 expression that must match a value whole
// (Envoy: safe_regex is a full match). The error says what is wrong with it.
func CompilePattern(expr string) (*regexp.Regexp, error) {
	// Alone first: "a)|(?:b" must not become valid by what is put around it.
	if _, err := syntax.Parse(expr, syntax.Perl); err != nil {
		return nil, fmt.Errorf("%q is not an RE2 expression: %w", expr, err)
	}
	whole := `\A(?:` + expr + `)\z`
	parsed, err := syntax.Parse(whole, syntax.Perl)
	if err != nil && strings.Contains(expr, `\Q`) {
		// An open \Q quotes all that follows, the closing parenthesis too.
		whole = `\A(?:` + expr + `\E)\z`
		parsed, err = syntax.Parse(whole, syntax.Perl)
	}
	if err != nil {
		return nil, fmt.Errorf("%q cannot be anchored: %w", expr, err)
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, fmt.Errorf("compiling %q: %w", expr, err)
	}
	if n := len(program.Inst); n > maxProgram {
		return nil, fmt.Errorf("%.60q is %w: %d instructions, at most %d are allowed; make it simpler or split the route", expr, ErrPatternSize, n, maxProgram)
	}
	return regexp.Compile(whole)
}

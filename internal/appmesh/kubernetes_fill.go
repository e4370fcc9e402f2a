package appmesh

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// placeholder finds what deploy scripts fill in: ${NAME}, {{ NAME }} and $NAME.
var placeholder = regexp.MustCompile(`\$\{([^{}]*)\}|\{\{([^{}]*)\}\}|\$([A-Za-z_][A-Za-z0-9_]*)`)

// maxFilled bounds the bytes that parameters put into documents.
const maxFilled = 16 << 20

// fill puts the parameters of the command line where a document has
// placeholders of their names. What a parameter brings is not looked at again;
// placeholders without a parameter stay, for the checker to find. A helm value
// ({{ .Values.x }}) is named as it is written, with or without the first dot.
func (d *Documents) fill(v *value) {
	if len(d.checks.Params) == 0 {
		return
	}
	if v.kind == text && strings.ContainsAny(v.text, "${") {
		v.text = placeholder.ReplaceAllStringFunc(v.text, func(written string) string {
			name := placeholderName(written)
			filled, ok := d.checks.Params[name]
			if !ok {
				name = strings.TrimPrefix(name, ".")
				filled, ok = d.checks.Params[name]
			}
			d.asked.params.add(name)
			if !ok || !d.affordFilling(len(filled), v.at) {
				return written
			}
			return filled
		})
	}
	for i := range v.members {
		d.fill(v.members[i].value)
	}
	for _, item := range v.items {
		d.fill(item)
	}
}

// affordFilling reports whether n bytes more may be filled in. What is past the
// bound stays as it is written, and one finding says why.
func (d *Documents) affordFilling(n int, at mesh.Position) bool {
	before := d.filled
	d.filled += n
	if d.filled > maxFilled && before <= maxFilled {
		d.add(finding{fileWide: true, Finding: mesh.Finding{Position: at, Severity: mesh.Error,
			Message: fmt.Sprintf("the parameters fill in more than %d MiB: what follows is left as it is written", maxFilled>>20)}})
	}
	return d.filled <= maxFilled
}

// placeholderName is the name in the first placeholder of a text, or "". What a
// shell or helm would do beside (${NAME:-default}, {{ NAME | quote }}) is not of
// it.
func placeholderName(s string) string {
	found := placeholder.FindStringSubmatch(s)
	if found == nil {
		return ""
	}
	inShell, _, _ := strings.Cut(found[1], ":-")
	inHelm, _, _ := strings.Cut(found[2], "|")
	return strings.TrimSpace(inShell + inHelm + found[3])
}

// fillHint says how a text gets its placeholder filled in.
func fillHint(s string) string {
	const tool = "write the value, or run the template through the tool it was made for"
	if name := placeholderName(s); name != "" {
		return paramHint(name) + ", " + tool
	}
	return tool
}

package appmesh

import (
	"regexp"
	"strings"
)

// placeholder finds what deploy scripts fill in: ${NAME}, {{ NAME }} and $NAME.
var placeholder = regexp.MustCompile(`\$\{([^{}]*)\}|\{\{([^{}]*)\}\}|\$([A-Za-z_][A-Za-z0-9_]*)`)

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
			if filled, ok := d.checks.Params[name]; ok {
				return filled
			}
			if filled, ok := d.checks.Params[strings.TrimPrefix(name, ".")]; ok {
				return filled
			}
			return written
		})
	}
	for i := range v.members {
		d.fill(v.members[i].value)
	}
	for _, item := range v.items {
		d.fill(item)
	}
}

// placeholderName is the name in the first placeholder of a text, or "".
func placeholderName(s string) string {
	found := placeholder.FindStringSubmatch(s)
	if found == nil {
		return ""
	}
	return strings.TrimSpace(found[1] + found[2] + found[3])
}

// fillHint says how a text gets its placeholder filled in.
func fillHint(s string) string {
	const tool = "write the value, or run the template through the tool it was made for"
	if name := placeholderName(s); name != "" {
		return paramHint(name) + ", " + tool
	}
	return tool
}

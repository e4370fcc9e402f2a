package appmesh

import "strings"

// loosenEgressFilter turns the guide's forms into {type: ...}: the objects
// {allowAll: bool} and {dropAll: bool}, a bare word, and the CLI shorthand
// "{allowAll=true}", as text or as YAML reads it (a member "allowAll=true"
// without a value). allowAll false and dropAll true mean DROP_ALL.
// Decision: dropAll false means ALLOW_ALL, as allowAll false means DROP_ALL.
func loosenEgressFilter(v *value) {
	switch v.kind {
	case text:
		inner := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(v.text), "{"), "}")
		name, setting, assigned := strings.Cut(inner, "=")
		if !assigned {
			name, setting = "type", strings.TrimSpace(inner)
			if named(setting, "allowAll") || named(setting, "dropAll") {
				setting = canonicalFilter(setting, "true")
			}
		}
		*v = value{kind: object, at: v.at, members: []member{{strings.TrimSpace(name), v.at,
			&value{kind: text, text: strings.TrimSpace(setting), at: v.at}}}}
	case object:
	default:
		return
	}
	for i := range v.members {
		m := &v.members[i]
		if name, setting, ok := strings.Cut(m.name, "="); ok && m.value.kind == null {
			m.name, m.value = name, &value{kind: text, text: setting, at: m.at}
		}
		if named(m.name, "allowAll") || named(m.name, "dropAll") {
			if setting := canonicalFilter(m.name, m.value.text); setting != "" {
				m.name, m.value = "type", &value{kind: text, text: setting, at: m.value.at}
			}
		}
	}
}

// canonicalFilter is the type that allowAll or dropAll stands for, "" when
// setting is no boolean.
func canonicalFilter(name, setting string) string {
	switch on, ok := parseBoolean(setting); {
	case !ok:
		return ""
	case on == named(name, "allowAll"):
		return "ALLOW_ALL"
	default:
		return "DROP_ALL"
	}
}

// nameOfARN cuts a reference that is an ARN down to the name it ends in:
// arn:aws:appmesh:REGION:ACCOUNT:mesh/M/virtualService/NAME.
func nameOfARN(v *value) {
	if v.kind != text || !strings.HasPrefix(v.text, "arn:") {
		return
	}
	if i := strings.LastIndexByte(v.text, '/'); i >= 0 && i+1 < len(v.text) {
		v.text = v.text[i+1:]
	}
}

func parseBoolean(s string) (value, ok bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	return false, false
}

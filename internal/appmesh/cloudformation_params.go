package appmesh

import (
	"fmt"
	"slices"
	"strings"
)

// paramHint says how to tell what a template does not say.
func paramHint(name string) string { return "give it with --param '" + name + "=VALUE'" }

// given is what --param says a reference is; nil if it does not.
func (t *template) given(v *value, name string) *value {
	if text := t.d.param(name); text != "" {
		return made(v, text)
	}
	return nil
}

// parameter is the value of a parameter: as given, or its default.
func (t *template) parameter(name string, p *value) *value {
	typ := p.get("Type").str()
	got := p.get("Default")
	given, isGiven := t.d.checks.Params[name]
	switch {
	case isGiven:
		got = &value{kind: text, text: given, at: p.at}
	case strings.HasPrefix(typ, "AWS::SSM::Parameter::Value"):
		return mysterious(p, fmt.Sprintf("parameter %s has its value in SSM", name), paramHint(name))
	case got == nil || got.kind != text && got.kind != number && got.kind != boolean:
		return mysterious(p, fmt.Sprintf("parameter %s has no value and no default", name), paramHint(name))
	}
	isList := typ == "CommaDelimitedList" || strings.Contains(typ, "List<") || strings.Contains(typ, "<CommaDelimitedList>")
	if allowed := p.get("AllowedValues").list(); len(allowed) > 0 && !isList && !slices.ContainsFunc(allowed, func(a *value) bool { return a.text == got.text }) {
		return mysterious(p, fmt.Sprintf("parameter %s must not be %q", name, cut(got.text)), "allowed: "+allowedWords(allowed))
	}
	if isList {
		parts := t.listOf(p, got.text, ",")
		for _, item := range parts.items {
			item.text = strings.TrimSpace(item.text)
		}
		return parts
	}
	return got
}

func allowedWords(allowed []*value) string {
	var words []string
	for _, a := range allowed[:min(len(allowed), 20)] {
		words = append(words, a.text)
	}
	return cut(strings.Join(words, ", "))
}

// pseudo is a pseudo parameter. Partition and URL suffix follow from the
// region; where that is unknown they are those of the commercial regions.
func (t *template) pseudo(v *value, name string) *value {
	if given := t.given(v, name); given != nil {
		return given
	}
	region := t.d.checks.Params["AWS::Region"]
	china := strings.HasPrefix(region, "cn-")
	says := func(s string) *value { return &value{kind: text, text: s, at: v.at} }
	switch {
	case name == "AWS::NoValue":
		return nil
	case name == "AWS::Partition" && china:
		return says("aws-cn")
	case name == "AWS::Partition" && strings.HasPrefix(region, "us-gov-"):
		return says("aws-us-gov")
	case name == "AWS::Partition":
		return says("aws")
	case name == "AWS::URLSuffix" && china:
		return says("amazonaws.com.cn")
	case name == "AWS::URLSuffix":
		return says("amazonaws.com")
	}
	return mysterious(v, "nothing says "+cut(name), paramHint(name))
}

// importValue is ImportValue: what --import says, or what another template
// among the documents exports.
func (t *template) importValue(v, arg *value) *value {
	name, unknown := t.text(arg)
	if unknown != nil {
		return because(v, unknown)
	}
	if given, ok := t.d.checks.Imports[name]; ok {
		t.d.asked.imports.add(name)
		return made(v, given)
	}
	hint := "give it with --import '" + cut(name) + "=VALUE'"
	e, ok := t.d.stacks.exports[name]
	if !ok || e.value == nil {
		return mysterious(v, fmt.Sprintf("no template here exports %q", cut(name)), hint)
	}
	got := t.placed(v, e.resolve(name, v))
	if got.kind == unknownValue {
		return got
	}
	for _, other := range e.others {
		if other.value == nil || !same(got, other.resolve(name, v)) {
			return mysterious(v, fmt.Sprintf("templates here export different values as %q: %s, %s", cut(name), place(e.value.at), place(other.value.position())), hint)
		}
	}
	return got
}

// resolve is what an export of a name comes to, in its own template.
func (e export) resolve(name string, at *value) *value {
	return e.from.once("!ImportValue "+name+" at "+e.value.at.String(), at, func() *value {
		if got := e.from.resolve(e.value); got != nil {
			return got
		}
		return mysterious(at, "the export is AWS::NoValue", "")
	})
}

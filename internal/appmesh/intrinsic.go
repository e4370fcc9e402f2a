package appmesh

import (
	"fmt"
	"strings"
)

// Bounds on resolving, over all templates of a set of documents: how deep
// functions and references may go, and how many bytes they may make. A mesh of
// 2,000 nodes that composes every name makes about 1 MiB.
const (
	maxResolving = 200
	maxExpansion = 16 << 20
)

// A mystery says why a value is unknown, and how it can be had.
type mystery struct{ why, hint string }

func (m *mystery) message() string { return "is unknown: " + m.why }

// resolve is v with its functions resolved, as a value of its own that keeps
// the places of v. It is nil for AWS::NoValue, which takes the member or item
// with it, and of kind unknown where nothing says what v is.
func (t *template) resolve(v *value) *value {
	s := &t.d.stacks
	if s.depth++; s.depth > maxResolving {
		s.depth--
		return mysterious(v, fmt.Sprintf("its references go more than %d deep", maxResolving), "")
	}
	defer func() { s.depth-- }()
	if name, arg := function(v); name != "" {
		return t.call(v, name, arg)
	}
	got := *v
	switch v.kind {
	case object:
		got.members = make([]member, 0, len(v.members))
		for _, m := range v.members {
			if m.value = t.resolve(m.value); m.value != nil {
				got.members = append(got.members, m)
			}
		}
	case list:
		got.items = make([]*value, 0, len(v.items))
		for _, item := range v.items {
			if item = t.resolve(item); item != nil {
				got.items = append(got.items, item)
			}
		}
	}
	return &got
}

// function tells which function a value calls, by its long name, and its
// argument: {"Fn::Sub": arg} or !Sub arg. The name is empty where it calls none.
func function(v *value) (name string, arg *value) {
	switch {
	case v.kind == tagged && len(v.items) == 1:
		if name = strings.TrimPrefix(v.text, "!"); name != "Ref" && name != "Condition" {
			name = "Fn::" + name
		}
		return name, v.items[0]
	case v.kind == object && len(v.members) == 1:
		if m := &v.members[0]; m.name == "Ref" || strings.HasPrefix(m.name, "Fn::") {
			return m.name, m.value
		}
	}
	return "", nil
}

// call resolves the call v of a function.
func (t *template) call(v *value, name string, arg *value) *value {
	switch name {
	case "Ref":
		if arg.kind != text {
			return mysterious(v, "Ref takes a name", "")
		}
		return t.ref(v, arg.text)
	case "Fn::GetAtt":
		return t.getAtt(v, arg)
	case "Fn::ImportValue":
		return t.importValue(v, arg)
	case "Fn::Sub":
		return t.sub(v, arg)
	case "Fn::Join":
		return t.join(v, arg)
	case "Fn::Split":
		return t.split(v, arg)
	case "Fn::Select":
		return t.choose(v, arg)
	case "Fn::FindInMap":
		return t.findInMap(v, arg)
	case "Fn::Base64":
		return t.base64(v, arg)
	case "Fn::If":
		return t.either(v, arg)
	case "Fn::Equals", "Fn::And", "Fn::Or", "Fn::Not", "Condition":
		return t.truth(v)
	}
	return mysterious(v, strings.TrimPrefix(name, "Fn::")+" needs AWS", "write the value it stands for")
}

// text resolves what a function takes as text. What is unknown about it is
// returned instead.
func (t *template) text(v *value) (string, *value) {
	return t.plain(v, t.resolve(v))
}

// plain is text with v resolved already.
func (t *template) plain(v, resolved *value) (string, *value) {
	got := t.settled(v, resolved)
	switch got.kind {
	case unknownValue:
		return "", got
	case text, number, boolean:
		return got.text, nil
	}
	return "", mysterious(v, "text is wanted here, not "+got.kind.String(), "")
}

// list resolves what a function takes as a list of texts.
func (t *template) list(v *value) ([]string, *value) {
	got := t.definite(v)
	switch {
	case got.kind == unknownValue:
		return nil, got
	case got.kind != list:
		return nil, mysterious(v, "a list is wanted here, not "+got.kind.String(), "")
	}
	texts := make([]string, 0, len(got.items))
	for _, item := range got.items {
		switch item.kind {
		case unknownValue:
			return nil, item
		case text, number, boolean:
			if unsettled(item) {
				return nil, unsettling(item)
			}
			texts = append(texts, item.text)
		default:
			return nil, mysterious(item, "text is wanted here, not "+item.kind.String(), "")
		}
	}
	return texts, nil
}

// definite resolves a function's argument: nothing in it is left open.
func (t *template) definite(v *value) *value {
	return t.settled(v, t.resolve(v))
}

// settled is definite with v resolved already.
func (t *template) settled(v, got *value) *value {
	if got == nil {
		return mysterious(v, "AWS::NoValue is no argument", "")
	}
	if !t.afford(len(got.text) / 16) { // to be looked at
		return t.tooLarge(v)
	}
	if unsettled(got) {
		return unsettling(got)
	}
	return got
}

// unsettled recognises the ARN of one of the template's own resources where
// region or account is unknown (see arn): it serves as a reference, whose name
// is known, and as nothing else.
func unsettled(v *value) bool {
	return v.kind == text && strings.HasPrefix(v.text, "arn:") && strings.Contains(v.text, "${AWS::")
}

func unsettling(v *value) *value {
	name := "AWS::AccountId"
	if strings.Contains(v.text, "${AWS::Region}") {
		name = "AWS::Region"
	}
	got := mysterious(v, "nothing says "+name, paramHint(name))
	got.text = v.text
	return got
}

// args are the arguments of a function that takes from least to most.
func args(arg *value, least, most int) ([]*value, bool) {
	return arg.items, arg.kind == list && len(arg.items) >= least && len(arg.items) <= most
}

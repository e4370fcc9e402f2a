package appmesh

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// mark follows a skeleton of true and false, as Terraform writes beside values
// (after_unknown, sensitive_values), and hands what true stands for to f,
// which may change it in place. What the skeleton has and v has not is made,
// as null, since a plan leaves out what it does not know.
func mark(v, skeleton *value, f func(*value)) {
	if v == nil || skeleton == nil {
		return
	}
	switch {
	case skeleton.kind == boolean && skeleton.text == "true":
		f(v)
	case skeleton.kind == object && v.kind == object:
		for _, m := range skeleton.members {
			i := slices.IndexFunc(v.members, func(have member) bool { return have.name == m.name })
			if i < 0 {
				if m.value.kind != boolean || m.value.text != "true" {
					continue
				}
				i = len(v.members)
				v.members = append(v.members, member{m.name, v.at, &value{kind: null, at: v.at}})
			}
			mark(v.members[i].value, m.value, f)
		}
	case skeleton.kind == list && v.kind == list:
		for i, item := range skeleton.items {
			if i == len(v.items) && item.kind == boolean && item.text == "true" {
				v.items = append(v.items, &value{kind: null, at: v.at})
			}
			if i < len(v.items) {
				mark(v.items[i], item, f)
			}
		}
	}
}

// notYetApplied says why a plan does not know a value.
var notYetApplied = &mystery{"the plan knows it only once it is applied", "apply it, and read the state: `terraform show -json > mesh.json`"}

// unknownYet marks what a plan does not know.
func unknownYet(v *value) {
	*v = value{kind: unknownValue, text: "(known after apply)", at: v.at, why: notYetApplied}
}

// follow is what a path of a raw state's sensitive_attributes leads to:
// [{"type": "get_attr", "value": "spec"}, {"type": "index", "value": {"value": 0}}].
// Nil where there is nothing.
func follow(v, path *value) *value {
	for _, step := range path.list() {
		to := step.get("value")
		if inner := to.get("value"); inner != nil {
			to = inner
		}
		if v == nil || to == nil {
			return nil
		}
		if v.kind != list {
			v = v.member(to.text)
			continue
		}
		i, err := strconv.Atoi(to.text)
		if err != nil || i < 0 || i >= len(v.items) {
			return nil
		}
		v = v.items[i]
	}
	return v
}

// hiddenValue is what findings show of a sensitive one.
const hiddenValue = "(sensitive)"

// sensitive remembers every text in v, so that no finding shows one.
//
// Decision: a sensitive value is used like any other, and names and host names
// that come of it stand in the compiled mesh: a sidecar that may not say where
// it sends requests cannot be run. What findings quote of documents is hidden.
func (d *Documents) sensitive(v *value) {
	if v == nil {
		return
	}
	if v.text != "" && v.kind != boolean {
		if d.secrets == nil {
			d.secrets = make(map[string]bool)
		}
		d.secrets[v.text] = true
	}
	for _, m := range v.members {
		d.sensitive(m.value)
	}
	for _, item := range v.items {
		d.sensitive(item)
	}
}

// plainest is the length from which on a sensitive text is hidden wherever it
// stands. A shorter one ("1", "http") would tear words apart: it is hidden
// where it stands alone or in quotes.
const plainest = 6

// hide takes sensitive texts out of all findings. It is the last that Parse
// does.
func (d *Documents) hide() {
	if len(d.secrets) == 0 {
		return
	}
	replacer := d.concealer()
	for i := range d.findings {
		f := &d.findings[i]
		if d.secrets[f.Value] {
			f.Value = hiddenValue
		}
		for _, s := range []*string{&f.Value, &f.Message, &f.Hint, &f.Resource, &f.Field} {
			*s = replacer.Replace(*s)
		}
	}
}

// concealer takes sensitive texts out of others.
func (d *Documents) concealer() *strings.Replacer {
	longest := slices.SortedFunc(maps.Keys(d.secrets), func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	var pairs []string
	for _, s := range longest {
		pairs = append(pairs, strconv.Quote(s), strconv.Quote(hiddenValue))
		if len(s) >= plainest {
			pairs = append(pairs, s, hiddenValue)
		}
	}
	return strings.NewReplacer(pairs...)
}

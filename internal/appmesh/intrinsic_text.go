package appmesh

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// sub fills ${NAME}, ${RESOURCE.ATTRIBUTE} and the names of its own map into a
// text; ${!NAME} stays ${NAME}.
func (t *template) sub(v, arg *value) *value {
	pattern, own := arg, (*value)(nil)
	if of, ok := args(arg, 1, 2); ok {
		if pattern = of[0]; len(of) == 2 {
			own = of[1]
		}
	}
	if pattern.kind != text || own != nil && own.kind != object {
		return mysterious(v, "Sub takes a text, or a list of a text and an object", "")
	}
	local := make(map[string]*value)
	for _, m := range own.all() {
		local[m.name] = m.value
	}
	filled := make(map[string]string)
	var b strings.Builder
	rest := pattern.text
	for {
		before, after, found := strings.Cut(rest, "${")
		b.WriteString(before)
		name, behind, closed := strings.Cut(after, "}")
		if !found || !closed {
			if found {
				b.WriteString("${" + after)
			}
			return made(v, b.String())
		}
		rest = behind
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			b.WriteString("${" + literal + "}")
			continue
		}
		name = strings.TrimSpace(name)
		if _, ok := filled[name]; !ok {
			got, unknown := t.variable(v, name, local)
			if unknown != nil {
				return because(v, unknown)
			}
			filled[name] = got
		}
		if !t.afford(len(before) + len(filled[name])) {
			return t.tooLarge(v)
		}
		b.WriteString(filled[name])
	}
}

// variable is what a name in Sub stands for.
func (t *template) variable(v *value, name string, local map[string]*value) (string, *value) {
	if own := local[name]; own != nil {
		return t.text(own)
	}
	if id, attribute, ok := strings.Cut(name, "."); ok {
		return t.text(&value{kind: tagged, text: "!GetAtt", at: v.at, items: []*value{{kind: text, text: id + "." + attribute, at: v.at}}})
	}
	return t.text(&value{kind: tagged, text: "!Ref", at: v.at, items: []*value{{kind: text, text: name, at: v.at}}})
}

// join is Join: [separator, list].
func (t *template) join(v, arg *value) *value {
	of, ok := args(arg, 2, 2)
	if !ok {
		return mysterious(v, "Join takes a separator and a list", "")
	}
	separator, unknown := t.text(of[0])
	if unknown != nil {
		return because(v, unknown)
	}
	parts, unknown := t.list(of[1])
	if unknown != nil {
		return because(v, unknown)
	}
	size := len(separator) * len(parts)
	for _, part := range parts {
		size += len(part)
	}
	if !t.afford(size) {
		return t.tooLarge(v)
	}
	return made(v, strings.Join(parts, separator))
}

// split is Split: [separator, text]. Of the ARN of a resource in a region that
// nobody has told, the parts that do not hold the region are known.
func (t *template) split(v, arg *value) *value {
	of, ok := args(arg, 2, 2)
	if !ok {
		return mysterious(v, "Split takes a separator and a text", "")
	}
	separator, unknown := t.text(of[0])
	if unknown != nil {
		return because(v, unknown)
	}
	if separator == "" {
		return mysterious(v, "Split takes a separator that is not empty", "")
	}
	from := t.resolve(of[1])
	if from != nil && unsettled(from) {
		return t.partsOf(v, from.text, separator)
	}
	whole, unknown := t.plain(of[1], from)
	if unknown != nil {
		return because(v, unknown)
	}
	return t.listOf(v, whole, separator)
}

// openARN hides the variables of an unsettled ARN from a separator, settledARN
// shows them again.
var (
	openARN    = strings.NewReplacer("${AWS::Region}", "\ue000", "${AWS::AccountId}", "\ue001")
	settledARN = strings.NewReplacer("\ue000", "${AWS::Region}", "\ue001", "${AWS::AccountId}")
)

// partsOf is a list of the parts of an unsettled ARN: those with a variable in
// them are unknown.
func (t *template) partsOf(v *value, arn, separator string) *value {
	got := t.listOf(v, openARN.Replace(arn), separator)
	for i, part := range got.items {
		if open := settledARN.Replace(part.text); open != part.text {
			got.items[i] = unsettling(&value{kind: unknownValue, text: open, at: v.at})
		}
	}
	return got
}

// listOf is a list of the parts of a text.
func (t *template) listOf(v *value, whole, separator string) *value {
	const each = 200 // bytes for a value, about
	if !t.afford(len(whole)) || !t.afford(each*(1+strings.Count(whole, separator))) {
		return t.tooLarge(v)
	}
	got := &value{kind: list, at: v.at}
	for part := range strings.SplitSeq(whole, separator) {
		got.items = append(got.items, &value{kind: text, text: part, at: v.at})
	}
	return got
}

// choose is Select: [index, list]. Only the item chosen must be known.
func (t *template) choose(v, arg *value) *value {
	of, ok := args(arg, 2, 2)
	if !ok {
		return mysterious(v, "Select takes an index and a list", "")
	}
	index, unknown := t.text(of[0])
	if unknown != nil {
		return because(v, unknown)
	}
	from := t.definite(of[1])
	if from.kind == unknownValue {
		return because(v, from)
	}
	i, err := strconv.Atoi(strings.TrimSpace(index))
	if err != nil || from.kind != list || i < 0 || i >= len(from.items) {
		return mysterious(v, fmt.Sprintf("the list has no item %q (of %d, the first is 0)", cut(index), len(from.items)), "")
	}
	return t.placed(v, from.items[i])
}

// findInMap is FindInMap: [map, first key, second key]; an object with
// DefaultValue may follow.
func (t *template) findInMap(v, arg *value) *value {
	of, ok := args(arg, 3, 4)
	if !ok {
		return mysterious(v, "FindInMap takes a map's name and two keys", "")
	}
	var key [3]string
	for i := range key {
		name, unknown := t.text(of[i])
		if unknown != nil {
			return because(v, unknown)
		}
		key[i] = name
	}
	t.readMappings()
	if got := t.mappings[key]; got != nil {
		return t.placed(v, t.resolve(got))
	}
	if len(of) == 4 && of[3].has("DefaultValue") {
		return t.resolve(of[3].get("DefaultValue"))
	}
	return mysterious(v, fmt.Sprintf("the mappings have no %s", cut(strings.Join(key[:], "."))), "")
}

func (t *template) readMappings() {
	if t.mappings != nil {
		return
	}
	t.mappings = make(map[[3]string]*value)
	for _, mapping := range t.root.get("Mappings").all() {
		for _, top := range mapping.value.all() {
			for _, second := range top.value.all() {
				t.mappings[[3]string{mapping.name, top.name, second.name}] = second.value
			}
		}
	}
}

func (t *template) base64(v, arg *value) *value {
	plain, unknown := t.text(arg)
	if unknown != nil {
		return because(v, unknown)
	}
	if !t.afford(2 * len(plain)) {
		return t.tooLarge(v)
	}
	return made(v, base64.StdEncoding.EncodeToString([]byte(plain)))
}

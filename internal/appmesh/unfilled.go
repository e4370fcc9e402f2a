package appmesh

import (
	"bytes"
	"regexp"
	"strings"
)

// Deploy scripts fill in text, before anybody reads it: where a placeholder
// stands without quotes (name: {{ NAME }}, {port: ${PORT}}) what they start from
// is no YAML. Such a text is read with every character of its placeholders that
// means something to YAML replaced by one that means nothing, so that all
// places stay what they are.

// fillable finds the placeholders that stand for a value, not those that steer
// a template's engine ({{- if .Values.x }}).
var fillable = regexp.MustCompile(`\$\{[^{}\n]*\}|\{\{ *(?:\.?[A-Za-z_][\w.-]*|"[^"{}\n]*")(?: *\|[^{}\n]*)? *\}\}`)

// steering are the words of template engines that are no names.
var steering = regexp.MustCompile(`^\{\{ *(?:if|else|end|range|with|define|include|template|block|nil)\b`)

// meaningful are the characters that YAML may take for its own, stand-ins are
// those of Unicode's private use that stand in for them, in the same order.
const (
	meaningful = "{}[],:#&*!|>'\"%@`"
	standIns   = "\ue000\ue001\ue002\ue003\ue004\ue005\ue006\ue007\ue008\ue009\ue00a\ue00b\ue00c\ue00d\ue00e\ue00f\ue010"
)

var hidePlaceholder, showPlaceholder = replacers()

func replacers() (hide, show *strings.Replacer) {
	var hides, shows []string
	plain := []rune(meaningful)
	for i, c := range []rune(standIns) {
		hides = append(hides, string(plain[i]), string(c))
		shows = append(shows, string(c), string(plain[i]))
	}
	return strings.NewReplacer(hides...), strings.NewReplacer(shows...)
}

// readUnfilled reads a text that its placeholders make unreadable; nil where
// they are not the reason.
func readUnfilled(name string, data []byte) []*value {
	if !fillable.Match(data) || bytes.ContainsAny(data, standIns) {
		return nil
	}
	hidden := fillable.ReplaceAllFunc(data, func(placeholder []byte) []byte {
		if steering.Match(placeholder) {
			return placeholder
		}
		return []byte(hidePlaceholder.Replace(string(placeholder)))
	})
	values, err := readText(name, hidden)
	if err != nil {
		return nil
	}
	for _, v := range values {
		v.show()
	}
	return values
}

// show puts the placeholders back.
func (v *value) show() {
	v.text = showPlaceholder.Replace(v.text)
	for i := range v.members {
		v.members[i].name = showPlaceholder.Replace(v.members[i].name)
		v.members[i].value.show()
	}
	for _, item := range v.items {
		item.show()
	}
}

package appmesh

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// maxYAMLValues bounds a YAML source before it is parsed: the library builds
// the tree of a whole document at about 200 bytes for each value.
const maxYAMLValues = 1 << 19

// Aliases may make a source this many times as many values as it is long, and
// a few more: enough for shared blocks, too little for a bomb.
const (
	aliasFactor = 20
	aliasShare  = 10000
)

// readYAML reads one YAML document after another. Documents before an error
// are returned with it. Anchors, aliases and merge keys are followed within
// the bounds on values and depth, so that an alias bomb is an error.
func readYAML(file string, data []byte) (values []*value, err error) {
	count := countYAML(data)
	if count > maxYAMLValues {
		return nil, &syntaxError{mesh.Position{File: file}, fmt.Sprintf("about %d values, more than %d: split the file or write it as JSON", count, maxYAMLValues)}
	}
	// A panic in the library must not end a sidecar that reloads.
	defer func() {
		if p := recover(); p != nil {
			err = &syntaxError{mesh.Position{File: file}, fmt.Sprintf("not readable as YAML: %v", p)}
		}
	}()
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	budget := min(maxValues, aliasShare+aliasFactor*count)
	for {
		var document yaml.Node
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return values, nil
		} else if err != nil {
			return values, yamlError(file, err)
		}
		if document.Kind == 0 || len(document.Content) == 0 {
			continue
		}
		c := yamlConverter{file: file, budget: budget}
		v, err := c.value(document.Content[0], 0)
		if err != nil {
			return values, err
		}
		budget = c.budget
		values = append(values, v)
	}
}

// countYAML estimates how many values data can hold, from above.
func countYAML(data []byte) int {
	n := 1 + bytes.Count(data, []byte("- ")) + bytes.Count(data, []byte("? "))
	for _, c := range data {
		switch c {
		case '\n', ',', ':', '[', '{':
			n++
		}
	}
	return n
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?`)

// yamlError keeps the library's words and its line.
func yamlError(file string, err error) error {
	msg := err.Error()
	found := yamlLine.FindStringSubmatch(msg)
	line, _ := strconv.Atoi(found[1])
	return &syntaxError{mesh.Position{File: file, Line: line}, strings.TrimPrefix(msg, found[0])}
}

type yamlConverter struct {
	file   string
	budget int // values still allowed
}

func (c *yamlConverter) value(n *yaml.Node, depth int) (*value, error) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	v := &value{at: mesh.Position{File: c.file, Line: n.Line, Column: n.Column}}
	if depth > maxDepth {
		return nil, &syntaxError{v.at, fmt.Sprintf("nested more than %d deep", maxDepth)}
	}
	if c.budget--; c.budget < 0 {
		return nil, &syntaxError{v.at, "its aliases stand for more values than a file of this size may have"}
	}
	tag := n.ShortTag()
	if !strings.HasPrefix(tag, "!!") {
		v.kind, v.text = tagged, tag
		plain := *n
		plain.Tag = ""
		inner, err := c.value(&plain, depth+1)
		v.items = []*value{inner}
		return v, err
	}
	switch n.Kind {
	case yaml.MappingNode:
		v.kind = object
		return v, c.members(v, n, depth)
	case yaml.SequenceNode:
		v.kind = list
		for _, item := range n.Content {
			got, err := c.value(item, depth+1)
			if err != nil {
				return nil, err
			}
			v.items = append(v.items, got)
		}
		return v, nil
	}
	v.text = n.Value
	switch tag {
	case "!!null":
		v.kind = null
	case "!!bool":
		v.kind = boolean
	case "!!int", "!!float":
		v.kind = number
	default:
		v.kind = text
	}
	return v, nil
}

func (c *yamlConverter) members(v *value, n *yaml.Node, depth int) error {
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		at := mesh.Position{File: c.file, Line: n.Content[i].Line, Column: n.Content[i].Column}
		if key.Kind != yaml.ScalarNode {
			return &syntaxError{at, "a member name must be text"}
		}
		if key.ShortTag() == "!!merge" {
			merged = append(merged, n.Content[i+1])
			continue
		}
		got, err := c.value(n.Content[i+1], depth+1)
		if err != nil {
			return err
		}
		v.members = append(v.members, member{key.Value, at, got})
	}
	for _, m := range merged {
		if err := c.merge(v, m, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// merge adds the members that "<<" brings and v does not have.
func (c *yamlConverter) merge(v *value, n *yaml.Node, depth int) error {
	got, err := c.value(n, depth)
	if err != nil {
		return err
	}
	sources := []*value{got}
	if got.kind == list {
		sources = got.items
	}
	for _, source := range sources {
		if source.kind != object {
			return &syntaxError{source.at, `"<<" merges objects only`}
		}
		have := make(map[string]bool, len(v.members))
		for i := range v.members {
			have[v.members[i].name] = true
		}
		for _, m := range source.members {
			if !have[m.name] {
				v.members = append(v.members, m)
			}
		}
	}
	return nil
}

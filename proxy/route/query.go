package route

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// queryCondition is a mesh.QueryMatch, compiled. Name and value are compared
// raw: "%61" is not "a" and "+" is not a space (App Mesh 1.5).
type queryCondition struct {
	name    string
	present bool
	value   string
}

func (c *queryCondition) holds(query []byte) bool {
	value, ok := firstParameter(query, c.name)
	return ok && (c.present || string(value) == c.value)
}

// firstParameter gives the value of the first parameter of that name; one
// without "=" has an empty value (Envoy: the first value of a repeated key).
func firstParameter(query []byte, name string) (value []byte, ok bool) {
	for len(query) > 0 {
		pair := query
		if i := bytes.IndexByte(query, '&'); i >= 0 {
			pair, query = query[:i], query[i+1:]
		} else {
			query = nil
		}
		if len(pair) < len(name) || string(pair[:len(name)]) != name {
			continue
		}
		if len(pair) == len(name) {
			return nil, true
		}
		if pair[len(name)] == '=' {
			return pair[len(name)+1:], true
		}
	}
	return nil, false
}

func (c *queryCondition) compile(src *mesh.QueryMatch) error {
	c.name, c.value = src.Name, src.Value
	switch {
	case src.Name == "":
		return errors.New("has no name")
	case src.Kind == mesh.MatchPresent:
		c.present = true
	case src.Kind != mesh.MatchExact:
		return fmt.Errorf("kind of match %d: query parameters are matched by presence or exactly", src.Kind)
	}
	return nil
}

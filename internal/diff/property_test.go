package diff

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/outrider-mesh/outrider/internal/appmesh"
	"github.com/outrider-mesh/outrider/internal/mesh"
)

// TestEveryLeaf changes each value of the documents that have every field, one
// at a time, and takes each member away, one at a time. Whatever that changes
// of what a proxy is told (all of its snapshot but places, versions and
// findings) is said, and nothing is said where nothing of it changes.
func TestEveryLeaf(t *testing.T) {
	documents := corpus(t, "every-field")
	before := compiled(documents)
	if len(before) < 5 {
		t.Fatalf("only %d proxies", len(before))
	}
	compare := func(what string) (told int) {
		for res, now := range compiled(documents) {
			was := before[res]
			if was == nil || now == nil {
				continue
			}
			changes := Compare(was, now)
			switch moved := stripped(was) != stripped(now); {
			case moved && len(changes) == 0:
				t.Errorf("%s: of %s nothing is said:\n%s\n%s", what, res, stripped(was), stripped(now))
			case !moved && len(changes) > 0:
				t.Errorf("%s: of %s nothing changes, and it is said: %+v", what, res, changes)
			case was.Version == now.Version && moved:
				t.Errorf("%s: of %s equal versions differ", what, res)
			}
			told += len(changes)
		}
		return told
	}
	if told := compare("nothing"); told != 0 {
		t.Fatalf("the same documents differ %d times", told)
	}
	leaves, told, visited := 0, 0, 0
	for _, document := range documents {
		each(document, func(n *yaml.Node) {
			// One goroutine has nothing to race with, and takes ten times as long.
			if visited++; raceEnabled && visited%10 > 0 {
				return
			}
			was := *n
			switch n.Kind {
			case yaml.ScalarNode:
				n.Value = other(n)
			case yaml.MappingNode:
				for i := 0; i < len(n.Content); i += 2 {
					n.Content = slices.Delete(slices.Clone(was.Content), i, i+2)
					if compare("without "+was.Content[i].Value+" at "+strconv.Itoa(was.Content[i].Line)) > 0 {
						told++
					}
				}
				*n = was
				return
			default:
				return
			}
			leaves++
			if compare(fmt.Sprintf("%q -> %q at %d", was.Value, n.Value, n.Line)) > 0 {
				told++
			}
			*n = was
		})
	}
	if !raceEnabled && (leaves < 250 || told < 200) {
		t.Errorf("%d leaves were changed, %d changes told", leaves, told)
	}
}

func corpus(t *testing.T, dir string) []*yaml.Node {
	sources, _, err := appmesh.ReadPaths([]string{filepath.Join("..", "..", "test", "corpus", dir)})
	if err != nil {
		t.Fatal(err)
	}
	var all []*yaml.Node
	for _, s := range sources {
		for d := yaml.NewDecoder(bytes.NewReader(s.Data)); ; {
			var n yaml.Node
			if err := d.Decode(&n); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			all = append(all, &n)
		}
	}
	return all
}

// compiled is what each proxy is told; nil where an error stands.
func compiled(documents []*yaml.Node) map[mesh.Resource]*mesh.Snapshot {
	var b bytes.Buffer
	for _, n := range documents {
		writeJSON(&b, n) // which is read in a fifth of the time
	}
	d := appmesh.Parse([]appmesh.Source{{Name: "f.json", Data: b.Bytes()}})
	all := make(map[mesh.Resource]*mesh.Snapshot)
	for _, res := range d.Proxies() {
		all[res], _ = d.Compile(res, appmesh.Options{})
	}
	return all
}

func writeJSON(b *bytes.Buffer, n *yaml.Node) {
	switch n.Kind {
	case yaml.DocumentNode:
		writeJSON(b, n.Content[0])
	case yaml.AliasNode:
		writeJSON(b, n.Alias)
	case yaml.MappingNode:
		b.WriteByte('{')
		for i, inner := range n.Content {
			b.WriteString(map[bool]string{true: ":", false: ","}[i%2 == 1][:min(i, 1)])
			writeJSON(b, inner)
		}
		b.WriteByte('}')
	case yaml.SequenceNode:
		b.WriteByte('[')
		for i, inner := range n.Content {
			b.WriteString(","[:min(i, 1)])
			writeJSON(b, inner)
		}
		b.WriteByte(']')
	default:
		text, _ := json.Marshal(n.Value) // numbers and booleans may be texts
		b.Write(text)
	}
}

// each calls f for every value, not for names of members.
func each(n *yaml.Node, f func(*yaml.Node)) {
	f(n)
	for i, inner := range n.Content {
		if n.Kind != yaml.MappingNode || i%2 == 1 {
			each(inner, f)
		}
	}
}

// words that exclude each other.
var words = [...][]string{{"ALLOW_ALL", "DROP_ALL"}, {"http", "http2", "grpc", "tcp"}, {"GET", "PUT", "POST"}, {"STRICT", "PERMISSIVE"},
	{"IPv6_PREFERRED", "IPv4_PREFERRED", "IPv4_ONLY", "IPv6_ONLY"}, {"LOADBALANCER", "ENDPOINTS"}, {"ENABLED", "DISABLED"}, {"s", "ms"}, {"https", "http"},
	{"server-error", "gateway-error", "client-error", "stream-error"}, {"cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable"}}

// other is another good value.
func other(n *yaml.Node) string {
	for _, all := range words {
		if i := slices.Index(all, n.Value); i >= 0 {
			return all[(i+1)%len(all)]
		}
	}
	switch n.ShortTag() {
	case "!!int":
		v, _ := strconv.Atoi(n.Value)
		return strconv.Itoa(v + 1)
	case "!!bool":
		return map[string]string{"true": "false", "false": "true"}[n.Value]
	}
	return n.Value + "x"
}

// stripped is all that a snapshot tells of traffic, without places.
func stripped(s *mesh.Snapshot) string {
	c := *s
	c.Version, c.Documents, c.Findings = "", nil, nil
	if c.Resource.Kind == mesh.VirtualGateway {
		c.Egress = mesh.DropAll // it has no app
	}
	var b strings.Builder
	dump(&b, reflect.ValueOf(c))
	return b.String()
}

func dump(b *strings.Builder, v reflect.Value) {
	switch x := v.Interface().(type) {
	case mesh.Origin:
		return
	case mesh.RetryOn:
		if x&mesh.RetryReset != 0 { // includes the others
			x = mesh.RetryReset
		}
		fmt.Fprint(b, x)
		return
	case []mesh.Target:
		b.WriteString(shares("", x, mesh.Origin{}).same)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			b.WriteString("-")
			return
		}
		if s, is := v.Interface().(*mesh.ServerTLS); is && s.Mode == mesh.TLSDisabled {
			b.WriteString("-")
			return
		}
		dump(b, v.Elem())
	case reflect.Struct:
		if !v.CanInterface() || v.NumField() > 0 && !v.Type().Field(0).IsExported() {
			fmt.Fprint(b, v.Interface())
			return
		}
		b.WriteString("{")
		for i := range v.NumField() {
			if v.Type().Field(i).Name == "Refuse" {
				b.WriteString(where.ReplaceAllString(v.Field(i).String(), ""))
			} else {
				b.WriteString(v.Type().Field(i).Name + ":")
				dump(b, v.Field(i))
			}
			b.WriteString(" ")
		}
		b.WriteString("}")
	case reflect.Slice:
		for i := range v.Len() {
			b.WriteString("[")
			dump(b, v.Index(i))
			b.WriteString("]")
		}
	default:
		fmt.Fprintf(b, "%v", v.Interface())
	}
}

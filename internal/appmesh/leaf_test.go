package appmesh

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// unused are the leaves of test/corpus/every-field that change neither the
// plan nor the findings, each with the reason.
var unused = map[string]string{
	"front.yaml virtual node front backendDefaults.clientPolicy.tls.":                  "replaced by nothing here: its port is nobody's, so that it covers no connection; the finding is of the policy",
	"front.yaml virtual node front backends[2].virtualService.clientPolicy.tls.":       "enforce is false and the node has no TLS: App Mesh too spoke plaintext",
	"front.yaml virtual node front serviceDiscovery.dns.hostname":                      "only the node's callers ask for it",
	"front.yaml virtual node front serviceDiscovery.dns.responseType":                  "only the node's callers ask for it",
	"front.yaml virtual node front listeners[0].healthCheck.":                          "done by the node's callers; reported as not yet",
	"front.yaml virtual node front listeners[0].outlierDetection.":                     "done by the node's callers; reported as not yet",
	"front.yaml virtual node front backends[1].virtualService.clientPolicy.tls.ports[": "either port covers it",
	"targets.yaml virtual node found serviceDiscovery.awsCloudMap.attributes[":         "reported as not yet",
	"targets.yaml virtual node plain logging.":                                         "only that node's sidecar writes it",
	"gateway.yaml virtual gateway edge listeners[0].healthCheck.":                      "nothing calls a gateway and could check it; a warning says so",
	"gateway.yaml gateway route shop priority":                                         "no other route of its hostname matches what it matches",
	"routes.yaml route conditions priority":                                            "no other route matches what it matches; TestRouteOrder has it",
	"routes.yaml route method priority":                                                "the only route of its router",
}

// TestEveryLeaf changes each value of the corpus that has every field, one at
// a time, to another good value: the compiled plan or the findings must
// change with it, unless unused says why not.
func TestEveryLeaf(t *testing.T) {
	d := everyField(t)
	before := planAndFindings(d)
	leaves := 0
	needed := make(map[string]bool)
	for _, r := range d.resources {
		walkLeaves(r.spec, specs[r.kind], "", func(leaf *value, s *shape, path string) {
			if leaves++; !some(leaves, 10) {
				return
			}
			was := *leaf
			if alter(leaf, s) && planAndFindings(recheck(d)) == before {
				if prefix, ok := excused(r, path); ok {
					needed[prefix] = true
				} else {
					t.Errorf("%s: %s: %s: %q -> %q changes nothing", r.at.File, r, path, was.text, leaf.text)
				}
			}
			*leaf = was
		})
	}
	if after := planAndFindings(recheck(d)); after != before {
		t.Errorf("checking twice is not checking once: got\n%s\nwant\n%s", after, before)
	}
	for prefix := range unused {
		if !raceEnabled && !needed[prefix] {
			t.Errorf("nothing needs the excuse of %s", prefix)
		}
	}
	if leaves < 250 {
		t.Errorf("only %d leaves were looked at", leaves)
	}
}

// TestEverySchemaField: the corpus has every field of every schema.
func TestEverySchemaField(t *testing.T) {
	given := map[string]bool{}
	for _, r := range everyField(t).resources {
		walkFields(r.spec, specs[r.kind], kinds[r.kind].object, func(path string) { given[path] = true })
	}
	for k := range specs {
		schemaFields(specs[k], kinds[k].object, func(path string) {
			// One kind of certificate, trust or route shows the field.
			if !given[path] && !anyAlternative(given, path) {
				t.Errorf("test/corpus/every-field lacks %s", path)
			}
		})
	}
}

func everyField(t *testing.T) *Documents {
	return Parse(corpus(t, "every-field"))
}

// planAndFindings is what a node and a gateway are told, which together reach
// everything.
func planAndFindings(d *Documents) string {
	var b bytes.Buffer
	for _, res := range []mesh.Resource{
		{Mesh: "m", Owner: "123456789012", Name: "front"},
		{Mesh: "m", Owner: "123456789012", Kind: mesh.VirtualGateway, Name: "edge"},
	} {
		s, findings := d.Compile(res, Options{})
		b.WriteString(plan(s))
		_ = WriteText(&b, findings, 0)
	}
	return b.String()
}

// recheck runs on a changed tree what Parse runs after reading.
func recheck(d *Documents) *Documents {
	again := &Documents{meshes: map[meshID]*index{}, resources: d.resources}
	for _, res := range again.resources {
		res.ports, res.faulty = nil, false
		res.digest.Store(nil)
		c := checker{again, res}
		c.spec()
		res.readPorts()
	}
	again.index()
	again.references()
	return again
}

// excused gives the entry of unused that a leaf is excused by.
func excused(r *resource, path string) (prefix string, ok bool) {
	name := strings.TrimPrefix(r.at.File, "every-field/") + " " + kinds[r.kind].label + " " + r.name + " " + path
	for prefix := range unused {
		if strings.HasPrefix(name, prefix) {
			return prefix, true
		}
	}
	return "", false
}

// walkLeaves calls f for every scalar that a shape knows.
func walkLeaves(v *value, s *shape, path string, f func(*value, *shape, string)) {
	switch s.kind {
	case anObject:
		for _, m := range v.members {
			if i := s.field(m.name); i >= 0 {
				walkLeaves(m.value, s.fields[i].shape, strings.TrimPrefix(path+"."+m.name, "."), f)
			}
		}
	case aList:
		for i, item := range v.items {
			walkLeaves(item, s.item, fmt.Sprintf("%s[%d]", path, i), f)
		}
	default:
		f(v, s, path)
	}
}

// alter gives a leaf another value that its shape allows.
func alter(v *value, s *shape) bool {
	switch s.kind {
	case anInteger:
		n := v.num + 1
		if n > s.max {
			n = v.num - 1
		}
		v.text, v.num = fmt.Sprint(n), n
	case aBoolean:
		v.text = map[string]string{"true": "false", "false": "true"}[v.text]
	case aWord:
		for _, w := range s.words {
			if w != v.text && w != "https" {
				v.text = w
				return true
			}
		}
		return false
	default:
		v.text += "x"
	}
	return true
}

func walkFields(v *value, s *shape, path string, f func(string)) {
	switch s.kind {
	case anObject:
		for _, m := range v.members {
			if i := s.field(m.name); i >= 0 {
				f(path + "." + m.name)
				walkFields(m.value, s.fields[i].shape, path+"."+m.name, f)
			}
		}
	case aList:
		for _, item := range v.items {
			walkFields(item, s.item, path+"[]", f)
		}
	}
}

func schemaFields(s *shape, path string, f func(string)) {
	switch s.kind {
	case anObject:
		for _, field := range s.fields {
			f(path + "." + field.name)
			schemaFields(field.shape, path+"."+field.name, f)
		}
	case aList:
		schemaFields(s.item, path+"[]", f)
	}
}

// anyAlternative: pieces that several kinds share need to stand only once.
func anyAlternative(given map[string]bool, path string) bool {
	for _, shared := range []string{".tls.", ".accessLog.", ".match.headers[].", ".match.metadata[].", ".match.path.", ".queryParameters[].",
		".retryPolicy.", ".timeout.", ".weightedTargets[].", ".healthCheck.", ".match.hostname.", ".action.rewrite.", ".action.target."} {
		if _, tail, ok := strings.Cut(path, shared); ok {
			for have := range given {
				if strings.HasSuffix(have, shared+tail) || strings.HasSuffix(have, strings.Replace(shared, "metadata", "headers", 1)+tail) {
					return true
				}
			}
		}
	}
	// http2Route has the fields of httpRoute.
	return given[strings.Replace(path, "http2Route", "httpRoute", 1)]
}

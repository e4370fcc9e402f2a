package appmesh

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// Documents are all resources of a set of sources, checked and indexed, with
// everything that was found on the way. They do not change after Parse: Check
// and Compile may be called at the same time.
type Documents struct {
	checks    Checks
	sources   []string
	documents int
	resources []*resource
	meshes    map[meshID]*index
	findings  []finding
	// understood counts the findings about resources by themselves; those that
	// follow are about what shows between resources.
	understood int
	// unreadable names the sources with an error in their syntax, unreadForms
	// those in a form that is not read.
	unreadable  []string
	unreadForms []string
	suggestions int
	// filled counts the bytes that parameters put into documents.
	filled    int
	stacks    stacks
	manifests manifests
	kept      keeping
	programs  []program
	asked     asked
	// secrets are texts that no finding shows.
	secrets map[string]bool
}

// An index finds the resources of one mesh by kind and name. Names are
// compared exactly, as App Mesh does.
type index struct {
	id meshID
	of [kindCount]map[string]*resource
	// children are routes by router and gateway routes by gateway.
	routes, gatewayRoutes map[string][]*resource
	// twins tell Cloud Map services that several nodes share.
	twins map[string]int
	// backings are made on demand while Parse runs.
	backings map[*resource]*backing
}

// Checks are what others know of the documents; what is nil is not known.
type Checks struct {
	// LogFormat tells whether a text is an access-log format of Envoy's.
	LogFormat func(text string) error
	// Params are the values of parameters by name, Imports those that other
	// CloudFormation stacks export.
	Params, Imports map[string]string
}

// Parse is Checks.Parse without any.
func Parse(sources []Source) *Documents { return Checks{}.Parse(sources) }

// Parse reads, checks and indexes sources. It never fails: what is wrong is a
// finding.
func (k Checks) Parse(sources []Source) *Documents {
	d := &Documents{checks: k, meshes: make(map[meshID]*index)}
	for _, s := range sources {
		d.sources = append(d.sources, s.Name)
		d.source(s)
	}
	d.understand()
	return d
}

// understand makes resources of what was read and checks them.
func (d *Documents) understand() {
	d.readTemplates()
	d.kubernetes()
	d.readPrograms()
	d.readLookups()
	d.nameMeshes()
	d.ownMeshes()
	for _, res := range d.resources {
		c := checker{d, res}
		c.spec()
		res.readPorts()
	}
	d.settle()
	d.index()
	d.understood = len(d.findings)
	d.references()
	d.hide()
}

// source reads one source.
func (d *Documents) source(s Source) {
	if s.Err != nil {
		d.lost(s.Name, "cannot be read: "+reason(s.Err), "")
		return
	}
	if d.program(s) {
		return
	}
	data := bytes.TrimPrefix(s.Data, []byte("\xef\xbb\xbf"))
	if len(bytes.TrimSpace(data)) == 0 {
		d.lost(s.Name, "holds nothing: is it half written?", "a comment alone (# ...) says that it is meant to be empty")
		return
	}
	if len(data) > maxSourceBytes {
		d.broken(s.Name, data, &syntaxError{mesh.Position{File: s.Name}, fmt.Sprintf("larger than %d MiB", maxSourceBytes>>20)})
		return
	}
	values, err := readText(s.Name, data)
	if err != nil {
		if filled := readUnfilled(s.Name, data); filled != nil {
			values, err = filled, nil
		}
	}
	for _, v := range values {
		if v.kind != null { // "---" with nothing under it
			d.document(v)
		}
	}
	if err != nil {
		d.broken(s.Name, data, err)
	}
}

// readText reads the values of one text. What begins like JSON and is not is
// tried as YAML, which knows comments and values without quotes; if it is
// neither, the JSON reader's complaint is the better one, unless the first name
// has no quotes.
func readText(name string, data []byte) ([]*value, error) {
	first := bytes.TrimLeft(data, " \t\r\n")
	if len(first) == 0 || first[0] != '{' && first[0] != '[' {
		return readYAML(name, data)
	}
	values, err := readJSON(name, data)
	if err != nil {
		loose, yamlErr := readYAML(name, data)
		inner := bytes.TrimLeft(first, "{[ \t\r\n")
		if yamlErr == nil || len(inner) > 0 && inner[0] != '"' {
			return loose, yamlErr
		}
	}
	return values, err
}

// lost notes a source of which nobody knows what it should say.
func (d *Documents) lost(name, msg, hint string) {
	d.documents++
	d.unreadable = append(d.unreadable, name)
	d.add(finding{lost: true, Finding: mesh.Finding{Position: mesh.Position{File: name}, Severity: mesh.Error, Message: msg, Hint: hint}})
}

// reason is an error without the name of the file, which the finding has.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return err.Error()
}

// broken notes a source that cannot be read to its end.
func (d *Documents) broken(name string, data []byte, err error) {
	at, msg := mesh.Position{File: name}, err.Error()
	var syntax *syntaxError
	if errors.As(err, &syntax) {
		at, msg = syntax.at, syntax.msg
	}
	d.documents++
	d.unreadable = append(d.unreadable, name)
	d.add(finding{text: data, Finding: mesh.Finding{Position: at, Severity: mesh.Error, Message: "cannot be read: " + msg, Hint: templateHint(data)}})
}

// nameMeshes gives resources without meshName (the CLI takes it as an option
// too) the mesh of all others. Decision: only if there is exactly one.
func (d *Documents) nameMeshes() {
	named := make(map[string]bool)
	for _, res := range d.resources {
		if res.mesh != "" {
			named[res.mesh] = true
		}
	}
	names := slices.Sorted(maps.Keys(named))
	kept := d.resources[:0]
	for _, res := range d.resources {
		switch {
		case res.mesh != "":
		case len(names) == 1:
			res.mesh = names[0]
			d.add(finding{owner: res, Finding: mesh.Finding{Position: res.at, Severity: mesh.Warning, Resource: res.String(),
				Message: fmt.Sprintf("has no meshName: taken to be of mesh %q, the only one here", names[0]), Hint: `add "meshName"`}})
		default:
			hint := `add "meshName"`
			if len(names) > 1 {
				hint += ": one of " + strings.Join(names, ", ")
			}
			d.add(finding{about: res.spec, Finding: mesh.Finding{Position: res.at, Severity: mesh.Error, Resource: res.String(),
				Message: "has no meshName", Hint: hint}})
			continue
		}
		kept = append(kept, res)
	}
	d.resources = kept
}

// index sorts resources into their meshes.
func (d *Documents) index() {
	for _, res := range d.resources {
		ix := d.mesh(meshID{res.mesh, res.owner})
		switch res.kind {
		case routeKind:
			ix.routes[res.parent] = append(ix.routes[res.parent], res)
		case gatewayRouteKind:
			ix.gatewayRoutes[res.parent] = append(ix.gatewayRoutes[res.parent], res)
		}
		key := res.name
		if res.parent != "" {
			key = res.parent + "/" + res.name
		}
		ix.of[res.kind][key] = res
	}
}

func (d *Documents) mesh(id meshID) *index {
	ix := d.meshes[id]
	if ix == nil {
		ix = &index{id: id, routes: make(map[string][]*resource), gatewayRoutes: make(map[string][]*resource), twins: make(map[string]int), backings: make(map[*resource]*backing)}
		for i := range ix.of {
			ix.of[i] = make(map[string]*resource)
		}
		d.meshes[id] = ix
	}
	return ix
}

// find is the resource of a kind by name; nil where there is none.
func (ix *index) find(k kind, name string) *resource {
	if ix == nil {
		return nil
	}
	return ix.of[k][name]
}

// Check returns all findings about all resources, ordered by place.
func (d *Documents) Check() []mesh.Finding { return once(slices.Clone(d.findings)) }

// Resources is how many resources were read, one that is defined twice counted
// once.
func (d *Documents) Resources() int { return len(d.resources) }

// Documents is how many documents were read, those included that became no
// resource. It is what the closing line of `outrider validate` counts.
func (d *Documents) Documents() int { return d.documents }

// Sources are the names of what was read, in order.
func (d *Documents) Sources() []string { return slices.Clone(d.sources) }

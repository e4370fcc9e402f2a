package diff

import (
	"encoding/json"
	"io"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// WriteJSON tells the report to programs: one object.
func WriteJSON(w io.Writer, r *Report) error {
	out := jsonReport{
		Same: r.Same(), Compared: r.Compared, Changed: r.Changed(),
		Before: jsonSet{r.Before.Name, jsonFindings(r.Before.Findings)}, After: jsonSet{r.After.Name, jsonFindings(r.After.Findings)},
		Gone: names(r.Gone), New: names(r.New), Hidden: names(r.Hidden), Groups: make([]jsonGroup, len(r.Groups)),
	}
	for i, g := range r.Groups {
		out.Groups[i] = jsonGroup{names(g.Proxies), make([]jsonChange, len(g.Changes))}
		for j, c := range g.Changes {
			out.Groups[i].Changes[j] = jsonChange{c.Subject, c.Aspect, jsonOf(c.Before), jsonOf(c.After)}
		}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(out)
}

type jsonReport struct {
	Same     bool        `json:"same"`
	Compared int         `json:"compared"`
	Changed  int         `json:"changed"`
	Before   jsonSet     `json:"before"`
	After    jsonSet     `json:"after"`
	Gone     []string    `json:"gone"`
	New      []string    `json:"new"`
	Hidden   []string    `json:"hidden"`
	Groups   []jsonGroup `json:"groups"`
}

type jsonSet struct {
	Name   string        `json:"name"`
	Errors []jsonFinding `json:"errors"`
}

type jsonFinding struct {
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Resource string `json:"resource,omitempty"`
	Field    string `json:"field,omitempty"`
	Value    string `json:"value,omitempty"`
	Message  string `json:"message"`
	Hint     string `json:"hint,omitempty"`
}

type jsonGroup struct {
	Proxies []string     `json:"proxies"`
	Changes []jsonChange `json:"changes"`
}

// A jsonChange without a subject is of the proxy itself; without an aspect the
// subject comes or goes.
type jsonChange struct {
	Subject string     `json:"subject,omitempty"`
	Aspect  string     `json:"aspect,omitempty"`
	Before  *jsonValue `json:"before,omitempty"`
	After   *jsonValue `json:"after,omitempty"`
}

type jsonValue struct {
	Words string `json:"words"`
	At    string `json:"at"`
	More  int    `json:"morePlaces,omitempty"`
}

func jsonOf(v Value) *jsonValue {
	if v == (Value{}) {
		return nil
	}
	return &jsonValue{v.Words, v.At, v.More}
}

func jsonFindings(all []mesh.Finding) []jsonFinding {
	out := make([]jsonFinding, len(all))
	for i, f := range all {
		out[i] = jsonFinding{f.File, f.Line, f.Column, f.Resource, f.Field, f.Value, f.Message, f.Hint}
	}
	return out
}

func names(all []mesh.Resource) []string {
	out := make([]string, len(all))
	for i, res := range all {
		out[i] = res.String()
	}
	return out
}

package appmesh

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// WriteText writes findings for people, one or two lines each, and a closing
// line that counts them:
//
//	mesh/routes.yaml:41:17: error: route "user-route": weightedTargets[1].virtualNode "user-v2": no such virtual node in mesh "my-mesh"
//	    did you mean "user-service-v2" (mesh/nodes.yaml:12)?
//	2 errors, 1 warning in 14 documents
func WriteText(w io.Writer, fs []mesh.Finding, documents int) error {
	b := bufio.NewWriter(w)
	for i := range fs {
		writeFinding(b, &fs[i])
	}
	n := count(fs)
	fmt.Fprintf(b, "%s, %s", counted(n[mesh.Error], "error"), counted(n[mesh.Warning], "warning"))
	if n[mesh.NotYet] > 0 {
		fmt.Fprintf(b, ", %d not-yet", n[mesh.NotYet])
	}
	fmt.Fprintf(b, " in %s\n", counted(documents, "document"))
	return b.Flush()
}

func writeFinding(b *bufio.Writer, f *mesh.Finding) {
	if f.File != "" {
		b.WriteString(f.Position.String() + ": ")
	}
	b.WriteString(f.Severity.String() + ": ")
	if f.Resource != "" {
		b.WriteString(f.Resource + ": ")
	}
	if f.Field != "" {
		b.WriteString(f.Field)
		if f.Value != "" {
			b.WriteString(" " + strconv.Quote(f.Value))
		}
		b.WriteString(": ")
	}
	b.WriteString(f.Message + "\n")
	if f.Hint != "" {
		b.WriteString("    " + f.Hint + "\n")
	}
}

func count(fs []mesh.Finding) (n [3]int) {
	for i := range fs {
		n[fs[i].Severity]++
	}
	return n
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// WriteJSON writes findings for programs: one object with the counts and the
// list of findings.
func WriteJSON(w io.Writer, fs []mesh.Finding, documents int) error {
	n := count(fs)
	out := struct {
		Documents int           `json:"documents"`
		Errors    int           `json:"errors"`
		Warnings  int           `json:"warnings"`
		NotYet    int           `json:"notYet"`
		Findings  []jsonFinding `json:"findings"`
	}{documents, n[mesh.Error], n[mesh.Warning], n[mesh.NotYet], make([]jsonFinding, len(fs))}
	for i, f := range fs {
		out.Findings[i] = jsonFinding{f.File, f.Line, f.Column, f.Severity.String(), f.Resource, f.Field, f.Value, f.Message, f.Hint}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(out)
}

type jsonFinding struct {
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Severity string `json:"severity"`
	Resource string `json:"resource,omitempty"`
	Field    string `json:"field,omitempty"`
	Value    string `json:"value,omitempty"`
	Message  string `json:"message"`
	Hint     string `json:"hint,omitempty"`
}

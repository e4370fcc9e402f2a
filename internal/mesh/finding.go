package mesh

import "strconv"

// Position is a place in a document. Line and Column count from 1; 0 is unknown.
type Position struct {
	File         string
	Line, Column int
}

// String is "file:line:column" as editors understand it.
func (p Position) String() string {
	s := p.File
	if p.Line > 0 {
		s += ":" + strconv.Itoa(p.Line)
		if p.Column > 0 {
			s += ":" + strconv.Itoa(p.Column)
		}
	}
	return s
}

// Origin says where a value came from: a place in a document, or a default.
type Origin struct {
	Position
	// Note names the default, when no document gave the value.
	Note string
}

// At is the origin of a value that a document gave.
func At(p Position) Origin { return Origin{Position: p} }

// Default is the origin of a value that no document gave.
func Default(note string) Origin { return Origin{Note: note} }

// String is "file:line", or "default: ...".
func (o Origin) String() string {
	if o.File == "" {
		return "default: " + o.Note
	}
	return o.File + ":" + strconv.Itoa(o.Line)
}

// Finding is something the user should know about the documents.
type Finding struct {
	Position
	Severity Severity
	// Resource is where it was found, like `route "user-route"`.
	Resource string
	// Field is the path inside the resource, like "weightedTargets[1].virtualNode".
	Field string
	// Value is what stands there, where that helps; may be empty.
	Value string
	// Message says what is the matter.
	Message string
	// Hint says what to do, or what may have been meant; may be empty.
	Hint string
}

// Severity orders findings by consequence.
type Severity uint8

// The severities. Errors stop a start and a reload when they are within the
// resource's reach; the others stop neither.
const (
	Error Severity = iota
	Warning
	NotYet
)

// String is the word printed before the message.
func (s Severity) String() string {
	return [...]string{"error", "warning", "not-yet"}[s]
}

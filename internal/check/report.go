package check

import (
	"fmt"
	"regexp"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// Verdict says what becomes of one thing that a document says, or should say.
type Verdict struct {
	mesh.Position
	// Resource is the mesh's resource it is in; empty outside of the mesh.
	Resource string
	// Subject is what is judged: a variable, a property, a field's path.
	Subject string
	// Value is what stands there; empty where it must not be shown.
	Value    string
	Standing mesh.Standing
	Effect   mesh.Effect
	// Message says why, or how; empty for what is simply honoured.
	Message, Hint string
}

// Section is the verdicts about one thing.
type Section struct {
	// Task names the task definition; empty for what is of none.
	Task string
	// About is one word: task, variables, proxyConfiguration, containers, mesh,
	// documents.
	About string
	// Title says for people which it is.
	Title    string
	Verdicts []Verdict
}

func (s *Section) add(v Verdict) {
	v.Value = withoutPassword(v.Value)
	s.Verdicts = append(s.Verdicts, v)
}

// password is that of an address like https://user:password@host/path.
var password = regexp.MustCompile(`(^|//)([^/@:\s]*):[^/@\s]+@`)

func withoutPassword(s string) string { return password.ReplaceAllString(s, "$1$2:***@") }

// Report is everything that was found.
type Report struct {
	Sections []Section
	// LeftOut says what was not looked at, and what is missing for it.
	LeftOut []string
	// Unjudged is how many task definitions may have a proxy in a container that
	// could not be read.
	Unjudged int
}

// Counts are how many verdicts there are of each standing and effect.
type Counts struct {
	Standing [mesh.Wrong + 1]int
	Effect   [mesh.OnTraffic + 1]int
}

// Count counts all verdicts. Those of one cause count as one effect.
func (r *Report) Count() (n Counts) {
	causes := make(map[string]bool)
	for _, s := range r.Sections {
		for i := range s.Verdicts {
			v := &s.Verdicts[i]
			n.Standing[v.Standing]++
			if cause := v.cause(s); !causes[cause] {
				causes[cause] = true
				n.Effect[v.Effect]++
			}
		}
	}
	return n
}

// cause is equal for verdicts that have one cause: fields of a mesh that
// suffer from the same thing.
func (v *Verdict) cause(s Section) string {
	if v.Resource == "" || v.Message == "" {
		return fmt.Sprint(s.Task, "\x00", s.About, "\x00", v.Position, v.Resource, "\x00", v.Subject, "\x00", v.Message)
	}
	return fmt.Sprint(s.Title, "\x00", v.Standing, v.Effect, v.Message)
}

// Differs tells whether traffic would behave differently.
func (r *Report) Differs() bool { return r.Count().Effect[mesh.OnTraffic] > 0 }

// Fine tells whether everything could be judged, and traffic would behave the
// same.
func (r *Report) Fine() bool { return r.Unjudged == 0 && !r.Differs() }

// Conclusion is the last line.
func (r *Report) Conclusion() string {
	s := r.Count().conclusion()
	if r.Unjudged > 0 {
		s = counted(r.Unjudged, "task definition") + " could not be judged; of the rest, " + s
	}
	return s
}

func (n Counts) conclusion() string {
	s := "traffic would behave the same"
	places, open := n.Effect[mesh.OnTraffic], n.Effect[mesh.Perhaps]
	switch {
	case places > 0 && open > 0:
		s = fmt.Sprintf("traffic would behave differently in %s, and perhaps in %d more", counted(places, "place"), open)
	case places > 0:
		s = "traffic would behave differently in " + counted(places, "place")
	case open > 0:
		s += ", but perhaps in " + counted(open, "place")
	}
	if unseen := n.Effect[mesh.OnObservation]; unseen > 0 {
		s += fmt.Sprintf("; %s would not be seen", counted(unseen, "thing"))
	}
	return s
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

package diff

import (
	"fmt"
	"io"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/terminal"
)

// WriteText tells the report to people.
func WriteText(w io.Writer, getenv func(string) string, r *Report) error {
	t := teller{terminal.New(w, getenv)}
	t.errors(&r.Before)
	t.errors(&r.After)
	t.sum(r)
	t.alone(r.Gone, terminal.Bad("- "), "only "+r.Before.Name+" describes")
	t.alone(r.New, terminal.Good("+ "), "only "+r.After.Name+" describes")
	t.alone(r.Hidden, terminal.Doubt("? "), "errors hide what is told to")
	for i := range r.Groups {
		t.group(&r.Groups[i])
	}
	return t.paper.Flush()
}

type teller struct{ paper *terminal.Paper }

func (t teller) errors(s *Set) {
	if len(s.Findings) == 0 {
		return
	}
	t.paper.Line(0, terminal.Bad(count(len(s.Findings), "error")), terminal.Text(" in "+s.Name+": what it hides is not compared"))
	for _, f := range s.Findings {
		t.paper.Line(2, terminal.Text(finding(&f)))
		if f.Hint != "" {
			t.paper.Line(6, terminal.Dim(f.Hint))
		}
	}
	t.paper.Blank()
}

func finding(f *mesh.Finding) string {
	s := ""
	if f.File != "" {
		s = f.Position.String() + ": "
	}
	if f.Resource != "" {
		s += f.Resource + ": "
	}
	if f.Field != "" {
		if s += f.Field; f.Value != "" {
			s += fmt.Sprintf(" %q", f.Value)
		}
		s += ": "
	}
	return s + f.Message
}

func (t teller) sum(r *Report) {
	compared := " (" + plural(r.Compared) + " compared)"
	switch changed := r.Changed(); {
	case r.Same():
		t.paper.Line(0, terminal.Good("nothing changes for traffic"), terminal.Text(compared))
	case r.Compared == 0:
		t.paper.Line(0, terminal.Text("nothing is compared: no proxy is described by both sets without errors"))
	case changed == 0:
		t.paper.Line(0, terminal.Text("nothing changes for the proxies of both sets"+compared))
	default:
		t.paper.Line(0, terminal.Strong(fmt.Sprintf("traffic changes for %d of %s", changed, plural(r.Compared))))
	}
}

func plural(n int) string {
	if n == 1 {
		return "1 proxy"
	}
	return fmt.Sprintf("%d proxies", n)
}

// alone lists proxies that are not compared.
func (t teller) alone(all []mesh.Resource, mark terminal.Span, why string) {
	if len(all) == 0 {
		return
	}
	t.paper.Blank()
	t.paper.Line(0, mark, terminal.Text(why+" "), terminal.Strong(who(all)))
}

func (t teller) group(g *Group) {
	t.paper.Blank()
	t.paper.Line(0, terminal.Strong(who(g.Proxies)))
	for i := range g.Changes {
		t.change(&g.Changes[i])
	}
}

func (t teller) change(c *Change) {
	what := c.Subject
	switch {
	case what == "":
		what = c.Aspect
	case c.Aspect != "":
		what += ": " + c.Aspect
	}
	switch {
	case c.Before == Value{}:
		t.paper.Line(2, terminal.Good("+ "), terminal.Text(what))
		t.said(c.After)
	case c.After == Value{}:
		t.paper.Line(2, terminal.Bad("- "), terminal.Text(what))
		t.said(c.Before)
	default:
		t.paper.Line(2, terminal.Doubt("~ "), terminal.Text(what))
		t.value("before", c.Before)
		t.value("after", c.After)
	}
}

func (t teller) said(v Value) {
	t.paper.Line(6, terminal.Text(v.Words), terminal.Dim(" ("+v.place()+")"))
}

func (t teller) value(label string, v Value) {
	t.paper.Item(6, 8, terminal.Dim(label), terminal.Text(v.Words), terminal.Dim(" ("+v.place()+")"))
}

// named is how many proxies a line names.
const named = 6

// who names proxies: of each mesh and kind the first few, and how many more.
func who(all []mesh.Resource) string {
	var parts []string
	for from := 0; from < len(all); {
		to := from
		for to < len(all) && all[to].Mesh == all[from].Mesh && all[to].Owner == all[from].Owner && all[to].Kind == all[from].Kind {
			to++
		}
		parts = append(parts, some(all[from:to]))
		from = to
	}
	return strings.Join(parts, "; ")
}

func some(all []mesh.Resource) string {
	what := map[mesh.ResourceKind]string{mesh.VirtualNode: "virtual node", mesh.VirtualGateway: "virtual gateway"}[all[0].Kind]
	s := what
	if len(all) > 1 {
		s = count(len(all), what) + ":"
	}
	for i, res := range all {
		if i == named && len(all) > named+1 {
			s += fmt.Sprintf(" and %d more", len(all)-i)
			break
		}
		if i > 0 {
			s += ","
		}
		s += " " + res.Name
	}
	m := all[0].Mesh
	if all[0].Owner != "" {
		m += "@" + all[0].Owner
	}
	return s + " (mesh " + m + ")"
}

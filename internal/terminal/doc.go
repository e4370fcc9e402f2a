// Package terminal writes reports for people: lines wrapped at 80 columns with
// what continues them indented, and a little colour where it is shown on a
// terminal (never in a file, a pipe, or when NO_COLOR is set).
//
// It knows nothing of what is reported. A report is lines; a line is spans:
//
//	p := terminal.New(os.Stdout, os.Getenv)
//	p.Line(2, terminal.Bad("not yet  "), terminal.Text("tracing: this build does not"))
//	err := p.Flush()
package terminal

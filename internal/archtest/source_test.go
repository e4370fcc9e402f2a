package archtest

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"path"
	"slices"
	"strings"
)

func initFunctions(t *tree) (broken []string) {
	t.each(func(_ *pkg, f *file) {
		for _, decl := range f.ast.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				broken = append(broken, t.at(fn.Pos())+": has a func init")
			}
		}
	})
	return broken
}

func cgo(t *tree) (broken []string) {
	t.each(func(_ *pkg, f *file) {
		if pos, ok := f.imports()["C"]; ok {
			broken = append(broken, t.at(pos)+": imports C")
		}
	})
	return broken
}

// lateBinding looks at everything that can be linked into the sidecar; that
// its dependencies do not do it either is TestSidecarBinary's to see.
func lateBinding(t *tree) (broken []string) {
	t.each(func(p *pkg, f *file) {
		if f.isTest() || under(forTests, p.dir) {
			return
		}
		for _, template := range []string{"text/template", "html/template"} {
			if pos, ok := f.imports()[template]; ok {
				broken = append(broken, t.at(pos)+": imports "+template)
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "MethodByName" {
				broken = append(broken, t.at(sel.Pos())+": asks for a MethodByName")
			}
			return true
		})
	})
	return broken
}

// undocumented wants one doc comment for each package. A directory that holds
// only tests is documented in one of them.
func undocumented(t *tree) (broken []string) {
	for _, p := range t.packages {
		documented := slices.ContainsFunc(p.files, func(f *file) bool {
			inTest := f.isTest() && slices.ContainsFunc(p.files, func(g *file) bool { return !g.isTest() })
			return f.ast.Doc.Text() != "" && !inTest
		})
		if !documented {
			broken = append(broken, p.files[0].path+": package "+p.files[0].ast.Name.Name+" has no doc comment")
		}
	}
	return broken
}

func vagueNames(t *tree) (broken []string) {
	vague := []string{"util", "utils", "common", "types", "helper", "helpers", "manager"}
	t.each(func(p *pkg, f *file) {
		name := strings.TrimSuffix(f.ast.Name.Name, "_test")
		if slices.Contains(vague, name) || slices.Contains(vague, path.Base(p.dir)) {
			broken = append(broken, fmt.Sprintf("%s: package %s in %s: name what it does", f.path, name, p.dir))
		}
	})
	return broken
}

const (
	longest = 800
	long    = 500
)

func longFiles(t *tree) (broken []string) {
	t.each(func(_ *pkg, f *file) {
		lines := bytes.Count(f.source, []byte("\n"))
		excused := len(f.ast.Comments) > 0 && strings.Contains(strings.Join(strings.Fields(f.ast.Comments[0].Text()), " "), "is long because")
		switch {
		case lines > longest:
			broken = append(broken, fmt.Sprintf("%s: has %d lines, at most %d are allowed", f.path, lines, longest))
		case lines > long && !excused:
			broken = append(broken, fmt.Sprintf("%s: has %d lines and does not say why", f.path, lines))
		}
	})
	return broken
}

func unformatted(t *tree) (broken []string) {
	t.each(func(_ *pkg, f *file) {
		if want, err := format.Source(f.source); err != nil || !bytes.Equal(want, f.source) {
			broken = append(broken, f.path+": is not as gofmt would have it")
		}
	})
	return broken
}

// sleepsAllowed lists the files of tests that may wait by the wall clock, each
// with its reason.
var sleepsAllowed = map[string]string{
	"bench/load/run_test.go": "the load generator measures real time: the server it measures has to stall for real",
}

// sleeps finds time.Sleep, and time.After that is only waited for, in tests
// and in what is made for tests, but for what runs inside synctest's bubble.
func sleeps(t *tree) (broken []string) {
	t.each(func(p *pkg, f *file) {
		made := under([]string{"internal/testkit", "test"}, p.dir)
		if _, ok := sleepsAllowed[f.path]; ok || !f.isTest() && !made {
			return
		}
		var look func(n ast.Node) bool
		look = func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CommClause: // a case of a select may wait for the clock among others
				for _, stmt := range n.Body {
					ast.Inspect(stmt, look)
				}
				return false
			case *ast.CallExpr:
				if isCall(n, "synctest", "Test") {
					return false
				}
				if isCall(n, "time", "Sleep") {
					broken = append(broken, t.at(n.Pos())+": time.Sleep against the wall clock")
				}
			case *ast.ExprStmt:
				if wait, ok := n.X.(*ast.UnaryExpr); ok && isCall(wait.X, "time", "After") {
					broken = append(broken, t.at(n.Pos())+": waits for time.After against the wall clock")
				}
			}
			return true
		}
		ast.Inspect(f.ast, look)
	})
	return broken
}

func isCall(e ast.Expr, pkg, name string) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != name {
		return false
	}
	id, ok := sel.X.(*ast.Ident)
	return ok && id.Name == pkg
}

func withoutLeakCheck(t *tree) (broken []string) {
	for _, p := range t.packages {
		tested := ""
		checked := false
		for _, f := range p.files {
			if !f.isTest() {
				continue
			}
			tested = f.path
			_, imports := f.imports()["go.uber.org/goleak"]
			checked = checked || imports && bytes.Contains(f.source, []byte("goleak.VerifyTestMain("))
		}
		if tested != "" && !checked {
			broken = append(broken, tested+": the tests of "+p.dir+" do not check for leaked goroutines")
		}
	}
	return broken
}

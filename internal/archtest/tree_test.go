package archtest

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the path of go.mod.
const module = "github.com/outrider-mesh/outrider"

// tree is a module: its packages, by directory.
type tree struct {
	fset     *token.FileSet
	packages []*pkg
}

// pkg is one directory with Go files, whatever their build constraints.
type pkg struct {
	// dir is relative to the module's root, with slashes; "." is the root.
	dir   string
	files []*file
}

type file struct {
	// path is relative to the module's root.
	path   string
	source []byte
	ast    *ast.File
}

func (f *file) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

// imports lists what a file imports, with the place of each.
func (f *file) imports() map[string]token.Pos {
	all := map[string]token.Pos{}
	for _, spec := range f.ast.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			all[p] = spec.Pos()
		}
	}
	return all
}

// at gives "file:line" for messages.
func (t *tree) at(pos token.Pos) string {
	p := t.fset.Position(pos)
	return fmt.Sprintf("%s:%d", p.Filename, p.Line)
}

// each calls yield for every file of the tree.
func (t *tree) each(yield func(*pkg, *file)) {
	for _, p := range t.packages {
		for _, f := range p.files {
			yield(p, f)
		}
	}
}

// root finds the module's root above the test's directory.
func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test's directory")
		}
		dir = parent
	}
}

// readModule parses every Go file of the module, whatever its platform.
func readModule(t *testing.T) *tree {
	t.Helper()
	base := root(t)
	sources := map[string][]byte{}
	err := filepath.WalkDir(base, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // gone while we walked
			return nil
		}
		if err != nil {
			return err
		}
		if d.IsDir() && name != base && ignored(d.Name()) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		rel, err := filepath.Rel(base, name)
		if err != nil {
			return err
		}
		source, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		sources[filepath.ToSlash(rel)] = source
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, sources)
}

// ignored tells directories the go command does not look into.
func ignored(name string) bool {
	return name == "testdata" || name == "vendor" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
}

// parse makes a tree of files by path.
func parse(t *testing.T, sources map[string][]byte) *tree {
	t.Helper()
	tr := &tree{fset: token.NewFileSet()}
	byDir := map[string]*pkg{}
	paths := make([]string, 0, len(sources))
	for p := range sources {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	for _, p := range paths {
		parsed, err := parser.ParseFile(tr.fset, p, sources[p], parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Errorf("cannot be parsed: %v", err)
			continue
		}
		dir := path.Dir(p)
		if byDir[dir] == nil {
			byDir[dir] = &pkg{dir: dir}
			tr.packages = append(tr.packages, byDir[dir])
		}
		byDir[dir].files = append(byDir[dir].files, &file{path: p, source: sources[p], ast: parsed})
	}
	return tr
}

package docs

import (
	"flag"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/outrider-mesh/outrider/internal/testkit/built"
)

// top is the project's folder, seen from here.
const top = "../.."

// folder holds the program.
var folder string

var update = flag.Bool("update", false, "rewrite the generated parts of the documents")

func TestMain(m *testing.M) {
	program, end := built.Program()
	folder = filepath.Dir(program)
	goleak.VerifyTestMain(m, end)
}

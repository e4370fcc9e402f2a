package app

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestSchemaPrintsTheWholeOrOneKind(t *testing.T) {
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"schema"}, ExitFine, `"App Mesh documents as Outrider reads them"`},
		{[]string{"schema", "virtualNode"}, ExitFine, `"#/$defs/virtualNode"`},
		{[]string{"schema", "--help"}, ExitFine, "usage"},
		{[]string{"schema", "virtualnod"}, ExitUsage, `did you mean "virtualNode"?`},
		{[]string{"schema", "mesh", "route"}, ExitUsage, "usage"},
	} {
		code, stdout, stderr := outrider(t, tt.args...)
		if code != tt.code || !strings.Contains(stdout+stderr, tt.says) {
			t.Errorf("%v: exit code %d, want %d\n%s\n%s", tt.args, code, tt.code, stdout, stderr)
		}
		if strings.HasPrefix(stdout, "{") && !json.Valid([]byte(stdout)) {
			t.Errorf("%v: not JSON", tt.args)
		}
	}
}

package archtest

import (
	"fmt"
	"strings"
)

// door says which directories a dependency may come in by. Without one it is
// for tests and measurements only.
type door struct {
	dependency string
	by         []string
}

// doors lists every dependency outside the standard library.
var doors = []door{
	{"github.com/prometheus", []string{"internal/telemetry"}},
	{"go.opentelemetry.io", []string{"internal/telemetry"}},
	{"google.golang.org/grpc", []string{"internal/xds"}}, // today for tests and bench/ alone: see unlinked
	{"google.golang.org/protobuf", []string{"internal/xds"}},
	{"google.golang.org/genproto", []string{"internal/xds"}},
	{"github.com/envoyproxy/go-control-plane", []string{"internal/xds"}},
	{"github.com/cncf/xds", []string{"internal/xds"}},
	{"github.com/sony/gobreaker", []string{"resilience"}},
	{"golang.org/x/net/http2", []string{"proxy/l7/h2"}},
	{"golang.org/x/net/dns/dnsmessage", []string{"internal/discovery"}},
	{"golang.org/x/sys", []string{"internal/sock", "iptables"}},
	{"go.yaml.in/yaml", []string{"internal/appmesh", "internal/discovery"}}, // documents; the endpoints file
	{"github.com/fsnotify/fsnotify", []string{"internal/appmesh"}},
	{"github.com/coder/websocket", nil},
	{"github.com/HdrHistogram/hdrhistogram-go", nil},
	{"go.uber.org/goleak", nil},
}

func otherDoors(t *tree) (broken []string) {
	t.each(func(p *pkg, f *file) {
		if f.isTest() || under(forTests, p.dir) {
			return
		}
		for imported, pos := range f.imports() {
			if !isThirdParty(imported) {
				continue
			}
			d := doorOf(imported)
			switch {
			case d == nil:
				broken = append(broken, fmt.Sprintf("%s: %s imports %s, which has no door: decide by which one package it comes in and list it in doors_test.go", t.at(pos), p.dir, imported))
			case len(d.by) == 0:
				broken = append(broken, fmt.Sprintf("%s: %s imports %s, which is for tests and measurements only", t.at(pos), p.dir, imported))
			case !under(d.by, p.dir):
				broken = append(broken, fmt.Sprintf("%s: %s imports %s, whose door is %s", t.at(pos), p.dir, imported, strings.Join(d.by, " and ")))
			}
		}
	})
	return broken
}

// isThirdParty: neither ours nor of the standard library, whose paths have no
// dot in their first part.
func isThirdParty(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return strings.Contains(first, ".") && !holds(module, imported)
}

func doorOf(imported string) *door {
	for i := range doors {
		if holds(doors[i].dependency, imported) {
			return &doors[i]
		}
	}
	return nil
}

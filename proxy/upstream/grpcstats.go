package upstream

import (
	"bytes"
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/outrider-mesh/outrider/internal/stat"
)

// The counters of gRPC requests, of each method
// ("cluster.<name>.grpc.<service>.<method>."; Envoy: grpc_stats). There are none
// of the cluster beside them: a sum over all of them would count twice.
const (
	grpcSuccess = iota
	grpcFailure
	grpcTotal
)

var grpcLayout = stat.Layout{Counters: []string{
	grpcSuccess: "success", // grpc-status 0
	grpcFailure: "failure", // any other, or none
	grpcTotal:   "total",
}}

// grpcCells are the cells of one method.
type grpcCells struct{ *stat.Group }

// count counts a request that is over.
func (c *grpcCells) count(success bool) {
	outcome := grpcFailure
	if success {
		outcome = grpcSuccess
	}
	c.Counter(outcome).Inc()
	c.Counter(grpcTotal).Inc()
}

// grpcStats finds cells by path. The methods of a cluster come with their first
// requests, and who calls chooses the names: there are grpcMost of them at most,
// and those that come later, do not look like names, or look the same as others
// to Prometheus, are "other" together.
type grpcStats struct {
	set    *stat.Set
	prefix string

	mu    sync.Mutex
	known atomic.Pointer[map[string]*grpcCells] // replaced, never changed
	other *grpcCells
	flat  map[string]bool // the names known, flattened
}

const (
	grpcMost    = 256
	grpcLongest = 256 // a path
)

func (s *grpcStats) begin(set *stat.Set, cluster string) {
	s.set, s.prefix = set, "cluster."+cluster+".grpc."
}

// find gives the cells of a path. It takes no memory for one that it knows.
func (s *grpcStats) find(path []byte) *grpcCells {
	if known := s.known.Load(); known != nil {
		if c := (*known)[string(path)]; c != nil {
			return c
		}
	}
	return s.learn(path)
}

func (s *grpcStats) learn(path []byte) *grpcCells {
	service, method, ok := splitMethod(path)
	s.mu.Lock()
	defer s.mu.Unlock()
	var known map[string]*grpcCells
	if m := s.known.Load(); m != nil {
		known = *m
	}
	if c := known[string(path)]; c != nil {
		return c
	}
	if s.other == nil {
		s.other = s.cells("other.")
	}
	if !ok || len(known) >= grpcMost {
		return s.other
	}
	c := s.other
	if flat := flatten(path); !s.flat[flat] {
		if s.flat == nil {
			s.flat = make(map[string]bool)
		}
		s.flat[flat] = true
		c = s.cells(string(service) + "." + string(method) + ".")
	}
	next := make(map[string]*grpcCells, len(known)+1)
	maps.Copy(next, known)
	next[string(path)] = c
	s.known.Store(&next)
	return c
}

// flatten is a name as Prometheus prints it, which must not be another's.
func flatten(path []byte) string {
	return strings.NewReplacer(".", "_", "/", "_").Replace(string(path))
}

func (s *grpcStats) cells(name string) *grpcCells {
	return &grpcCells{s.set.Group(s.prefix+name, &grpcLayout)}
}

// splitMethod takes "/package.Service/Method" apart, and takes nothing else:
// neither part may hold what would not be itself in the name of a stat.
func splitMethod(path []byte) (service, method []byte, ok bool) {
	if len(path) > grpcLongest || len(path) == 0 || path[0] != '/' {
		return nil, nil, false
	}
	service, method, ok = bytes.Cut(path[1:], slash)
	if !ok || !named(method) {
		return nil, nil, false
	}
	for part := range bytes.SplitSeq(service, dot) {
		if !named(part) {
			return nil, nil, false
		}
	}
	return service, method, true
}

var slash, dot = []byte("/"), []byte(".")

// named tells an identifier of protobuf.
func named(b []byte) bool {
	for i, c := range b {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return len(b) > 0
}

package upstream

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/outrider-mesh/outrider/internal/stat"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

func TestGRPCTimeoutsAreRead(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"1H": time.Hour, "2M": 2 * time.Minute, "3S": 3 * time.Second, "4m": 4 * time.Millisecond,
		"1u": time.Microsecond, "1001u": 1001 * time.Microsecond, "1n": 1, "1000000n": time.Millisecond,
		"99999999n": 99_999_999, "0m": 0, "99999999H": 1<<62 - 1,
		"": 0, "H": 0, "1": 0, "1h": 0, "-1S": 0, "1.5S": 0, " 1S": 0, "1S ": 0, "123456789S": 0,
	} {
		if got := parseGRPCTimeout([]byte(value)); got != want {
			t.Errorf("%q is %v, want %v", value, got, want)
		}
	}
}

func TestGRPCRequestsAreTold(t *testing.T) {
	for value, want := range map[string]bool{
		"application/grpc": true, "application/grpc+proto": true, "application/grpc+": true,
		"application/grpc-web": false, "application/grp": false, "text/plain": false, "application/grpcx": false,
	} {
		req := &l7.Request{Method: []byte("POST")}
		req.Header.Add(l7.NameContentType, []byte("content-type"), []byte(value))
		if isGRPC(req) != want {
			t.Errorf("%q: %v", value, !want)
		}
		req.Method = []byte("GET")
		if isGRPC(req) {
			t.Errorf("a GET of %q", value)
		}
	}
}

func TestMethodsAreNamedByTheirPath(t *testing.T) {
	for path, want := range map[string]string{
		"/pkg.Service/Method": "pkg.Service Method", "/S/M": "S M", "/a.b_c.D1/e_2": "a.b_c.D1 e_2",
		"": "", "/": "", "/S": "", "/S/": "", "//M": "", "S/M": "", "/S/M/": "", "/S/M?x": "", "/S/M.N": "",
		"/.S/M": "", "/S./M": "", "/a..b/M": "", "/1S/M": "", "/S/a b": "", "/S/\xc3\xa9": "", "/S:T/M": "",
		"/" + strings.Repeat("s", 300) + "/M": "",
	} {
		service, method, ok := splitMethod([]byte(path))
		if got := strings.TrimSpace(string(service) + " " + string(method)); ok != (want != "") || got != want {
			t.Errorf("%q: %q, %v", path, got, ok)
		}
	}
}

func FuzzMethod(f *testing.F) {
	f.Add("/pkg.Service/Method")
	f.Add("/S/M?x=1")
	f.Fuzz(func(t *testing.T, path string) {
		service, method, ok := splitMethod([]byte(path))
		if ok && "/"+string(service)+"/"+string(method) != path {
			t.Errorf("%q came apart as %q and %q", path, service, method)
		}
	})
}

func TestMethodsThatPrometheusTakesForOneAreNotTwo(t *testing.T) {
	var set stat.Set
	var s grpcStats
	s.begin(&set, "c")
	first := s.find([]byte("/a.b/c"))
	if got := s.find([]byte("/a_b/c")); got != s.other || s.find([]byte("/a_b/c")) != got || s.find([]byte("/a.b/c")) != first {
		t.Error("/a_b/c has cells of its own beside /a.b/c")
	}
}

func TestTheNamesOfMethodsAreBounded(t *testing.T) {
	var set stat.Set
	var s grpcStats
	s.begin(&set, "c")
	for i := range 2 * grpcMost {
		s.find(fmt.Appendf(nil, "/s.S/M%d", i)).count(true)
	}
	s.find([]byte("/no method")).count(false)
	// Each method, and "other".
	if n := len(set.Groups()); n != grpcMost+1 {
		t.Errorf("%d groups", n)
	}
	other := set.Group("cluster.c.grpc.other.", &grpcLayout)
	if n := other.Counter(grpcTotal).Value(); n != grpcMost+1 {
		t.Errorf("other counts %d", n)
	}
	path := []byte("/s.S/M0")
	if n := testing.AllocsPerRun(100, func() { s.find(path).count(true) }); n > 0 {
		t.Errorf("%v allocations to count a known method", n)
	}
}

package route

import (
	"bytes"
	"strings"
	"testing"
)

func TestNormalizePath(t *testing.T) {
	for _, tt := range []struct{ says, target, want string }{
		{"the root stays", "/", "/"},
		{"a plain path stays", "/api/users/42", "/api/users/42"},
		{"case stays", "/A/B", "/A/B"},
		{"a trailing slash stays", "/a/", "/a/"},
		{"sub-delimiters, colon, at and brackets stay", "/a!$&'()*+,;=:@[b]", "/a!$&'()*+,;=:@[b]"},
		{"names that begin with dots stay", "/.well-known/..a/...", "/.well-known/..a/..."},
		{"names that end with dots stay", "/a./b../c", "/a./b../c"},

		{"a dot segment goes", "/a/./b", "/a/b"},
		{"a dot segment at the end leaves its slash", "/a/.", "/a/"},
		{"a dot-dot segment takes the one before it along", "/a/b/../c", "/a/c"},
		{"a dot-dot segment at the end leaves a slash", "/a/b/..", "/a/"},
		{"a dot-dot segment does not pass the root", "/a/../../b", "/b"},
		{"many dot-dot segments do not pass the root", "/../../..", "/"},
		{"dot segments in a row", "/a/././../b/./c/..", "/b/"},
		{"encoded dots are dots", "/a/%2e/b/%2E%2e/c", "/a/c"},
		{"half encoded dots are dots", "/a/b/.%2e/c/%2E./d", "/a/d"},
		{"three dots are a name, however spelled", "/a/.%2e%2E", "/a/..."},
		{"a dot segment with a parameter is a name", "/a/..;x/b", "/a/..;x/b"},
		{"a dot segment before the query", "/a/..?x=/../y", "/?x=/../y"},

		{"slashes merge", "//a///b//", "/a/b/"},
		{"nothing but slashes is the root", "////", "/"},
		{"dot-dot takes out an empty segment before slashes merge", "/a//../b", "/a/b"},
		{"a backslash is a slash", `/a\b\..\c`, "/a/c"},
		{"a backslash at the end is a slash", `/a\`, "/a/"},

		{"an escaped slash stays as it is", "/a%2fb%2F%5c%5C", "/a%2fb%2F%5c%5C"},
		{"dots behind an escaped slash are a name", "/a%2f../b", "/a%2f../b"},
		{"unreserved characters are decoded", "/%61%5A%30%2d%2E%5f%7E", "/aZ0-._~"},
		{"reserved characters stay encoded", "/%3f%23%26%3D%25%20%22", "/%3f%23%26%3D%25%20%22"},
		{"bytes above ASCII stay encoded, in their case", "/%c3%A4", "/%c3%A4"},
		{"a bare percent stays", "/100%/a%zz%4", "/100%/a%zz%4"},
		{"nothing is decoded twice", "/%2541%252e", "/%2541%252e"},
		{"nothing is decoded that would complete an escape", "/%%34%31", "/%%341"},
		{"nor its second digit", "/%4%31", "/%4%31"},
		{"a letter that is no digit is decoded beside a bare percent", "/%%7a1", "/%z1"},
		{"controls, space and non-ASCII are escaped", "/a b\x01\x7fä\xff", "/a%20b%01%7F%C3%A4%FF"},
		{"what no path may hold is escaped", "/\"<>^`{|}", "/%22%3C%3E%5E%60%7B%7C%7D"},

		{"the query stays untouched", `/a/../b?x=/../%41//\"{ä`, `/b?x=/../%41//\"{ä`},
		{"a second question mark is query", "/a?b?c//", "/a?b?c//"},
		{"an empty query stays", "//?", "/?"},
		{"an asterisk has no path", "*", "*"},
		{"an empty target has no path", "", ""},
		{"a target without a slash has no path", "a/../b", "a/../b"},
	} {
		t.Run(tt.says, func(t *testing.T) {
			target := []byte(tt.target)
			out, ok := NormalizePath(nil, target)
			if !ok || string(out) != tt.want {
				t.Fatalf("NormalizePath(%q) = %q, %v; want %q", tt.target, out, ok, tt.want)
			}
			if string(target) != tt.target {
				t.Errorf("the target became %q", target)
			}
			if len(target) > 0 && tt.want == tt.target && &out[0] != &target[0] {
				t.Errorf("NormalizePath(%q) copied although nothing changed", tt.target)
			}
		})
	}
}

func TestNormalizePathRefuses(t *testing.T) {
	for _, target := range []string{"/a#b", "/a?b#c", "//a#b", "/#", "*#", "#", "/a/%00", "/a\x00b", "/xyz/.%00../abc", "/a%%0000/b", "/b/../%00/.."} {
		if out, ok := NormalizePath(nil, []byte(target)); ok {
			t.Errorf("NormalizePath(%q) = %q, want a refusal", target, out)
		}
	}
	if _, ok := NormalizePath(nil, []byte("/a?%00")); !ok {
		t.Error("%00 in the query was refused; only the path is looked at")
	}
}

func TestNormalizePathWritesIntoDst(t *testing.T) {
	dst := append(make([]byte, 0, 64), "old"...)
	out, ok := NormalizePath(dst, []byte("/a//b"))
	if !ok || string(out) != "/a/b" || &out[0] != &dst[0] {
		t.Errorf("NormalizePath = %q, %v; want /a/b at the beginning of dst", out, ok)
	}
}

func TestNormalizePathDoesNotAllocate(t *testing.T) {
	dst := make([]byte, 0, 256)
	for _, target := range []string{"/api/users/42?x=1", "/a//b/../%41?x=1", "/a%2fb"} {
		in := []byte(target)
		if n := testing.AllocsPerRun(100, func() { NormalizePath(dst, in) }); n != 0 {
			t.Errorf("NormalizePath(%q) allocates %v times, want 0", target, n)
		}
	}
}

func FuzzNormalizePath(f *testing.F) {
	for _, s := range []string{"/", "/a/../b", "//a/./%2e%2e/", "/%%341", "/%4%31%32", `/a\..\b?x=\`, "/%00", "/#", "/ä ?//", "*", "/%/../41", "/.%2E/..;/%2f", "/a%?41"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, target []byte) {
		before := bytes.Clone(target)
		out, ok := NormalizePath(nil, target)
		if !bytes.Equal(before, target) {
			t.Fatalf("%q: the target became %q", before, target)
		}
		if !ok {
			return
		}
		if bytes.IndexByte(out, '#') >= 0 {
			t.Fatalf("%q -> %q: holds a fragment", target, out)
		}
		if len(target) == 0 || target[0] != '/' {
			if !bytes.Equal(out, target) {
				t.Fatalf("%q -> %q: not a path, must stay", target, out)
			}
			return
		}
		checkCanonical(t, target, out)
		again, ok := NormalizePath(nil, out)
		if !ok || !bytes.Equal(again, out) {
			t.Fatalf("%q -> %q -> %q, %v: not idempotent", target, out, again, ok)
		}
		if &again[0] != &out[0] {
			t.Fatalf("%q -> %q: canonical, but copied", target, out)
		}
		if slow, ok := normalize(nil, target); !ok || !bytes.Equal(slow, out) {
			t.Fatalf("%q: the short way gives %q, the long one %q, %v", target, out, slow, ok)
		}
	})
}

func checkCanonical(t *testing.T, target, out []byte) {
	t.Helper()
	_, wantQuery, hadQuery := strings.Cut(string(target), "?")
	path, query, hasQuery := strings.Cut(string(out), "?")
	if query != wantQuery || hasQuery != hadQuery {
		t.Fatalf("%q -> %q: the query changed", target, out)
	}
	if len(out) > 3*len(target) {
		t.Fatalf("%q -> %q: more than three times as long", target, out)
	}
	if path == "" || path[0] != '/' || strings.Contains(path, "//") {
		t.Fatalf("%q -> %q: escapes the root or holds an empty segment", target, out)
	}
	for _, segment := range strings.Split(path, "/") {
		if decoded := strings.NewReplacer("%2e", ".", "%2E", ".").Replace(segment); decoded == "." || decoded == ".." {
			t.Fatalf("%q -> %q: holds a dot segment", target, out)
		}
	}
	for i := range len(path) {
		if c := path[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"#<>\\^`{|}", c) >= 0 {
			t.Fatalf("%q -> %q: holds the byte %q", target, out, c)
		}
	}
}

func BenchmarkNormalizePathUnchanged(b *testing.B) {
	target := []byte("/api/users/42/orders/last?limit=10")
	b.ReportAllocs()
	for b.Loop() {
		NormalizePath(nil, target)
	}
}

func BenchmarkNormalizePathChanged(b *testing.B) {
	target, dst := []byte("/api//users/%34%32/../orders/last?limit=10"), make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		NormalizePath(dst, target)
	}
}

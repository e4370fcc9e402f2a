package route

import (
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// hosts makes a virtual host of each domain, with one route of its name.
func hosts(domains ...string) (all []mesh.VirtualHost) {
	for _, d := range domains {
		all = append(all, mesh.VirtualHost{Name: d, Domains: []string{d}, Routes: []mesh.Route{{Name: d}}})
	}
	return all
}

// took is the name of the route that takes a request for an authority.
func took(t *testing.T, table *Table[string], authority string) string {
	t.Helper()
	r, ok := table.Match(&l7.Request{Authority: []byte(authority), Target: []byte("/")})
	if !ok {
		return ""
	}
	return r.Spec.Name
}

func TestANameCountsBeforeASuffixAndALongSuffixBeforeAShortOne(t *testing.T) {
	listener := &mesh.Listener{VirtualHosts: hosts("*.com", "*.Example.com", "*-bar.example.com", "api.example.com", "*e.org", "*.a.b")}
	strict, err := Compile(listener, clusterName)
	if err != nil {
		t.Fatal(err)
	}
	listener.VirtualHosts = append(listener.VirtualHosts, hosts("*")...)
	open, err := Compile(listener, clusterName)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ says, authority, want string }{
		{"a name", "api.example.com", "api.example.com"},
		{"a name in capitals", "API.example.COM", "api.example.com"},
		{"the longest suffix that fits", "foo-bar.example.com", "*-bar.example.com"},
		{"a shorter one", "www.example.com", "*.Example.com"},
		{"a suffix in capitals", "WWW.Example.Com", "*.Example.com"},
		{"any depth", "a.b.c.example.com", "*.Example.com"},
		{"the shortest", "example.com", "*.com"},
		{"the star stands for one byte at least", ".com", ""},
		{"not for nothing", "-bar.example.com", "*.Example.com"},
		{"one byte is enough", "we.org", "*e.org"},
		{"a suffix without a dot", "e.org", ""},
		{"a name no suffix fits", "example.net", ""},
		{"a port counts", "www.example.com:80", ""},
		{"shorter than every suffix", "b", ""},
		{"nothing", "", ""},
	} {
		t.Run(tt.says, func(t *testing.T) {
			if got := took(t, strict, tt.authority); got != tt.want {
				t.Errorf("%q took %q, want %q", tt.authority, got, tt.want)
			}
			if tt.want == "" {
				tt.want = "*"
			}
			if got := took(t, open, tt.authority); got != tt.want {
				t.Errorf("%q took %q where there is a \"*\", want %q", tt.authority, got, tt.want)
			}
		})
	}
}

func TestAPortDoesNotCountWhereTheListenerSaysSo(t *testing.T) {
	table, err := Compile(&mesh.Listener{AnyPort: true,
		VirtualHosts: hosts("api.example.com", "*.example.com", "[2001:db8::1]", "192.0.2.1")}, clusterName)
	if err != nil {
		t.Fatal(err)
	}
	for authority, want := range map[string]string{
		"api.example.com":       "api.example.com",
		"api.example.com:443":   "api.example.com",
		"API.Example.com:08080": "api.example.com",
		"api.example.com:":      "api.example.com",
		"www.example.com:80":    "*.example.com",
		"[2001:db8::1]":         "[2001:db8::1]",
		"[2001:DB8::1]:80":      "[2001:db8::1]",
		"192.0.2.1:80":          "192.0.2.1",
		"api.example.com:80x":   "",
		"api.example.com:80:80": "",
		":80":                   "",
		":":                     "",
	} {
		if got := took(t, table, authority); got != want {
			t.Errorf("%q took %q, want %q", authority, got, want)
		}
	}
}

func TestSuffixesDoNotAllocate(t *testing.T) {
	table, err := Compile(&mesh.Listener{AnyPort: true, VirtualHosts: hosts("*.com", "*.example.com", "*.longer.example.com")}, clusterName)
	if err != nil {
		t.Fatal(err)
	}
	req := &l7.Request{Authority: []byte("WWW.example.com:8080"), Target: []byte("/")}
	if n := testing.AllocsPerRun(100, func() { table.Match(req) }); n != 0 && !raceEnabled {
		t.Errorf("Match allocates %v times, want 0", n)
	}
}

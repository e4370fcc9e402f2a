package filter

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/outrider-mesh/outrider/proxy/l7"
)

// from is an exchange whose peer is 192.0.2.5, with the given request fields.
func from(fields ...string) *l7.Exchange {
	ex := &l7.Exchange{Downstream: netip.MustParseAddrPort("192.0.2.5:4711")}
	ex.Reset()
	for _, field := range fields {
		name, v, _ := strings.Cut(field, ": ")
		ex.Request.Header.Add(l7.ClassifyName([]byte(name)), []byte(name), []byte(v))
	}
	return ex
}

// The first three are Envoy's documented vectors (Envoy 14.5).
func TestTheClientIsFoundAndThePeerAppended(t *testing.T) {
	edge, one, two := Forwarded{Append: true}, Forwarded{Append: true, Proxies: 1}, Forwarded{Append: true, Proxies: 2}
	const chain = "x-forwarded-for: 203.0.113.128, 203.0.113.10, 203.0.113.1"
	for _, tt := range []struct {
		says         string
		forwarded    Forwarded
		fields       []string
		want, client string
	}{
		{"the edge believes nobody", edge, []string{chain}, "203.0.113.128, 203.0.113.10, 203.0.113.1,192.0.2.5", "192.0.2.5:4711"},
		{"two proxies", two, []string{chain}, "203.0.113.128, 203.0.113.10, 203.0.113.1,192.0.2.5", "203.0.113.10:0"},
		{"off", Forwarded{}, []string{chain}, "203.0.113.128, 203.0.113.10, 203.0.113.1", "192.0.2.5:4711"},
		{"off, without one", Forwarded{}, nil, "", "192.0.2.5:4711"},
		{"the edge, without one", edge, nil, "192.0.2.5", "192.0.2.5:4711"},
		{"the edge, an empty one", edge, []string{"X-Forwarded-For: "}, "192.0.2.5", "192.0.2.5:4711"},
		{"one proxy", one, []string{"X-Forwarded-For: 198.51.100.7"}, "198.51.100.7,192.0.2.5", "198.51.100.7:0"},
		{"one proxy that forgot", one, nil, "192.0.2.5", "192.0.2.5:4711"},
		{"two proxies and one address", two, []string{"x-forwarded-for: 198.51.100.7"}, "198.51.100.7,192.0.2.5", "192.0.2.5:4711"},
		{"several fields", two, []string{"x-forwarded-for: 203.0.113.9", "x-forwarded-for: 198.51.100.7"}, "203.0.113.9,198.51.100.7,192.0.2.5", "203.0.113.9:0"},
		{"IPv6", one, []string{"x-forwarded-for: 2001:db8::7"}, "2001:db8::7,192.0.2.5", "[2001:db8::7]:0"},
		{"IPv4 in IPv6", one, []string{"x-forwarded-for: ::ffff:198.51.100.7"}, "::ffff:198.51.100.7,192.0.2.5", "198.51.100.7:0"},
		{"a port", one, []string{"x-forwarded-for: 198.51.100.7:4242"}, "198.51.100.7:4242,192.0.2.5", "198.51.100.7:0"},
		{"IPv6 with a port", one, []string{"x-forwarded-for: [2001:db8::7]:4242"}, "[2001:db8::7]:4242,192.0.2.5", "[2001:db8::7]:0"},
		{"no address", one, []string{"x-forwarded-for: unknown"}, "unknown,192.0.2.5", "192.0.2.5:4711"},
		{"a zone", one, []string{"x-forwarded-for: fe80::1%eth0"}, "fe80::1%eth0,192.0.2.5", "192.0.2.5:4711"},
		{"a comma and nothing", one, []string{"x-forwarded-for: 198.51.100.7,"}, "198.51.100.7,,192.0.2.5", "192.0.2.5:4711"},
	} {
		t.Run(tt.says, func(t *testing.T) {
			ex := from(tt.fields...)
			if err := HTTP(ok, time.Now, tt.forwarded)(ex); err != nil {
				t.Fatal(err)
			}
			if got := value(&ex.Request.Header, "x-forwarded-for"); got != tt.want {
				t.Errorf("x-forwarded-for %q, want %q", got, tt.want)
			}
			if got := ex.Downstream.String(); got != tt.client {
				t.Errorf("the client is %s, want %s", got, tt.client)
			}
			external := ""
			if tt.forwarded.Append {
				external = ex.Downstream.Addr().String()
			}
			if got := value(&ex.Request.Header, "x-envoy-external-address"); got != external {
				t.Errorf("x-envoy-external-address %q, want %q", got, external)
			}
		})
	}
}

func TestForwardedProtoIsWhoseWordItMayBe(t *testing.T) {
	for _, tt := range []struct {
		says      string
		forwarded Forwarded
		scheme    string
		fields    []string
		want      string
	}{
		{"off believes", Forwarded{}, "", []string{"x-forwarded-proto: https"}, "https"},
		{"the edge does not", Forwarded{Append: true}, "", []string{"x-forwarded-proto: https", "x-forwarded-proto: https"}, "http"},
		{"nor an HTTP/2 client", Forwarded{Append: true}, "https", nil, "http"},
		{"an ALB is believed", Forwarded{Append: true, Proxies: 1}, "", []string{"x-forwarded-proto: https"}, "https"},
		{"and need not say anything", Forwarded{Append: true, Proxies: 1}, "", nil, "http"},
	} {
		ex := from(tt.fields...)
		if tt.scheme != "" {
			ex.Request.Scheme = []byte(tt.scheme)
		}
		HTTP(ok, time.Now, tt.forwarded)(ex)
		if got := value(&ex.Request.Header, "x-forwarded-proto"); got != tt.want || string(ex.Request.Scheme) != tt.want {
			t.Errorf("%s: x-forwarded-proto %q, scheme %q, want %q", tt.says, got, ex.Request.Scheme, tt.want)
		}
	}
}

func TestStrangersControlNothingWhateverTheSetting(t *testing.T) {
	for _, f := range []Forwarded{{}, {Append: true}, {Append: true, Proxies: 1}} {
		ex := from("x-envoy-max-retries: 9", "x-envoy-upstream-rq-timeout-ms: 1", "x-forwarded-for: 10.0.0.1", "x-envoy-internal: true",
			"x-envoy-original-path: /a", "x-envoy-external-address: 10.0.0.1", "x-request-id: mine")
		HTTP(ok, time.Now, f)(ex)
		for _, name := range []string{"x-envoy-max-retries", "x-envoy-upstream-rq-timeout-ms", "x-envoy-internal"} {
			if got := value(&ex.Request.Header, name); got != "" {
				t.Errorf("%+v: %s %q", f, name, got)
			}
		}
		if got := value(&ex.Request.Header, "x-envoy-original-path"); f.Append != (got == "") {
			t.Errorf("%+v: x-envoy-original-path %q", f, got)
		}
		if got := value(&ex.Request.Header, "x-request-id"); got != "mine" {
			t.Errorf("%+v: x-request-id %q", f, got)
		}
	}
}

func TestNoVirtualServiceFromOutsideAndNoneToIt(t *testing.T) {
	router := func(ex *l7.Exchange) error {
		if got := value(&ex.Request.Header, "x-app-mesh-virtual-service"); got != "" {
			t.Errorf("the router sees %q", got)
		}
		ok(ex)
		ex.Response.Header.Add(l7.NameXAppMeshVirtualService, []byte("X-App-Mesh-Virtual-Service"), []byte("svc"))
		return nil
	}
	ex := from("X-App-Mesh-Virtual-Service: evil", "x-app-mesh-virtual-service: evil")
	Gateway(router, time.Now, Forwarded{})(ex)
	if got := value(&ex.Response.Header, "x-app-mesh-virtual-service"); got != "" {
		t.Errorf("the client sees %q", got)
	}
}

func TestForwardedForAllocatesNothing(t *testing.T) {
	for _, f := range []Forwarded{{Append: true}, {Append: true, Proxies: 2}} {
		h := Gateway(ok, func() time.Time { return noon }, f)
		ex := &l7.Exchange{Downstream: netip.MustParseAddrPort("192.0.2.5:4711")}
		name, v := []byte("x-forwarded-for"), []byte("2001:db8::7, 198.51.100.7")
		if n := testing.AllocsPerRun(200, func() {
			ex.Reset()
			ex.Request.Header.Add(l7.NameXForwardedFor, name, v)
			h(ex)
		}); n > 0 {
			t.Errorf("%+v: %v allocations per exchange", f, n)
		}
	}
}

func FuzzForwardedFor(f *testing.F) {
	for _, s := range []string{"", ",", "10.0.0.1", "::1, [::1]:1,1.2.3.4:5", " , ,", "fe80::1%a", "1.2.3.4,5"} {
		f.Add(s, s, 1)
		f.Add(s, "10.0.0.1", 3)
	}
	f.Fuzz(func(t *testing.T, first, second string, proxies int) {
		if proxies < 0 || proxies > 16 {
			return
		}
		ex := from("x-forwarded-for: "+first, "x-forwarded-for: "+second)
		HTTP(ok, time.Now, Forwarded{Append: true, Proxies: proxies})(ex)
		if got := value(&ex.Request.Header, "x-forwarded-for"); !strings.HasSuffix(got, "192.0.2.5") || !strings.HasPrefix(got, first) {
			t.Errorf("%q, %q: got %q", first, second, got)
		}
		if !ex.Downstream.Addr().IsValid() || ex.Downstream.Addr().Zone() != "" {
			t.Errorf("%q, %q: the client is %v", first, second, ex.Downstream)
		}
	})
}

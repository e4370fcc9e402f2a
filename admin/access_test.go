package admin

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
)

func from(peer string) func(*http.Request) {
	return func(r *http.Request) { r.RemoteAddr = peer }
}

func host(name string) func(*http.Request) {
	return func(r *http.Request) { r.Host = name }
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func arrivedAt(local string) func(*http.Request) {
	return func(r *http.Request) {
		a, _ := net.ResolveTCPAddr("tcp", local)
		*r = *r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(a)))
	}
}

func TestPeersFromElsewhereGetStatsAlone(t *testing.T) {
	s, _ := newTest()
	for target, want := range map[string]int{
		"GET /ready":                   200,
		"GET /server_info":             200,
		"GET /stats":                   200,
		"GET /stats?format=json":       200,
		"GET /stats/prometheus":        200,
		"GET /":                        403,
		"GET /help":                    403,
		"GET /clusters":                403,
		"GET /config_dump":             403,
		"GET /nothing":                 403,
		"GET /statsx":                  403,
		"POST /quitquitquit":           403,
		"POST /logging?level=trace":    403,
		"POST /outrider/gc":            403,
		"POST /ready/../quitquitquit":  403,
		"POST /stats/../quitquitquit":  404, // a path of its own: nothing is cleaned
		"POST /stats%2f../config_dump": 404,
	} {
		method, path, _ := strings.Cut(target, " ")
		for _, peer := range []string{"10.0.0.9:4000", "[fd00::9]:4000", "[::ffff:10.0.0.9]:4000"} {
			w := ask(s, method, path, from(peer), host("10.0.0.1:9901"))
			if w.Code != want {
				t.Errorf("%s from %s: %d, want %d", target, peer, w.Code, want)
			}
		}
	}
	if got := ask(s, "GET", "/config_dump?resource=x", from("10.0.0.9:4000")).Body.String(); got != "request to path /config_dump?resource=x not allowed" {
		t.Error(got)
	}
}

func TestLoopbackAndUnixPeersGetAll(t *testing.T) {
	s, _ := newTest()
	for _, peer := range []string{"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "@", "", "/tmp/client.sock"} {
		if w := ask(s, "GET", "/clusters", from(peer)); w.Code != 200 {
			t.Errorf("%q: %d", peer, w.Code)
		}
	}
	if w := ask(s, "GET", "/clusters", from("garbage")); w.Code != 403 {
		t.Errorf("an address that cannot be read: %d", w.Code)
	}
}

func TestOneSettingWidensWhatPeersFromElsewhereGet(t *testing.T) {
	s, f := newTest()
	s.cfg.Remote = RemoteAll
	if w := ask(s, "GET", "/config_dump", from("10.0.0.9:4000")); w.Code != 200 {
		t.Errorf("%d", w.Code)
	}
	w := ask(s, "POST", "/quitquitquit", from("10.0.0.9:4000"), host("10.0.0.1:9901"), arrivedAt("10.0.0.1:9901"))
	if w.Code != 200 || len(f.done) != 1 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w = ask(s, "POST", "/quitquitquit", from("10.0.0.9:4000"), host("evil.example"), arrivedAt("10.0.0.1:9901"))
	if w.Code != 403 || len(f.done) != 1 {
		t.Errorf("rebound: %d", w.Code)
	}
}

func TestChangesAreRefusedWhenABrowserWasLedHere(t *testing.T) {
	type change = func(*http.Request)
	for name, test := range map[string]struct {
		changes []change
		want    int
	}{
		"curl on localhost":                 {nil, 200},
		"curl on 127.0.0.1":                 {[]change{host("127.0.0.1:9901")}, 200},
		"curl on [::1]":                     {[]change{host("[::1]:9901")}, 200},
		"localhost in capitals":             {[]change{host("LOCALHOST:9901")}, 200},
		"no port":                           {[]change{host("localhost")}, 200},
		"no port, v6":                       {[]change{host("[::1]")}, 200},
		"the address it came in by":         {[]change{host("10.0.0.1:9901"), arrivedAt("10.0.0.1:9901")}, 200},
		"another address":                   {[]change{host("10.0.0.2:9901"), arrivedAt("10.0.0.1:9901")}, 403},
		"our own page":                      {[]change{header("Origin", "http://localhost:9901"), header("Sec-Fetch-Site", "same-origin")}, 200},
		"typed into the address bar":        {[]change{header("Sec-Fetch-Site", "none")}, 200},
		"DNS rebinding":                     {[]change{host("evil.example:9901")}, 403},
		"DNS rebinding with its origin":     {[]change{host("evil.example:9901"), header("Origin", "http://evil.example:9901")}, 403},
		"a name that begins like ours":      {[]change{host("localhost.evil.example")}, 403},
		"a name that begins like loopback":  {[]change{host("127.0.0.1.evil.example")}, 403},
		"no host":                           {[]change{host("")}, 403},
		"CSRF from another site":            {[]change{header("Origin", "https://evil.example")}, 403},
		"CSRF from a sandboxed frame":       {[]change{header("Origin", "null")}, 403},
		"CSRF from the app beside us":       {[]change{header("Origin", "http://localhost:8080")}, 403},
		"CSRF without an origin":            {[]change{header("Sec-Fetch-Site", "cross-site")}, 403},
		"another scheme of the same site":   {[]change{header("Sec-Fetch-Site", "same-site")}, 403},
		"a unix socket, any host":           {[]change{from("@"), host("admin")}, 200},
		"a unix socket, an origin of a web": {[]change{from("@"), host("admin"), header("Origin", "http://evil.example")}, 403},
	} {
		s, f := newTest()
		w := ask(s, "POST", "/healthcheck/fail", test.changes...)
		if w.Code != test.want || (len(f.done) == 1) != (test.want == 200) {
			t.Errorf("%s: %d, want %d; done %v; %s", name, w.Code, test.want, f.done, w.Body)
		}
	}
}

func TestTwoOriginsMustBothBeOurs(t *testing.T) {
	s, f := newTest()
	w := ask(s, "POST", "/quitquitquit", func(r *http.Request) {
		r.Header["Origin"] = []string{"http://localhost:9901", "http://evil.example"}
	})
	if w.Code != 403 || len(f.done) != 0 {
		t.Error(w.Code, f.done)
	}
}

func TestLookingIsNotRefusedForItsOrigin(t *testing.T) {
	s, _ := newTest()
	if w := ask(s, "GET", "/ready", host("sidecar:9901"), header("Origin", "http://grafana.example")); w.Code != 200 {
		t.Error(w.Code)
	}
}

func TestEveryChangeNeedsPOST(t *testing.T) {
	for _, e := range endpoints() {
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS"} {
			s, f := newTest()
			w := ask(s, method, e.path)
			if e.mutates && (w.Code != 405 || w.Body.String() != "Method "+method+" not allowed, POST required.") {
				t.Errorf("%s %s: %d %s", method, e.path, w.Code, w.Body)
			}
			if !e.mutates && w.Code != 200 {
				t.Errorf("%s %s: %d", method, e.path, w.Code)
			}
			if len(f.done) != 0 {
				t.Errorf("%s %s did %v", method, e.path, f.done)
			}
		}
	}
}

func TestWhatAPeerSentIsShownHarmless(t *testing.T) {
	s, _ := newTest()
	w := ask(s, "POST", "/quitquitquit", host("evil\x01\"<b>\n"+strings.Repeat("x", 500)))
	if got := w.Body.String(); strings.ContainsAny(got, "\x01") || len(got) > 200 || strings.Count(got, "\n") != 1 {
		t.Errorf("%q", got)
	}
}

func TestABodyIsBounded(t *testing.T) {
	s, _ := newTest()
	w := ask(s, "POST", "/logging", header("Content-Type", "application/x-www-form-urlencoded"), func(r *http.Request) {
		r.Body = readCloser{strings.NewReader("level=" + strings.Repeat("x", 1<<20))}
	})
	if w.Code != 400 || !strings.HasPrefix(w.Body.String(), "cannot read parameters") {
		t.Error(w.Code, w.Body)
	}
}

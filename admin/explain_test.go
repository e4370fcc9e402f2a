package admin

import (
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

func TestExplainAsksWhoKnows(t *testing.T) {
	s, _ := newTest()
	var asked Ask
	s.cfg.Explain = func(ask Ask) (any, error) {
		asked = ask
		if ask.URL == "" {
			return nil, errors.New("the URL names no host")
		}
		return map[string]string{"verdict": "forwarded"}, nil
	}
	w := ask(s, "GET", "/explain?method=POST&url=http%3A%2F%2Fa%3A80%2F%3Fx&header=x-a:1&header=x-b:%202&inbound=true&port=8080")
	want := Ask{Method: "POST", URL: "http://a:80/?x", Headers: []string{"x-a:1", "x-b: 2"}, Inbound: true, Port: 8080}
	if w.Code != 200 || !reflect.DeepEqual(asked, want) || w.Body.String() != "{\n \"verdict\": \"forwarded\"\n}\n" {
		t.Errorf("%d %s, asked %+v", w.Code, w.Body, asked)
	}
	form := url.Values{"url": {"GET http://a/"}, "header": {"x: y"}}
	w = ask(s, "POST", "/explain", header("Content-Type", "application/x-www-form-urlencoded"), func(r *http.Request) {
		r.Body = readCloser{strings.NewReader(form.Encode())}
	})
	if want := (Ask{URL: "GET http://a/", Headers: []string{"x: y"}}); w.Code != 200 || !reflect.DeepEqual(asked, want) {
		t.Errorf("as a form: %d %s, asked %+v", w.Code, w.Body, asked)
	}
	for target, says := range map[string]string{
		"/explain":                           "the URL names no host",
		"/explain?url=http://a&port=65536":   `port "65536": must be 1 to 65535`,
		"/explain?url=http://a&port=%zz":     "cannot read parameters",
		"/explain?url=http://a&port=%1b%5b2": `port "?[2": must be 1 to 65535`,
	} {
		if w := ask(s, "GET", target); w.Code != 400 || !strings.Contains(w.Body.String(), says) {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
	for query, want := range map[string]bool{"": false, "&inbound": true, "&inbound=1": true, "&inbound=false": false, "&inbound=0": false} {
		if ask(s, "GET", "/explain?url=http://a"+query); asked.Inbound != want {
			t.Errorf("%q: inbound %v", query, asked.Inbound)
		}
	}
}

func TestExplainIsForThisHostAlone(t *testing.T) {
	s, _ := newTest()
	s.cfg.Explain = func(Ask) (any, error) { return "told", nil }
	if w := ask(s, "GET", "/explain?url=http://a/", from("10.0.0.9:4000")); w.Code != 403 {
		t.Errorf("a stranger is told: %d %s", w.Code, w.Body)
	}
	s.cfg.Explain = nil
	if w := ask(s, "GET", "/explain?url=http://a/"); w.Code != 404 {
		t.Errorf("where nobody knows: %d %s", w.Code, w.Body)
	}
}

package explain

import (
	"reflect"
	"strings"
	"testing"
)

func TestARequestIsReadAsCurlWouldSendIt(t *testing.T) {
	for _, tt := range []struct {
		line    string
		headers []string
		want    Request
	}{
		{"http://svc.local:8080/api/x?y=1", nil, Request{Scheme: "http", Method: "GET", Host: "svc.local", Port: 8080, Authority: "svc.local:8080", Target: "/api/x?y=1"}},
		{" POST  HTTP://svc.local ", nil, Request{Scheme: "http", Method: "POST", Host: "svc.local", Authority: "svc.local", Target: "/"}},
		{"GET http://svc.local:80?a", nil, Request{Scheme: "http", Method: "GET", Host: "svc.local", Port: 80, Authority: "svc.local", Target: "/?a"}},
		{"https://svc.local:443/", nil, Request{Scheme: "https", Method: "GET", Host: "svc.local", Port: 443, Authority: "svc.local", Target: "/"}},
		{"http://[::1]:8080/#top", nil, Request{Scheme: "http", Method: "GET", Host: "::1", Port: 8080, Authority: "[::1]:8080", Target: "/"}},
		{"http://[fd00::1]/", nil, Request{Scheme: "http", Method: "GET", Host: "fd00::1", Authority: "[fd00::1]", Target: "/"}},
		{"tcp://db:5432", nil, Request{Scheme: "tcp", Host: "db", Port: 5432, Authority: "db:5432"}},
		{"GET http://svc/a b", nil, Request{Scheme: "http", Method: "GET", Host: "svc", Authority: "svc", Target: "/a b"}},
		{"http://svc/", []string{"X-A:  b ", "host: other:1", "x-a:"}, Request{Scheme: "http", Method: "GET", Host: "svc", Authority: "other:1", Target: "/",
			Headers: []Header{{"X-A", "b"}, {"x-a", ""}}}},
	} {
		got, err := Parse(tt.line, tt.headers)
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q %q: %+v, %v; want %+v", tt.line, tt.headers, got, err, tt.want)
		}
	}
}

func TestWhatIsNoQuestionIsSaid(t *testing.T) {
	for _, tt := range []struct {
		line    string
		headers []string
		says    string
	}{
		{"svc.local/api", nil, `"svc.local/api" is no URL: write it as http://host:port/path`},
		{"", nil, "is no URL"},
		{"ftp://svc/", nil, `scheme "ftp": must be http, https or tcp`},
		{"http:///x", nil, "the URL names no host"},
		{"http://:80/", nil, "the URL names no host"},
		{"http://svc:0/", nil, `port "0": must be 1 to 65535`},
		{"http://svc:65536/", nil, "must be 1 to 65535"},
		{"http://me:secret@svc/", nil, "leave user and password out"},
		{"tcp://db:5432/x", nil, "tcp has no path"},
		{"http://svc/", []string{"x-a"}, `header "x-a": write it as "name: value"`},
		{"http://svc/", []string{": x"}, "write it as"},
		{"http://svc/\r\nx: y", nil, "a line break or NUL cannot stand in a part of a request"},
		{"http://svc/", []string{"x: a\nb: c"}, "a line break or NUL"},
		{"http://svc/", []string{"host: a\r\nb"}, "a line break or NUL"},
		{"http://svc/" + strings.Repeat("x", maxText), nil, "at most 65536 are looked at"},
		{"http://svc/", make([]string, maxHeaders+1), "at most 200 are looked at"},
	} {
		if q, err := Parse(tt.line, tt.headers); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%.60q: %+v, %v; want an error that says %q", tt.line, q, err, tt.says)
		}
	}
}

func TestPortsAndNamesThatAreNotSaid(t *testing.T) {
	for _, tt := range []struct {
		q    Request
		port uint16
		name string
	}{
		{Request{Scheme: "http", Host: "A.local"}, 80, "a.local"},
		{Request{Scheme: "https", Host: "1.2.3.4"}, 443, ""},
		{Request{Scheme: "https", Host: "::1", Port: 1}, 1, ""},
		{Request{Scheme: "http", Host: "a", Port: 1, Listener: 2}, 2, "a"},
	} {
		if port, name := tt.q.DialPort(), tt.q.ServerName(); port != tt.port || name != tt.name {
			t.Errorf("%+v: port %d, server name %q", tt.q, port, name)
		}
	}
}

// Whatever is asked, what is taken is one request, and its URL reads as it.
func FuzzParse(f *testing.F) {
	f.Add("GET http://user-service.local:8080/api/x?y#z", "x-beta-user: true")
	f.Add("https://[::1]:443", "Host: a")
	f.Add("tcp://db:5432/", ":")
	f.Add("G T http://a/ b", "a:b\nc")
	f.Fuzz(func(t *testing.T, line, header string) {
		q, err := Parse(line, []string{header})
		if err != nil {
			return
		}
		if q.Check() != nil || q.Host == "" || q.DialPort() == 0 {
			t.Fatalf("%q %q is %+v", line, header, q)
		}
		again, err := Parse(q.String(), nil)
		if err != nil || again.Host != q.Host || again.Port != q.Port || again.Target != q.Target {
			t.Fatalf("%q is %+v, told as %q, which is %+v (%v)", line, q, q.String(), again, err)
		}
	})
}

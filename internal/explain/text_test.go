package explain

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func none(string) string { return "" }

func TestEndpointsAreToldOfASidecarThatRuns(t *testing.T) {
	e := Explanation{Resource: "mesh/m/virtualNode/n", Direction: "egress", Port: 80, Live: true, Verdict: Verdict{Kind: Forwarded}, Targets: []Target{
		{Cluster: "a", Share: "90 % (weight 9 of 10)", Origin: "a.yaml:1", Endpoints: []Endpoint{
			{Address: "10.0.0.1:80", Health: "healthy", Turn: 2, Connections: 3, Requests: 1},
			{Address: "10.0.0.2:80", Health: "healthy", Turn: 1},
			{Address: "10.0.0.3:80", Health: "failed health check"},
		}},
		{Cluster: "b", Share: "10 % (weight 1 of 10)", Origin: "a.yaml:1", Refuse: "no healthy upstream"},
		{Cluster: "c", Share: "all", Origin: "a.yaml:1", Dialled: true},
	}}
	var b bytes.Buffer
	if err := WriteText(&b, none, &e); err != nil {
		t.Fatal(err)
	}
	want := `target       a
  share      90 % (weight 9 of 10) (a.yaml:1)
  now        10.0.0.1:80 healthy, picked after 1 more, 3 connections, 1 requests
  now        10.0.0.2:80 healthy, picked next, 0 connections, 0 requests
  now        10.0.0.3:80 failed health check, not to be picked, 0 connections, 0
             requests
target       b
  share      10 % (weight 1 of 10) (a.yaml:1)
  refused    no healthy upstream
  now        no endpoint is known
target       c
  share      all (a.yaml:1)
`
	if _, got, _ := strings.Cut(b.String(), "listener     none\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// What a request says may hold what steers a terminal.
func TestNothingThatIsAskedSteersATerminal(t *testing.T) {
	q, err := Parse("GET http://a\x1b[2J/\x07\u009b", []string{"x: \x1b]0;title\x07"})
	if err != nil {
		t.Fatal(err)
	}
	e := Explanation{Request: q, Changes: []string{"loses \x1b"}, Rewrite: &Rewrite{Before: "\x1b", After: "\x1b"},
		Verdict: Verdict{Kind: Answered, Reason: "\x1b", Body: "\x1b"},
		Passes:  []Pass{{Authority: "\x1b", Target: "\x1b", Host: &Host{}, Tries: []Try{{Had: "the path is \x1b"}}}, {Authority: "\x1b"}}}
	var b bytes.Buffer
	if err := WriteText(&b, none, &e); err != nil {
		t.Fatal(err)
	}
	for _, r := range b.String() {
		if r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 {
			t.Fatalf("%q in %q", r, b.String())
		}
	}
}

func TestTheAnswerSurvivesJSON(t *testing.T) {
	e := Explanation{Resource: "r", Request: Request{Scheme: "http", Method: "GET", Host: "a", Port: 8080, Target: "/", Headers: []Header{{"a", "b"}}},
		Verdict: Verdict{Kind: Answered, Status: 404, Flag: "NR", Details: "route_not_found"}, Direction: "egress", Port: 8080,
		Listener: &Listener{Name: "l", Protocol: "http", Origin: "f:1", Facts: []Fact{{"idle", "5m", "f:2"}}},
		Passes:   []Pass{{Of: "listener", Host: &Host{"h", "h:80", "f:3"}, Tries: []Try{{Route: "r", Match: "any path", Failed: "f", Had: "h"}}, Untried: 2}},
		Targets:  []Target{{Cluster: "c", Weight: 1, Share: "all", Endpoints: []Endpoint{{"1.2.3.4:5", "healthy", 1, 2, 3}}}}, Live: true}
	text, err := json.Marshal(&e)
	if err != nil {
		t.Fatal(err)
	}
	var again Explanation
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	var a, b bytes.Buffer
	WriteText(&a, none, &e)
	WriteText(&b, none, &again)
	if a.String() != b.String() || a.Len() == 0 {
		t.Errorf("was\n%s\nis\n%s", a.String(), b.String())
	}
}

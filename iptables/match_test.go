package iptables

import (
	"slices"
	"testing"
)

func TestWhatIsNotUnderstoodIsKept(t *testing.T) {
	for rule, want := range map[string]struct {
		other   []string
		target  string
		verdict string
	}{
		"-p tcp -m tcp --dport 80 -j RETURN":                               {nil, "RETURN", "RETURN "},
		"! -p tcp -j RETURN":                                               {[]string{"!", "-p", "tcp"}, "RETURN", "RETURN "},
		"-s 10.0.0.0/8 -i eth0 -j RETURN":                                  {[]string{"-s", "10.0.0.0/8", "-i", "eth0"}, "RETURN", "RETURN "},
		`-m comment --comment "a \" -j DROP" -m mark --mark 0x1 -j RETURN`: {[]string{"-m", "mark", "--mark", "0x1"}, "RETURN", "RETURN "},
		"-m owner --uid-owner 5 --gid-owner 6 -j RETURN":                   {[]string{"--gid-owner", "6"}, "RETURN", "RETURN "},
		"-p tcp -m tcp --dport 1 ! --dport 2 -g X":                         {[]string{"!", "--dport", "2"}, "X", "-g X "},
		"-m addrtype --src-type LOCAL --limit-iface-in -j RETURN":          {[]string{"--limit-iface-in"}, "RETURN", "RETURN "},
		"-j REDIRECT --to-ports 1-1":                                       {nil, "REDIRECT", "REDIRECT --to-ports 1"},
		"-j REDIRECT --to-ports 1-2":                                       {nil, "REDIRECT", "REDIRECT --to-ports 1-2"},
		"-p tcp":                                                           {nil, "", " "},
		"-j":                                                               {[]string{"-j"}, "", " "},
		"! ":                                                               {[]string{"!"}, "", " "},
	} {
		if m := parseMatch(rule); !slices.Equal(m.other, want.other) || m.target != want.target || m.verdict() != want.verdict {
			t.Errorf("%s: other %q, target %q, verdict %q", rule, m.other, m.target, m.verdict())
		}
	}
}

func TestSetsOfPorts(t *testing.T) {
	read := func(list string) spans {
		s, ok := parseSpans(list)
		if !ok {
			t.Fatalf("%q is not understood", list)
		}
		return s
	}
	for _, c := range []struct{ from, less, want string }{
		{"1:10", "3", "1:2,4:10"}, {"1:10", "1:10", ""}, {"1:10", "10", "1:9"}, {"1,3,5", "2:4", "1,5"}, {"1:3", "4:9", "1:3"}, {"5", "0:65535", ""},
	} {
		var want spans
		if c.want != "" {
			want = read(c.want)
		}
		if got := read(c.from).without(read(c.less)); !got.equal(want) {
			t.Errorf("%s without %s is %v", c.from, c.less, got)
		}
	}
	if !read("5,1:3,4").equal(read("1:5")) || !read("1:5").meets(read("5")) || read("1:5").meets(read("6")) {
		t.Error("sets are not put in order")
	}
	for _, list := range []string{"", "a", "3:1", "65536", "1,,2", ":"} {
		if s, ok := parseSpans(list); ok {
			t.Errorf("%q is read as %v", list, s)
		}
	}
}

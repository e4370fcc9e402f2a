package discovery

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

func TestParseResolvConf(t *testing.T) {
	for _, c := range []struct{ why, text, want string }{
		{"nothing", "", "[127.0.0.1] [] 1 5s 2"},
		{"all of it", "# x\nnameserver 10.0.0.2 ; y\nnameserver fe80::1%eth0\nsearch a.test. b.test\noptions ndots:5 timeout:2 attempts:3 rotate\n",
			"[10.0.0.2 fe80::1%eth0] [a.test b.test] 5 2s 3"},
		{"the last of search and domain counts", "search a b\ndomain c\n", "[127.0.0.1] [c] 1 5s 2"},
		{"bounds", "options ndots:99 timeout:0 attempts:99\noptions timeout:x ndots:-1", "[127.0.0.1] [] 15 1s 5"},
		{"nonsense", "nameserver\nnameserver x\nsearch\n\x00", "[127.0.0.1] [] 1 5s 2"},
		{"at most eight servers", "nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nnameserver 10.0.0.4\nnameserver 10.0.0.5\nnameserver 10.0.0.6\nnameserver 10.0.0.7\nnameserver 10.0.0.8\nnameserver 10.0.0.9\n",
			"[10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6 10.0.0.7 10.0.0.8] [] 1 5s 2"},
	} {
		p := parseResolvConf(c.text)
		if got := fmt.Sprint(p.servers, p.search, p.ndots, p.timeout, p.attempts); got != c.want {
			t.Errorf("%s: %s, want %s", c.why, got, c.want)
		}
	}
}

func FuzzParseAnswer(f *testing.F) {
	query := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 7},
		Questions: []dnsmessage.Question{{Name: name("host.test."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
	}
	for _, m := range []dnsmessage.Message{
		reply(query, 0, rr("host.test.", 1, "192.0.2.1")),
		reply(query, 0, rr("host.test.", 1, "b.test."), rr("b.test.", 1, "host.test.")),
		reply(query, dnsmessage.RCodeNameError),
		reply(query, dnsmessage.RCodeFormatError),
	} {
		b, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	q, err := newQuestion("host.test.", dnsmessage.TypeA)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		answer, err := q.parse(msg, 7)
		if err == nil != (len(answer.Addrs) > 0) {
			t.Fatalf("%v with %v", answer, err)
		}
		for _, addr := range answer.Addrs {
			if !dialable(addr) {
				t.Errorf("%v is not to be dialled", addr)
			}
		}
		if answer.TTL < 0 || answer.TTL > (1<<31)*time.Second {
			t.Errorf("TTL %v", answer.TTL)
		}
		known := false
		for _, kind := range []error{nil, errStray, errTruncated, errFormat, ErrNoName, ErrEmpty, ErrUnanswered} {
			known = known || errors.Is(err, kind)
		}
		if !known {
			t.Errorf("untyped error %v", err)
		}
	})
}

func FuzzParseFiles(f *testing.F) {
	f.Add("nameserver 10.0.0.1\nsearch a\n10.0.0.1 host\n")
	f.Fuzz(func(t *testing.T, text string) {
		c := parseResolvConf(text)
		if len(c.servers) == 0 || c.attempts < 1 || c.timeout < time.Second {
			t.Errorf("%+v", c)
		}
		for name, addrs := range parseHosts(text) {
			if name == "" && len(addrs) == 0 {
				t.Errorf("%q: %v", name, addrs)
			}
		}
		parseEndpoints("f", text)
	})
}

package sniff

import (
	"bytes"
	"crypto/tls"
	"strings"
	"sync"
	"testing"
)

// conversation is what was said, in order: ">" from the client, "<" from the
// server.
type conversation []string

// witnessed gives what a Witness says of a conversation, once told, and how
// often it has told.
func witnessed(c conversation) (p Protocol, name string, told int) {
	w := Witness{Tell: func(protocol Protocol, serverName string) {
		p, name = protocol, serverName
		told++
	}}
	client, server := true, true
	for _, said := range c {
		switch {
		case said[0] == '>' && client:
			client = w.Client([]byte(said[1:]))
		case said[0] == '<' && server:
			server = w.Server([]byte(said[1:]))
		}
	}
	w.End()
	w.End()
	return p, name, told
}

func TestAWitness(t *testing.T) {
	hello := string(capture(t, &tls.Config{ServerName: "A.Example"}))
	nameless := string(capture(t, &tls.Config{InsecureSkipVerify: true}))
	for _, test := range []struct {
		what string
		said conversation
		want Protocol
		name string
	}{
		{"nobody says anything", nil, Opaque, ""},
		{"nothing is said in so many pieces", conversation{">", "<", ">"}, Opaque, ""},
		{"MySQL greets", conversation{"<\x4a\x00\x00\x00\x0a8.0.36", ">\x20\x00\x00\x01"}, ServerFirst, ""},
		{"SMTP greets", conversation{"<220 mail ESMTP\r\n", ">EHLO x\r\n"}, ServerFirst, ""},
		{"SSH greets, and so does its client at once", conversation{">SSH-2.0-a\r\n", "<SSH-2.0-b\r\n"}, Opaque, ""},
		{"a server that greets an HTTP client", conversation{"<hello", ">GET / HTTP/1.1\r\n"}, ServerFirst, ""},
		{"HTTP/1", conversation{">GET / HTTP/1.1\r\n\r\n", "<HTTP/1.1 200 OK\r\n"}, HTTP1, ""},
		{"HTTP/1 whose server answers half a word", conversation{">GE", "<HTTP/1.1 408\r\n", ">T / HTTP/1.1\r\n"}, HTTP1, ""},
		{"HTTP/1 that never becomes it", conversation{">GE", "<HTTP/1.1 408\r\n"}, Opaque, ""},
		{"HTTP/2", conversation{">" + preface + "\x00\x00\x00\x04", "<\x00"}, HTTP2, ""},
		{"TLS", conversation{">" + hello, "<\x16\x03\x03"}, TLS, "a.example"},
		{"TLS and early data", conversation{">" + hello + "\x17\x03\x03"}, TLS, "a.example"},
		{"TLS without a name", conversation{">" + nameless}, TLS, ""},
		{"TLS in several records", conversation{">" + string(records([]byte(hello), 31))}, TLS, "a.example"},
		{"half a hello", conversation{">" + hello[:100]}, TLS, ""},
		{"a hello that is none", conversation{">\x16\x03\x01\x00\x05\x02\x00\x00\x00\x00"}, Opaque, ""},
		{"a hello that is too large", conversation{">\x16\x03\x01\x40\x00\x01\x00\x80\x00"}, TLS, ""},
		{"Redis", conversation{">*1\r\n$4\r\nPING\r\n", "<+PONG\r\n"}, Opaque, ""},
	} {
		if p, name, told := witnessed(test.said); p != test.want || name != test.name || told != 1 {
			t.Errorf("%s: %v %q, told %d times; want %v %q", test.what, p, name, told, test.want, test.name)
		}
		var bytewise conversation
		for _, said := range test.said {
			for i := 1; i < len(said); i++ {
				bytewise = append(bytewise, said[:1]+said[i:i+1])
			}
		}
		if p, name, told := witnessed(bytewise); p != test.want || name != test.name || told != 1 {
			t.Errorf("%s, byte by byte: %v %q, told %d times; want %v %q", test.what, p, name, told, test.want, test.name)
		}
	}
}

// The label of a connection is there as soon as it can be, not at its end.
func TestAWitnessTellsAsSoonAsItKnows(t *testing.T) {
	hello := capture(t, &tls.Config{ServerName: "a.example"})
	var name string
	w := Witness{Tell: func(_ Protocol, n string) { name = n }}
	if !w.Client(hello[:len(hello)-1]) || name != "" {
		t.Fatal("it does not wait for the last byte")
	}
	if w.Client(hello[len(hello)-1:]) || name != "a.example" || w.begin != nil {
		t.Errorf("with the last byte: %q, keeps %d bytes", name, len(w.begin))
	}
}

func TestAWitnessKeepsNoMoreThanAHello(t *testing.T) {
	huge := append([]byte{recordHandshake, versionMajor, 1, 0x40, 0, typeClientHello, 0, 0x3f, 0xfc}, bytes.Repeat([]byte{0}, MaxHello)...)
	var w Witness
	for n := range huge {
		if !w.Client(huge[n : n+1]) {
			break
		}
		if len(w.begin) > MaxHello {
			t.Fatalf("it keeps %d bytes", len(w.begin))
		}
	}
	if p, name := w.Verdict(); p != TLS || name != "" || w.begin != nil {
		t.Errorf("%v %q, keeps %d bytes", p, name, len(w.begin))
	}
}

// Both sides are seen by goroutines of their own: the race detector looks on.
func TestAWitnessSeesBothSidesAtOnce(t *testing.T) {
	for range 100 {
		told := make(chan Protocol, 2)
		w := Witness{Tell: func(p Protocol, _ string) { told <- p }}
		var sides sync.WaitGroup
		sides.Go(func() { w.Server([]byte("220 ")) })
		for _, c := range []byte("GET / HTTP/1.1") {
			if !w.Client([]byte{c}) {
				break
			}
		}
		sides.Wait()
		w.End()
		if p := <-told; p != HTTP1 && p != ServerFirst || len(told) > 0 {
			t.Fatalf("told %v, and %d times more", p, len(told))
		}
	}
}

// FuzzWitness holds a Witness to what it would say of all bytes at once,
// however they are cut, and to its bound.
func FuzzWitness(f *testing.F) {
	hello := capture(f, &tls.Config{ServerName: "fuzz.example"})
	for _, s := range []string{preface, "GET / HTTP/1.1\r\n", string(hello), string(records(hello, 7)), "SSH-2.0-x", strings.Repeat("A", 70)} {
		f.Add([]byte(s), uint8(1))
		f.Add([]byte(s), uint8(50))
	}
	f.Fuzz(func(t *testing.T, b []byte, size uint8) {
		var atOnce, w Witness
		atOnce.Client(b)
		atOnce.End()
		whole, name := atOnce.Verdict()
		for rest, more := b, true; more && len(rest) > 0; {
			n := min(len(rest), int(size)+1)
			more = w.Client(rest[:n])
			rest = rest[n:]
			if len(w.begin) > MaxHello {
				t.Fatalf("it keeps %d bytes", len(w.begin))
			}
		}
		w.End()
		if p, n := w.Verdict(); len(b) > 0 && len(b) <= MaxHello && (p != whole || n != name) {
			t.Fatalf("in pieces of %d: %v %q; at once: %v %q", int(size)+1, p, n, whole, name)
		}
	})
}

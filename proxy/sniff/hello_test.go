package sniff

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
)

// capture is the ClientHello that crypto/tls sends.
func capture(t testing.TB, config *tls.Config) []byte {
	t.Helper()
	client, server := net.Pipe()
	go func() {
		tls.Client(client, config).Handshake()
		client.Close()
	}()
	b := make([]byte, MaxHello)
	n, err := io.ReadAtLeast(server, b, recordHeader)
	if err != nil {
		t.Fatal(err)
	}
	if want := recordHeader + int(binary.BigEndian.Uint16(b[3:])); n < want {
		m, err := io.ReadFull(server, b[n:want])
		if n += m; err != nil {
			t.Fatal(err)
		}
	}
	server.Close()
	return b[:n]
}

// records cuts a handshake into records of so many bytes.
func records(hello []byte, size int) []byte {
	var out []byte
	for part := range slices.Chunk(hello[recordHeader:], size) {
		out = append(out, recordHandshake, versionMajor, 1, byte(len(part)>>8), byte(len(part)))
		out = append(out, part...)
	}
	return out
}

func TestServerNameOfARealClient(t *testing.T) {
	for _, test := range []struct{ asked, want string }{
		{"s3.eu-west-1.amazonaws.com", "s3.eu-west-1.amazonaws.com"},
		{"User-Service.LOCAL", "user-service.local"},
		{"under_score.example", "under_score.example"},
		{"192.0.2.1", ""}, // crypto/tls sends no name for an address
	} {
		hello := capture(t, &tls.Config{ServerName: test.asked, NextProtos: []string{"h2", "http/1.1"}, InsecureSkipVerify: true})
		if name, complete, err := ServerName(hello); name != test.want || !complete || err != nil {
			t.Errorf("%s: ServerName = %q, %v, %v", test.asked, name, complete, err)
		}
	}
}

func TestServerNameWantsTheWholeHelloAndSaysSo(t *testing.T) {
	whole := capture(t, &tls.Config{ServerName: "a.example"})
	for n := range len(whole) {
		if name, complete, err := ServerName(whole[:n]); name != "" || complete || err != nil {
			t.Fatalf("with %d of %d bytes: %q, %v, %v", n, len(whole), name, complete, err)
		}
	}
	if name, complete, err := ServerName(append(whole, "early data"...)); name != "a.example" || !complete || err != nil {
		t.Errorf("with bytes behind it: %q, %v, %v", name, complete, err)
	}
}

func TestServerNameOfAHelloInSeveralRecords(t *testing.T) {
	whole := capture(t, &tls.Config{ServerName: "spread.example"})
	for _, size := range []int{1, 2, 3, 4, 5, 63, 64, len(whole) - recordHeader - 1} {
		spread := records(whole, size)
		kept := slices.Clone(spread)
		name, complete, err := ServerName(spread)
		if name != "spread.example" || !complete || err != nil {
			t.Errorf("records of %d bytes: %q, %v, %v", size, name, complete, err)
		}
		if !slices.Equal(spread, kept) {
			t.Errorf("records of %d bytes: the stream was written on", size)
		}
		if _, complete, err := ServerName(spread[:len(spread)-1]); complete || err != nil {
			t.Errorf("records of %d bytes but one byte: %v, %v", size, complete, err)
		}
	}
}

func TestAHelloIsBounded(t *testing.T) {
	long := make([]string, 0, 100)
	for range 100 {
		long = append(long, strings.Repeat("p", 200))
	}
	hello := capture(t, &tls.Config{ServerName: "long.example", NextProtos: long[:60]})
	if name, complete, err := ServerName(hello); name != "long.example" || !complete || err != nil {
		t.Errorf("hello of %d bytes: %q, %v, %v", len(hello), name, complete, err)
	}
	announced := []byte{recordHandshake, versionMajor, 1, 0x40, 0, typeClientHello, 0, 0x40, 1}
	if _, _, err := ServerName(announced); !errors.Is(err, ErrHelloTooLarge) {
		t.Errorf("hello that announces 16 KiB and a byte: %v, want ErrHelloTooLarge", err)
	}
	tiny := records(hello, 1)
	if _, _, err := ServerName(tiny[:MaxHello]); !errors.Is(err, ErrHelloTooLarge) {
		t.Errorf("hello whose records make it too large: %v, want ErrHelloTooLarge", err)
	}
	if _, _, err := ServerName(tiny); !errors.Is(err, ErrHelloTooLarge) {
		t.Errorf("the same with all bytes there: %v, want ErrHelloTooLarge", err)
	}
}

// hello builds a ClientHello out of its extensions.
func hello(extensions ...[]byte) []byte {
	b := make([]byte, randomAndVersion)
	b = append(b, 0)                         // session
	b = append(b, 0, 4, 0x0a, 0x0a, 0x13, 1) // suites, the first of them GREASE
	b = append(b, 1, 0)                      // compression
	joined := slices.Concat(extensions...)
	b = append(append(b, byte(len(joined)>>8), byte(len(joined))), joined...)
	b = append([]byte{typeClientHello, 0, byte(len(b) >> 8), byte(len(b))}, b...)
	return append([]byte{recordHandshake, versionMajor, 3, byte(len(b) >> 8), byte(len(b))}, b...)
}

func extension(kind uint16, body ...byte) []byte {
	return append([]byte{byte(kind >> 8), byte(kind), byte(len(body) >> 8), byte(len(body))}, body...)
}

func sni(kind byte, name string) []byte {
	entry := append([]byte{kind, 0, byte(len(name))}, name...)
	return extension(extServerName, append([]byte{0, byte(len(entry))}, entry...)...)
}

func TestServerNameOfOddHellos(t *testing.T) {
	grease := extension(0x8a8a, 0)
	bare := hello()
	for _, test := range []struct {
		what  string
		hello []byte
		name  string
		ok    bool
	}{
		{"no extensions", bare, "", true},
		{"no extensions field at all (SSL 3.0)", func() []byte {
			b := slices.Clone(bare[:len(bare)-2])
			b[4] -= 2
			b[8] -= 2
			return b
		}(), "", true},
		{"GREASE around the name", hello(grease, sni(0, "g.example"), extension(0xfafa)), "g.example", true},
		{"a name of an unknown kind", hello(sni(7, "x")), "", true},
		{"two names", hello(sni(0, "a.example"), sni(0, "b.example")), "", false},
		{"an empty name", hello(sni(0, "")), "", false},
		{"a name that ends in a dot", hello(sni(0, "a.example.")), "", false},
		{"a name with a NUL", hello(sni(0, "a\x00.amazonaws.com")), "", false},
		{"a name with a blank", hello(sni(0, "a b")), "", false},
		{"a name with a line break", hello(sni(0, "a\r\nb")), "", false},
		{"an empty list of names", hello(extension(extServerName, 0, 0)), "", false},
		{"a list longer than its extension", hello(extension(extServerName, 0, 9, 0, 0, 1, 'a')), "", false},
		{"a list shorter than its extension", hello(extension(extServerName, 0, 4, 0, 0, 1, 'a', 'b')), "", false},
		{"an extension longer than all", hello(extension(5, 1)[:3]), "", false},
		{"another message than a hello", []byte{recordHandshake, versionMajor, 1, 0, 4, 2, 0, 0, 0}, "", false},
		{"another record than a handshake", []byte{0x17, versionMajor, 1, 0, 1, 0}, "", false},
		{"an alert between two records", append(bare[:len(bare):len(bare)][:9], 0x15, 3, 1), "", false},
		{"an empty record", []byte{recordHandshake, versionMajor, 1, 0, 0}, "", false},
		{"a record that is too long", []byte{recordHandshake, versionMajor, 1, 0x40, 1}, "", false},
		{"SSL 2", []byte{0x80, 0x2e, 1}, "", false},
		{"a hello of nothing", []byte{recordHandshake, versionMajor, 1, 0, 4, 1, 0, 0, 0}, "", false},
	} {
		if test.what == "an alert between two records" {
			test.hello[4] = 4
		}
		name, complete, err := ServerName(test.hello)
		if name != test.name || complete != test.ok || (err == nil) != test.ok {
			t.Errorf("%s: ServerName = %q, %v, %v; want %q, %v", test.what, name, complete, err, test.name, test.ok)
		}
	}
}

// FuzzServerName holds the parser to crypto/tls's own: where a real server
// reads a hello and sees a name, so do we, and the same.
func FuzzServerName(f *testing.F) {
	real := capture(f, &tls.Config{ServerName: "fuzz.example", NextProtos: []string{"h2"}})
	f.Add(real)
	f.Add(records(real, 50))
	f.Add(hello(extension(0x8a8a, 0), sni(0, "g.example")))
	f.Add(hello(sni(7, "x")))
	f.Fuzz(func(t *testing.T, b []byte) {
		name, complete, err := ServerName(b)
		if complete && err != nil || name != "" && !complete {
			t.Fatalf("ServerName = %q, %v, %v", name, complete, err)
		}
		theirs, seen := serverNameByCryptoTLS(b)
		if !seen || len(b) > MaxHello {
			return
		}
		if strings.ToLower(theirs) != name && err == nil {
			t.Fatalf("ServerName = %q, %v, %v; crypto/tls reads %q", name, complete, err, theirs)
		}
	})
}

// serverNameByCryptoTLS asks a server of crypto/tls.
func serverNameByCryptoTLS(b []byte) (name string, seen bool) {
	tls.Server(&recorded{left: b}, &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		name, seen = h.ServerName, true
		return nil, io.EOF
	}}).Handshake()
	return name, seen
}

// recorded is a connection from which a recorded stream is read.
type recorded struct {
	net.Conn // nil: nothing else is called
	left     []byte
}

func (r *recorded) Read(p []byte) (int, error) {
	if len(r.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}

func (r *recorded) Write(p []byte) (int, error) { return len(p), nil }
func (r *recorded) Close() error                { return nil }

//go:build linux

package load

import (
	"context"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestWhatIsOutOfBoundsIsRefused(t *testing.T) {
	good := Config{Target: Target{Addr: netip.MustParseAddrPort("127.0.0.1:80"), Request: []byte("x")}, Duration: time.Second}
	if c, err := good.Filled(); err != nil || c.Connections != 1 || c.Workers != 1 || c.Outstanding != 10 || c.Timeout != 10*time.Second {
		t.Fatalf("%+v, %v", c, err)
	}
	for want, spoil := range map[string]func(*Config){
		"no target":   func(c *Config) { c.Target = Target{} },
		"rate":        func(c *Config) { c.Rate = -1 },
		"rate NaN":    func(c *Config) { c.Rate = math.NaN() },
		"duration":    func(c *Config) { c.Duration = 0 },
		"duration 25": func(c *Config) { c.Duration = 25 * time.Hour },
		"warm-up":     func(c *Config) { c.Warmup = -1 },
		"requests":    func(c *Config) { c.Requests = -1 },
		"connections": func(c *Config) { c.Connections = MaxConnections + 1 },
		"workers":     func(c *Config) { c.Connections, c.Workers = 100, 65 },
		"outstanding": func(c *Config) { c.Connections, c.Outstanding = 2, 1 },
		"nice":        func(c *Config) { c.Nice = 20 },
		"timeout":     func(c *Config) { c.Timeout = -1 },
	} {
		c := good
		spoil(&c)
		if _, err := c.Filled(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", want, err)
		}
	}
}

func TestOnlyOwnMachinesAreLoaded(t *testing.T) {
	for url, allowed := range map[string]bool{
		"http://127.0.0.1/": true, "http://127.8.9.1:81/": true, "http://[::1]:8080/x": true, "http://10.1.2.3/": true,
		"http://192.168.0.1/": true, "http://172.16.0.1/": true, "http://169.254.1.1/": true, "http://[fd00::1]/": true,
		"http://198.18.0.1/": true, "http://[::ffff:10.0.0.1]/": true,
		"http://192.0.2.1/": false, "http://172.32.0.1/": false, "http://[2001:db8::1]/": false, "http://[::ffff:192.0.2.1]/": false,
	} {
		_, err := Request{URL: url}.Prepare(context.Background())
		if (err == nil) != allowed {
			t.Errorf("%s: %v", url, err)
		}
		if _, err := (Request{URL: url, AllowRemote: true}).Prepare(context.Background()); err != nil {
			t.Errorf("%s, allowed: %v", url, err)
		}
	}
}

func TestARequestIsFormattedOnce(t *testing.T) {
	target, err := Request{URL: "http://127.0.0.1:8080/a?b=c", BodySize: 3, Headers: []string{"host: x.local:80", "X-A:  b "}}.Prepare(context.Background())
	want := "POST /a?b=c HTTP/1.1\r\nHost: x.local:80\r\nX-A: b\r\nContent-Length: 3\r\n\r\nxxx"
	if err != nil || string(target.Request) != want || target.Addr.Port() != 8080 || target.Head {
		t.Errorf("%q, %v, %v", target.Request, target.Addr, err)
	}
	target, err = Request{URL: "http://127.0.0.1", Method: "HEAD"}.Prepare(context.Background())
	if err != nil || string(target.Request) != "HEAD / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" || target.Addr.Port() != 80 || !target.Head {
		t.Errorf("%q, %v, %v", target.Request, target.Addr, err)
	}
	for _, bad := range []Request{
		{URL: "https://127.0.0.1/"}, {URL: "127.0.0.1:80"}, {URL: "http://u:p@127.0.0.1/"}, {URL: "http://127.0.0.1:0/"}, {URL: "http:///x"},
		{URL: "http://127.0.0.1/", Method: "get"}, {URL: "http://127.0.0.1/", Method: "CONNECT"}, {URL: "http://127.0.0.1/", BodySize: -1},
		{URL: "http://127.0.0.1/", BodySize: MaxBody + 1}, {URL: "http://127.0.0.1/", Headers: []string{"no colon"}},
		{URL: "http://127.0.0.1/", Headers: []string{"A: b\r\nC: d"}}, {URL: "http://127.0.0.1/", Headers: []string{"Content-Length: 1"}},
		{URL: "http://127.0.0.1/", Headers: []string{"A : b"}}, {URL: "http://127.0.0.1/", Headers: []string{": b"}},
	} {
		if _, err := bad.Prepare(context.Background()); err == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
}

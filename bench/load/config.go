//go:build linux

// Package load generates HTTP/1.1 requests and measures the answers.
//
// Open loop: request i is due at start + i/rate, whatever became of those before it, and its latency counts from that
// moment: a proxy that stalls is charged for every request it kept waiting (no coordinated omission). Requests that
// find every connection busy wait their turn; more than Outstanding of them, waiting and in flight together, are not
// sent at all, and the shortfall is reported. Rate 0 is a closed loop: every connection asks again as soon as it is
// answered, and latency counts from the request.
//
// One worker is one thread with one poller and a share of the connections and of the schedule (bench/epoll says why);
// each has its own histogram, merged at the end.
package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Bounds of a run.
const (
	MaxConnections = 50_000
	MaxRate        = 5_000_000 // requests per second
	MaxDuration    = 24 * time.Hour
	MaxBody        = 64 << 20
	MaxWorkers     = 64
)

// Config is one run. The zero value of a field means what its comment says.
type Config struct {
	Target      Target
	Rate        float64       // requests per second over all connections; 0: closed loop
	Warmup      time.Duration // load before the measured window, in no figure; 0: none
	Duration    time.Duration // the measured window
	Requests    int64         // end after so many requests; 0: only time ends the run
	Connections int           // connections to hold; 0: 1
	Workers     int           // threads; 0: 1
	// PerConnection is how many requests a connection serves before it is closed and another opened for the next; 0: no bound.
	PerConnection int
	Outstanding   int           // most requests due and not answered; 0: a second's worth, at least ten per connection
	Timeout       time.Duration // of one request from when it is sent, and of a connect; 0: 10 s
	Nice          int           // how far the workers stand back for other threads on their processor, 0 to 19; 0: not at all

	// AtStart and AtEnd, if set, are called by the first worker, on its thread, when the measured window begins and
	// ends (the load goes on meanwhile elsewhere): the place to read clocks and counters. Neither may block for long.
	AtStart, AtEnd func()
}

// Target is a prepared request and where to send it.
type Target struct {
	Addr    netip.AddrPort
	Request []byte // the whole request, formatted once
	Head    bool   // it is a HEAD: the answer has no body
}

// Filled returns the configuration with its defaults filled in, or what is wrong with it.
func (c Config) Filled() (Config, error) {
	c.Connections = max(c.Connections, 1)
	c.Workers = min(max(c.Workers, 1), c.Connections)
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Outstanding == 0 {
		c.Outstanding = max(10*c.Connections, int(min(c.Rate, MaxRate)))
	}
	switch {
	case !c.Target.Addr.IsValid() || len(c.Target.Request) == 0:
		return c, errors.New("no target")
	case !(c.Rate >= 0 && c.Rate <= MaxRate):
		return c, fmt.Errorf("rate %v: want 0 (closed loop) to %d requests per second", c.Rate, MaxRate)
	case c.Duration <= 0 || c.Duration > MaxDuration:
		return c, fmt.Errorf("duration %v: want more than 0 and at most %v", c.Duration, MaxDuration)
	case c.Warmup < 0 || c.Warmup > MaxDuration:
		return c, fmt.Errorf("warm-up %v: want 0 to %v", c.Warmup, MaxDuration)
	case c.Requests < 0:
		return c, fmt.Errorf("requests %d: want 0 (no limit) or more", c.Requests)
	case c.Connections > MaxConnections:
		return c, fmt.Errorf("connections %d: want at most %d", c.Connections, MaxConnections)
	case c.PerConnection < 0:
		return c, fmt.Errorf("requests per connection %d: want 0 (no limit) or more", c.PerConnection)
	case c.Workers > MaxWorkers:
		return c, fmt.Errorf("workers %d: want at most %d", c.Workers, MaxWorkers)
	case c.Outstanding < c.Connections:
		return c, fmt.Errorf("outstanding %d: want at least one per connection (%d)", c.Outstanding, c.Connections)
	case c.Nice < 0 || c.Nice > 19:
		return c, fmt.Errorf("nice %d: want 0 to 19", c.Nice)
	case c.Timeout < 0 || c.Timeout > MaxDuration:
		return c, fmt.Errorf("timeout %v: want more than 0 and at most %v", c.Timeout, MaxDuration)
	}
	return c, nil
}

// Request describes a request before it is formatted.
type Request struct {
	URL      string
	Method   string   // empty: GET, or POST with a body
	BodySize int      // bytes of body, all the letter x
	Headers  []string // "Name: value"; a Host among them replaces the URL's
	// AllowRemote lifts the restriction of targets to addresses of this machine and of private networks.
	AllowRemote bool
}

// Prepare resolves and formats a request. A name is resolved once, here; it may block on DNS.
func (r Request) Prepare(ctx context.Context) (Target, error) {
	u, err := url.Parse(r.URL)
	if err != nil {
		return Target{}, fmt.Errorf("target: %w", err)
	}
	if u.Scheme != "http" || u.Host == "" || u.User != nil {
		return Target{}, fmt.Errorf("target %q: want http://HOST[:PORT]/PATH (TLS is not spoken here)", r.URL)
	}
	addr, err := resolve(ctx, u, r.AllowRemote)
	if err != nil {
		return Target{}, err
	}
	method := r.Method
	if method == "" {
		method = "GET"
		if r.BodySize > 0 {
			method = "POST"
		}
	}
	text, err := r.format(method, u)
	return Target{Addr: addr, Request: text, Head: method == "HEAD"}, err
}

func (r Request) format(method string, u *url.URL) ([]byte, error) {
	if r.BodySize < 0 || r.BodySize > MaxBody {
		return nil, fmt.Errorf("body of %d bytes: want 0 to %d", r.BodySize, MaxBody)
	}
	if method == "CONNECT" || strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" {
		return nil, fmt.Errorf("method %q: want a method in capitals other than CONNECT", method)
	}
	var b strings.Builder
	host := u.Host
	var fields strings.Builder
	for _, h := range r.Headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok || name == "" || strings.ContainsAny(h, "\r\n\x00") || strings.ContainsAny(name, " \t") {
			return nil, fmt.Errorf("header %q: want \"Name: value\" on one line", h)
		}
		switch strings.ToLower(name) {
		case "host":
			host = strings.TrimSpace(value)
		case "content-length", "transfer-encoding", "connection", "expect", "upgrade":
			return nil, fmt.Errorf("header %q: the framing and the connection are the generator's own", name)
		default:
			fmt.Fprintf(&fields, "%s: %s\r\n", name, strings.TrimSpace(value))
		}
	}
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n%s", method, u.RequestURI(), host, fields.String())
	if r.BodySize > 0 || method == "POST" || method == "PUT" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", r.BodySize)
	}
	b.WriteString("\r\n")
	b.WriteString(strings.Repeat("x", r.BodySize))
	return []byte(b.String()), nil
}

// resolve finds the address to dial. A load generator aimed at somebody else's machine is a weapon: every address the
// name has must be local or private.
func resolve(ctx context.Context, u *url.URL, allowRemote bool) (netip.AddrPort, error) {
	port := u.Port()
	if port == "" {
		port = "80"
	}
	n, err := net.DefaultResolver.LookupPort(ctx, "tcp", port)
	if err != nil || n < 1 || n > 65535 {
		return netip.AddrPort{}, fmt.Errorf("target %q: bad port %q", u.Host, port)
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("target %q: %w", u.Host, err)
	}
	for _, a := range addrs {
		if !allowRemote && !Private(a) {
			return netip.AddrPort{}, fmt.Errorf("target %q is %s, neither this machine nor a private network: "+
				"load only what is yours, and say so with --allow-remote", u.Host, a)
		}
	}
	return netip.AddrPortFrom(addrs[0].Unmap(), uint16(n)), nil
}

var benchmarkNet = netip.MustParsePrefix("198.18.0.0/15") // RFC 2544

// Private tells whether an address belongs to this machine, to a private network (RFC 1918, RFC 4193, link-local) or
// to the range set aside for benchmarks.
func Private(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || benchmarkNet.Contains(a)
}

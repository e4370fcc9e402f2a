package explain

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Request is what is asked about: a request, or a connection, and where it
// meets the sidecar.
type Request struct {
	// Scheme is "http"; "https" for TLS that the client itself begins, whose
	// requests nobody can see; "tcp" for bytes that are no HTTP.
	Scheme string `json:"scheme"`
	Method string `json:"method,omitempty"`
	// Host and Port are what the client dials; Port is 0 when nobody said: 80,
	// 443 for https, or the only listener there is.
	Host string `json:"host,omitempty"`
	Port uint16 `json:"port,omitempty"`
	// Listener is the port of the listener that the connection arrives at, where
	// it is not Port: behind a load balancer. 0: Port.
	Listener uint16 `json:"listener,omitempty"`
	// Inbound: a caller dials this node. Otherwise its app calls out. It says
	// nothing to a virtual gateway, which has no app.
	Inbound bool `json:"inbound,omitempty"`
	// Way is how the connection comes.
	Way Way `json:"way,omitempty"`
	// Authority is the Host field; empty: none is sent but those of Headers.
	Authority string `json:"authority,omitempty"`
	// Target is path and query, as they are sent.
	Target  string   `json:"target,omitempty"`
	Headers []Header `json:"headers,omitempty"`
}

// Way is how a connection comes to the sidecar.
type Way string

// The ways.
const (
	// Redirected: the kernel has led it here, and knows where it was going.
	Redirected Way = ""
	// Direct: it was made to the sidecar's own port, and the Host field says where
	// the request is to go.
	Direct Way = "direct"
	// Proxy: likewise, with the URL in the request line, as HTTP_PROXY makes
	// clients write it.
	Proxy Way = "proxy"
)

// Header is one field of a request.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Bounds of what can be asked.
const (
	maxHeaders = 200
	maxText    = 64 << 10 // the line and the headers together
)

// Parse reads a request as a person writes it, "GET http://host:port/path" with
// headers "name: value". The method may be missing: GET. An error says what is
// wrong with the question; what is wrong with the request, the engine says.
//
// It is sent as curl would: without the fragment; the Host field without the
// scheme's own port; a header Host in its place.
func Parse(line string, headers []string) (Request, error) {
	size := len(line)
	for _, h := range headers {
		size += len(h)
	}
	switch {
	case size > maxText:
		return Request{}, fmt.Errorf("the request has %d bytes, at most %d are looked at", size, maxText)
	case len(headers) > maxHeaders:
		return Request{}, fmt.Errorf("%d headers, at most %d are looked at", len(headers), maxHeaders)
	}
	q := Request{Method: "GET"}
	line = strings.TrimSpace(line)
	if method, rest, ok := strings.Cut(line, " "); ok && !strings.Contains(method, "://") {
		q.Method, line = method, strings.TrimLeft(rest, " ")
	}
	if err := q.parseURL(line); err != nil {
		return Request{}, err
	}
	for _, h := range headers {
		if err := q.parseHeader(h); err != nil {
			return Request{}, err
		}
	}
	return q, q.Check()
}

func (q *Request) parseURL(text string) error {
	scheme, rest, ok := strings.Cut(text, "://")
	q.Scheme = strings.ToLower(scheme)
	switch {
	case !ok:
		return fmt.Errorf("%.80q is no URL: write it as http://host:port/path", text)
	case q.Scheme != "http" && q.Scheme != "https" && q.Scheme != "tcp":
		return fmt.Errorf("scheme %.20q: must be http, https or tcp", scheme)
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	if err := q.dial(rest[:end]); err != nil {
		return err
	}
	if q.Scheme == "tcp" {
		if end < len(rest) && rest[end:] != "/" {
			return fmt.Errorf("%.80q: tcp has no path", text)
		}
		q.Method = ""
		return nil
	}
	q.Target, _, _ = strings.Cut(rest[end:], "#")
	if !strings.HasPrefix(q.Target, "/") {
		q.Target = "/" + q.Target
	}
	return nil
}

// dial takes an authority apart, with an IPv6 address in brackets.
func (q *Request) dial(authority string) error {
	if strings.Contains(authority, "@") {
		return fmt.Errorf("%.80q: leave user and password out", authority)
	}
	host, port := authority, ""
	if i := strings.LastIndexByte(authority, ':'); i >= 0 && !strings.Contains(authority[i:], "]") {
		host, port = authority[:i], authority[i+1:]
	}
	if host == "" {
		return errors.New("the URL names no host")
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return fmt.Errorf("port %.20q: must be 1 to 65535", port)
		}
		q.Port = uint16(n)
	}
	q.Host = strings.Trim(host, "[]")
	q.Authority = q.host()
	return nil
}

// host is what a client writes into the Host field.
func (q *Request) host() string {
	host := q.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if q.Port != 0 && q.Port != q.schemePort() {
		host += ":" + strconv.Itoa(int(q.Port))
	}
	return host
}

func (q *Request) schemePort() uint16 {
	if q.Scheme == "https" {
		return 443
	}
	return 80
}

// HostPort is the URL's host and port, as CONNECT names them.
func (q *Request) HostPort() string {
	port := q.Port
	if port == 0 {
		port = q.schemePort()
	}
	return net.JoinHostPort(q.Host, strconv.Itoa(int(port)))
}

// DialPort is the port that the app dials, where the URL names none too.
func (q *Request) DialPort() uint16 {
	switch {
	case q.Listener != 0:
		return q.Listener
	case q.Port != 0:
		return q.Port
	}
	return q.schemePort()
}

// ServerName is what TLS says the client wants; empty for an address.
func (q *Request) ServerName() string {
	if _, err := netip.ParseAddr(q.Host); err == nil {
		return ""
	}
	return strings.ToLower(q.Host)
}

func (q *Request) parseHeader(text string) error {
	name, value, ok := strings.Cut(text, ":")
	if !ok || name == "" {
		return fmt.Errorf("header %.80q: write it as \"name: value\"", text)
	}
	value = strings.Trim(value, " \t")
	if strings.EqualFold(name, "host") && q.Authority != "" {
		q.Authority = value
		if value != "" {
			return nil
		}
	}
	q.Headers = append(q.Headers, Header{name, value})
	return nil
}

// Check tells that the parts are one request, which comes by a way that there is:
// a line break in one of them would make another header, or another request, of
// what follows.
func (q *Request) Check() error {
	if q.Way != Redirected && q.Way != Direct && q.Way != Proxy {
		return fmt.Errorf("way %.20q: must be direct, proxy or empty", string(q.Way))
	}
	parts := []string{q.Method, q.Authority, q.Target}
	for _, h := range q.Headers {
		parts = append(parts, h.Name, h.Value)
	}
	for _, part := range parts {
		if strings.ContainsAny(part, "\r\n\x00") {
			return fmt.Errorf("%.80q: a line break or NUL cannot stand in a part of a request", part)
		}
	}
	return nil
}

// URL is the request's URL, for people.
func (q *Request) URL() string {
	host := q.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if q.Port != 0 {
		host += ":" + strconv.Itoa(int(q.Port))
	}
	return q.Scheme + "://" + host + q.Target
}

// String is the request in one line.
func (q *Request) String() string {
	if q.Method == "" {
		return q.URL()
	}
	return q.Method + " " + q.URL()
}

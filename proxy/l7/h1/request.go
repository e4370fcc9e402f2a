package h1

import (
	"bytes"
	"io"

	"github.com/outrider-mesh/outrider/proxy/l7"
)

// Parse reads the head of a request that is here as a whole, by the rules of
// Server.ReadRequest, into req, which borrows it. Its errors are ReadRequest's;
// io.ErrUnexpectedEOF says that the head has no end. What follows it is not
// looked at.
func Parse(text []byte, req *l7.Request) error {
	var scan headScan
	n, err := scan.whole(text, maxRequestHead, beginsRequest)
	switch {
	case err != nil:
		return err
	case n == 0:
		return io.ErrUnexpectedEOF
	}
	req.Body = l7.Empty
	_, err = parseRequest(text[:n], req)
	return err
}

// parseRequest takes a whole head apart. One empty line before the request
// line is passed over (RFC 9112 2.2).
func parseRequest(head []byte, req *l7.Request) (framing, error) {
	head = bytes.TrimPrefix(head, crlf)
	end := bytes.IndexByte(head, '\n')
	if err := parseRequestLine(head[:end-1], req); err != nil {
		return framing{}, err
	}
	f, err := parseFields(head[end+1:], &req.Header, req.Version)
	if err != nil {
		return f, err
	}
	if err := findAuthority(req, f); err != nil {
		return f, err
	}
	// A request with content keeps its content and loses its upgrade (a server
	// may ignore one): bytes behind it would have two readers.
	req.Upgrade = f.upgrade && f.hasUpgrade && !f.h2c && req.Version == l7.HTTP11 && !f.chunked && f.length <= 0
	if !req.Upgrade {
		req.Header.Remove(l7.NameUpgrade)
	}
	req.Header.Remove(l7.NameExpect)
	dropHopByHop(&req.Header)
	return f, nil
}

// beginsRequest tells what cannot become a request any more, from its first
// bytes: a method begins it, and its first line must be a request line.
func beginsRequest(b []byte) error {
	if b = bytes.TrimPrefix(b, crlf); len(b) == 0 || b[0] == '\r' {
		return nil
	}
	if !l7.IsToken(b[:1]) {
		return errRequestLine
	}
	if line, _, whole := bytes.Cut(b, crlf); whole {
		return parseRequestLine(line, new(l7.Request))
	}
	return nil
}

// parseRequestLine reads method SP target SP version, one blank each.
func parseRequestLine(line []byte, req *l7.Request) error {
	sp := bytes.IndexByte(line, ' ')
	if sp <= 0 {
		return errRequestLine
	}
	if req.Method = line[:sp]; !l7.IsToken(req.Method) {
		return errMethod
	}
	line = line[sp+1:]
	sp = bytes.IndexByte(line, ' ')
	if sp <= 0 {
		return errRequestLine
	}
	if req.Target = line[:sp]; !l7.IsTarget(req.Target) {
		return errTarget
	}
	version, err := parseVersion(line[sp+1:])
	if err != nil && !bytes.Contains(bytes.ToUpper(line[sp:]), httpSlash) {
		return errNotHTTP
	}
	req.Version = version
	return err
}

var httpSlash = []byte("HTTP/")

// parseVersion takes HTTP/1.0 and HTTP/1.1 and nothing else.
func parseVersion(b []byte) (version l7.Version, err error) {
	if len(b) != 8 || string(b[:5]) != "HTTP/" || b[6] != '.' ||
		b[5] < '0' || b[5] > '9' || b[7] < '0' || b[7] > '9' {
		return 0, errRequestLine
	}
	if b[5] != '1' || b[7] > '1' {
		return 0, errVersion
	}
	return l7.Version(b[7] - '0'), nil
}

// findAuthority says whom the request is for, by the four forms of a target
// (RFC 9112 3.2). An absolute form overrides Host, which is rewritten.
//
// A request without Host is refused, but for HTTP/1.0, where old health
// checkers leave it out; it then has an empty authority, which only an ingress
// chain routes. (Envoy refuses HTTP/1.0 as a whole unless told otherwise.)
func findAuthority(req *l7.Request, f framing) error {
	if f.hosts > 1 {
		return errHosts
	}
	host := req.Header.Find(l7.NameHost)
	if host != nil {
		req.Authority = host.Value
	} else if req.Version > l7.HTTP10 {
		return errNoHost
	}
	switch {
	case req.IsConnect():
		if f.chunked || f.length > 0 {
			return errConnectBody
		}
		if bytes.LastIndexByte(req.Target, ':') < 1 || req.Target[len(req.Target)-1] == ':' {
			return errTarget
		}
		req.Authority, req.Target = req.Target, nil
	case req.Target[0] == '/':
	case string(req.Target) == "*":
		if string(req.Method) != "OPTIONS" {
			return errTarget
		}
	default:
		if err := splitAbsolute(req); err != nil {
			return err
		}
		if host != nil {
			host.Value = req.Authority
		}
	}
	if !l7.IsHost(req.Authority) {
		return errHost
	}
	return nil
}

// splitAbsolute takes "http://authority/path" apart.
func splitAbsolute(req *l7.Request) error {
	const scheme, secure = "http://", "https://"
	t := req.Target
	if len(t) > len(secure) && l7.EqualFold(t[:len(secure)], secure) {
		return errScheme
	}
	if len(t) <= len(scheme) || !l7.EqualFold(t[:len(scheme)], scheme) {
		return errTarget
	}
	t = t[len(scheme):]
	end := bytes.IndexAny(t, "/?#")
	switch {
	case end < 0:
		req.Authority, req.Target = t, slash
		if string(req.Method) == "OPTIONS" {
			req.Target = asterisk // RFC 9112 3.2.4
		}
	case t[end] == '/':
		req.Authority, req.Target = t[:end], t[end:]
	case t[end] == '?': // an empty path is "/" (RFC 9112 3.2.1)
		req.Authority, req.Target = t[:end], append([]byte("/"), t[end:]...)
	default:
		return errTarget
	}
	if len(req.Authority) == 0 || bytes.IndexByte(req.Authority, '@') >= 0 {
		return errTarget
	}
	req.Absolute = true
	return nil
}

var slash, asterisk = []byte("/"), []byte("*")

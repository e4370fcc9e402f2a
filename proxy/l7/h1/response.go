package h1

import (
	"bytes"

	"github.com/outrider-mesh/outrider/proxy/l7"
)

// parseResponse takes a whole head apart.
func parseResponse(head []byte, resp *l7.Response) (framing, error) {
	end := bytes.IndexByte(head, '\n')
	if err := parseStatusLine(head[:end-1], resp); err != nil {
		return framing{}, err
	}
	f, err := parseFields(head[end+1:], &resp.Header, resp.Version)
	if err != nil {
		return f, err
	}
	if resp.Status != 101 && resp.Status != 426 {
		resp.Header.Remove(l7.NameUpgrade)
	}
	if resp.Status < 200 || resp.Status == 204 {
		resp.Header.Remove(l7.NameContentLength) // RFC 9110 8.6: it must not be there
	}
	dropHopByHop(&resp.Header)
	return f, nil
}

// beginsResponse tells what cannot become a response any more, from its first
// bytes.
func beginsResponse(b []byte) error {
	const begin = "HTTP/1."
	if n := min(len(b), len(begin)); string(b[:n]) != begin[:n] {
		return errStatusLine
	}
	return nil
}

// parseStatusLine reads version SP code SP reason; the reason, with its blank,
// may be missing.
func parseStatusLine(line []byte, resp *l7.Response) error {
	if len(line) < 12 || line[8] != ' ' || len(line) > 12 && line[12] != ' ' {
		return errStatusLine
	}
	version, err := parseVersion(line[:8])
	if err != nil {
		return err
	}
	code, ok := l7.ParseLength(line[9:12])
	if !ok || code < 100 || code > 599 {
		return errStatusLine
	}
	resp.Version, resp.Status, resp.Reason = version, int(code), nil
	if len(line) > 12 {
		resp.Reason = line[13:]
	}
	if !l7.IsFieldValue(resp.Reason) {
		return errStatusLine
	}
	return nil
}

// bodiless tells responses that end with their head (RFC 9112 6.3).
func bodiless(status int, method []byte) bool {
	return status < 200 || status == 204 || status == 304 || string(method) == "HEAD"
}

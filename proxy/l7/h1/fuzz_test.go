package h1

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/sock"
	"github.com/outrider-mesh/outrider/proxy/l7"
)

// FuzzRequestHead holds the parser to what a proxy owes: what we accept and
// forward is read by us and by net/http as the same request, and where net/http
// accepts what came, it has read the same frame.
func FuzzRequestHead(f *testing.F) {
	for _, s := range []string{
		get + "\r\n",
		"\r\n" + post + "Content-Length: 5\r\n\r\nhello",
		post + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
		"CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n",
		"GET http://b:80/x?y HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\nX: 1\r\n\r\n",
		"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		get + "Upgrade: websocket\r\nConnection: Upgrade\r\nTE: trailers\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		came := headOf(raw)
		checkParse(t, raw, came)
		if came.err != nil {
			return
		}
		checkFrame(t, raw, came)
		if came.req.IsConnect() {
			return // never forwarded
		}
		sent := appendRequest(nil, &came.req, came.frame.chunked)
		again := headOf(sent)
		if again.err != nil {
			t.Fatalf("%q is forwarded as %q, which we refuse: %v", raw, sent, again.err)
		}
		if a, b := appendRequest(nil, &came.req, came.frame.chunked), appendRequest(nil, &again.req, again.frame.chunked); !bytes.Equal(a, b) {
			t.Fatalf("%q is forwarded as %q, and that as %q", raw, a, b)
		}
		if !bytes.Equal(came.req.Authority, again.req.Authority) || came.frame.length != again.frame.length ||
			came.frame.chunked != again.frame.chunked || came.req.Upgrade != again.req.Upgrade {
			t.Fatalf("%q is read as %+v, forwarded as %q and read as %+v", raw, came.frame, sent, again.frame)
		}
		checkTheirs(t, sent, again)
	})
}

// parsed is a request's head as we read it.
type parsed struct {
	req   l7.Request
	frame framing
	err   error
}

func headOf(raw []byte) (p parsed) {
	r := &receiver{conn: sock.New(says(string(raw)))}
	r.cur = &r.head
	head, err := r.readHead(maxRequestHead, beginsRequest)
	if err != nil {
		return parsed{err: err}
	}
	head = slices.Clone(head)
	r.release()
	p.frame, p.err = parseRequest(head, &p.req)
	return p
}

// checkParse wants of Parse, which has the head as a whole, what a connection
// gives, piece by piece.
func checkParse(t *testing.T, raw []byte, came parsed) {
	var req l7.Request
	err := Parse(slices.Clone(raw), &req)
	var breach, other *Error
	if errors.As(came.err, &breach) {
		if !errors.As(err, &other) || breach != other {
			t.Fatalf("%q: Parse gives %v, a connection %v", raw, err, came.err)
		}
		return
	}
	if (err == nil) != (came.err == nil) {
		t.Fatalf("%q: Parse gives %v, a connection %v", raw, err, came.err)
	}
	if err == nil && (req.Body != l7.Empty || !bytes.Equal(req.Authority, came.req.Authority) || !bytes.Equal(req.Target, came.req.Target) ||
		len(req.Header.Fields) != len(came.req.Header.Fields) || req.Upgrade != came.req.Upgrade) {
		t.Fatalf("%q: Parse gives %+v, a connection %+v", raw, req, came.req)
	}
}

// checkFrame holds what came against net/http's reading of it, which is laxer
// and stricter in places: where it accepts too, it must see the same frame.
func checkFrame(t *testing.T, raw []byte, ours parsed) {
	theirs, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(bytes.TrimPrefix(raw, crlf))))
	if err != nil {
		return
	}
	chunked := slices.Equal(theirs.TransferEncoding, []string{"chunked"})
	if chunked != ours.frame.chunked || !chunked && theirs.ContentLength != max(ours.frame.length, 0) || theirs.Method != string(ours.req.Method) {
		t.Fatalf("%q: we read %s %+v, net/http %s %d %v", raw, ours.req.Method, ours.frame, theirs.Method, theirs.ContentLength, theirs.TransferEncoding)
	}
	if host := string(ours.req.Authority); theirs.Host != host {
		t.Fatalf("%q: we read host %q, net/http %q", raw, host, theirs.Host)
	}
}

// checkTheirs holds what we forward against net/http's reading of it. It may
// refuse a target for its escapes, which frame nothing.
func checkTheirs(t *testing.T, sent []byte, ours parsed) {
	theirs, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(sent)))
	if urlErr := (*url.Error)(nil); errors.As(err, &urlErr) {
		return
	}
	if err != nil {
		t.Fatalf("net/http refuses what we forward, %q: %v", sent, err)
	}
	if theirs.Method != string(ours.req.Method) || theirs.RequestURI != string(ours.req.Target) || theirs.Host != string(ours.req.Authority) {
		t.Fatalf("%q: we read %s %s for %s, net/http %s %s for %s", sent,
			ours.req.Method, ours.req.Target, ours.req.Authority, theirs.Method, theirs.RequestURI, theirs.Host)
	}
	delete(theirs.Header, "Connection") // ours is the encoder's
	// net/http adds or takes these.
	sameFields(t, sent, theirs.Header, &ours.req.Header, "Host", "Transfer-Encoding", "Trailer", "Pragma", "Cache-Control")
}

// sameFields wants the same values in the same order under each name.
func sameFields(t *testing.T, sent []byte, theirs http.Header, ours *l7.Header, but ...string) {
	byName := http.Header{}
	for i := range ours.Fields {
		if f := &ours.Fields[i]; f.Name != nil {
			name := textproto.CanonicalMIMEHeaderKey(string(f.Name))
			byName[name] = append(byName[name], string(f.Value))
		}
	}
	for _, name := range but {
		delete(byName, name)
		delete(theirs, name)
	}
	if a, b := fmt.Sprint(byName), fmt.Sprint(theirs); a != b {
		t.Fatalf("%q: we read %s, net/http %s", sent, a, b)
	}
}

// FuzzResponseHead does the same for responses.
func FuzzResponseHead(f *testing.F) {
	for _, s := range []string{
		ok + "Content-Length: 2\r\n\r\nhi",
		ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.0 404\r\nConnection: keep-alive, x\r\nX: 1\r\n\r\n",
		"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
		"HTTP/1.1 304 \r\nContent-Length: 5\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
	} {
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, raw []byte, toHEAD bool) {
		method := "GET"
		if toHEAD {
			method = "HEAD"
		}
		came, frame, ok := responseOf(raw)
		if !ok {
			return
		}
		how := frameClose
		switch {
		case bodiless(came.Status, []byte(method)):
			how = frameNone
		case frame.chunked:
			how = frameChunked
		case frame.length >= 0:
			how = frameLength
		}
		request := &http.Request{Method: method}
		if theirs, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(raw)), request); err == nil {
			checkResponseFrame(t, raw, &came, how, frame.length, theirs)
		}
		sent := appendResponse(nil, &came, how, "")
		again, frameAgain, ok := responseOf(sent)
		if !ok {
			t.Fatalf("%q is forwarded as %q, which we refuse", raw, sent)
		}
		if twice := appendResponse(nil, &again, how, ""); !bytes.Equal(sent, twice) || frameAgain.length != frame.length && came.Status >= 200 && came.Status != 204 {
			t.Fatalf("%q is forwarded as %q, and that as %q", raw, sent, twice)
		}
		theirs, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(sent)), request)
		if err != nil {
			t.Fatalf("net/http refuses what we forward, %q: %v", sent, err)
		}
		checkResponseFrame(t, sent, &again, how, frame.length, theirs)
		sameFields(t, sent, theirs.Header, &again.Header, "Transfer-Encoding", "Trailer", "Pragma", "Cache-Control")
	})
}

func responseOf(raw []byte) (resp l7.Response, f framing, ok bool) {
	r := &receiver{conn: sock.New(says(string(raw)))}
	r.cur = &r.head
	head, err := r.readHead(maxResponseHead, beginsResponse)
	if err != nil {
		return resp, f, false
	}
	head = slices.Clone(head)
	r.release()
	f, err = parseResponse(head, &resp)
	return resp, f, err == nil
}

func checkResponseFrame(t *testing.T, raw []byte, ours *l7.Response, how frame, length int64, theirs *http.Response) {
	same := theirs.StatusCode == ours.Status
	switch how {
	case frameChunked:
		same = same && slices.Equal(theirs.TransferEncoding, []string{"chunked"})
	case frameLength:
		same = same && theirs.ContentLength == length
	case frameClose:
		same = same && theirs.ContentLength == -1 && len(theirs.TransferEncoding) == 0
	}
	if !same {
		t.Fatalf("%q: we read %d, frame %d, length %d; net/http %d, %v, length %d", raw, ours.Status, how, length,
			theirs.StatusCode, theirs.TransferEncoding, theirs.ContentLength)
	}
}

// FuzzChunked decodes, encodes and decodes again: the data stays the same, and
// net/http's reader agrees on what we forward, and on what came where it
// accepts that.
func FuzzChunked(f *testing.F) {
	for _, s := range []string{"0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "5;a=b\r\nhello\r\n0\r\nX: 1\r\n\r\nGET", "1\r\n\n\r\nA\r\n0123456789\r\n00\r\n\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		data, trailer, _, err := dechunk(string(raw))
		if err != io.EOF {
			return
		}
		if theirs, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(raw))); err == nil && string(theirs) != data {
			t.Fatalf("%q: we read %q, net/http %q", raw, data, theirs)
		}
		fields := string(appendFields(nil, trailer))
		sent := rechunk(raw)
		again, trailerAgain, left, err := dechunk(sent)
		if err != io.EOF || again != data || left != "" || string(appendFields(nil, trailerAgain)) != fields {
			t.Fatalf("%q is forwarded as %q, which is read as %q, %v", raw, sent, again, err)
		}
		theirs, err := io.ReadAll(httputil.NewChunkedReader(strings.NewReader(sent)))
		if err != nil || string(theirs) != data {
			t.Fatalf("%q: net/http reads %q of what we forward, %v", sent, theirs, err)
		}
	})
}

// rechunk is a chunked body as the copier passes it on.
func rechunk(raw []byte) string {
	r := &receiver{conn: sock.New(says(string(raw)))}
	r.cur = &r.head
	b := &body{}
	b.begin(r, frameChunked, -1)
	conn, out := says(), takeOutput()
	c := copier{conn: sock.New(conn), out: out, chunked: true}
	c.run(b)
	out.release()
	r.release()
	return conn.wrote.String()
}

// refusal is an error without its reason: of two faults a head may be refused for
// the one that shows first.
func refusal(err error) any {
	var bad *Error
	if errors.As(err, &bad) {
		return max(bad.Status, 400) // unanswered or not
	}
	return err
}

// FuzzHeadSplit wants any split of what a client says into reads to give the
// same requests.
func FuzzHeadSplit(f *testing.F) {
	for _, s := range []string{
		get + "\r\n" + post + "Content-Length: 5\r\n\r\nhello" + get + "\r\n",
		post + "Transfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nX: 1\r\n\r\n\r\n" + get + "\r\n",
		post + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\n",
		get + "X: 1\n\r\n",
	} {
		f.Add([]byte(s), []byte{1})
		f.Add([]byte(s), []byte{3, 50, 7})
	}
	f.Fuzz(func(t *testing.T, raw, sizes []byte) {
		if whole, split := conversation(string(raw)), conversation(cut(string(raw), sizes)...); whole != split {
			t.Fatalf("%q in one read:\n%s\nin reads of %d:\n%s", raw, whole, sizes, split)
		}
	})
}

func cut(raw string, sizes []byte) (parts []string) {
	for i := 0; raw != "" && len(sizes) > 0; i++ {
		n := min(int(sizes[i%len(sizes)])+1, len(raw))
		parts, raw = append(parts, raw[:n]), raw[n:]
	}
	return append(parts, raw)
}

// conversation is what is heard of up to four requests, in words. Chunks may be
// forwarded in other pieces, so their data alone is told.
func conversation(parts ...string) string {
	var told strings.Builder
	s := NewServer(sock.New(says(parts...)))
	defer s.Release()
	for range 4 {
		h := hearOn(s)
		head, body, _ := strings.Cut(h.forwarded, "\r\n\r\n")
		if strings.HasSuffix(strings.TrimSuffix(head, "\r\nconnection: upgrade"), "\r\ntransfer-encoding: chunked") {
			data, trailer, _, err := dechunk(body)
			body = fmt.Sprintf("%q %q %v", data, appendFields(nil, trailer), err)
		}
		fmt.Fprintf(&told, "%v %q %q %v %v\n", refusal(h.err), head, body, h.bodyErr, h.keep)
		if !h.keep {
			break
		}
	}
	return told.String()
}

package wire

import "bytes"

// Request follows one request. The zero value is ready; Reset it after each.
type Request struct {
	// Method and Target are those of the request line. They point into the bytes given to Feed, or into the kept
	// part of a head that came in pieces, and are good until the next Feed or Reset; a body that comes later
	// outlives them, so decide what to answer when Headed first says true.
	Method, Target []byte
	Closes         bool // the client asked for the connection to be closed
	Chunked        bool // the body came in chunks
	// Key is the Sec-WebSocket-Key of a request to switch to that protocol, else nil. It lives as long as Target.
	Key     []byte
	partial []byte
	body    body
	headed  bool
}

// Reset prepares for the next request.
func (r *Request) Reset() { *r = Request{partial: r.partial[:0]} }

// Headed tells whether the head has been read.
func (r *Request) Headed() bool { return r.headed }

// Feed takes what belongs to this request from p. rest is what follows it, when done.
func (r *Request) Feed(p []byte) (rest []byte, done bool, err error) {
	if !r.headed {
		head, after, whole, err := splitHead(&r.partial, p)
		if err != nil || !whole {
			return nil, false, err
		}
		if err := r.readHead(head); err != nil {
			return nil, false, err
		}
		p = after
	}
	rest, err = r.body.feed(p)
	return rest, err == nil && r.body.phase == ended, err
}

func (r *Request) readHead(head []byte) error {
	line := head[:bytes.IndexByte(head, '\r')]
	first, last := bytes.IndexByte(line, ' '), bytes.LastIndexByte(line, ' ')
	if first <= 0 || last <= first+1 || len(line)-last-1 != len("HTTP/1.1") || string(line[last+1:last+8]) != "HTTP/1." {
		return ErrStartLine
	}
	f, err := scan(afterLine(head))
	if err != nil {
		return err
	}
	r.Method, r.Target, r.headed = line[:first], line[first+1:last], true
	r.Closes = f.close || (line[len(line)-1] == '0' && !f.keep)
	r.Chunked = f.chunked
	r.Key = f.key
	r.body.begin(f)
	return nil
}

func afterLine(head []byte) []byte { return head[bytes.IndexByte(head, '\n')+1:] }

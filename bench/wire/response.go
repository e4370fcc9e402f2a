package wire

// Response follows one answer. Reset it before each; the zero value expects the answer to a request that is not HEAD.
type Response struct {
	Status  int   // of the final answer, once its head has been read
	Closes  bool  // the peer will close the connection after this answer
	Bytes   int64 // taken so far, heads and interim answers included
	partial []byte
	body    body
	inBody  bool
	noBody  bool
}

// Reset prepares for the next answer; head says whether the request was a HEAD.
func (r *Response) Reset(head bool) {
	*r = Response{partial: r.partial[:0], noBody: head}
}

// Began tells whether a byte of the answer has arrived.
func (r *Response) Began() bool { return r.Bytes > 0 }

// Owed is how many body bytes are certain to follow; 0 when that is not known. Skip may be told of that many instead of Feed.
func (r *Response) Owed() int64 {
	if r.inBody && (r.body.phase == counted || r.body.phase == chunkData) {
		return r.body.remaining
	}
	return 0
}

// Skip takes n body bytes that were never looked at; n is at most Owed. It tells whether they ended the answer.
func (r *Response) Skip(n int64) (done bool) {
	r.Bytes += n
	if r.body.remaining -= n; r.body.remaining > 0 {
		return false
	}
	if r.body.phase == chunkData {
		r.body.phase = chunkEnd
		return false
	}
	r.body.phase = ended
	return true
}

// Feed takes what belongs to this answer from p. rest is what follows it, when done. Interim answers (1xx) are passed over.
func (r *Response) Feed(p []byte) (rest []byte, done bool, err error) {
	before := len(p)
	for !r.inBody {
		head, after, whole, err := splitHead(&r.partial, p)
		if err != nil {
			return nil, false, err
		}
		if !whole {
			r.Bytes += int64(before)
			return nil, false, nil
		}
		if err := r.readHead(head); err != nil {
			return nil, false, err
		}
		p = after
	}
	rest, err = r.body.feed(p)
	r.Bytes += int64(before - len(rest))
	return rest, err == nil && r.body.phase == ended, err
}

// End is told that the peer has closed: true if that completes the answer.
func (r *Response) End() bool { return r.inBody && r.body.phase == toClose }

func (r *Response) readHead(head []byte) error {
	status, minor, fields, ok := statusLine(head)
	if !ok {
		return ErrStartLine
	}
	if status == 101 {
		return ErrUpgrade
	}
	if status < 200 {
		return nil
	}
	f, err := scan(fields)
	if err != nil {
		return err
	}
	r.Status, r.inBody = status, true
	r.Closes = f.close || (minor == 0 && !f.keep)
	if r.noBody || status == 204 || status == 304 {
		r.body = body{}
		return nil
	}
	r.body.begin(f)
	if !f.chunked && f.length < 0 {
		r.body.phase, r.Closes = toClose, true
	}
	return nil
}

// statusLine reads "HTTP/1.x SSS ..." and returns the fields after it.
func statusLine(head []byte) (status, minor int, fields []byte, ok bool) {
	if len(head) < len("HTTP/1.1 200\r\n") || string(head[:7]) != "HTTP/1." || head[8] != ' ' {
		return 0, 0, nil, false
	}
	if head[7] != '0' && head[7] != '1' {
		return 0, 0, nil, false
	}
	for _, c := range head[9:12] {
		if c < '0' || c > '9' {
			return 0, 0, nil, false
		}
		status = status*10 + int(c-'0')
	}
	if status < 100 || (head[12] != ' ' && head[12] != '\r') {
		return 0, 0, nil, false
	}
	return status, int(head[7] - '0'), afterLine(head), true
}

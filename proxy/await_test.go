package proxy

import (
	"io"
	"testing"
)

// A request that has come on a kept connection at the moment the server ends
// is served; one that has not is not waited for.
func TestAServerThatEndsServesTheRequestThatHasCome(t *testing.T) {
	e := newEgress(t)
	for _, sent := range []string{"GET / HTTP/1.1\r\n", ""} {
		c, client := e.accept(t, asIs)
		h := newHTTP1(&httpConn{conn: c})
		c.sock.WatchRead(&c.last)
		if sent != "" {
			io.WriteString(client, sent)
			if _, err := c.sock.Peek(make([]byte, 1), 1); err != nil {
				t.Fatal(err)
			}
		}
		c.hurry()
		if err := h.await(false); (err == nil) != (sent != "") {
			t.Errorf("await after %q: %v", sent, err)
		}
		h.release()
	}
}

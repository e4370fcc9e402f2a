//go:build linux

package backend

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/outrider-mesh/outrider/bench/wire"
)

// answer is a response: prepared bytes, then so many bulk bytes.
type answer struct {
	text []byte
	bulk int64
}

const endless = int64(1) << 50

var (
	answer1k   = whole("200 OK", strings.Repeat("x", 1<<10))
	answer16k  = whole("200 OK", strings.Repeat("x", 16<<10))
	answerPing = whole("200 OK", strings.Repeat("x", 32))
	answerOK   = whole("200 OK", "ok")
	notFound   = whole("404 Not Found", "no such path")
	badRequest = whole("400 Bad Request", "cannot be read")
)

func whole(status, content string) []byte {
	return []byte(head(status, int64(len(content))) + content)
}

func head(status string, length int64) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: text/plain\r\nCache-Control: no-cache\r\nContent-Length: %d\r\n\r\n", status, length)
}

// switching accepts a WebSocket handshake.
func switching(key string) string {
	return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		wire.AcceptKey(key) + "\r\n\r\n"
}

// choose picks the answer when the head of a request has been read.
func choose(c *conn) answer {
	if c.request.Method[0] == 'P' { // POST, PUT, PATCH
		return answer{text: answerOK}
	}
	path, query, _ := bytes.Cut(c.request.Target, []byte("?"))
	switch string(path) {
	case "/1k":
		return answer{text: answer1k}
	case "/16k":
		return answer{text: answer16k}
	case "/ping32":
		return answer{text: answerPing}
	case "/bulk":
		return bulk(string(query))
	case "/stats":
		return stats(c.listener.counters)
	}
	return answer{text: notFound}
}

func bulk(query string) answer {
	n := endless
	if v, ok := strings.CutPrefix(query, "bytes="); ok {
		var err error
		if n, err = strconv.ParseInt(v, 10, 64); err != nil || n < 0 || n > endless {
			return answer{text: badRequest}
		}
	}
	return answer{text: []byte(head("200 OK", n)), bulk: n}
}

func stats(n Counters) answer {
	n.Accepted--
	n.Open--
	text, _ := json.Marshal(n) // three numbers: cannot fail
	return answer{text: whole("200 OK", string(text)+"\n")}
}

package admin

import (
	"net/http"
	"net/url"
	"strconv"
)

// Ask is a question to /explain: what would happen to a request?
type Ask struct {
	// Method may be empty, or stand in front of URL.
	Method, URL string
	// Headers are "name: value" or "name:value".
	Headers []string
	// Inbound: somebody calls the node. Otherwise its app calls out.
	Inbound bool
	// Way is "direct" or "proxy" for a connection that nothing redirects; "".
	Way string
	// Port is that which the connection arrives for; 0: URL's.
	Port uint16
}

// explain answers in JSON. The sizes of query, form and header bound the
// question; who looks at it bounds what can be asked.
func (s *Server) explain(w http.ResponseWriter, q url.Values) {
	if s.cfg.Explain == nil {
		refuse(w, http.StatusNotFound, "nothing here can explain a request\n")
		return
	}
	ask := Ask{Method: q.Get("method"), URL: q.Get("url"), Headers: q["header"], Way: q.Get("way")}
	if inbound := q.Get("inbound"); q.Has("inbound") {
		ask.Inbound = inbound != "false" && inbound != "0"
	}
	if text := q.Get("port"); text != "" {
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			refuse(w, http.StatusBadRequest, "port "+printable(text)+": must be 1 to 65535\n")
			return
		}
		ask.Port = uint16(port)
	}
	answer, err := s.cfg.Explain(ask)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error()+"\n")
		return
	}
	writeJSON(w, answer)
}

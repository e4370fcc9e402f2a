package admin

import (
	"fmt"
	"net/http"
	"net/url"
)

func (s *Server) failHealth(w http.ResponseWriter, _ url.Values) {
	s.cfg.Controls.SetHealthy(false)
	fmt.Fprint(w, "OK\n")
}

func (s *Server) passHealth(w http.ResponseWriter, _ url.Values) {
	s.cfg.Controls.SetHealthy(true)
	fmt.Fprint(w, "OK\n")
}

// drainListeners reads its parameters by their presence, as Envoy does.
func (s *Server) drainListeners(w http.ResponseWriter, q url.Values) {
	d := Drain{Graceful: q.Has("graceful"), InboundOnly: q.Has("inboundonly"), SkipExit: q.Has("skip_exit")}
	if d.SkipExit && !d.Graceful {
		refuse(w, http.StatusBadRequest, "skip_exit requires graceful\n")
		return
	}
	s.cfg.Controls.Drain(d)
	fmt.Fprint(w, "OK\n")
}

// quit answers before it ends what answers.
func (s *Server) quit(w http.ResponseWriter, _ url.Values) {
	w.Header().Set("Connection", "close")
	fmt.Fprint(w, "OK\n")
	_ = http.NewResponseController(w).Flush() // the peer may have gone
	s.cfg.Controls.Quit()
}

func (s *Server) resetCounters(w http.ResponseWriter, _ url.Values) {
	s.cfg.Stats.ResetCounters()
	fmt.Fprint(w, "OK\n")
}

func (s *Server) reopenLogs(w http.ResponseWriter, _ url.Values) {
	if s.cfg.ReopenLogs != nil {
		if err := s.cfg.ReopenLogs(); err != nil {
			refuse(w, http.StatusInternalServerError, err.Error()+"\n")
			return
		}
	}
	fmt.Fprint(w, "OK\n")
}

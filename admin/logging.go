package admin

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// levelNames are the levels that /logging takes ("warn" is none of them).
var levelNames = []string{"trace", "debug", "info", "warning", "error", "critical", "off"}

const loggingUsage = `usage: /logging?<name>=<level> (change single level)
usage: /logging?paths=name1:level1,name2:level2,... (change multiple levels)
usage: /logging?level=<level> (change all levels)
usage: /logging (query levels)
`

// logging changes levels if it is told to, and lists them in any case.
func (s *Server) logging(w http.ResponseWriter, q url.Values) {
	if problem := s.changeLevels(q); problem != "" {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, "error: %s\n\n%slevels: %s\n\n", problem, loggingUsage, strings.Join(levelNames, " "))
	}
	s.listLevels(w)
}

// changeLevels changes all or nothing; problem is empty when all is well.
func (s *Server) changeLevels(q url.Values) (problem string) {
	if len(q) == 0 {
		return ""
	}
	if len(q) > 1 {
		return "invalid number of parameters"
	}
	var changes [][2]string
	for key := range q {
		value := q.Get(key)
		switch key {
		case "level":
			changes = append(changes, [2]string{"", value})
		case "paths":
			for pair := range strings.SplitSeq(value, ",") {
				name, level, _ := strings.Cut(pair, ":")
				if name == "" || level == "" {
					return "empty logger name or empty logger level"
				}
				changes = append(changes, [2]string{name, level})
			}
		default:
			if key == "" || value == "" {
				return "empty logger name or empty logger level"
			}
			changes = append(changes, [2]string{key, value})
		}
	}
	known := s.loggers()
	for _, c := range changes {
		if !slices.Contains(levelNames, c[1]) {
			return "unknown logger level"
		}
		if c[0] != "" && !slices.Contains(known, c[0]) {
			return "unknown logger name"
		}
	}
	for _, c := range changes {
		s.cfg.Logs.SetLevel(c[0], c[1])
	}
	return ""
}

func (s *Server) loggers() (names []string) {
	s.cfg.Logs.Each(func(name, _ string) { names = append(names, name) })
	return names
}

func (s *Server) listLevels(w io.Writer) {
	fmt.Fprint(w, "active loggers:\n")
	s.cfg.Logs.Each(func(name, level string) { fmt.Fprintf(w, "  %s: %s\n", name, level) })
	fmt.Fprint(w, "\n")
}

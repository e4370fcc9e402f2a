package app

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/outrider-mesh/outrider/admin"
	"github.com/outrider-mesh/outrider/internal/config"
	"github.com/outrider-mesh/outrider/internal/explain"
)

// explain answers the admin page.
func (s *sidecar) explain(ask admin.Ask) (any, error) {
	q, err := explain.Parse(strings.TrimSpace(ask.Method+" "+ask.URL), ask.Headers)
	if err != nil {
		return nil, err
	}
	q.Inbound, q.Listener, q.Way = ask.Inbound, ask.Port, explain.Way(ask.Way)
	e, err := s.server.Routing().ExplainNow(q)
	return &e, err
}

// form is the question as the admin page takes it.
func (ask *explaining) form(line string) url.Values {
	form := url.Values{"url": {line}, "header": ask.headers}
	if ask.inbound {
		form.Set("inbound", "true")
	}
	if way := ask.way(); way != explain.Redirected {
		form.Set("way", string(way))
	}
	if ask.port != 0 {
		form.Set("port", strconv.Itoa(int(ask.port)))
	}
	return form
}

// askExplain puts the question to the first address of an admin page that can be
// reached.
func askExplain(ctx context.Context, page config.Admin, form url.Values) (text []byte, err error) {
	for i, door := range page.Doors() {
		status, answer, failure := askPage(ctx, door, 10*time.Second, "/explain", form)
		if failure == nil && status != http.StatusOK {
			failure = fmt.Errorf("the admin page at %s answers %d %s: %.200s", door.Address, status, http.StatusText(status), strings.TrimSpace(string(answer)))
		}
		if failure == nil {
			return answer, nil
		}
		if i == 0 {
			err = failure
		}
	}
	return nil, err
}

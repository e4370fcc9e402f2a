package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/outrider-mesh/outrider/internal/config"
)

// page says whether the admin page answers, and who does.
func (c *chart) page() []Finding {
	f := Finding{About: "admin page", Verdict: Good}
	info, answers := c.server()
	_, runs := c.sidecar()
	switch {
	case c.ready.err != nil && !runs:
		f.Verdict, f.Seen, f.Why = Unseen, "no answer: "+plain(c.ready.err), "no sidecar runs, or its admin page is elsewhere"
		f.Fix = "name its address: --admin"
	case c.ready.err != nil:
		f.Verdict, f.Seen = Wrong, "no answer: "+plain(c.ready.err)
		f.Why, f.Fix = "the task's health check asks it, and kills the task", "give the sidecar the address that is asked (--admin-addr, ENVOY_ADMIN_ACCESS_PORT), or name it here: --admin"
	case !answers:
		f.Verdict, f.Seen = Wrong, fmt.Sprintf("/server_info says %d, and no state", c.info.status)
		f.Why, f.Fix = "it is no sidecar that answers there", "stop the other process, or give the sidecar another --admin-addr"
	case c.ready.status != http.StatusOK || info.State != "LIVE":
		f.Verdict, f.Seen = Wrong, fmt.Sprintf("/ready says %s, the state is %s", strings.TrimSpace(c.ready.text), info.State)
		f.Why, f.Fix = "the sidecar takes no traffic yet, or no more", "wait (outrider health --wait 60s), and look at its log"
	default:
		f.Seen = fmt.Sprintf("%s, %s as %s", info.State, strings.TrimSpace(info.Node.Agent+" "+info.Version), info.Node.ID)
	}
	return append([]Finding{f}, c.identity(info, answers)...)
}

// identity compares whom the sidecar stands for with whom it was asked about.
func (c *chart) identity(info serverInfo, answers bool) []Finding {
	if c.patient.Snapshot == nil || !answers || info.Node.ID == "" {
		return nil
	}
	want := c.patient.Snapshot.Resource.String()
	if strings.HasSuffix(info.Node.ID, want) { // an ARN ends in it
		return nil
	}
	return []Finding{{About: "resource", Verdict: Doubtful, Seen: "the sidecar stands for " + info.Node.ID + ", asked was about " + want,
		Why: "what is said here about ports and names may not be about this sidecar", Fix: "give the right --node"}}
}

// answer is what the admin page said.
type answer struct {
	status int
	text   string
	err    error
}

// askTime bounds one question to the admin page, mostAnswer its answer in bytes.
const (
	askTime    = 2 * time.Second
	mostAnswer = 64 << 10
)

// ask gives the answer of the first address that gives one, else what became of
// the first.
func (c *chart) ask(ctx context.Context, path string) answer {
	first := answer{err: errors.New("the admin page has no address")}
	for i, door := range c.patient.Admin.Doors() {
		a := c.askAt(ctx, door, path)
		if a.err == nil {
			return a
		}
		if i == 0 {
			first = a
		}
	}
	return first
}

func (c *chart) askAt(ctx context.Context, door config.Door, path string) answer {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return c.machine.Dial(ctx, door.Network, door.Address)
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		return answer{err: err}
	}
	resp, err := client.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer))
	return answer{resp.StatusCode, string(text), err}
}

// serverInfo is what we read of /server_info.
type serverInfo struct {
	Version string `json:"version"`
	State   string `json:"state"`
	Node    struct {
		ID    string `json:"id"`
		Agent string `json:"user_agent_name"`
	} `json:"node"`
}

// server is who answers on the admin port.
func (c *chart) server() (info serverInfo, ok bool) {
	if c.info.err != nil || c.info.status != http.StatusOK || json.Unmarshal([]byte(c.info.text), &info) != nil {
		return serverInfo{}, false
	}
	return info, info.State != ""
}

//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

// step takes some requests and adds rows to the table.
type step struct {
	name    string
	sidecar string // whose log explains a failure
	take    func(context.Context, *world, *table)
}

var steps = []step{
	{"live", "front", live},
	{"split", "front", split},
	{"header", "front", header},
	{"retry", "front", retry},
	{"unlisted", "front", unlisted},
	{"grpc", "front", grpcCalls},
	{"websocket", "front", webSocket},
	{"tcp", "front", tcpBackend},
	{"canary", "front", canary},
}

func stepNames() []string {
	var names []string
	for _, s := range steps {
		names = append(names, s.name)
	}
	return names
}

// target is what the front app calls.
const target = "http://user-service.local:8080"

// live runs the health command of the guide's task definition in each member, as ECS would.
func live(ctx context.Context, w *world, t *table) {
	alive := 0
	var said string
	for _, m := range w.members {
		command := "curl -s http://" + m.health + "/server_info | grep state | grep -q LIVE"
		output, err := w.in(m, 0, nil, "sh", "-c", command).output(ctx)
		if err == nil {
			alive++
		} else {
			said = fmt.Sprintf("; %s: %v %s", m.name, err, output)
		}
	}
	t.row("the guide's health command in each container: curl -s .../server_info | grep state | grep -q LIVE", "state LIVE, exit code 0",
		fmt.Sprintf("%d of %d LIVE%s", alive, len(w.members), said), alive == len(w.members))
}

// split is five standard deviations wide on either side: it is wrong once in two million runs.
func split(ctx context.Context, w *world, t *table) {
	got, err := w.call(ctx, order{URL: target + "/", Header: map[string]string{tagHeader: "split"}, N: 1000, Many: 8})
	v1, v2 := w.served("user-v1", "split"), w.served("user-v2", "split")
	t.row("1,000 x GET "+target+"/", "user-route, weights 80 and 20: user-v1 800 ± 65, the rest user-v2",
		fmt.Sprintf("the apps counted %d and %d; %s", len(v1), len(v2), result(got, err)),
		err == nil && got.Statuses[200] == 1000 && len(v1)+len(v2) == 1000 && between(len(v1), 800, 65))
}

func header(ctx context.Context, w *world, t *table) {
	got, err := w.call(ctx, order{URL: target + "/", Header: map[string]string{tagHeader: "header", "X-Beta-User": "true"}, N: 100, Many: 4})
	v1, v2 := w.served("user-v1", "header"), w.served("user-v2", "header")
	t.row("100 x the same with x-beta-user: true", "beta-route, priority 10: all to user-v2",
		fmt.Sprintf("the apps counted %d and %d; %s", len(v1), len(v2), result(got, err)),
		err == nil && got.Statuses[200] == 100 && len(v1) == 0 && len(v2) == 100)
}

func retry(ctx context.Context, w *world, t *table) {
	got, err := w.call(ctx, order{URL: target + "/api/users", Header: map[string]string{tagHeader: "retry", failHeader: "yes"}, N: 1})
	log := w.served("user-v1", "retry")
	var attempts []string
	for _, entry := range log {
		attempts = append(attempts, fmt.Sprint(entry.Status))
	}
	t.row("GET /api/users; the app's first answer is 503", "resilient-route retries server-error: two attempts, the caller sees one 200",
		fmt.Sprintf("the app's log: %s; the caller: %s", strings.Join(attempts, ", "), result(got, err)),
		err == nil && got.Statuses[200] == 1 && strings.Join(attempts, " ") == "503 200")
}

func unlisted(ctx context.Context, w *world, t *table) {
	got, err := w.call(ctx, order{URL: "http://orders-service.local:8080/", Header: map[string]string{tagHeader: "unlisted"}, N: 5})
	reached := len(w.served("user-v1", "unlisted")) + len(w.served("user-v2", "unlisted"))
	t.row("5 x GET http://orders-service.local:8080/, in the mesh, not among the front's backends", "404 from the sidecar, no app is asked",
		fmt.Sprintf("%s; %d reached an app", result(got, err), reached),
		err == nil && got.Statuses[404] == 5 && reached == 0)
}

func between(n, want, tolerance int) bool { return want-tolerance <= n && n <= want+tolerance }

func result(got outcome, err error) string {
	if err != nil {
		return err.Error()
	}
	return got.String()
}

// call asks the front app to make HTTP requests.
func (w *world) call(ctx context.Context, o order) (got outcome, err error) {
	err = w.ask(ctx, "/call", o, &got)
	return got, err
}

// ask gives the front app an order, through its sidecar's ingress.
func (w *world) ask(ctx context.Context, path string, o order, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+w.member("front").call.String()+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("asking the front app: %s", response.Status)
	}
	return json.NewDecoder(response.Body).Decode(answer)
}

// served are the requests with a tag that an app says it has served.
func (w *world) served(name, tag string) []logEntry {
	text, err := os.ReadFile(w.logFile(w.member(name), "app"))
	if err != nil {
		return nil
	}
	var entries []logEntry
	for line := range strings.Lines(string(text)) {
		var entry logEntry
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Tag == tag {
			entries = append(entries, entry)
		}
	}
	return entries
}

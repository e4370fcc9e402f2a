//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	_ "embed"
)

// The guide's mesh speaks HTTP and has a TCP node. The demo adds a gRPC service, and names it among the backends of the front.
//
//go:embed documents/greeter.json
var greeterDocuments []byte

const (
	greeterService = "greeter-service.local"
	greeterTarget  = greeterService + ":50051"
)

func (w *world) addGreeter() error {
	if err := os.WriteFile(filepath.Join(w.meshFolder(), "greeter.json"), greeterDocuments, 0o644); err != nil {
		return err
	}
	file := filepath.Join(w.meshFolder(), "virtual-nodes.json")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var nodes []map[string]any
	if err := json.Unmarshal(text, &nodes); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	i := slices.IndexFunc(nodes, func(n map[string]any) bool { return n["virtualNodeName"] == w.member("front").node })
	if i < 0 {
		return fmt.Errorf("%s: no virtual node %s", file, w.member("front").node)
	}
	spec, _ := nodes[i]["spec"].(map[string]any)
	backends, _ := spec["backends"].([]any)
	if len(backends) == 0 {
		return fmt.Errorf("%s: the front has no backends", file)
	}
	spec["backends"] = append(backends, map[string]any{"virtualService": map[string]any{"virtualServiceName": greeterService}})
	text, err = json.MarshalIndent(nodes, "", "    ")
	if err == nil {
		err = os.WriteFile(file, text, 0o644)
	}
	return err
}

// grpcCalls looks at both ends and at the counters in between.
func grpcCalls(ctx context.Context, w *world, t *table) {
	got, err := w.talk(ctx, "/grpc", order{URL: greeterTarget, N: 100})
	counted := w.counted(ctx, "front", ".grpc.grpc.health.v1.Health.Check.success")
	t.row("100 x gRPC grpc.health.v1.Health/Check to "+greeterTarget, "greeter-route, by service: each is SERVING, status OK in the trailers",
		fmt.Sprintf("%s; the front's sidecar counted %d successes of the method", got.tell(err), counted),
		err == nil && got.Done == 100 && counted == 100)
	got, err = w.talk(ctx, "/grpc", order{URL: greeterTarget, N: 1, Header: map[string]string{"method": "/no.such.Service/Call"}})
	t.row("gRPC /no.such.Service/Call to the same", "no route has it: the sidecar answers UNIMPLEMENTED",
		got.tell(err), err == nil && got.Done == 0 && got.Said == "Unimplemented")
}

func webSocket(ctx context.Context, w *world, t *table) {
	before := w.counted(ctx, "front", ".downstream_cx_upgrades_total")
	got, err := w.talk(ctx, "/websocket", order{URL: "ws://user-service.local:8080/echo", N: 100})
	counted := w.counted(ctx, "front", ".downstream_cx_upgrades_total") - before
	t.row("a WebSocket to ws://user-service.local:8080/echo: 100 messages of 1 byte to 1 MB, each wanted back", "user-route: upgraded, carried both ways, closed with the app's code",
		fmt.Sprintf("%d came back, %s; the front's sidecar counted %d upgrade", got.Done, got.tell(err), counted),
		err == nil && got.Done == 100 && got.Said == "closed with 1000" && counted == 1)
}

// tcpBackend is a database that speaks first: nobody may wait for the client's first byte.
func tcpBackend(ctx context.Context, w *world, t *table) {
	const sent = "tcp.egress.downstream_cx_tx_bytes_total"
	before := w.counted(ctx, "front", sent)
	got, err := w.talk(ctx, "/tcp", order{URL: "database-service.local:5432", N: 1000})
	counted := w.counted(ctx, "front", sent) - before
	t.row("TCP to database-service.local:5432, which speaks first; 1,000 lines, then a half-close", "database-node: bytes both ways, counted exactly, the half-close kept",
		fmt.Sprintf("%s; %d lines came back, then the end; the front's sidecar counted %d bytes", got.tell(err), got.Done, counted),
		err == nil && got.Done == 1000 && got.Said == databaseGreeting && counted == got.Bytes)
}

// talkReport is what came of a conversation.
type talkReport struct {
	Done  int    // calls or messages that were answered as they should be
	Bytes int    // received, where the protocol is bytes
	Said  string // how it ended
	Error string
}

func (r talkReport) tell(err error) string {
	switch {
	case err != nil:
		return err.Error()
	case r.Error != "":
		return r.Error
	default:
		return r.Said
	}
}

// talk asks the front app to speak another protocol than plain HTTP.
func (w *world) talk(ctx context.Context, path string, o order) (got talkReport, err error) {
	err = w.ask(ctx, path, o, &got)
	return got, err
}

// counted adds up the counters of a member's sidecar whose names end so.
func (w *world) counted(ctx context.Context, member, suffix string) (sum int) {
	status, body, err := fetch(ctx, "http://"+w.member(member).admin.String()+"/stats")
	if err != nil || status != http.StatusOK {
		return 0
	}
	for line := range strings.Lines(body) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), ": "); found && strings.HasSuffix(name, suffix) {
			n, _ := strconv.Atoi(value) // histograms are no numbers
			sum += n
		}
	}
	return sum
}

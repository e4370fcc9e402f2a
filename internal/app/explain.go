package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/outrider-mesh/outrider/internal/appmesh"
	"github.com/outrider-mesh/outrider/internal/config"
	"github.com/outrider-mesh/outrider/internal/explain"
	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/stat"
	"github.com/outrider-mesh/outrider/proxy"
	"github.com/outrider-mesh/outrider/proxy/upstream"
)

const explainUsage = `usage: outrider explain --mesh PATH [--node RESOURCE] [flags] 'GET http://host:port/path' [-H 'name: value']...
       outrider explain --admin ADDR [flags] 'GET http://host:port/path' [-H 'name: value']...
  what would happen to a request, and why: by documents, or in a running sidecar.
  The node's app sends it; with --inbound the node gets it. https:// is TLS that
  the app begins itself, tcp://host:port is bytes. On a virtual gateway the
  listener is the one with the port, or the only one.
exit codes: 0 it is passed on, 1 it is refused, 2 usage, 3 environment`

// explaining is what the flags of explain say.
type explaining struct {
	node, admin, format string
	meshes              *[]string
	headers             []string
	checks              appmesh.Checks
	inbound             bool
	direct, proxy       bool
	port                uint
}

// explainCommand says what would happen to a request.
func explainCommand(ctx context.Context, p *Process, args []string) int {
	var ask explaining
	fs := newFlags(explainUsage)
	ask.meshes = pathsFlag(fs, "mesh", "documents")
	fs.StringVar(&ask.node, "node", "", "whose sidecar it is: `RESOURCE` like mesh/M/virtualNode/N, or its name alone (the only one; else as OUTRIDER_NODE or APPMESH_RESOURCE_ARN says)")
	fs.StringVar(&ask.admin, "admin", "", "`ADDRS` of a running sidecar's admin page as outrider run takes them: 127.0.0.1:9901, or unix:///path")
	fs.Func("H", "a `header` \"name: value\"; repeat for more", func(text string) error {
		ask.headers = append(ask.headers, text)
		return nil
	})
	fs.BoolVar(&ask.inbound, "inbound", false, "somebody calls the node (by default its app calls out)")
	fs.BoolVar(&ask.direct, "direct", false, "nothing redirects: the connection is made to the sidecar's own port")
	fs.BoolVar(&ask.proxy, "proxy", false, "likewise, as HTTP_PROXY makes clients ask")
	fs.UintVar(&ask.port, "port", 0, "the `port` that the connection arrives for, where it is not the URL's: behind a load balancer")
	fs.StringVar(&ask.format, "format", "text", "text or json")
	ask.checks = documentFlags(fs)
	rest, code, done := parseFlags(p, fs, args)
	switch {
	case done:
		return code
	case len(rest) == 0 || len(rest) > 2 || ask.format != "text" && ask.format != "json" || ask.port > 65535:
		fs.Usage()
		return ExitUsage
	}
	line := rest[0]
	if len(rest) == 2 {
		line += " " + rest[1]
	}
	e, err := ask.answer(ctx, p, line)
	if err != nil {
		return explainFailed(p, err)
	}
	if err := ask.write(p, &e); err != nil {
		return ExitEnvironment
	}
	if !e.Verdict.Fine() {
		return ExitFindings
	}
	return ExitFine
}

// coded is an error that ends the command with a code of its own.
type coded struct {
	code int
	err  error
}

func (e *coded) Error() string { return e.err.Error() }

// explainFailed says why there is no answer: a question that is none, unless the
// error says otherwise.
func explainFailed(p *Process, err error) int {
	fmt.Fprintln(p.Stderr, "outrider explain:", err)
	var c *coded
	if errors.As(err, &c) {
		return c.code
	}
	return ExitUsage
}

func (ask *explaining) write(p *Process, e *explain.Explanation) error {
	if ask.format == "text" {
		return explain.WriteText(p.Stdout, p.Getenv, e)
	}
	enc := json.NewEncoder(p.Stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(e)
}

// answer asks the documents or the running sidecar.
func (ask *explaining) answer(ctx context.Context, p *Process, line string) (explain.Explanation, error) {
	q, err := explain.Parse(line, ask.headers)
	q.Inbound, q.Listener, q.Way = ask.inbound, uint16(ask.port), ask.way()
	switch {
	case err != nil:
		return explain.Explanation{}, err
	case (ask.admin == "") == (len(*ask.meshes) == 0):
		return explain.Explanation{}, errors.New("give either --mesh, the documents, or --admin, a running sidecar")
	case ask.admin != "" && ask.node != "":
		return explain.Explanation{}, errors.New("--node goes with --mesh: a running sidecar stands for one resource")
	case ask.admin != "":
		return ask.running(ctx, p, line)
	}
	return ask.documents(p, q)
}

func (ask *explaining) way() explain.Way {
	switch {
	case ask.proxy:
		return explain.Proxy
	case ask.direct:
		return explain.Direct
	}
	return explain.Redirected
}

// documents asks what a sidecar would do that ran the documents.
func (ask *explaining) documents(p *Process, q explain.Request) (none explain.Explanation, _ error) {
	docs, unread, err := readDocuments(ask.checks, *ask.meshes)
	if err != nil {
		return none, &coded{ExitEnvironment, err}
	}
	proxies := docs.Proxies()
	if len(proxies) == 0 {
		appmesh.WriteText(p.Stderr, append(unread, docs.Check()...), docs.Documents())
		return none, &coded{ExitFindings, errNobody}
	}
	res, err := chooseResource(p, ask.node, proxies)
	if err != nil {
		return none, err
	}
	snap, found := docs.Compile(res, appmesh.Options{})
	if snap == nil {
		appmesh.WriteText(p.Stderr, append(unread, found...), docs.Documents())
		return none, &coded{ExitFindings, fmt.Errorf("errors within reach of %s", res)}
	}
	return explainSnapshot(snap, q)
}

// explainSnapshot makes the routing of a snapshot, which nothing is sent by: no
// name is looked up and nobody is dialled.
func explainSnapshot(snap *mesh.Snapshot, q explain.Request) (explain.Explanation, error) {
	stats, log := new(stat.Set), slog.New(slog.DiscardHandler)
	manager := upstream.NewManager(upstream.Settings{Log: log}, stats)
	defer manager.Close()
	manager.Sync(snap.Clusters)
	routing, err := proxy.Compile(snap, proxy.Parts{
		Resolve: func(c *mesh.Cluster) *upstream.Cluster { return manager.Cluster(c.Name) },
		Log:     log,
		Stats:   stats,
	})
	if err != nil {
		return explain.Explanation{}, &coded{ExitFindings, fmt.Errorf("compiling routes: %w", err)}
	}
	return routing.Explain(q)
}

// running asks a sidecar that runs.
func (ask *explaining) running(ctx context.Context, p *Process, line string) (e explain.Explanation, _ error) {
	page, err := config.ParseAdmin(ask.admin, p.Environ)
	if err != nil {
		return e, err
	}
	text, err := askExplain(ctx, page, ask.form(line))
	if err != nil {
		return e, &coded{ExitEnvironment, err}
	}
	if err := json.Unmarshal(text, &e); err != nil {
		return e, &coded{ExitEnvironment, fmt.Errorf("reading the sidecar's answer: %w", err)}
	}
	return e, nil
}

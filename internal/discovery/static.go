package discovery

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// endpointsFile is `--endpoints`: a YAML or JSON map from discovery name (the
// DNS host, "service.namespace", or the name of a node without discovery) to
// a list of "ip:port", or "ip" alone for the node's own port:
//
//	user-service.local: [127.0.0.2:8080, "[::1]:8081"]
//	backend.default: [10.0.0.7]
//
// It wins over DNS. Names are compared without case.
type endpointsFile struct {
	path    string
	stamp   stamp
	byName  map[string][]endpoint
	failing string // the text of the latest error, to tell it once
}

// endpoint has port 0 where the node's own is meant.
type endpoint = netip.AddrPort

// pollEvery is how soon a changed file is noticed.
const pollEvery = time.Second

// load reads the file. After an error the endpoints read before stay.
func (f *endpointsFile) load(path string) error {
	now, err := stampOf(path)
	if err != nil {
		return fmt.Errorf("read static endpoints: %w", err)
	}
	text, err := readFile(path)
	if err != nil {
		return fmt.Errorf("read static endpoints: %w", err)
	}
	f.path, f.stamp = path, now
	if len(text) == maxFile {
		return fmt.Errorf("%s: more than %d bytes", path, maxFile)
	}
	byName, err := parseEndpoints(path, text)
	if err == nil {
		f.byName = byName
	}
	return err
}

// of gives the endpoints of a discovery, if the file has any say in it: an
// empty list is a say.
func (f *endpointsFile) of(d mesh.Discovery) ([]netip.AddrPort, bool) {
	listed, ok := f.byName[strings.ToLower(d.Host)]
	if !ok || d.Host == "" {
		return nil, false
	}
	var addrs []netip.AddrPort
	for _, e := range listed {
		if e.Port() == 0 {
			e = netip.AddrPortFrom(e.Addr(), d.Port)
		}
		addrs = append(addrs, e)
	}
	if d.Kind == mesh.LogicalDNS && len(addrs) > 1 {
		return addrs[:1], true
	}
	slices.SortFunc(addrs, netip.AddrPort.Compare)
	return slices.Compact(addrs), true
}

// parseEndpoints reads the text of the file. Errors name file and line.
func parseEndpoints(path, text string) (map[string][]endpoint, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return nil, fmt.Errorf("%s:%s", path, yamlProblem(err))
	}
	byName := make(map[string][]endpoint)
	if len(doc.Content) == 0 {
		return byName, nil
	}
	at := func(n *yaml.Node, problem string) error {
		return fmt.Errorf("%s:%d:%d: %s", path, n.Line, n.Column, problem)
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, at(root, "expected a map from discovery name to a list of ip:port")
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, list := root.Content[i], root.Content[i+1]
		name := strings.ToLower(key.Value)
		if key.Kind != yaml.ScalarNode || name == "" {
			return nil, at(key, "expected a discovery name")
		}
		if _, twice := byName[name]; twice {
			return nil, at(key, fmt.Sprintf("%q is listed twice", key.Value))
		}
		if list.Kind != yaml.SequenceNode {
			return nil, at(list, fmt.Sprintf("%q: expected a list of ip:port", key.Value))
		}
		endpoints := make([]endpoint, 0, len(list.Content))
		for _, item := range list.Content {
			e, err := parseEndpoint(item.Value)
			if item.Kind != yaml.ScalarNode || err != nil {
				return nil, at(item, fmt.Sprintf("%q: %q is neither ip:port nor ip", key.Value, item.Value))
			}
			endpoints = append(endpoints, e)
		}
		byName[name] = endpoints
	}
	return byName, nil
}

// yamlProblem turns "yaml: line 3: such" into "3: such".
func yamlProblem(err error) string {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if at, ok := strings.CutPrefix(text, "line "); ok {
		return at
	}
	return " " + text
}

func parseEndpoint(s string) (endpoint, error) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPortFrom(addr.Unmap(), 0), nil
	}
	e, err := netip.ParseAddrPort(s)
	if err != nil || e.Port() == 0 {
		return endpoint{}, errors.New("no address")
	}
	return netip.AddrPortFrom(e.Addr().Unmap(), e.Port()), nil
}

// pollLater looks at the file again in a second. Watcher.mu is held.
func (w *Watcher) pollLater() {
	w.running.Add(1)
	w.poll = time.AfterFunc(pollEvery, func() {
		defer w.running.Done()
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.closed {
			return
		}
		w.pollFile()
		w.pollLater()
	})
}

// pollFile reads the file again if it has changed. Watcher.mu is held; the
// file is small and local.
func (w *Watcher) pollFile() {
	f := &w.static
	now, err := stampOf(f.path)
	if err == nil && now == f.stamp {
		return
	}
	if err == nil {
		err = f.load(f.path)
	}
	f.tell(err, w.options.Report)
	if err != nil {
		return
	}
	for _, c := range w.clusters {
		w.move(c)
	}
	w.start()
}

// tell reports a new error once, and its end.
func (f *endpointsFile) tell(err error, report func(string, error)) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != f.failing && report != nil {
		report(f.path, err)
	}
	f.failing = text
}

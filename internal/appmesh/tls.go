package appmesh

import (
	"slices"
	"strconv"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// TLS that must be and is not done yet is never left out (App Mesh 2.12): a
// server that takes TLS only is refused to everybody, by its cluster; an
// enforced client policy refuses its own backend alone, by the routes. A
// PERMISSIVE server is spoken to in plaintext; that is a finding of its listener.

// demandTLS notes on a cluster what its server and a backend's policy ask for.
func (c *compiler) demandTLS(cluster *mesh.Cluster, b backend, l *listener, egressPort uint16) {
	switch {
	case b.enforces(l, egressPort):
		if cluster.TLS == nil || !cluster.TLS.Enforce {
			cluster.TLS = clientTLSOf(b.policy, true)
		}
	case l.tls == "STRICT" && cluster.TLS == nil:
		cluster.TLS = clientTLSOf(b.policy, false)
	}
	if l.tls == "STRICT" && cluster.Refuse == "" {
		cluster.Refuse = "virtual node " + strconv.Quote(cluster.Node) + " takes TLS only (" + place(l.spec.at) + "), which is not done yet"
	}
}

// enforces reports whether a backend's client policy demands TLS to the
// listener l of a target.
//
// Decision: a policy's ports are those of the target's listener or of the port
// the app dialled, whichever is listed: what may be covered is covered.
func (b *backend) enforces(l *listener, egressPort uint16) bool {
	ports := b.policy.get("ports").list()
	return enforces(b.policy) && (len(ports) == 0 || slices.ContainsFunc(ports, func(p *value) bool {
		return p.int() == int64(l.port) || p.int() == int64(egressPort)
	}))
}

// refuse says why the client policy refuses what leads to the listener l.
func (b *backend) refuse(l *listener, egressPort uint16) string {
	if !b.enforces(l, egressPort) {
		return ""
	}
	return "the client policy enforces TLS (" + place(b.policy.at) + "), which is not done yet"
}

// clientTLSOf compiles a client policy's tls; v is nil where only the server
// demands TLS.
func clientTLSOf(v *value, enforced bool) *mesh.ClientTLS {
	tls := &mesh.ClientTLS{Enforce: enforced, Origin: mesh.Default("the server demands TLS")}
	if v == nil {
		return tls
	}
	tls.Origin = mesh.At(v.at)
	tls.Certificate = certificateOf(v.get("certificate"))
	tls.Trust = trustOf(v.get("validation", "trust"))
	tls.Names = texts(v.get("validation", "subjectAlternativeNames", "match", "exact"))
	return tls
}

// serverTLS compiles what a listener says about TLS.
func serverTLS(l *listener) *mesh.ServerTLS {
	v := l.spec.get("tls")
	if v == nil && l.tls == "" {
		return nil
	}
	tls := &mesh.ServerTLS{
		Certificate: certificateOf(v.get("certificate")),
		ClientTrust: trustOf(v.get("validation", "trust")),
		ClientNames: texts(v.get("validation", "subjectAlternativeNames", "match", "exact")),
		Origin:      mesh.At(l.spec.at),
	}
	switch l.tls {
	case "STRICT":
		tls.Mode = mesh.TLSStrict
	case "PERMISSIVE":
		tls.Mode = mesh.TLSPermissive
	}
	return tls
}

func certificateOf(v *value) mesh.Certificate {
	return mesh.Certificate{
		ACM:       v.get("acm", "certificateArn").str(),
		ChainFile: v.get("file", "certificateChain").str(),
		KeyFile:   v.get("file", "privateKey").str(),
		SDS:       v.get("sds", "secretName").str(),
	}
}

func trustOf(v *value) *mesh.Trust {
	if v == nil {
		return nil
	}
	return &mesh.Trust{
		ACM:  texts(v.get("acm", "certificateAuthorityArns")),
		File: v.get("file", "certificateChain").str(),
		SDS:  v.get("sds", "secretName").str(),
	}
}

func texts(v *value) []string {
	var all []string
	for _, item := range v.list() {
		all = append(all, item.text)
	}
	return all
}

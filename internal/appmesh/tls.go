package appmesh

import (
	"slices"
	"strconv"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// demandTLS refuses a cluster that must not be spoken to in plaintext
// (App Mesh 2.12): an enforced client policy that covers the port, else a server
// that takes TLS only. A PERMISSIVE server is spoken to in plaintext; that is
// a finding of its listener.
//
// Decision: a policy's ports are those of the target's listener or of the port
// the app dialled, whichever is listed: what may be covered is covered.
func (c *compiler) demandTLS(cluster *mesh.Cluster, tls *value, l *listener, egressPort uint16) {
	ports := tls.get("ports").list()
	covered := tls != nil && (len(ports) == 0 || slices.ContainsFunc(ports, func(p *value) bool {
		return p.int() == int64(l.port) || p.int() == int64(egressPort)
	}))
	refuse := ""
	switch enforced := covered && enforces(tls); {
	case enforced:
		refuse = "the client policy enforces TLS (" + place(tls.at) + "), which is not done yet"
		if cluster.TLS == nil || !cluster.TLS.Enforce {
			cluster.TLS = clientTLSOf(tls, true)
		}
	case l.tls == "STRICT":
		refuse = "virtual node " + strconv.Quote(cluster.Node) + " takes TLS only (" + place(l.spec.at) + "), which is not done yet"
		if cluster.TLS == nil {
			cluster.TLS = clientTLSOf(tls, false)
		}
	}
	if cluster.Refuse == "" {
		cluster.Refuse = refuse
	}
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

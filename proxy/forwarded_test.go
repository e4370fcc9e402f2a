package proxy_test

import (
	"testing"

	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/internal/testkit/sidecar"
	"github.com/outrider-mesh/outrider/proxy/filter"
)

// The setting is for what comes in: what the app sends out is its own affair.
func TestForwardedAddressesAreForTheWayInAlone(t *testing.T) {
	app := testkit.NewApp(t)
	in, out := sidecar.Cluster("app", app.Addr), sidecar.Cluster("svc", app.Addr)
	snap := sidecar.Mesh(sidecar.App(8080, in), sidecar.Backend("svc", 8080, sidecar.Route(out)))
	s := sidecar.Start(t, snap)
	s.State.Forwarded = filter.Forwarded{Append: true, Proxies: 1}
	s.Apply(snap)

	testkit.Get(t, s.Ingress, "app", "/", "x-forwarded-for: 203.0.113.9")
	if got := last(t, app).Header.Get("x-forwarded-for"); got != "203.0.113.9,127.0.0.1" {
		t.Errorf("on the way in x-forwarded-for %q", got)
	}
	if got := s.Records.Next(t).Downstream.Addr().String(); got != "203.0.113.9" {
		t.Errorf("the access log was told of %s", got)
	}
	testkit.Get(t, s.Egress, "svc", "/", "x-forwarded-for: 203.0.113.9", "x-forwarded-proto: https")
	h := last(t, app).Header
	if h.Get("x-forwarded-for") != "203.0.113.9" || h.Get("x-forwarded-proto") != "https" || h.Get("x-envoy-external-address") != "" {
		t.Errorf("on the way out %v", h)
	}
	if got := s.Records.Next(t).Downstream.Addr().String(); got != "127.0.0.1" {
		t.Errorf("the access log was told of %s", got)
	}
}

package proxy_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/internal/testkit/sidecar"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start starts a sidecar whose one backend is "svc", on port 8080.
func start(t testing.TB, routes ...mesh.Route) *sidecar.Sidecar {
	t.Helper()
	return sidecar.Start(t, sidecar.Mesh(sidecar.Backend("svc", 8080, routes...)))
}

// startApp is start for one app behind a default route, cluster "c".
func startApp(t testing.TB, app *testkit.App) *sidecar.Sidecar {
	t.Helper()
	return start(t, sidecar.Route(sidecar.Cluster("c", app.Addr)))
}

package upstream_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/testkit"
	"github.com/outrider-mesh/outrider/internal/testkit/sidecar"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start starts a sidecar whose one backend, "svc", has the given routes.
func start(t *testing.T, routes ...mesh.Route) *sidecar.Sidecar {
	t.Helper()
	return sidecar.Start(t, sidecar.Mesh(sidecar.Backend("svc", 8080, routes...)))
}

// startApp is start for one app, with a change to App Mesh's default route.
func startApp(t *testing.T, app *testkit.App, change func(*mesh.Route)) *sidecar.Sidecar {
	t.Helper()
	route := sidecar.Route(sidecar.Cluster("c", app.Addr))
	if change != nil {
		change(&route)
	}
	return start(t, route)
}

// policy is an explicit policy with short back-offs.
func policy(retries int, on mesh.RetryOn, codes ...int) *mesh.RetryPolicy {
	return &mesh.RetryPolicy{
		MaxRetries: retries, On: on, StatusCodes: codes, Explicit: true,
		BackoffBase: time.Millisecond, BackoffMax: 2 * time.Millisecond,
	}
}

// fast keeps App Mesh's default policy and makes its back-offs short.
func fast(r *mesh.Route) {
	r.Retry.BackoffBase, r.Retry.BackoffMax = time.Millisecond, 2*time.Millisecond
}

// startWithDraw is startApp with a fixed draw in place of chance.
func startWithDraw(t *testing.T, app *testkit.App, draw uint64, change func(*mesh.Route)) *sidecar.Sidecar {
	t.Helper()
	route := sidecar.Route(sidecar.Cluster("c", app.Addr))
	change(&route)
	settings := sidecar.Settings()
	settings.Draw = func() uint64 { return draw }
	return sidecar.StartWith(t, sidecar.Mesh(sidecar.Backend("svc", 8080, route)), settings, &sidecar.Names{})
}

package filter

import (
	"errors"
	"regexp"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/outrider-mesh/outrider/proxy/l7"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// serve runs an exchange with the given request fields through the chain.
func serve(t *testing.T, router l7.Handler, fields ...string) *l7.Exchange {
	t.Helper()
	ex := &l7.Exchange{}
	ex.Reset()
	for i := 0; i < len(fields); i += 2 {
		name := []byte(fields[i])
		ex.Request.Header.Add(l7.ClassifyName(name), name, []byte(fields[i+1]))
	}
	if err := HTTP(router, func() time.Time { return noon }, Forwarded{})(ex); err != nil {
		t.Fatal(err)
	}
	return ex
}

func ok(ex *l7.Exchange) error {
	ex.Response.Status, ex.Response.Body = 200, l7.Empty
	ex.UpstreamTime = 7 * time.Millisecond
	return nil
}

func value(h *l7.Header, name string) string {
	v, _ := h.Append(nil, name)
	return string(v)
}

func TestARequestGetsAnIDAndAScheme(t *testing.T) {
	ex := serve(t, ok)
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	if id := value(&ex.Request.Header, "x-request-id"); !uuid.MatchString(id) {
		t.Errorf("x-request-id %q is no UUID of version 4", id)
	}
	if got := value(&ex.Request.Header, "x-forwarded-proto"); got != "http" {
		t.Errorf("x-forwarded-proto = %q", got)
	}
}

func TestAnIDAndASchemeThatAreThereAreKept(t *testing.T) {
	ex := serve(t, ok, "X-Request-Id", "mine", "X-Forwarded-Proto", "https", "X-Forwarded-For", "10.0.0.1")
	for name, want := range map[string]string{"x-request-id": "mine", "x-forwarded-proto": "https", "x-forwarded-for": "10.0.0.1"} {
		if got := value(&ex.Request.Header, name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

func TestHeadersThatSteerTheProxyAreTakenOut(t *testing.T) {
	ex := serve(t, ok, "X-Envoy-Retry-On", "5xx", "x-envoy-upstream-rq-timeout-ms", "1", "x-envoy-internal", "true",
		"X-Forwarded-Client-Cert", "By=me",
		"x-envoy-original-path", "/kept")
	for _, name := range []string{"x-envoy-retry-on", "x-envoy-upstream-rq-timeout-ms", "x-envoy-internal", "x-forwarded-client-cert"} {
		if got := value(&ex.Request.Header, name); got != "" {
			t.Errorf("%s = %q, want it gone", name, got)
		}
	}
	if got := value(&ex.Request.Header, "x-envoy-original-path"); got != "/kept" {
		t.Errorf("x-envoy-original-path = %q", got)
	}
}

func TestAResponseGetsServerDateAndServiceTime(t *testing.T) {
	ex := serve(t, func(ex *l7.Exchange) error {
		ex.Response.Header.Add(l7.NameServer, []byte("Server"), []byte("gunicorn"))
		ex.Response.Header.Add(l7.NameXEnvoy, []byte("x-envoy-upstream-service-time"), []byte("3"))
		return ok(ex)
	})
	h := &ex.Response.Header
	for name, want := range map[string]string{
		"server": "envoy", "date": "Sat, 21 Nov 2026 12:00:00 GMT", "x-envoy-upstream-service-time": "7",
	} {
		if got := value(h, name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

func TestAFailureBecomesALocalReply(t *testing.T) {
	ex := serve(t, func(ex *l7.Exchange) error {
		ex.Response.Header.Add(l7.NameOther, []byte("half"), []byte("read"))
		return &l7.Failure{Status: 503, Flag: l7.FlagUpstreamOverflow, Details: "d", Body: "full", Overloaded: true}
	})
	if ex.Response.Status != 503 || !ex.Flags.Has(l7.FlagUpstreamOverflow) || ex.Details != "d" {
		t.Errorf("status %d, flags %q, details %q", ex.Response.Status, ex.Flags.String(), ex.Details)
	}
	h := &ex.Response.Header
	for name, want := range map[string]string{
		"x-envoy-overloaded": "true", "content-type": "text/plain", "server": "envoy", "half": "",
	} {
		if got := value(h, name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if p, err := ex.Response.Body.Next(); string(p) != "full" || err != nil {
		t.Errorf("body %q, %v", p, err)
	}
}

func TestAGRPCRequestGetsAGRPCStatus(t *testing.T) {
	for _, tt := range []struct {
		contentType string
		status      int
		body        string
		code, says  string
	}{
		{"application/grpc", 400, "", "13", ""},
		{"application/grpc", 401, "", "16", ""},
		{"application/grpc", 403, "RBAC: access denied", "7", "RBAC: access denied"},
		{"application/grpc+proto", 404, "", "12", ""},
		{"application/grpc", 408, "stream timeout", "2", "stream timeout"},
		{"application/grpc", 413, "", "2", ""},
		{"application/grpc", 429, "", "14", ""},
		{"application/grpc", 500, "", "2", ""},
		{"application/grpc", 502, "", "14", ""},
		{"application/grpc", 503, "100% \u00fc\n~", "14", "100%25 %C3%BC%0A~"},
		{"application/grpc", 504, "", "14", ""},
	} {
		ex := serve(t, func(*l7.Exchange) error {
			return &l7.Failure{Status: tt.status, Flag: l7.FlagUpstreamOverflow, Details: "d", Body: tt.body, Overloaded: true}
		}, "content-type", tt.contentType)
		if ex.Response.Status != 200 || ex.Details != "d" || ex.Flags.String() != "UO" || ex.Response.Body != l7.Empty {
			t.Errorf("%d: status %d, details %q, flags %q, body %v", tt.status, ex.Response.Status, ex.Details, ex.Flags.String(), ex.Response.Body)
		}
		for name, want := range map[string]string{
			"content-type": "application/grpc", "grpc-status": tt.code, "grpc-message": tt.says,
			"x-envoy-overloaded": "true", "server": "envoy", "date": "Sat, 21 Nov 2026 12:00:00 GMT",
		} {
			if got := value(&ex.Response.Header, name); got != want {
				t.Errorf("%d: %s = %q, want %q", tt.status, name, got, want)
			}
		}
	}
}

func TestAFailureThatNamesAGRPCStatusGetsIt(t *testing.T) {
	for contentType, want := range map[string]string{"application/grpc": "4", "text/plain": ""} {
		ex := serve(t, func(*l7.Exchange) error {
			return &l7.Failure{Status: 503, GRPCStatus: l7.DeadlineExceeded}
		}, "content-type", contentType)
		if got := value(&ex.Response.Header, "grpc-status"); got != want {
			t.Errorf("%s: grpc-status %q, want %q", contentType, got, want)
		}
	}
}

func TestOtherContentTypesAreNoGRPC(t *testing.T) {
	for _, contentType := range []string{"application/grpc-web", "application/grpc; x=y", "application/json", "application/grp", "application/GRPC", ""} {
		ex := serve(t, func(*l7.Exchange) error { return &l7.Failure{Status: 503, Body: "b"} }, "content-type", contentType)
		if ex.Response.Status != 503 || value(&ex.Response.Header, "grpc-status") != "" {
			t.Errorf("%q: status %d, %q", contentType, ex.Response.Status, value(&ex.Response.Header, "grpc-status"))
		}
	}
}

func TestSchemeAndForwardedProtoFollowEachOther(t *testing.T) {
	for _, tt := range []struct{ what, scheme, forwarded, wantScheme, wantForwarded string }{
		{"HTTP/1 says neither", "", "", "http", "http"},
		{"HTTP/1 says what it was", "", "https", "https", "https"},
		{"HTTP/1 says nonsense", "", "gopher", "http", "gopher"},
		{"HTTP/2 over plaintext", "http", "", "http", "http"},
		{"HTTP/2 behind TLS", "https", "", "https", "https"},
		{"HTTP/2 with a strange scheme", "ftp", "", "ftp", "http"},
		{"both, and they differ", "http", "https", "http", "https"},
	} {
		ex := &l7.Exchange{}
		ex.Reset()
		if tt.scheme != "" {
			ex.Request.Scheme = []byte(tt.scheme)
		}
		if tt.forwarded != "" {
			ex.Request.Header.Add(l7.NameXForwardedProto, []byte("x-forwarded-proto"), []byte(tt.forwarded))
		}
		ForwardedProto(ok)(ex)
		if got := value(&ex.Request.Header, "x-forwarded-proto"); string(ex.Request.Scheme) != tt.wantScheme || got != tt.wantForwarded {
			t.Errorf("%s: scheme %q and x-forwarded-proto %q, want %q and %q", tt.what, ex.Request.Scheme, got, tt.wantScheme, tt.wantForwarded)
		}
	}
}

func TestAFailureWithoutAStatusPassesThrough(t *testing.T) {
	gone := &l7.Failure{Flag: l7.FlagDownstreamTermination}
	ex := &l7.Exchange{}
	ex.Reset()
	err := HTTP(func(*l7.Exchange) error { return gone }, time.Now, Forwarded{})(ex)
	if !errors.Is(err, gone) || !ex.Flags.Has(l7.FlagDownstreamTermination) {
		t.Errorf("err %v, flags %q", err, ex.Flags.String())
	}
}

func TestTheChainAllocatesNothing(t *testing.T) {
	h := HTTP(ok, func() time.Time { return noon }, Forwarded{})
	ex := &l7.Exchange{}
	name, v := []byte("x-envoy-max-retries"), []byte("9")
	if n := testing.AllocsPerRun(200, func() {
		ex.Reset()
		ex.Request.Header.Add(l7.NameXEnvoy, name, v)
		h(ex)
	}); n > 0 {
		t.Errorf("%v allocations per exchange", n)
	}
}

package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// TestEveryVariableIsJudged: each variable of the contract has one verdict, the
// one that its fate at start says.
func TestEveryVariableIsJudged(t *testing.T) {
	on := []string{"ENABLE_ENVOY_DOG_STATSD=1", "APPNET_AGENT_ADMIN_MODE=tcp", "APPNET_ENVOY_LOG_DESTINATION=/x"}
	tracers := map[string]string{"XRAY": "ENABLE_ENVOY_XRAY_TRACING=1", "DATADOG": "ENABLE_ENVOY_DATADOG_TRACING=1", "DD_": "ENABLE_ENVOY_DATADOG_TRACING=1", "JAEGER": "ENABLE_ENVOY_JAEGER_TRACING=1"}
	for _, c := range contract {
		environ := append([]string{c.name + "=" + c.value}, on...)
		for part, tracer := range tracers {
			if strings.Contains(c.name, part) {
				environ = append(environ, tracer)
			}
		}
		_, verdicts := Judge(nil, environ)
		of := slices.DeleteFunc(verdicts, func(v Verdict) bool { return v.Variable != c.name || strings.HasPrefix(v.Message, "no resource") })
		want := map[string]mesh.Standing{"honoured": mesh.Honoured, "not-yet": mesh.Unsupported, "warning": mesh.Approximated}[c.fate]
		if len(of) != 1 || of[0].Standing != want {
			t.Errorf("%s=%s: %+v, want %s", c.name, c.value, of, want)
			continue
		}
		if of[0].Standing == mesh.Unsupported && of[0].Effect == mesh.NoEffect {
			t.Errorf("%s is not done yet, and nothing is different?", c.name)
		}
	}
	for _, s := range settings {
		_, verdicts := Judge(nil, []string{s.variable() + "=\x00"})
		if !slices.ContainsFunc(verdicts, func(v Verdict) bool { return v.Variable == s.variable() }) {
			t.Errorf("%s has no verdict", s.variable())
		}
	}
}

// TestVerdicts are those that the table alone does not show.
func TestVerdicts(t *testing.T) {
	const node = "APPMESH_RESOURCE_ARN=mesh/m/virtualNode/n"
	for _, c := range []struct {
		says    string
		args    []string
		environ []string
		of      string
		want    mesh.Standing
		effect  mesh.Effect
		message string
	}{
		{"nobody says who it is", nil, nil, "APPMESH_RESOURCE_ARN", mesh.Wrong, mesh.OnTraffic, "no resource"},
		{"a resource that is none", nil, []string{"APPMESH_RESOURCE_ARN=n"}, "APPMESH_RESOURCE_ARN", mesh.Wrong, mesh.OnTraffic, "does not start"},
		{"a flag says it", []string{"--node", "mesh/m/virtualNode/n"}, nil, "--node", mesh.Honoured, mesh.NoEffect, ""},
		{"a flag that is none", []string{"--nod", "x"}, []string{node}, "", mesh.Wrong, mesh.OnTraffic, "did you mean --node?"},
		{"a strict value that is bad", nil, []string{node, "ENVOY_ADMIN_ACCESS_PORT=x"}, "ENVOY_ADMIN_ACCESS_PORT", mesh.Wrong, mesh.OnTraffic, "does not start"},
		{"a quiet value that is bad", nil, []string{node, "LISTENER_DRAIN_WAIT_TIME_S=3"}, "LISTENER_DRAIN_WAIT_TIME_S", mesh.Wrong, mesh.NoEffect, "20 is used, as App Mesh's agent did"},
		{"a near miss", nil, []string{node, "ENVOY_LOGLEVEL=debug"}, "ENVOY_LOGLEVEL", mesh.Wrong, mesh.NoEffect, "did you mean ENVOY_LOG_LEVEL?"},
		{"a stranger", nil, []string{node, "ENVOY_IMAGE=x"}, "ENVOY_IMAGE", mesh.Honoured, mesh.NoEffect, "ignored"},
		{"another's", nil, []string{node, "PATH=x"}, "PATH", mesh.Honoured, mesh.NoEffect, "no verdict"},
		{"two tracers", nil, []string{node, "ENABLE_ENVOY_XRAY_TRACING=1", "ENABLE_ENVOY_JAEGER_TRACING=1"}, "", mesh.Wrong, mesh.OnTraffic, "one tracer at most"},
		{"what is so anyway", nil, []string{node, "ENABLE_ENVOY_XRAY_TRACING=0"}, "ENABLE_ENVOY_XRAY_TRACING", mesh.Honoured, mesh.NoEffect, "so anyway"},
		{"its switch is off", nil, []string{node, "STATSD_PORT=9"}, "STATSD_PORT", mesh.Honoured, mesh.NoEffect, "while ENABLE_ENVOY_DOG_STATSD is off"},
		{"it changes traffic", nil, []string{node, "APPMESH_SDS_SOCKET_PATH=/x"}, "APPMESH_SDS_SOCKET_PATH", mesh.Unsupported, mesh.OnTraffic, "this build does not"},
		{"it is only seen", nil, []string{node, "ENABLE_ENVOY_STATS_TAGS=1"}, "ENABLE_ENVOY_STATS_TAGS", mesh.Unsupported, mesh.OnObservation, "this build does not"},
		{"documents inline", nil, []string{node, "OUTRIDER_MESH_INLINE={}"}, "OUTRIDER_MESH_INLINE", mesh.Honoured, mesh.NoEffect, ""},
	} {
		_, verdicts := Judge(c.args, c.environ)
		i := slices.IndexFunc(verdicts, func(v Verdict) bool { return v.Variable == c.of })
		switch {
		case i < 0 && c.message == "no verdict":
		case i < 0:
			t.Errorf("%s: no verdict on %s in %+v", c.says, c.of, verdicts)
		case verdicts[i].Standing != c.want || verdicts[i].Effect != c.effect || !strings.Contains(verdicts[i].Message, c.message):
			t.Errorf("%s: %+v, want %s %q %q", c.says, verdicts[i], c.want, c.effect, c.message)
		}
	}
}

// TestJudgeAgreesWithParseRun: what keeps a sidecar from starting is wrong, and
// nothing else is.
func TestJudgeAgreesWithParseRun(t *testing.T) {
	for _, c := range contract {
		for _, value := range []string{c.value, "x", "-1", "999999"} {
			environ := []string{"APPMESH_RESOURCE_ARN=mesh/m/virtualNode/n", c.name + "=" + value}
			_, _, err := ParseRun(nil, environ)
			_, verdicts := Judge(nil, environ)
			stops := slices.ContainsFunc(verdicts, func(v Verdict) bool { return v.Standing == mesh.Wrong && v.Effect == mesh.OnTraffic })
			if stops != (err != nil) {
				t.Errorf("%s=%s: ParseRun says %v, Judge %+v", c.name, value, err, verdicts)
			}
		}
	}
}

func TestHiddenNames(t *testing.T) {
	for name, want := range map[string]bool{"DB_PASSWORD": true, "GITHUB_TOKEN": true, "ApiKey": true, "OUTRIDER_MESH_INLINE": true, "OUTRIDER_PARAM": true, "OUTRIDER_NODE": false, "APPMESH_RESOURCE_ARN": false} {
		if Hidden(name) != want {
			t.Errorf("Hidden(%s) is %t", name, !want)
		}
	}
}

package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// contract is every variable of the App Mesh image and its route manager, with
// a value that asks for something, and what becomes of it: "honoured" (seen in
// the Run), "not-yet" or "warning".
var contract = []struct{ name, value, fate string }{
	{"APPMESH_RESOURCE_ARN", "mesh/m/virtualNode/n", "honoured"},
	{"APPMESH_RESOURCE_NAME", "mesh/m/virtualNode/n", "honoured"},
	{"APPMESH_VIRTUAL_NODE_NAME", "mesh/m/virtualNode/n", "honoured"},
	{"APPMESH_RESOURCE_CLUSTER", "blue", "honoured"},
	{"APPMESH_VIRTUAL_NODE_CLUSTER", "blue", "honoured"},
	{"APPMESH_XDS_ENDPOINT", "localhost:1", "warning"},
	{"APPMESH_SIGNING_NAME", "appmesh", "warning"},
	{"APPMESH_PREVIEW", "1", "warning"},
	{"APPMESH_DUALSTACK_ENDPOINT", "1", "warning"},
	{"APPMESH_FIPS_ENDPOINT", "1", "warning"},
	{"APPMESH_SDS_SOCKET_PATH", "/run/sds", "not-yet"},
	{"APPMESH_METRIC_EXTENSION_VERSION", "1", "not-yet"},
	{"APPMESH_SET_TRACING_DECISION", "0", "warning"},
	{"APPMESH_PLATFORM_K8S_VERSION", "v1.30", "warning"},
	{"APPMESH_PLATFORM_K8S_POD_UID", "u", "warning"},
	{"APPMESH_PLATFORM_APP_MESH_CONTROLLER_VERSION", "v1.13", "warning"},
	{"AWS_REGION", "eu-west-1", "warning"},
	{"ENVOY_LOG_LEVEL", "debug", "honoured"},
	{"ENVOY_INITIAL_FETCH_TIMEOUT", "5", "warning"},
	{"ENVOY_CONCURRENCY", "2", "honoured"},
	{"ENVOY_ADMIN_MODE", "uds", "honoured"},
	{"ENVOY_ADMIN_ACCESS_PORT", "9000", "honoured"},
	{"ENVOY_ADMIN_ACCESS_ENABLE_IPV6", "true", "honoured"},
	{"ENVOY_ADMIN_ACCESS_LOG_FILE", "/tmp/x", "not-yet"},
	{"ENVOY_OUTLIER_DETECTION_EVENT_LOG_PATH", "/tmp/x", "not-yet"},
	{"ENVOY_CONFIG_FILE", "/tmp/x", "not-yet"},
	{"ENVOY_RESOURCES_CONFIG_FILE", "/tmp/x", "not-yet"},
	{"ENVOY_TRACING_CFG_FILE", "/tmp/x", "not-yet"},
	{"ENVOY_STATS_CONFIG_FILE", "/tmp/x", "not-yet"},
	{"ENVOY_STATS_SINKS_CFG_FILE", "/tmp/x", "not-yet"},
	{"ENVOY_STATS_FLUSH_INTERVAL", "1s", "not-yet"},
	{"ENVOY_NO_EXTENSION_LOOKUP_BY_NAME", "0", "warning"},
	{"ENVOY_ENABLE_TCP_POOL_IDLE_TIMEOUT", "0", "warning"},
	{"ENVOY_USE_HTTP_CLIENT_TO_FETCH_AWS_CREDENTIALS", "1", "warning"},
	{"MAX_REQUESTS_PER_IO_CYCLE", "1", "warning"},
	{"ENVOY_SKIP_DEPRECATED_LOGS", "0", "warning"},
	{"DISABLE_HOT_RESTART", "0", "warning"},
	{"ENABLE_ENVOY_STATS_TAGS", "1", "not-yet"},
	{"ENABLE_ENVOY_DOG_STATSD", "1", "not-yet"},
	{"STATSD_ADDRESS", "10.0.0.1", "not-yet"},
	{"STATSD_PORT", "8125", "not-yet"},
	{"STATSD_SOCKET_PATH", "/run/dsd", "not-yet"},
	{"ENABLE_ENVOY_XRAY_TRACING", "1", "not-yet"},
	{"XRAY_DAEMON_PORT", "2000", "not-yet"},
	{"AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:2000", "not-yet"},
	{"XRAY_SAMPLING_RATE", "0.5", "not-yet"},
	{"XRAY_SAMPLING_RULE_MANIFEST", "/tmp/x", "not-yet"},
	{"XRAY_SEGMENT_NAME", "s", "not-yet"},
	{"ENABLE_ENVOY_DATADOG_TRACING", "1", "not-yet"},
	{"DATADOG_TRACER_ADDRESS", "10.0.0.1", "not-yet"},
	{"DATADOG_TRACER_PORT", "8126", "not-yet"},
	{"DD_SERVICE", "s", "not-yet"},
	{"ENABLE_ENVOY_JAEGER_TRACING", "1", "not-yet"},
	{"JAEGER_TRACER_ADDRESS", "10.0.0.1", "not-yet"},
	{"JAEGER_TRACER_PORT", "9411", "not-yet"},
	{"JAEGER_TRACER_VERSION", "JSON", "not-yet"},
	{"APPNET_ENVOY_RESTART_COUNT", "3", "warning"},
	{"PID_POLL_INTERVAL_MS", "200", "warning"},
	{"LISTENER_DRAIN_WAIT_TIME_S", "30", "honoured"},
	{"APPNET_AGENT_ADMIN_MODE", "tcp", "not-yet"},
	{"APPNET_AGENT_HTTP_PORT", "9902", "not-yet"},
	{"APPNET_AGENT_HTTP_BIND_ADDRESS", "[::]", "not-yet"},
	{"APPNET_AGENT_ADMIN_UDS_PATH", "/run/a", "not-yet"},
	{"APPNET_AGENT_LOGGING_RESET_TIMEOUT", "60", "not-yet"},
	{"HC_POLL_INTERVAL_MS", "2000", "warning"},
	{"HC_DISCONNECTED_TIMEOUT_S", "3600", "warning"},
	{"APPNET_AGENT_POLL_ENVOY_READINESS_INTERVAL_S", "5", "warning"},
	{"APPNET_AGENT_POLL_ENVOY_READINESS_TIMEOUT_S", "180", "warning"},
	{"APPNET_ENVOY_LOG_DESTINATION", "/var/log", "warning"},
	{"APPNET_ENVOY_LOG_NAME", "x.log", "warning"},
	{"APPNET_AGENT_MAX_LOG_FILE_SIZE", "2.0", "warning"},
	{"APPNET_AGENT_MAX_RETENTION_COUNT", "6", "warning"},
	{"ENABLE_STATS_SNAPSHOT", "1", "not-yet"},
	{"ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4/x", "honoured"},
	{"APPMESH_START_ENABLED", "1", "warning"},
	{"APPMESH_IGNORE_UID", "1337", "warning"},
	{"APPMESH_IGNORE_GID", "1337", "warning"},
	{"APPMESH_APP_PORTS", "8080", "warning"},
	{"APPMESH_ENVOY_INGRESS_PORT", "15000", "warning"},
	{"APPMESH_ENVOY_EGRESS_PORT", "15001", "warning"},
	{"APPMESH_EGRESS_IGNORED_PORTS", "22", "warning"},
	{"APPMESH_EGRESS_IGNORED_IP", "10.0.0.0/8", "warning"},
	{"APPMESH_ENABLE_IPV6", "1", "warning"},
}

func TestEveryVariableIsHonouredOrAnswered(t *testing.T) {
	for _, c := range contract {
		environ := []string{c.name + "=" + c.value}
		if needs := needed(c.name); needs == "APPNET_ENVOY_LOG_DESTINATION" {
			environ = append(environ, needs+"=/var/log")
		} else if needs == "APPNET_AGENT_ADMIN_MODE" {
			environ = append(environ, needs+"=tcp")
		} else if needs != "" {
			environ = append(environ, needs+"=1")
		}
		args := []string{"--node=mesh/m/virtualNode/n"}
		if strings.Contains(c.value, "virtualNode") {
			args = nil
		}
		run, warnings, err := ParseRun(args, environ)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		fate := "nothing"
		if strings.Contains(strings.Join(run.Summary(), "\n"), "("+c.name) || run.Runtime.TaskMetadata.From == c.name {
			fate = "honoured"
		}
		for _, w := range warnings {
			if w.Variable == c.name {
				fate = w.Severity.String()
			}
		}
		if fate != c.fate {
			t.Errorf("%s=%s: %s, want %s (%v)", c.name, c.value, fate, c.fate, warnings)
		}
	}
}

func needed(name string) string {
	for _, v := range appMesh {
		if v.name == name {
			return v.needs
		}
	}
	return ""
}

func TestTheContractIsWhole(t *testing.T) {
	var listed, known []string
	for _, c := range contract {
		listed = append(listed, c.name)
	}
	for _, v := range appMesh {
		known = append(known, v.name)
		if v.set == nil && v.would == "" {
			t.Errorf("%s is neither acted on nor answered", v.name)
		}
	}
	slices.Sort(listed)
	slices.Sort(known)
	if !slices.Equal(listed, known) {
		t.Errorf("contract and table differ:\n%v\n%v", listed, known)
	}
}

func TestTheTwoFamilies(t *testing.T) {
	for _, c := range []struct {
		why, env string
		problem  bool
		warning  string
		want     string // a line of the summary
	}{
		{why: "strict ones are trimmed", env: "ENVOY_ADMIN_ACCESS_PORT= 9000 ", want: "admin-addr=127.0.0.1:9000 (ENVOY_ADMIN_ACCESS_PORT)"},
		{why: "strict ones are fatal", env: "ENVOY_ADMIN_ACCESS_PORT=9000x", problem: true},
		{why: "a port is a port", env: "ENVOY_ADMIN_ACCESS_PORT=65536", problem: true},
		{why: "blank is unset", env: "ENVOY_ADMIN_ACCESS_PORT=  ", want: "admin-addr=127.0.0.1:9901 (default)"},
		{why: "strict booleans are fatal", env: "ENVOY_ADMIN_ACCESS_ENABLE_IPV6=yes", problem: true},
		{why: "booleans are Go's", env: "ENVOY_ADMIN_ACCESS_ENABLE_IPV6=T", want: "admin-addr=0.0.0.0:9901,[::]:9901 (ENVOY_ADMIN_ACCESS_ENABLE_IPV6)"},
		{why: "also of what is not done yet", env: "ENABLE_ENVOY_XRAY_TRACING=yes", problem: true},
		{why: "a switch that is off asks for nothing", env: "ENABLE_ENVOY_XRAY_TRACING=0"},
		{why: "what needs a switch is ignored without it", env: "XRAY_SEGMENT_NAME=x"},
		{why: "yet checked", env: "XRAY_SAMPLING_RATE=2", problem: true},
		{why: "quiet ones in range", env: "LISTENER_DRAIN_WAIT_TIME_S=5", want: "drain-time=5s (LISTENER_DRAIN_WAIT_TIME_S)"},
		{why: "quiet ones in range", env: "LISTENER_DRAIN_WAIT_TIME_S=110", want: "drain-time=1m50s (LISTENER_DRAIN_WAIT_TIME_S)"},
		{why: "quiet ones below", env: "LISTENER_DRAIN_WAIT_TIME_S=4", warning: "20 is used", want: "drain-time=20s (default)"},
		{why: "quiet ones above", env: "LISTENER_DRAIN_WAIT_TIME_S=111", warning: "20 is used", want: "drain-time=20s (default)"},
		{why: "quiet ones are not trimmed", env: "LISTENER_DRAIN_WAIT_TIME_S= 30", warning: "20 is used", want: "drain-time=20s (default)"},
		{why: "a duration is no number of seconds", env: "LISTENER_DRAIN_WAIT_TIME_S=30s", warning: "20 is used", want: "drain-time=20s (default)"},
		{why: "concurrency is quiet", env: "ENVOY_CONCURRENCY=two", warning: "limits allow"},
		{why: "concurrency of 0 is not passed on", env: "ENVOY_CONCURRENCY=0"},
		{why: "nor is -1", env: "ENVOY_CONCURRENCY=-1"},
		{why: "unknown admin mode", env: "ENVOY_ADMIN_MODE=udp", warning: "tcp is used", want: "admin-addr=127.0.0.1:9901 (default)"},
		{why: "uds", env: "ENVOY_ADMIN_MODE=uds", want: "admin-addr=unix:///tmp/envoy_admin.sock (ENVOY_ADMIN_MODE)"},
		{why: "unknown level", env: "ENVOY_LOG_LEVEL=loud", warning: "info is used", want: "log-level=info (default)"},
		{why: "levels are trimmed", env: "ENVOY_LOG_LEVEL= warn ", want: "log-level=warning (ENVOY_LOG_LEVEL)"},
		{why: "own variables are strict", env: "OUTRIDER_DRAIN_TIME=30", problem: true},
		{why: "an empty one is unset", env: "OUTRIDER_DRAIN_TIME=", want: "drain-time=20s (default)"},
	} {
		run, warnings, err := ParseRun([]string{"--node=mesh/m/virtualNode/n"}, []string{c.env})
		if (err != nil) != c.problem {
			t.Errorf("%s: %s: error %v", c.why, c.env, err)
			continue
		}
		if got := told(warnings); c.warning == "" && got != "" || !strings.Contains(got, c.warning) {
			t.Errorf("%s: %s: warnings %q, want %q", c.why, c.env, got, c.warning)
		}
		if c.want != "" && !slices.Contains(run.Summary(), c.want) {
			t.Errorf("%s: %s: no %q in\n%s", c.why, c.env, c.want, strings.Join(run.Summary(), "\n"))
		}
	}
}

func told(warnings []Warning) string {
	var lines []string
	for _, w := range warnings {
		lines = append(lines, w.String())
	}
	return strings.Join(lines, "\n")
}

func TestAtMostOneTracer(t *testing.T) {
	_, _, err := ParseRun([]string{"--node=mesh/m/virtualNode/n"}, []string{"ENABLE_ENVOY_XRAY_TRACING=1", "ENABLE_ENVOY_JAEGER_TRACING=true", "ENABLE_ENVOY_DATADOG_TRACING=0"})
	if err == nil || !strings.Contains(err.Error(), "one tracer") {
		t.Errorf("two tracers: %v", err)
	}
}

func TestUnknownVariables(t *testing.T) {
	_, warnings, err := ParseRun([]string{"--node=mesh/m/virtualNode/n"}, []string{
		"ENVOY_LOGLEVEL=debug", "OUTRIDER_DRAINTIME=5s", "APPNET_WHATEVER=secret", "PATH=/bin", "ENVOY_EMPTY=",
	})
	want := "warning: APPNET_WHATEVER: no such variable: ignored\n" +
		"warning: ENVOY_LOGLEVEL: no such variable: did you mean ENVOY_LOG_LEVEL?\n" +
		"warning: OUTRIDER_DRAINTIME: no such variable: did you mean OUTRIDER_DRAIN_TIME?"
	if got := told(warnings); err != nil || got != want {
		t.Errorf("got %v\n%s\nwant\n%s", err, got, want)
	}
	for _, w := range warnings {
		if w.Severity != mesh.Warning {
			t.Errorf("%v: severity %v", w, w.Severity)
		}
	}
}

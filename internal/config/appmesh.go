package config

import (
	"strconv"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// What stands in place of things that are gone.
const (
	noControlPlane = "App Mesh's control plane has ended; documents come from --mesh"
	oneProcess     = "the sidecar is one process, with no child to watch; restarting it is the container's part"
	forIptables    = "it belongs to the init container, outrider iptables"
	forHealth      = "outrider health --wait does that"
	notEnvoy       = "it tunes the inside of Envoy, and this is none"
)

// appMesh is every variable of the App Mesh image and of its route manager
// (App Mesh 3.1, 3.3, 4.5), in the order of that page.
var appMesh = []variable{
	{name: "APPMESH_RESOURCE_ARN", check: anything, set: (*parser).setResourceOnce},
	{name: "APPMESH_RESOURCE_NAME", check: anything, set: (*parser).setResourceOnce},
	{name: "APPMESH_VIRTUAL_NODE_NAME", check: anything, set: (*parser).setResourceOnce},
	{name: "APPMESH_RESOURCE_CLUSTER", check: anything, set: (*parser).setClusterOnce},
	{name: "APPMESH_VIRTUAL_NODE_CLUSTER", check: anything, set: (*parser).setClusterOnce},

	// The control plane.
	{name: "APPMESH_XDS_ENDPOINT", check: anything, would: "named the control plane to ask", instead: noControlPlane},
	{name: "APPMESH_SIGNING_NAME", check: anything, would: "named the service to sign requests for", instead: noControlPlane},
	{name: "APPMESH_PREVIEW", check: aSwitch, fine: "false", would: "asked the preview control plane", instead: noControlPlane},
	{name: "APPMESH_DUALSTACK_ENDPOINT", check: aSwitch, fine: "false", would: "asked the control plane by its dual-stack name", instead: noControlPlane},
	{name: "APPMESH_FIPS_ENDPOINT", check: aSwitch, fine: "false", would: "asked the control plane by its FIPS name", instead: noControlPlane},
	{name: "ENVOY_INITIAL_FETCH_TIMEOUT", check: seconds, fine: "0", would: "limited the wait for the first configuration", instead: noControlPlane},
	{name: "APPMESH_PLATFORM_K8S_VERSION", check: anything, would: "told the control plane the platform", instead: noControlPlane},
	{name: "APPMESH_PLATFORM_K8S_POD_UID", check: anything, would: "told the control plane the pod", instead: noControlPlane},
	{name: "APPMESH_PLATFORM_APP_MESH_CONTROLLER_VERSION", check: anything, would: "told the control plane the controller's version", instead: noControlPlane},
	{name: "AWS_REGION", check: anything, would: "chosen the region of AWS services to call", instead: "none is called"},
	{name: "ENVOY_USE_HTTP_CLIENT_TO_FETCH_AWS_CREDENTIALS", check: aSwitch, fine: "false", would: "chosen how Envoy gets credentials for the control plane", instead: noControlPlane},

	// Process, log, admin.
	{name: "ENVOY_LOG_LEVEL", family: forgiving, check: anyLevel, fallback: "info", set: into(func(r *Run) *Value[Level] { return &r.Log.Level }, ParseLevel)},
	{name: "ENVOY_CONCURRENCY", family: quiet, check: aNumber, fallback: "what the machine's limits allow", set: (*parser).setConcurrency},
	{name: "ENVOY_ADMIN_MODE", family: quiet, check: oneOf("tcp", "uds"), fallback: "tcp", set: (*parser).setAdminMode},
	{name: "ENVOY_ADMIN_ACCESS_PORT", check: aPort, set: (*parser).setAdminPort},
	{name: "ENVOY_ADMIN_ACCESS_ENABLE_IPV6", check: aSwitch, set: (*parser).setAdminV6},
	{name: "LISTENER_DRAIN_WAIT_TIME_S", family: quiet, check: between(5, 110), fallback: "20", set: (*parser).setDrainSeconds},
	{name: "ECS_CONTAINER_METADATA_URI_V4", check: anything, set: into(func(r *Run) *Value[string] { return &r.Runtime.TaskMetadata }, text)},
	{name: "ENVOY_ADMIN_ACCESS_LOG_FILE", check: anything, would: "logged admin requests to that file"},
	{name: "ENVOY_OUTLIER_DETECTION_EVENT_LOG_PATH", check: anything, would: "logged ejections to that file"},

	// Envoy's own files and switches.
	{name: "ENVOY_CONFIG_FILE", check: anything, effect: mesh.OnTraffic, would: "started from that Envoy bootstrap"},
	{name: "ENVOY_RESOURCES_CONFIG_FILE", check: anything, effect: mesh.OnTraffic, would: "added the static resources of that file"},
	{name: "ENVOY_TRACING_CFG_FILE", check: anything, would: "taken the tracer from that file"},
	{name: "ENVOY_STATS_CONFIG_FILE", check: anything, would: "taken tags and filters of statistics from that file"},
	{name: "ENVOY_STATS_SINKS_CFG_FILE", check: anything, would: "sent statistics to the sinks of that file"},
	{name: "ENVOY_STATS_FLUSH_INTERVAL", check: interval, fine: "5s", would: "set how often statistics are sent to sinks"},
	{name: "ENVOY_NO_EXTENSION_LOOKUP_BY_NAME", check: aSwitch, fine: "true", would: "let Envoy find extensions by name", instead: notEnvoy},
	{name: "ENVOY_ENABLE_TCP_POOL_IDLE_TIMEOUT", check: aSwitch, fine: "true", would: "switched off the idle timeout of TCP pools (in the image's README; no agent read it)", instead: notEnvoy},
	{name: "MAX_REQUESTS_PER_IO_CYCLE", check: between(1, 1<<30), would: "limited the requests taken from a connection at once", instead: "a connection's requests are served one after the other"},
	{name: "ENVOY_SKIP_DEPRECATED_LOGS", family: quiet, check: aSwitch, fallback: "true", fine: "true", would: "logged the use of deprecated Envoy fields", instead: notEnvoy},
	{name: "DISABLE_HOT_RESTART", family: quiet, check: aSwitch, fallback: "true", fine: "true", would: "allowed Envoy to hand over to a second process", instead: "there is no hot restart; changed documents are picked up while running"},

	// Statistics.
	{name: "APPMESH_METRIC_EXTENSION_VERSION", check: anything, fine: "0", would: "added App Mesh's own metrics"},
	{name: "ENABLE_ENVOY_STATS_TAGS", check: aSwitch, fine: "false", would: "tagged all statistics with mesh and node"},
	{name: "ENABLE_ENVOY_DOG_STATSD", check: aSwitch, fine: "false", would: "sent statistics to DogStatsD"},
	{name: "STATSD_ADDRESS", check: anything, needs: "ENABLE_ENVOY_DOG_STATSD", would: "named the host of DogStatsD"},
	{name: "STATSD_PORT", check: aPort, needs: "ENABLE_ENVOY_DOG_STATSD", would: "named the port of DogStatsD"},
	{name: "STATSD_SOCKET_PATH", check: anything, needs: "ENABLE_ENVOY_DOG_STATSD", would: "named the socket of DogStatsD"},
	{name: "ENABLE_STATS_SNAPSHOT", family: quiet, check: aSwitch, fallback: "false", fine: "false", would: "offered one-minute differences of statistics on the agent's interface"},

	// Tracing.
	{name: "APPMESH_SET_TRACING_DECISION", check: aSwitch, fine: "true", would: "kept the sampling decision out of x-request-id", instead: "nothing is traced yet, and none is written"},
	{name: "ENABLE_ENVOY_XRAY_TRACING", check: aSwitch, fine: "false", would: "sent traces to X-Ray"},
	{name: "XRAY_DAEMON_PORT", check: aPort, needs: "ENABLE_ENVOY_XRAY_TRACING", would: "named the port of the X-Ray daemon"},
	{name: "AWS_XRAY_DAEMON_ADDRESS", check: literalAddress, needs: "ENABLE_ENVOY_XRAY_TRACING", would: "named the address of the X-Ray daemon"},
	{name: "XRAY_SAMPLING_RATE", check: spelled(number(0, 1)), needs: "ENABLE_ENVOY_XRAY_TRACING", would: "set the share of requests that X-Ray samples"},
	{name: "XRAY_SAMPLING_RULE_MANIFEST", check: anything, needs: "ENABLE_ENVOY_XRAY_TRACING", would: "taken X-Ray's sampling rules from that file"},
	{name: "XRAY_SEGMENT_NAME", check: anything, needs: "ENABLE_ENVOY_XRAY_TRACING", would: "named X-Ray's segments"},
	{name: "ENABLE_ENVOY_DATADOG_TRACING", check: aSwitch, fine: "false", would: "sent traces to Datadog"},
	{name: "DATADOG_TRACER_ADDRESS", check: anything, needs: "ENABLE_ENVOY_DATADOG_TRACING", would: "named the host of Datadog's agent"},
	{name: "DATADOG_TRACER_PORT", check: aPort, needs: "ENABLE_ENVOY_DATADOG_TRACING", would: "named the port of Datadog's agent"},
	{name: "DD_SERVICE", check: anything, needs: "ENABLE_ENVOY_DATADOG_TRACING", would: "named the service in Datadog"},
	{name: "ENABLE_ENVOY_JAEGER_TRACING", check: aSwitch, fine: "false", would: "sent traces to Jaeger"},
	{name: "JAEGER_TRACER_ADDRESS", check: anything, needs: "ENABLE_ENVOY_JAEGER_TRACING", would: "named the host of Jaeger"},
	{name: "JAEGER_TRACER_PORT", check: aPort, needs: "ENABLE_ENVOY_JAEGER_TRACING", would: "named the port of Jaeger"},
	{name: "JAEGER_TRACER_VERSION", check: oneOf("PROTO", "JSON"), needs: "ENABLE_ENVOY_JAEGER_TRACING", would: "chosen the encoding for Jaeger"},

	// TLS.
	{name: "APPMESH_SDS_SOCKET_PATH", check: anything, effect: mesh.OnTraffic, would: "fetched certificates from the SDS provider on that socket"},

	// App Mesh's agent.
	{name: "APPNET_ENVOY_RESTART_COUNT", family: quiet, check: aNumber, fallback: "3", fine: "0", would: "restarted Envoy that often", instead: oneProcess},
	{name: "PID_POLL_INTERVAL_MS", family: quiet, check: between(100, 1000), fallback: "100", fine: "100", would: "set how often the agent looks for Envoy's process", instead: oneProcess},
	{name: "APPNET_AGENT_ADMIN_MODE", family: quiet, check: oneOf("tcp", "uds"), fallback: "no agent interface", would: "served the agent's interface (status, drain, logging) beside Envoy's"},
	{name: "APPNET_AGENT_HTTP_PORT", family: quiet, check: aPort, fallback: "9902", needs: "APPNET_AGENT_ADMIN_MODE", would: "named the port of the agent's interface"},
	{name: "APPNET_AGENT_HTTP_BIND_ADDRESS", family: quiet, check: anything, needs: "APPNET_AGENT_ADMIN_MODE", would: "named the address of the agent's interface"},
	{name: "APPNET_AGENT_ADMIN_UDS_PATH", family: quiet, check: anything, needs: "APPNET_AGENT_ADMIN_MODE", would: "named the socket of the agent's interface"},
	{name: "APPNET_AGENT_LOGGING_RESET_TIMEOUT", family: quiet, check: seconds, fallback: "300", needs: "APPNET_AGENT_ADMIN_MODE", would: "set when a changed log level falls back"},
	{name: "HC_POLL_INTERVAL_MS", family: quiet, check: between(2000, 30000), fallback: "10000", fine: "10000", would: "set how often the agent asks Envoy for its state", instead: oneProcess},
	{name: "HC_DISCONNECTED_TIMEOUT_S", family: quiet, check: between(3600, 604800), fallback: "604800", fine: "604800", would: "called the proxy unhealthy after so long without the control plane", instead: noControlPlane},
	{name: "APPNET_AGENT_POLL_ENVOY_READINESS_INTERVAL_S", family: quiet, check: seconds, fallback: "5", would: "set how often agent -envoyReadiness asks", instead: forHealth},
	{name: "APPNET_AGENT_POLL_ENVOY_READINESS_TIMEOUT_S", family: quiet, check: seconds, fallback: "180", would: "set how long agent -envoyReadiness waits", instead: forHealth},
	{name: "APPNET_ENVOY_LOG_DESTINATION", family: quiet, check: anything, fine: "stdout", would: "written the log into that directory", instead: "the log stays where the container runtime collects it"},
	{name: "APPNET_ENVOY_LOG_NAME", family: quiet, check: anything, needs: "APPNET_ENVOY_LOG_DESTINATION", would: "named the log file", instead: "there is none"},
	{name: "APPNET_AGENT_MAX_LOG_FILE_SIZE", family: quiet, check: spelled(number(0, 1e9)), fallback: "1.0", needs: "APPNET_ENVOY_LOG_DESTINATION", would: "limited the log file", instead: "there is none"},
	{name: "APPNET_AGENT_MAX_RETENTION_COUNT", family: quiet, check: seconds, fallback: "5", needs: "APPNET_ENVOY_LOG_DESTINATION", would: "limited the number of log files", instead: "there is none"},

	// The route manager (App Mesh 4.5).
	{name: "APPMESH_START_ENABLED", check: anything, would: "installed the redirect rules", instead: forIptables},
	{name: "APPMESH_IGNORE_UID", check: anything, would: "excepted that user from the redirect", instead: forIptables},
	{name: "APPMESH_IGNORE_GID", check: anything, would: "excepted that group from the redirect", instead: forIptables},
	{name: "APPMESH_APP_PORTS", check: anything, would: "redirected those inbound ports", instead: forIptables},
	{name: "APPMESH_ENVOY_INGRESS_PORT", check: anything, would: "redirected inbound connections to that port", instead: forIptables},
	{name: "APPMESH_ENVOY_EGRESS_PORT", check: anything, would: "redirected outbound connections to that port", instead: forIptables},
	{name: "APPMESH_EGRESS_IGNORED_PORTS", check: anything, would: "excepted those ports from the redirect", instead: forIptables},
	{name: "APPMESH_EGRESS_IGNORED_IP", check: anything, would: "excepted those addresses from the redirect", instead: forIptables},
	{name: "APPMESH_ENABLE_IPV6", check: anything, would: "switched the redirect of IPv6 on or off", instead: forIptables},
}

// setConcurrency leaves 0 and less to the limits, as App Mesh's agent passed
// the number on only above 0.
func (p *parser) setConcurrency(text, from string) error {
	n, err := strconv.Atoi(text)
	if err == nil && n > 0 {
		p.run.Runtime.Procs = Value[int]{min(n, maxProcs), from}
	}
	return err
}

func (p *parser) setDrainSeconds(text, from string) error {
	n, err := strconv.Atoi(text)
	p.run.Drain.Time = Value[time.Duration]{time.Duration(n) * time.Second, from}
	return err
}

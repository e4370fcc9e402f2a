package config

import (
	"errors"
	"strings"
	"testing"
)

func TestDefaults(t *testing.T) {
	run, warnings, err := ParseRun([]string{"--node", "mesh/my-mesh/virtualNode/user-service"}, nil)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	want := `mesh=/etc/outrider/mesh (default)
node=mesh/my-mesh/virtualNode/user-service (--node)
node-cluster=mesh/my-mesh/virtualNode/user-service (default: the resource)
ingress-addr=0.0.0.0:15000,[::]:15000 (default)
egress-addr=127.0.0.1:15001,[::1]:15001 (default)
forwarded=off (default)
admin-addr=127.0.0.1:9901 (default)
admin-open=false (default)
log-level=info (default)
log-format=text (default)
drain-time=20s (default)
drain-wait-app=true (default)
retry-unsafe=false (default)
retry-budget=20% (default)
retry-budget-min=3 (default)
retry-buffer=65536 (default)
dns-refresh=5s (default)
dns-empty-keep=1m0s (default)
live-timeout=5s (default)
http2-max-concurrent-streams=1024 (default)
http2-initial-stream-window=65536 (default)
http2-initial-connection-window=1048576 (default)
http2-max-header-bytes=61440 (default)
http2-max-headers=100 (default)
http2-max-outbound-frames=10000 (default)
http2-max-outbound-control-frames=1000 (default)
http2-max-consecutive-inbound-frames-with-empty-payload=1 (default)
http2-max-inbound-priority-frames-per-stream=100 (default)
http2-max-inbound-window-update-frames-per-data-frame-sent=10 (default)
http2-premature-reset-total-stream-count=500 (default)
http2-premature-reset-min-stream-lifetime=1s (default)
max-requests-per-connection=0 (default)
max-unfinished-uploads=4096 (default)
grpc-timeout=pass (default)`
	if got := strings.Join(run.Summary(), "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestLevelsOverrule(t *testing.T) {
	const appmesh, own, flag = "LISTENER_DRAIN_WAIT_TIME_S=30", "OUTRIDER_DRAIN_TIME=40s", "--drain-time=50s"
	for _, c := range []struct {
		args, env []string
		want      string
	}{
		{nil, nil, "20s (default)"},
		{nil, []string{appmesh}, "30s (LISTENER_DRAIN_WAIT_TIME_S)"},
		{nil, []string{appmesh, own}, "40s (OUTRIDER_DRAIN_TIME)"},
		{[]string{flag}, []string{appmesh, own}, "50s (--drain-time)"},
		{[]string{flag, "--drain-time", "60s"}, nil, "1m0s (--drain-time)"},
	} {
		run, _, err := ParseRun(append(c.args, "--node=mesh/m/virtualNode/n"), c.env)
		if err != nil {
			t.Fatal(err)
		}
		if got := run.Drain.Time.V.String() + " (" + run.Drain.Time.From + ")"; got != c.want {
			t.Errorf("%v %v: %s, want %s", c.args, c.env, got, c.want)
		}
	}
}

func TestFlags(t *testing.T) {
	for _, c := range []struct {
		arg, want string // want is a line of the summary, or a part of the error
	}{
		{"--mesh=a,b", "mesh=a,b (--mesh)"},
		{"--mesh=", "error: --mesh \"\": empty"},
		{"--endpoints=e.yaml", "endpoints=e.yaml (--endpoints)"},
		{"--ingress-addr=127.0.0.2:15000", "ingress-addr=127.0.0.2:15000 (--ingress-addr)"},
		{"--ingress-addr=:0", "ingress-addr=0.0.0.0:0,[::]:0 (--ingress-addr)"},
		{"--ingress-addr=[fd00::1]:1,10.0.0.1:1", "ingress-addr=[fd00::1]:1,10.0.0.1:1 (--ingress-addr)"},
		{"--ingress-addr=15000", "error: not ip:port"},
		{"--ingress-addr=::1:15000", "error: not ip:port"},
		{"--ingress-addr=example:15000", "error: not ip:port"},
		{"--ingress-addr=10.0.0.1:70000", "error: not ip:port"},
		{"--ingress-addr=:15001", "error: both want 127.0.0.1:15001"},
		{"--egress-addr=localhost:15002", "egress-addr=127.0.0.1:15002,[::1]:15002 (--egress-addr)"},
		{"--app-addr=127.0.0.3", "app-addr=127.0.0.3 (--app-addr)"},
		{"--app-addr=app", "error: not an IP address"},
		{"--admin-addr=:9902", "admin-addr=0.0.0.0:9902,[::]:9902 (--admin-addr)"},
		{"--admin-addr=unix:///run/x", "admin-addr=unix:///run/x (--admin-addr)"},
		{"--admin-addr=unix://x", "error: must be absolute"},
		{"--admin-open", "admin-open=true (--admin-open)"},
		{"--concurrency=2", "concurrency=2 (--concurrency)"},
		{"--concurrency=0", "error: not a whole number from 1"},
		{"--log-level=WARN", "log-level=warning (--log-level)"},
		{"--log-level=loud", "error: not one of trace, debug, info"},
		{"--log-format=json", "log-format=json (--log-format)"},
		{"--log-format=xml", "error: neither text nor json"},
		{"--drain-time=0", "drain-time=0s (--drain-time)"},
		{"--drain-time=2h", "error: not from 0s to 1h0m0s"},
		{"--drain-wait-app=false", "drain-wait-app=false (--drain-wait-app)"},
		{"--drain-wait-app=no", "error: not a boolean"},
		{"--retry-unsafe", "retry-unsafe=true (--retry-unsafe)"},
		{"--retry-budget=off", "retry-budget=off (--retry-budget)"},
		{"--retry-budget=0", "retry-budget=off (--retry-budget)"},
		{"--retry-budget=30%", "retry-budget=30% (--retry-budget)"},
		{"--retry-budget=101", "error: not a percentage"},
		{"--retry-budget-min=0", "retry-budget-min=0 (--retry-budget-min)"},
		{"--retry-buffer=1MiB", "retry-buffer=1048576 (--retry-buffer)"},
		{"--retry-buffer=17MiB", "error: not a number of bytes"},
		{"--retry-buffer=9223372036854775807KiB", "error: not a number of bytes"},
		{"--dns-refresh=1s", "dns-refresh=1s (--dns-refresh)"},
		{"--dns-refresh=1ms", "error: not from 100ms"},
		{"--dns-empty-keep=0", "dns-empty-keep=0s (--dns-empty-keep)"},
		{"--live-timeout=1s", "live-timeout=1s (--live-timeout)"},
		{"--http2-max-concurrent-streams=7", "http2-max-concurrent-streams=7 (--http2-max-concurrent-streams)"},
		{"--http2-max-concurrent-streams=0", "error: --http2-max-concurrent-streams \"0\": not a whole number from 1 to 2147483647"},
		{"--http2-max-concurrent-streams=2147483648", "error: not a whole number from 1 to 2147483647"},
		{"--http2-initial-stream-window=128KiB", "http2-initial-stream-window=131072 (--http2-initial-stream-window)"},
		{"--http2-initial-stream-window=65534", "error: not a number of bytes from 65535 to 2147483647"},
		{"--http2-initial-stream-window=2MiB", "error: http2-initial-connection-window 1048576 (default): less than http2-initial-stream-window 2097152"},
		{"--http2-initial-connection-window=2147483647", "http2-initial-connection-window=2147483647"},
		{"--http2-initial-connection-window=2048MiB", "error: not a number of bytes"},
		{"--http2-max-header-bytes=8MiB", "http2-max-header-bytes=8388608"},
		{"--http2-max-header-bytes=9MiB", "error: not a number of bytes from 1024 to 8388608"},
		{"--http2-max-headers=1000", "http2-max-headers=1000"},
		{"--http2-max-headers=0", "error: not a whole number from 1 to 65535"},
		{"--http2-max-outbound-frames=2000", "http2-max-outbound-frames=2000"},
		{"--http2-max-outbound-frames=999", "error: http2-max-outbound-control-frames 1000 (default): more than http2-max-outbound-frames 999"},
		{"--http2-max-outbound-control-frames=10", "http2-max-outbound-control-frames=10"},
		{"--http2-max-consecutive-inbound-frames-with-empty-payload=3", "http2-max-consecutive-inbound-frames-with-empty-payload=3"},
		{"--http2-max-inbound-priority-frames-per-stream=5", "http2-max-inbound-priority-frames-per-stream=5"},
		{"--http2-max-inbound-window-update-frames-per-data-frame-sent=20", "http2-max-inbound-window-update-frames-per-data-frame-sent=20"},
		{"--http2-max-inbound-window-update-frames-per-data-frame-sent=0", "error: not a whole number from 1"},
		{"--http2-premature-reset-total-stream-count=50", "http2-premature-reset-total-stream-count=50"},
		{"--http2-premature-reset-min-stream-lifetime=2s", "http2-premature-reset-min-stream-lifetime=2s"},
		{"--http2-premature-reset-min-stream-lifetime=0", "error: not from 1ms"},
		{"--http2-stream-buffer-budget=1024MiB", "http2-stream-buffer-budget=1073741824 (--http2-stream-buffer-budget)"},
		{"--http2-stream-buffer-budget=0", "http2-stream-buffer-budget=0"},
		{"--http2-stream-buffer-budget=-1", "error: not a number of bytes"},
		{"--max-requests-per-connection=1000", "max-requests-per-connection=1000"},
		{"--max-requests-per-connection=-1", "error: not a whole number from 0"},
		{"--max-unfinished-uploads=0", "max-unfinished-uploads=0 (--max-unfinished-uploads)"},
		{"--max-unfinished-uploads=-1", "error: not a whole number from 0"},
		{"--forwarded=append", "forwarded=append (--forwarded)"},
		{"--forwarded=behind=2", "forwarded=behind=2 (--forwarded)"},
		{"--forwarded=behind=0", "error: --forwarded \"behind=0\": behind is not a whole number from 1 to 16"},
		{"--forwarded=behind", "error: --forwarded \"behind\": not one of off, append, behind=N"},
		{"--grpc-timeout=limit", "grpc-timeout=limit (--grpc-timeout)"},
		{"--grpc-timeout=obey", "error: --grpc-timeout \"obey\": not one of pass, limit"},
		{"--drain-tme=1s", "error: no such flag --drain-tme: did you mean --drain-time?"},
		{"--zzz", "error: no such flag --zzz (see"},
		{"mesh.yaml", "error: unexpected argument"},
	} {
		run, _, err := ParseRun([]string{"--node=mesh/m/virtualNode/n", c.arg}, nil)
		var usage *UsageError
		if part, bad := strings.CutPrefix(c.want, "error: "); bad {
			if !errors.As(err, &usage) || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: error %v, want %s", c.arg, err, part)
			}
		} else if err != nil {
			t.Errorf("%s: %v", c.arg, err)
		} else if got := strings.Join(run.Summary(), "\n"); !strings.Contains(got, c.want) {
			t.Errorf("%s: no %q in\n%s", c.arg, c.want, got)
		}
	}
}

func TestEveryFlagHasItsVariable(t *testing.T) {
	for _, s := range settings {
		if !strings.Contains(RunUsage(), "--"+s.flag) {
			t.Errorf("--%s is not in the help", s.flag)
		}
	}
	run, _, err := ParseRun(nil, []string{"OUTRIDER_NODE=mesh/m/virtualNode/n", "OUTRIDER_MESH=a, b", "OUTRIDER_ADMIN_OPEN=1", "OUTRIDER_RETRY_BUDGET=off"})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(run.Documents.Paths.V, "+") != "a+b" || !run.Admin.Open.V || run.Retry.BudgetPercent.V != 0 || run.Resource.Name.From != "OUTRIDER_NODE" {
		t.Errorf("%+v", run)
	}
}

func TestMeshMayBeRepeated(t *testing.T) {
	run, _, err := ParseRun([]string{"--mesh", "a", "--node=mesh/m/virtualNode/n", "--mesh", "b,c"}, []string{"OUTRIDER_MESH=z"})
	if err != nil || strings.Join(run.Documents.Paths.V, "+") != "a+b+c" {
		t.Errorf("%v %v", err, run.Documents.Paths)
	}
}

func TestAllProblemsAreToldAtOnce(t *testing.T) {
	_, _, err := ParseRun([]string{"--drain-time=x"}, []string{"ENVOY_ADMIN_ACCESS_PORT=x", "APPMESH_PREVIEW=x"})
	var usage *UsageError
	if !errors.As(err, &usage) || len(usage.Problems) != 4 {
		t.Errorf("want three bad values and the missing resource: %v", err)
	}
}

func TestHelpAndVersion(t *testing.T) {
	if _, _, err := ParseRun([]string{"-h"}, nil); !errors.Is(err, ErrHelp) {
		t.Errorf("-h: %v", err)
	}
	run, _, err := ParseRun([]string{"--version"}, []string{"ENVOY_ADMIN_ACCESS_PORT=x"})
	if err != nil || !run.Version {
		t.Errorf("--version: %v", err)
	}
}

func TestResourceOrder(t *testing.T) {
	arn, name, node := "APPMESH_RESOURCE_ARN=mesh/m/virtualNode/a", "APPMESH_RESOURCE_NAME=mesh/m/virtualNode/b", "APPMESH_VIRTUAL_NODE_NAME=mesh/m/virtualNode/c"
	for _, c := range []struct {
		args, env []string
		want      string
	}{
		{nil, []string{node, name, arn}, "a"},
		{nil, []string{node, name}, "b"},
		{nil, []string{node}, "c"},
		{[]string{"--node=mesh/m/virtualNode/d"}, []string{node, arn}, "d"},
		{nil, []string{node, "APPMESH_RESOURCE_ARN="}, "c"},
		{nil, []string{"APPMESH_VIRTUAL_NODE_NAME=mesh/m", arn}, "a"},
	} {
		run, _, err := ParseRun(c.args, c.env)
		if err != nil || run.Resource.Name.V.Name != c.want {
			t.Errorf("%v %v: %v, %v; want %s", c.args, c.env, run.Resource, err, c.want)
		}
	}
	if _, _, err := ParseRun(nil, nil); err == nil || !strings.Contains(err.Error(), "--node") {
		t.Errorf("without a resource: %v", err)
	}
}

func TestAdminAddress(t *testing.T) {
	const task = "APPMESH_RESOURCE_ARN=mesh/m/virtualNode/n"
	for _, c := range []struct {
		why  string
		args []string
		env  []string
		want string
	}{
		{"in an App Mesh task", nil, []string{task}, "0.0.0.0:9901"},
		{"in an App Mesh task with a port", nil, []string{task, "ENVOY_ADMIN_ACCESS_PORT=9000"}, "0.0.0.0:9000"},
		{"with IPv6", nil, []string{task, "ENVOY_ADMIN_ACCESS_ENABLE_IPV6=1"}, "0.0.0.0:9901,[::]:9901"},
		{"a flag wins", []string{"--admin-addr=127.0.0.1:1"}, []string{task, "ENVOY_ADMIN_MODE=uds"}, "127.0.0.1:1"},
		{"a flag wins over its variable", []string{"--admin-addr=127.0.0.1:1"}, []string{task, "OUTRIDER_ADMIN_ADDR=unix:///x"}, "127.0.0.1:1"},
	} {
		run, _, err := ParseRun(c.args, c.env)
		if err != nil || joined(run.Admin.Addrs.V) != c.want || run.Admin.Socket.V != "" {
			t.Errorf("%s: %v %+v, want %s", c.why, err, run, c.want)
		}
	}
}

func TestInlineDocuments(t *testing.T) {
	run, _, err := ParseRun([]string{"--node=mesh/m/virtualNode/n"}, []string{"OUTRIDER_MESH_INLINE= spec: {}\n"})
	if err != nil || run.Documents.Inline.V != " spec: {}\n" || len(run.Documents.Paths.V) != 0 {
		t.Errorf("inline alone drops the default path: %v %+v", err, run.Documents)
	}
	run, _, err = ParseRun([]string{"--node=mesh/m/virtualNode/n", "--mesh=a"}, []string{"OUTRIDER_MESH_INLINE=password: x"})
	if err != nil || len(run.Documents.Paths.V) != 1 || strings.Contains(strings.Join(run.Summary(), ""), "password") {
		t.Errorf("both are read, the text is not shown: %v %v", err, run.Summary())
	}
}

// TestParams: values may hold commas and "=", and are in no log and no
// complaint.
func TestParams(t *testing.T) {
	run, _, err := ParseRun([]string{"--node=mesh/m/virtualNode/n", "--param", "Zones=a,b=c", "--param= AWS::Region =eu-west-1", "--param", "Empty="},
		[]string{"OUTRIDER_PARAM=Zones=z", "OUTRIDER_IMPORT=one:Mesh=m\ntwo=x y \n"})
	if err != nil {
		t.Fatal(err)
	}
	docs := run.Documents
	if p := docs.Params.V; len(p) != 3 || p["Zones"] != "a,b=c" || p["AWS::Region"] != "eu-west-1" || p["Empty"] != "" {
		t.Errorf("params %q", p)
	}
	if p := docs.Imports.V; len(p) != 2 || p["one:Mesh"] != "m" || p["two"] != "x y " {
		t.Errorf("imports %q", p)
	}
	summary := strings.Join(run.Summary(), "\n")
	if !strings.Contains(summary, "param=AWS::Region,Empty,Zones (--param)\nimport=one:Mesh,two (OUTRIDER_IMPORT)\n") || strings.Contains(summary, "a,b=c") {
		t.Errorf("summary\n%s", summary)
	}
	for _, bad := range []string{"secret", "=secret", " =secret"} {
		_, _, err := ParseRun([]string{"--node=mesh/m/virtualNode/n", "--param", bad}, nil)
		if err == nil || err.Error() != "--param: not NAME=VALUE" {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestAGatewayIsToldWhatItHasNoUseFor(t *testing.T) {
	run, warnings, err := ParseRun([]string{"--node=mesh/m/virtualGateway/edge", "--ingress-addr=:1", "--egress-addr=0.0.0.0:1"}, []string{"OUTRIDER_APP_ADDR=127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range warnings {
		got = append(got, w.String())
	}
	want := "warning: --ingress-addr: not used: nothing is redirected to a virtual gateway; it listens on the ports of its listeners\n" +
		"warning: --egress-addr: not used: nothing is redirected to a virtual gateway; it listens on the ports of its listeners\n" +
		"warning: OUTRIDER_APP_ADDR: not used: a virtual gateway has no app"
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
	if summary := strings.Join(run.Summary(), "\n"); strings.Contains(summary, "gress-addr") {
		t.Errorf("the summary tells of ports that are not bound:\n%s", summary)
	}
}

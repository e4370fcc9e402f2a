package config

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"
)

func files(pairs ...string) fstest.MapFS {
	m := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1] + "\n")}
	}
	return m
}

func answering(task, container string) func(context.Context, string) ([]byte, error) {
	return func(_ context.Context, url string) ([]byte, error) {
		body := container
		if strings.HasSuffix(url, "/task") {
			body = task
		}
		if body == "" {
			return nil, errors.New("get " + url + ": silence")
		}
		return []byte(body), nil
	}
}

func TestMeasure(t *testing.T) {
	inTask := Runtime{TaskMetadata: Value[string]{"http://x/v4/1", "ECS_CONTAINER_METADATA_URI_V4"}}
	for _, c := range []struct {
		why    string
		run    Runtime
		m      Machine
		procs  int
		memory int64
		says   string
	}{
		{why: "without limits: the affinity, and no memory limit",
			m: Machine{Root: files(), CPUs: 4}, procs: 4, says: "no limit found"},
		{why: "version 2, half a CPU",
			m:     Machine{Root: files("proc/self/cgroup", "0::/", "sys/fs/cgroup/cpu.max", "50000 100000", "sys/fs/cgroup/memory.max", "1048576000"), CPUs: 4},
			procs: 1, memory: 943718400, says: "GOMAXPROCS=1 (cgroup cpu.max 0.5)"},
		{why: "version 2, one CPU is one",
			m: Machine{Root: files("proc/self/cgroup", "0::/", "sys/fs/cgroup/cpu.max", "100000 100000"), CPUs: 4}, procs: 1},
		{why: "version 2, a quarter more than one is two",
			m: Machine{Root: files("proc/self/cgroup", "0::/", "sys/fs/cgroup/cpu.max", "125000 100000"), CPUs: 4}, procs: 2},
		{why: "version 2, max is no limit",
			m: Machine{Root: files("proc/self/cgroup", "0::/", "sys/fs/cgroup/cpu.max", "max 100000", "sys/fs/cgroup/memory.max", "max"), CPUs: 3}, procs: 3},
		{why: "the group above is tighter",
			m: Machine{Root: files("proc/self/cgroup", "0::/ecs/task/c", "sys/fs/cgroup/ecs/task/c/cpu.max", "200000 100000",
				"sys/fs/cgroup/ecs/task/cpu.max", "100000 100000", "sys/fs/cgroup/ecs/memory.max", "1000"), CPUs: 4}, procs: 1, memory: 900},
		{why: "a path outside the namespace leads to the mount",
			m: Machine{Root: files("proc/self/cgroup", "0::/../../x", "sys/fs/cgroup/cpu.max", "100000 100000"), CPUs: 4}, procs: 1},
		{why: "version 1",
			m: Machine{Root: files("proc/self/cgroup", "4:cpu,cpuacct:/ecs/c\n9:memory:/ecs/c",
				"sys/fs/cgroup/cpu,cpuacct/ecs/c/cpu.cfs_quota_us", "50000", "sys/fs/cgroup/cpu,cpuacct/ecs/c/cpu.cfs_period_us", "100000",
				"sys/fs/cgroup/memory/ecs/c/memory.limit_in_bytes", "1000"), CPUs: 4}, procs: 1, memory: 900, says: "memory.limit_in_bytes"},
		{why: "version 1 without limits",
			m: Machine{Root: files("proc/self/cgroup", "4:cpu:/\n9:memory:/",
				"sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1", "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000",
				"sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712"), CPUs: 4}, procs: 4},
		{why: "a task of a quarter vCPU and 512 MiB",
			run: inTask, m: Machine{Root: files(), CPUs: 4, Fetch: answering(`{"Limits":{"CPU":0.25,"Memory":512}}`, `{"Limits":{"CPU":2}}`)},
			procs: 1, memory: 483183820, says: "ECS task limit"},
		{why: "the container's memory is tighter; its CPU is a share",
			run: inTask, m: Machine{Root: files(), CPUs: 4, Fetch: answering(`{"Limits":{"CPU":2,"Memory":512}}`, `{"Limits":{"CPU":128,"Memory":100}}`)},
			procs: 2, memory: 94371840, says: "ECS container limit"},
		{why: "a task without limits",
			run: inTask, m: Machine{Root: files(), CPUs: 4, Fetch: answering(`{}`, `{}`)}, procs: 4},
		{why: "an endpoint that does not answer is noted",
			run: inTask, m: Machine{Root: files(), CPUs: 4, Fetch: answering("", "")}, procs: 4, says: "limits of the ECS task: get http://x/v4/1/task: silence"},
		{why: "what was learned first counts",
			run: inTask, m: Machine{Root: files(), CPUs: 4, Fetch: answering(`{"Limits":{"CPU":1,"Memory":10}}`, `nonsense`)}, procs: 1, memory: 9437184, says: "read http://x/v4/1"},
		{why: "ENVOY_CONCURRENCY wins",
			run: Runtime{Procs: Value[int]{3, "ENVOY_CONCURRENCY"}}, m: Machine{Root: files(), CPUs: 1}, procs: 3, says: "GOMAXPROCS=3 (ENVOY_CONCURRENCY)"},
		{why: "GOMEMLIMIT is left alone",
			run: Runtime{MemLimit: Value[string]{"1GiB", "GOMEMLIMIT"}},
			m:   Machine{Root: files("proc/self/cgroup", "0::/", "sys/fs/cgroup/memory.max", "1000"), CPUs: 1}, procs: 1, says: "GOMEMLIMIT=1GiB"},
	} {
		b := c.run.Measure(t.Context(), c.m)
		says := strings.Join(b.Summary(), "\n")
		if b.Procs.V != c.procs || b.Memory.V != c.memory || !strings.Contains(says, c.says) {
			t.Errorf("%s: %d procs, %d bytes, want %d, %d:\n%s", c.why, b.Procs.V, b.Memory.V, c.procs, c.memory, says)
		}
	}
}

func TestGOMAXPROCSOfTheEnvironmentIsLeftAlone(t *testing.T) {
	run, _, _ := ParseRun([]string{"--node=mesh/m/virtualNode/n"}, []string{"GOMAXPROCS=7"})
	if b := run.Runtime.Measure(t.Context(), Machine{Root: files(), CPUs: 1}); b.Procs.V != 7 || b.Procs.From != "GOMAXPROCS" {
		t.Errorf("%+v", b)
	}
	run, _, _ = ParseRun([]string{"--node=mesh/m/virtualNode/n"}, []string{"GOMAXPROCS=7", "ENVOY_CONCURRENCY=2"})
	if run.Runtime.Procs.V != 2 {
		t.Errorf("%+v", run.Runtime)
	}
}

func TestApply(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	Budget{Procs: Value[int]{1, "test"}}.Apply()
	if got := runtime.GOMAXPROCS(0); got != 1 {
		t.Errorf("GOMAXPROCS is %d", got)
	}
}

func TestFetchMetadata(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v4/1/task":
			w.Write([]byte(`{"Limits":{"CPU":1}}`))
		case "/v4/2/task":
			http.Redirect(w, r, "/v4/1/task", http.StatusFound)
		case "/v4/3/task":
			w.Write(make([]byte, maxMetadata+2))
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	if body, err := fetchMetadata(t.Context(), server.URL+"/v4/1/task"); err != nil || len(body) == 0 {
		t.Errorf("%q, %v", body, err)
	}
	for _, path := range []string{"/v4/2/task", "/v4/3/task", "/nothing"} {
		if _, err := fetchMetadata(t.Context(), server.URL+path); err == nil {
			t.Errorf("%s: no error", path)
		}
	}
}

func TestASilentEndpointCostsASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, err := askTask(t.Context(), func(ctx context.Context, _ string) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, "http://x")
		if err == nil || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestHeartbeatEnds(t *testing.T) {
	before := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(before)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		Heartbeat(ctx)
		if time.Since(start) != time.Second {
			t.Errorf("ended after %v", time.Since(start))
		}
	})
}

func TestRaiseFileLimit(t *testing.T) {
	n, err := RaiseFileLimit()
	if err != nil || n == 0 {
		t.Errorf("%d, %v", n, err)
	}
}

package config

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// taskLimits are what an ECS task may use. 0 is no limit.
type taskLimits struct {
	cpus            float64
	memory          float64
	containerMemory float64
}

// The endpoint is on the task's own link; whoever does not answer at once is
// not there.
const metadataTimeout = time.Second

// maxMetadata bounds an answer; a task of ten containers makes some 20 KiB.
const maxMetadata = 1 << 20

// askTask reads the limits from the task metadata endpoint, version 4: "/task"
// tells those of the task (CPU in vCPUs, memory in MiB), the address itself
// those of this container. A container's CPU number is a share, no limit.
// What was learned before an error is returned beside it.
func askTask(ctx context.Context, fetch func(context.Context, string) ([]byte, error), uri string) (taskLimits, error) {
	ctx, cancel := context.WithTimeout(ctx, metadataTimeout)
	defer cancel()
	uri = strings.TrimSuffix(uri, "/")
	var limits taskLimits
	task, err := askLimits(ctx, fetch, uri+"/task")
	limits.cpus, limits.memory = task.CPU, task.Memory*(1<<20)
	if err != nil {
		return limits, err
	}
	container, err := askLimits(ctx, fetch, uri)
	limits.containerMemory = container.Memory * (1 << 20)
	return limits, err
}

type metadataLimits struct {
	CPU    float64
	Memory float64
}

func askLimits(ctx context.Context, fetch func(context.Context, string) ([]byte, error), url string) (metadataLimits, error) {
	body, err := fetch(ctx, url)
	if err != nil {
		return metadataLimits{}, err
	}
	var answer struct{ Limits metadataLimits }
	if err := json.Unmarshal(body, &answer); err != nil {
		return metadataLimits{}, fmt.Errorf("read %s: %w", url, err)
	}
	return answer.Limits, nil
}

// fetchMetadata asks one address directly: no proxy, no redirect, no
// connection kept.
func fetchMetadata(ctx context.Context, url string) ([]byte, error) {
	client := http.Client{
		Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("redirected")
		},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("get %s: status %d", url, resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxMetadata+1))
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", url, err)
	}
	if len(body) > maxMetadata {
		return nil, fmt.Errorf("get %s: more than %d bytes", url, maxMetadata)
	}
	return body, nil
}

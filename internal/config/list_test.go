package config

import (
	"slices"
	"testing"
)

// TestSettingsAreTold: what the documentation's tables are made of.
func TestSettingsAreTold(t *testing.T) {
	all := Settings()
	if len(all) != len(settings) {
		t.Fatalf("%d of %d", len(all), len(settings))
	}
	for _, want := range []Setting{
		{Flag: "--drain-time", Arg: "DURATION", Variable: "OUTRIDER_DRAIN_TIME", Meaning: "longest wait between SIGTERM and the end", Default: "20s", Also: []string{"LISTENER_DRAIN_WAIT_TIME_S"}},
		{Flag: "--node", Arg: "RESOURCE", Variable: "OUTRIDER_NODE", Meaning: "what to stand for: mesh/MESH/virtualNode/NODE, mesh/MESH/virtualGateway/GATEWAY, or its ARN",
			Also: []string{"APPMESH_RESOURCE_ARN", "APPMESH_RESOURCE_NAME", "APPMESH_VIRTUAL_NODE_NAME"}},
		{Flag: "--endpoints", Arg: "FILE", Variable: "OUTRIDER_ENDPOINTS", Meaning: "static endpoints by discovery name, instead of DNS, for tests and laptops"},
	} {
		i := slices.IndexFunc(all, func(s Setting) bool { return s.Flag == want.Flag })
		if i < 0 || all[i].Meaning != want.Meaning || all[i].Default != want.Default || !slices.Equal(all[i].Also, want.Also) || all[i].Variable != want.Variable || all[i].Arg != want.Arg {
			t.Errorf("got %+v, want %+v", all[max(i, 0)], want)
		}
	}
}

func TestVariablesAreTold(t *testing.T) {
	acting := 0
	var named []string // by the settings
	for _, s := range Settings() {
		named = append(named, s.Also...)
	}
	named = append(named, "APPMESH_RESOURCE_CLUSTER", "APPMESH_VIRTUAL_NODE_CLUSTER", "ECS_CONTAINER_METADATA_URI_V4") // have no flag
	for _, v := range AppMeshVariables() {
		if v.Acts {
			acting++
			if !slices.Contains(named, v.Name) {
				t.Errorf("%s acts, and no setting says so", v.Name)
			}
		} else if v.Effect == "" {
			t.Errorf("%s: nothing says what it would have done", v.Name)
		}
	}
	if acting != 12 {
		t.Errorf("%d variables act", acting)
	}
}

package app

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-mesh/outrider/internal/config"
	"github.com/outrider-mesh/outrider/internal/doctor"
)

func TestDoctorKnowsWhatOughtToBeHere(t *testing.T) {
	dir := t.TempDir()
	good, bad := write(t, dir, "good.json", town("svc-v1")), write(t, dir, "bad.json", strings.Replace(town("svc-v1"), `"virtualNode": "svc-v1"`, `"virtualNode": "svc-v2"`, 1))
	const front = "APPMESH_VIRTUAL_NODE_NAME=mesh/m/virtualNode/front"
	for name, c := range map[string]struct {
		args, environ []string
		want          func(q doctor.Patient) bool
	}{
		"nothing": {nil, nil, func(q doctor.Patient) bool {
			return q.Snapshot == nil && q.NoSnapshot == "none given" && q.Ingress == 15000 && q.Egress == 15001 && !q.RulesAsked &&
				q.Admin.Addrs.V[0].String() == "127.0.0.1:9901" && q.Apply == "outrider iptables apply" && q.Refused == nil
		}},
		"documents by flags": {[]string{"--mesh", good, "--node", "mesh/m/virtualNode/front"}, nil, func(q doctor.Patient) bool {
			return q.Snapshot != nil && len(q.Rules.AppPorts) > 0 && q.Rules.IngressPort == 15000 && q.Rules.Validate() == nil && !q.RulesAsked &&
				strings.HasPrefix(q.Apply, "outrider iptables apply --app-ports ")
		}},
		"documents and a short name": {[]string{"--mesh", good, "--node", "front"}, nil, func(q doctor.Patient) bool {
			return q.Snapshot != nil && q.Snapshot.Resource.Name == "front"
		}},
		"documents by the environment": {nil, []string{front, "OUTRIDER_MESH=" + good}, func(q doctor.Patient) bool {
			return q.Snapshot != nil && q.Admin.Addrs.V[0].String() == "0.0.0.0:9901"
		}},
		"documents with errors": {[]string{"--mesh", bad}, []string{front}, func(q doctor.Patient) bool {
			return q.Snapshot == nil && q.Errors > 0 && strings.Contains(q.NoSnapshot, "errors within reach of mesh/m/virtualNode/front")
		}},
		"documents that are not there, by the environment": {nil, []string{front, "OUTRIDER_MESH=/nowhere"}, func(q doctor.Patient) bool {
			return q.Snapshot == nil && q.Errors == 0 && strings.Contains(q.NoSnapshot, "/nowhere")
		}},
		"a variable that is refused": {nil, []string{front, "OUTRIDER_DRAIN_TIME=soon", "OUTRIDER_MESH=" + good}, func(q doctor.Patient) bool {
			return q.Refused != nil && strings.Contains(q.Refused.Error(), "OUTRIDER_DRAIN_TIME") && q.Egress == 15001 && len(q.Admin.Addrs.V) == 1
		}},
		"a variable that is not known": {nil, []string{"OUTRIDER_NOD=x"}, func(q doctor.Patient) bool {
			return slices.ContainsFunc(q.Warnings, func(w config.Warning) bool { return w.Variable == "OUTRIDER_NOD" })
		}},
		"other ports by the environment": {nil, []string{"OUTRIDER_EGRESS_ADDR=127.0.0.1:15011", "OUTRIDER_INGRESS_ADDR=:15010"}, func(q doctor.Patient) bool {
			return q.Egress == 15011 && q.Rules.EgressPort == 15011 && q.Ingress == 15010
		}},
		"rules that are asked for": {[]string{"--app-ports", "8080", "--egress-port", "15021"}, []string{"OUTRIDER_EGRESS_ADDR=127.0.0.1:15011"}, func(q doctor.Patient) bool {
			return q.RulesAsked && q.Egress == 15021 && slices.Equal(q.Rules.AppPorts, []uint16{8080}) && q.Apply == "outrider iptables apply --app-ports 8080 --egress-port 15021"
		}},
		"another admin page": {[]string{"--admin", "unix:///tmp/admin.sock"}, nil, func(q doctor.Patient) bool { return q.Admin.Socket.V == "/tmp/admin.sock" }},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			p := &Process{Environ: c.environ, Stdout: &out, Stderr: &out}
			d, code, done := parseDiagnosis(p, c.args)
			if done {
				t.Fatalf("exit code %d\n%s", code, &out)
			}
			if q, err := d.patient(p); err != nil || !c.want(q) {
				t.Errorf("%v: %+v", err, q)
			}
		})
	}
}

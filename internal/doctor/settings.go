package doctor

import (
	"fmt"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// documents says whether there are any.
func (c *chart) documents() []Finding {
	p := c.patient
	f := Finding{About: "documents", Verdict: Good}
	switch {
	case p.Snapshot != nil:
		f.Seen = fmt.Sprintf("%s: listeners %d, ports to backends %d, clusters %d", p.Snapshot.Resource, len(p.Snapshot.Inbound), len(p.Snapshot.Outbound), len(p.Snapshot.Clusters))
	case p.Errors > 0:
		f.Verdict, f.Seen, f.Why = Wrong, p.NoSnapshot, "the sidecar does not start with them"
		f.Fix = "outrider validate says where"
	default:
		f.Verdict, f.Seen, f.Why = Unseen, p.NoSnapshot, "names and the app's ports are not looked at"
		f.Fix = "--mesh and --node"
	}
	return []Finding{f}
}

// environment says what `outrider run` would say of these variables.
func (c *chart) environment() (all []Finding) {
	if c.patient.Refused != nil {
		for line := range strings.SplitSeq(c.patient.Refused.Error(), "\n") {
			all = append(all, Finding{About: "environment", Verdict: Wrong, Seen: line, Why: "a sidecar with these variables does not start", Fix: "correct the variable"})
		}
	}
	for _, w := range c.patient.Warnings {
		f := Finding{About: "environment", Verdict: Doubtful, Seen: w.Variable + ": " + w.Message}
		if w.Severity == mesh.NotYet {
			f.Why = "this build does not do it yet"
		}
		all = append(all, f)
	}
	if len(all) == 0 {
		all = append(all, Finding{About: "environment", Verdict: Good, Seen: "nothing to say about the APPMESH_, ENVOY_ and OUTRIDER_ variables that are set here"})
	}
	return all
}

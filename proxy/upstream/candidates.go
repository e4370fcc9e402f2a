package upstream

import (
	"net/netip"

	"github.com/outrider-mesh/outrider/proxy/l7"
)

// Candidate is an endpoint as it stands at this moment, for those who look on.
type Candidate struct {
	Addr netip.AddrPort
	// Turn says when the picker would take it, 1 being next; 0: not at all.
	Turn int
	// Connections and Requests are those under way.
	Connections, Requests int64
}

// Candidates lists the cluster's endpoints. No turn is taken by looking.
func (c *Cluster) Candidates() []Candidate {
	members := c.members.Load()
	all := make([]Candidate, len(members.Endpoints))
	for i, e := range members.Endpoints {
		all[i] = Candidate{Addr: e.Addr(), Connections: e.Cells.CxActive.Value(), Requests: e.Cells.RqActive.Value()}
	}
	if order, ok := members.picker.(interface{ Next() []int }); ok {
		for turn, i := range order.Next() {
			all[i].Turn = turn + 1
		}
	}
	return all
}

// Refused is the answer to every request when the cluster's documents ask for
// what is not there yet; nil: they do not.
func (c *Cluster) Refused() *l7.Failure { return refused(c.Spec()) }

// NoEndpoint is the answer to a request when nobody is known to ask.
func NoEndpoint() *l7.Failure { return outcome{reset: noEndpoint}.failure(false) }

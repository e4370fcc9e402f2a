package explain

// Explanation says what would happen to a request and why.
type Explanation struct {
	// Resource is what the sidecar stands for, Version its snapshot's.
	Resource string  `json:"resource"`
	Version  string  `json:"version"`
	Request  Request `json:"request"`
	// Verdict is the end of it.
	Verdict Verdict `json:"verdict"`
	// Direction is "ingress" or "egress", Port the one that the connection is for.
	Direction string `json:"direction"`
	Port      uint16 `json:"port"`
	// Listener is the chain that serves the port; nil: there is none, and
	// Listeners are those that there are.
	Listener  *Listener `json:"listener,omitempty"`
	Listeners []string  `json:"listeners,omitempty"`
	// Changes are what the stages before the router do to the request.
	Changes []string `json:"changes,omitempty"`
	// Passes are the look-ups in route tables, in order: one, and on a virtual
	// gateway a second for the routes of the virtual service.
	Passes []Pass `json:"passes,omitempty"`
	// Rewrite is what a gateway route changes; nil: nothing.
	Rewrite *Rewrite `json:"rewrite,omitempty"`
	// Route is what the route taken says beside its targets.
	Route []Fact `json:"route,omitempty"`
	// Targets share the requests, in the order of the documents.
	Targets []Target `json:"targets,omitempty"`
	// Live is set when a running sidecar was asked: Endpoints are those of that moment.
	Live bool `json:"live,omitempty"`
}

// Kind is how it ends for a request.
type Kind string

// The ends.
const (
	// Forwarded to an endpoint of one of the targets.
	Forwarded Kind = "forwarded"
	// Passed through to the address that the app dialled.
	Passed Kind = "passed through"
	// Answered by the sidecar itself.
	Answered Kind = "answered"
	// Closed without an answer.
	Closed Kind = "closed"
)

// Verdict is the end of it.
type Verdict struct {
	Kind Kind `json:"kind"`
	// Status, Flag and Details are the answer's and what the access log says of
	// it (RESPONSE_FLAGS, RESPONSE_CODE_DETAILS); GRPCStatus a gRPC caller's.
	Status     int    `json:"status,omitempty"`
	GRPCStatus string `json:"grpcStatus,omitempty"`
	Flag       string `json:"flag,omitempty"`
	Details    string `json:"details,omitempty"`
	Body       string `json:"body,omitempty"`
	// Reason says why, in words.
	Reason string `json:"reason,omitempty"`
}

// Fine tells that somebody else than the sidecar gets the request.
func (v *Verdict) Fine() bool { return v.Kind == Forwarded || v.Kind == Passed }

// Listener is a chain.
type Listener struct {
	Name     string `json:"name"`
	Protocol string `json:"protocol"`
	Origin   string `json:"origin"`
	Facts    []Fact `json:"facts,omitempty"`
}

// Pass is one look-up in a route table.
type Pass struct {
	// Of is "listener", or the name of the virtual service whose routes are
	// looked at.
	Of string `json:"of"`
	// Authority and Target are what the request has in this pass.
	Authority string `json:"authority"`
	Target    string `json:"target"`
	// Host is the virtual host found; nil: none, and Hosts are those there are,
	// the likest first, as far as it makes sense to list them.
	Host  *Host    `json:"virtualHost,omitempty"`
	Hosts []string `json:"virtualHosts,omitempty"`
	// Tries are the routes looked at, in order; the last is the one taken if
	// there is one. Behind it Untried routes were not looked at.
	Tries   []Try `json:"routes,omitempty"`
	Untried int   `json:"untried,omitempty"`
}

// Host is a virtual host.
type Host struct {
	Name string `json:"name"`
	// Domain is the one of its domains that the authority met.
	Domain string `json:"domain,omitempty"`
	Origin string `json:"origin"`
}

// Try is a route that was looked at.
type Try struct {
	// Route is its name; empty for one that no document names.
	Route string `json:"route,omitempty"`
	// Match is all of its conditions in words.
	Match string `json:"match"`
	Taken bool   `json:"taken"`
	// Failed is the first condition that did not hold, Had what the request has
	// there.
	Failed string `json:"failed,omitempty"`
	Had    string `json:"had,omitempty"`
	Origin string `json:"origin"`
}

// Rewrite is a request before and after a gateway route changed it.
type Rewrite struct {
	Words  string `json:"words"`
	Before string `json:"before"` // authority and path
	After  string `json:"after"`
	// Gets are the fields that tell the app of it.
	Gets   []string `json:"gets,omitempty"`
	Origin string   `json:"origin"`
}

// Target is a cluster and its share.
type Target struct {
	Cluster string `json:"cluster"`
	Weight  uint32 `json:"weight"`
	Share   string `json:"share"`
	Origin  string `json:"origin"`
	// Refuse says why nothing is sent to it; empty: something is.
	Refuse string `json:"refuse,omitempty"`
	Facts  []Fact `json:"facts,omitempty"`
	// Dialled: the connection goes on to where it was going, and no endpoint is
	// looked for.
	Dialled bool `json:"dialled,omitempty"`
	// Endpoints are those known; of a sidecar that runs.
	Endpoints []Endpoint `json:"endpoints,omitempty"`
}

// Endpoint is one member of a cluster at this moment.
type Endpoint struct {
	Address string `json:"address"`
	// Health is "healthy", or what is wrong.
	Health string `json:"health"`
	// Turn says when the picker would take it: 1 is next, 0 not at all.
	Turn int `json:"turn"`
	// Connections and Requests are those under way.
	Connections int64 `json:"connections"`
	Requests    int64 `json:"requests"`
}

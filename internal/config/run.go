package config

import (
	"net/netip"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// Value is a setting and the name of what set it.
type Value[T any] struct {
	V T
	// From is the flag ("--drain-time"), the variable ("ENVOY_CONCURRENCY") or
	// "default", with a reason where the default depends on something.
	From string
}

// Run is everything `outrider run` was told. It is plain data; ParseRun makes it.
type Run struct {
	Documents Documents
	Resource  Resource
	Listen    Listen
	Admin     Admin
	Log       Log
	Drain     Drain
	Retry     Retry
	DNS       DNS
	HTTP2     HTTP2
	Upstream  Upstream
	Runtime   Runtime
	// Version is true when only the version was asked for (--version);
	// nothing else has been checked then.
	Version bool
}

// Documents says where the mesh is written down.
type Documents struct {
	// Paths are files, directories and globs; empty when only Inline speaks.
	Paths Value[[]string]
	// Inline is the text of OUTRIDER_MESH_INLINE as it is, perhaps packed (see
	// appmesh.ReadInline); empty when unset. It may hold what must not be
	// logged.
	Inline Value[string]
	// Params are values of template parameters, Imports those of exports of
	// other stacks, by name. They may hold what must not be logged.
	Params, Imports Value[map[string]string]
	// Endpoints is the file of static endpoints (tests, laptops); empty for none.
	Endpoints Value[string]
}

// Resource says what the sidecar stands for.
type Resource struct {
	// Name is the node (or gateway).
	Name Value[mesh.Resource]
	// NodeID is Envoy's node.id: the resource as it was written.
	NodeID Value[string]
	// Cluster is Envoy's node.cluster, NodeID unless set.
	Cluster Value[string]
}

// Listen says which addresses carry traffic; a virtual gateway listens on its
// listeners' ports instead. Each address is bound for its own
// family only (an IPv6 one with IPV6_V6ONLY). A default address of a family
// that the host lacks is to be logged, a chosen one is to be an error.
type Listen struct {
	Ingress Value[[]netip.AddrPort]
	Egress  Value[[]netip.AddrPort]
	// App is where the local app listens; the zero Addr leaves it to the
	// documents (127.0.0.1, or ::1 by the node's ipPreference).
	App Value[netip.Addr]
	// Forwarded is for what comes in, on a gateway's listeners and a node's.
	Forwarded Value[Forwarded]
}

// Admin says where the admin interface listens and what strangers may ask.
type Admin struct {
	// Addrs is empty when Socket is set.
	Addrs Value[[]netip.AddrPort]
	// Socket is the path of a unix socket, to be made with mode 0600.
	Socket Value[string]
	// Open lets peers that are not loopback ask everything.
	Open Value[bool]
}

// Log says how the process logs.
type Log struct {
	Level  Value[Level]
	Format Value[Format]
}

// Drain says how the process ends.
type Drain struct {
	// Time is how long SIGTERM waits at most.
	Time Value[time.Duration]
	// WaitApp keeps the drain from ending early while the app's ports still
	// accept connections.
	WaitApp Value[bool]
}

// Retry says how far retries may go.
type Retry struct {
	// Unsafe replays non-idempotent requests under the default policy as App
	// Mesh did.
	Unsafe Value[bool]
	// BudgetPercent is how many retries there may be for each hundred active
	// requests; 0 turns the budget off (retries are then limited by their
	// policies alone).
	BudgetPercent Value[int]
	// BudgetMin retries are always allowed at once.
	BudgetMin Value[int]
	// Buffer is how many bytes of a request body are kept for a replay.
	Buffer Value[int]
}

// DNS says how names are looked up.
type DNS struct {
	// Refresh is the time between two lookups of a name.
	Refresh Value[time.Duration]
	// EmptyKeep is how long endpoints outlive their name (NXDOMAIN, or an
	// empty answer).
	EmptyKeep Value[time.Duration]
	// LiveTimeout is how long LIVE waits for every name to have been looked up.
	LiveTimeout Value[time.Duration]
}

// Runtime is what the Go runtime is told; Measure completes it.
type Runtime struct {
	// Procs is GOMAXPROCS; 0 is as many as the limits of the machine allow.
	Procs Value[int]
	// MemLimit is the text of GOMEMLIMIT, which the runtime has read itself;
	// empty derives a limit from those of the machine.
	MemLimit Value[string]
	// TaskMetadata is ECS_CONTAINER_METADATA_URI_V4; empty outside ECS.
	TaskMetadata Value[string]
}

// Warning is something to be told once at start.
type Warning struct {
	// Severity is mesh.Warning, or mesh.NotYet for what a later build does.
	Severity mesh.Severity
	// Variable is the variable (or flag) it is about.
	Variable string
	Message  string
}

// String is the line to print.
func (w Warning) String() string {
	return w.Severity.String() + ": " + w.Variable + ": " + w.Message
}

func defaults() *Run {
	return &Run{
		Documents: Documents{Paths: byDefault([]string{"/etc/outrider/mesh"})},
		Listen: Listen{
			Ingress: byDefault(onAll(15000)),
			Egress:  byDefault(onLoopback(15001)),
			App:     byDefault(netip.Addr{}),

			Forwarded: byDefault(Forwarded{}),
		},
		Admin: Admin{Open: byDefault(false)},
		Log:   Log{Level: byDefault(Info), Format: byDefault(Text)},
		Drain: Drain{Time: byDefault(20 * time.Second), WaitApp: byDefault(true)},
		Retry: Retry{
			Unsafe:        byDefault(false),
			BudgetPercent: byDefault(20),
			BudgetMin:     byDefault(3),
			Buffer:        byDefault(64 << 10),
		},
		DNS: DNS{
			Refresh:     byDefault(5 * time.Second),
			EmptyKeep:   byDefault(60 * time.Second),
			LiveTimeout: byDefault(5 * time.Second),
		},
		HTTP2: defaultHTTP2(),
		Upstream: Upstream{
			MaxRequestsPerConnection: byDefault[uint32](0),
			MaxUnfinishedUploads:     byDefault[uint32](4096),
			GRPCTimeout:              byDefault(PassGRPCTimeout),
		},
		Runtime: Runtime{Procs: byDefault(0)},
	}
}

func byDefault[T any](v T) Value[T] { return Value[T]{V: v, From: fromDefault} }

const fromDefault = "default"

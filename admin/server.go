package admin

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/stat"
)

// Config is what the admin page shows and what it may do. Engine, Stats,
// Metrics, Logs and Controls must be there.
type Config struct {
	Info Info
	// Remote says what peers that are not loopback may ask.
	Remote RemoteAccess

	Engine   engine
	Stats    *stat.Set
	Metrics  exposition
	Logs     logs
	Controls controls
	// Snapshot gives the snapshot in force and when it came; nil before the
	// first. Nil: there is never one.
	Snapshot func() (*mesh.Snapshot, time.Time)
	// Explain answers /explain, with a value that encodes to JSON; nil: nobody can.
	Explain func(Ask) (any, error)
	// ReopenLogs opens log files anew; nil: there are none.
	ReopenLogs func() error
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Info is what stays the same while the process runs.
type Info struct {
	// Version is "<commit>/<version>/<Clean|Modified>/RELEASE/<TLS library>";
	// see BuildVersion.
	Version string
	// NodeID and NodeCluster name the resource the sidecar stands for.
	NodeID, NodeCluster string
	Started             time.Time
	Concurrency         int
	// ConfigPath is where documents are read from.
	ConfigPath string
	// LogLevel and LogFormat are as the process was started.
	LogLevel, LogFormat string
	DrainTime           time.Duration
	HTTP2               HTTP2Options
}

// engine is what serves traffic.
type engine interface {
	State() State
	// Listeners lists what is bound, Clusters what can be reached, both in the
	// order to show. The slices are the caller's.
	Listeners() []Listener
	Clusters() []Cluster
}

// exposition prints the cells for Prometheus (telemetry.Exposition).
type exposition interface {
	WritePrometheus(w io.Writer, q stat.Query) error
}

// logs are the levels of the process log (telemetry.Log).
type logs interface {
	Each(visit func(component, level string))
	// SetLevel sets one component's level, or all when component is empty.
	SetLevel(component, level string) bool
}

// controls are the changes that can be asked for. They must not block: the
// answer to the request is on its way when they are called.
type controls interface {
	// SetHealthy(false) makes the state DRAINING until SetHealthy(true).
	SetHealthy(healthy bool)
	Drain(d Drain)
	// Quit ends the process, without a drain.
	Quit()
}

// Drain says how listeners are to be drained (Envoy: /drain_listeners).
type Drain struct {
	// Graceful asks to let connections go over the drain time first.
	Graceful bool
	// InboundOnly leaves the egress port alone.
	InboundOnly bool
	// SkipExit keeps listeners open after a graceful drain.
	SkipExit bool
}

// State is the server's state, numbered as the gauge server.state.
type State uint8

// Envoy's states, by its numbers.
const (
	Live State = iota
	Draining
	PreInitializing
	Initializing
)

// String is the name that /server_info and /ready print.
func (s State) String() string {
	return [...]string{"LIVE", "DRAINING", "PRE_INITIALIZING", "INITIALIZING"}[s]
}

// Server answers on the admin port.
type Server struct {
	cfg       Config
	http      *http.Server
	intervals stat.Intervals
}

// Limits of the admin server. They are wide for people and scrapers, and
// narrow for whoever would keep it busy.
const (
	maxHeader     = 16 << 10
	maxBody       = 64 << 10
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	writeTimeout  = 60 * time.Second
	idleTimeout   = 60 * time.Second
)

// New makes a server that does not listen yet.
func New(cfg Config) *Server {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Snapshot == nil {
		cfg.Snapshot = func() (*mesh.Snapshot, time.Time) { return nil, time.Time{} }
	}
	s := &Server{cfg: cfg}
	s.http = &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		// What a peer sends wrong is its own matter.
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}
	return s
}

// Handler answers requests; access rules included.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/plain; charset=UTF-8")
		h.Set("Cache-Control", "no-cache, max-age=0")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Server", "envoy")
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		s.serve(w, r)
	})
}

// Serve answers on a TCP or Unix listener until Shutdown; it blocks, and
// closes the listener. After Shutdown it gives nil.
func (s *Server) Serve(l net.Listener) error {
	err := s.http.Serve(&listener{Listener: l})
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Shutdown stops listening and waits for requests under way until ctx ends;
// then it closes what is left.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		_ = s.http.Close() // the reason is told already
	}
	return err
}

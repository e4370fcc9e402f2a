//go:build linux

// Package unary is a closed loop of unary gRPC calls through grpc-go: its client, its server, and messages that are plain bytes, so that no time goes into protobuf.
//
// Client and server are what applications use, hence far dearer than bench/closed and bench/backend: the proxy between them is never short of processor time.
// What it costs per call is what is compared.
package unary

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/outrider-mesh/outrider/bench/backend"
)

const (
	service   = "bench.Unary"
	getMethod = "/" + service + "/Get"   // any message; 1 KB comes back
	statsName = "/" + service + "/Stats" // the listener's counters as JSON

	requestSize = 64
	answerSize  = 1 << 10
)

// raw passes messages as they are.
type raw struct{}

func (raw) Name() string { return "raw" }

func (raw) Marshal(v any) ([]byte, error) {
	if p, ok := v.(*[]byte); ok {
		return *p, nil
	}
	return nil, fmt.Errorf("message is a %T, want *[]byte", v)
}

func (raw) Unmarshal(data []byte, v any) error {
	p, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("message is a %T, want *[]byte", v)
	}
	*p = append((*p)[:0], data...)
	return nil
}

// Server answers calls on one listener.
type Server struct {
	listener *counting
	calls    atomic.Int64
	grpc     *grpc.Server
}

// Listen opens a listener.
func Listen(addr netip.AddrPort) (*Server, error) {
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(addr))
	if err != nil {
		return nil, err
	}
	s := &Server{listener: &counting{Listener: l}, grpc: grpc.NewServer(grpc.ForceServerCodec(raw{}))}
	s.grpc.RegisterService(&grpc.ServiceDesc{ServiceName: service, HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{
		{MethodName: "Get", Handler: s.get}, {MethodName: "Stats", Handler: s.stats},
	}}, s)
	return s, nil
}

// Addr is the listener's address.
func (s *Server) Addr() netip.AddrPort { return s.listener.Addr().(*net.TCPAddr).AddrPort() }

// Serve answers until ctx ends, then closes everything.
func (s *Server) Serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, s.grpc.Stop)
	defer stop()
	if err := s.grpc.Serve(s.listener); err != nil && ctx.Err() == nil {
		return fmt.Errorf("gRPC backend: %w", err)
	}
	return nil
}

var answer = make([]byte, answerSize)

func (s *Server) get(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	var request []byte
	if err := decode(&request); err != nil {
		return nil, err
	}
	s.calls.Add(1)
	return &answer, nil
}

func (s *Server) stats(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	var request []byte
	if err := decode(&request); err != nil {
		return nil, err
	}
	text, err := json.Marshal(backend.Counters{Accepted: s.listener.accepted.Load() - 1, Open: s.listener.open.Load() - 1, Requests: s.calls.Load()})
	return &text, err
}

// Stats asks a server, directly, what it has counted.
func Stats(ctx context.Context, addr netip.AddrPort) (n backend.Counters, err error) {
	conn, err := dial(addr, addr.String())
	if err != nil {
		return n, err
	}
	defer conn.Close()
	var request, text []byte
	if err = conn.Invoke(ctx, statsName, &request, &text, grpc.ForceCodec(raw{})); err != nil {
		return n, err
	}
	return n, json.Unmarshal(text, &n)
}

// Try makes one call.
func Try(ctx context.Context, addr netip.AddrPort, authority string) error {
	conn, err := dial(addr, authority)
	if err != nil {
		return err
	}
	defer conn.Close()
	var request, reply []byte
	return conn.Invoke(ctx, getMethod, &request, &reply, grpc.ForceCodec(raw{}))
}

func dial(addr netip.AddrPort, authority string) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+addr.String(), grpc.WithAuthority(authority), grpc.WithNoProxy(),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
}

// counting counts the connections of a listener.
type counting struct {
	net.Listener
	accepted, open atomic.Int64
}

func (l *counting) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.accepted.Add(1)
	l.open.Add(1)
	return &counted{Conn: conn, open: &l.open}, nil
}

type counted struct {
	net.Conn
	open   *atomic.Int64
	closed atomic.Bool
}

func (c *counted) Close() error {
	if !c.closed.Swap(true) {
		c.open.Add(-1)
	}
	return c.Conn.Close()
}

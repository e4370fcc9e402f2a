//go:build linux

package interop

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
)

// suite is what the cases share.
type suite struct {
	at     netip.AddrPort
	conn   *grpc.ClientConn
	client testgrpc.TestServiceClient
}

// cases are those of grpc/doc/interop-test-descriptions.md that need no cloud credentials, by their names there.
var cases = []struct {
	name string
	do   func(context.Context, *suite)
}{
	{"empty_unary", func(ctx context.Context, s *suite) { interop.DoEmptyUnaryCall(ctx, s.client) }},
	{"large_unary", func(ctx context.Context, s *suite) { interop.DoLargeUnaryCall(ctx, s.client) }},
	{"client_streaming", func(ctx context.Context, s *suite) { interop.DoClientStreaming(ctx, s.client) }},
	{"server_streaming", func(ctx context.Context, s *suite) { interop.DoServerStreaming(ctx, s.client) }},
	{"ping_pong", func(ctx context.Context, s *suite) { interop.DoPingPong(ctx, s.client) }},
	{"empty_stream", func(ctx context.Context, s *suite) { interop.DoEmptyStream(ctx, s.client) }},
	{"timeout_on_sleeping_server", func(ctx context.Context, s *suite) { interop.DoTimeoutOnSleepingServer(ctx, s.client) }},
	{"cancel_after_begin", func(ctx context.Context, s *suite) { interop.DoCancelAfterBegin(ctx, s.client) }},
	{"cancel_after_first_response", func(ctx context.Context, s *suite) { interop.DoCancelAfterFirstResponse(ctx, s.client) }},
	{"status_code_and_message", func(ctx context.Context, s *suite) { interop.DoStatusCodeAndMessage(ctx, s.client) }},
	{"special_status_message", func(ctx context.Context, s *suite) { interop.DoSpecialStatusMessage(ctx, s.client) }},
	{"custom_metadata", func(ctx context.Context, s *suite) { interop.DoCustomMetadata(ctx, s.client) }},
	{"unimplemented_method", func(ctx context.Context, s *suite) { interop.DoUnimplementedMethod(ctx, s.conn) }},
	{"unimplemented_service", func(ctx context.Context, s *suite) {
		interop.DoUnimplementedService(ctx, testgrpc.NewUnimplementedServiceClient(s.conn))
	}},
	{"rpc_soak", func(ctx context.Context, s *suite) {
		s.soak(ctx, func() (*grpc.ClientConn, func()) { return s.conn, func() {} })
	}},
	{"channel_soak", func(ctx context.Context, s *suite) {
		s.soak(ctx, func() (*grpc.ClientConn, func()) {
			conn, err := connect(s.at)
			if err != nil {
				verdicts{}.Fatal(err)
			}
			return conn, func() { conn.Close() }
		})
	}},
}

// soak is many large unary calls by several workers. What it says of each call is shown only if it fails.
func (s *suite) soak(ctx context.Context, channel func() (*grpc.ClientConn, func())) {
	t, stderr := judged.Load(), os.Stderr
	said, err := os.Create(filepath.Join(t.TempDir(), "said"))
	if err != nil {
		t.Fatal(err)
	}
	os.Stderr = said
	defer func() {
		os.Stderr = stderr
		said.Close()
		if t.Failed() {
			text, _ := os.ReadFile(said.Name()) // nothing is nothing to show
			t.Logf("the soak said:\n%s", tail(text, 30))
		}
	}()
	interop.DoSoakTest(ctx, interop.SoakTestConfig{
		RequestSize: 271828, ResponseSize: 314159, Iterations: 100, NumWorkers: 4, MaxFailures: 0,
		PerIterationMaxAcceptableLatency: 20 * time.Second, OverallTimeout: time.Minute,
		ServerAddr: s.at.String(), ChannelForTest: channel,
	})
}

// tail is the last lines of a text.
func tail(text []byte, lines int) []byte {
	all := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return bytes.Join(all[max(0, len(all)-lines):], []byte("\n"))
}

func TestDirect(t *testing.T)                      { runCases(t, direct) }
func TestThroughAnIngress(t *testing.T)            { runCases(t, throughIngress) }
func TestThroughAnEgress(t *testing.T)             { runCases(t, throughEgress) }
func TestThroughAnEgressAndAnIngress(t *testing.T) { runCases(t, throughBoth) }

func runCases(t *testing.T, lay func(*testing.T, netip.Addr) netip.AddrPort) {
	app := serve(t, func(s *grpc.Server) { testgrpc.RegisterTestServiceServer(s, interop.NewTestServer()) })
	at := lay(t, app)
	conn, err := connect(at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	s := &suite{at: at, conn: conn, client: testgrpc.NewTestServiceClient(conn)}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			judged.Store(t)
			defer judged.Store(nil)
			c.do(ctx, s)
		})
	}
}

// judged is the case under way. Cases run one after the other.
var judged atomic.Pointer[testing.T]

// verdicts is gRPC's log. The interop package ends the process by it where a case fails; here the case ends alone, for Fatal does not return.
type verdicts struct{}

func (verdicts) fail(text string) {
	t := judged.Load()
	if t == nil {
		panic(text)
	}
	t.Helper()
	t.Fatal(text)
}

func (v verdicts) Fatal(args ...any)                 { v.fail(fmt.Sprint(args...)) }
func (v verdicts) Fatalln(args ...any)               { v.fail(fmt.Sprintln(args...)) }
func (v verdicts) Fatalf(format string, args ...any) { v.fail(fmt.Sprintf(format, args...)) }

func (verdicts) Info(...any)             {}
func (verdicts) Infoln(...any)           {}
func (verdicts) Infof(string, ...any)    {}
func (verdicts) Warning(...any)          {}
func (verdicts) Warningln(...any)        {}
func (verdicts) Warningf(string, ...any) {}
func (verdicts) Error(...any)            {}
func (verdicts) Errorln(...any)          {}
func (verdicts) Errorf(string, ...any)   {}
func (verdicts) V(int) bool              { return false }

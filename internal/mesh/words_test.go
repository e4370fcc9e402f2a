package mesh

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func TestWords(t *testing.T) {
	root := "/"
	for _, tt := range []struct {
		thing fmt.Stringer
		want  string
	}{
		{&Match{}, "any path"},
		{&Match{Prefix: "/"}, "any path"},
		{&Match{Prefix: "/api/", Method: "GET", Headers: []HeaderMatch{{Name: "x-beta", Kind: MatchExact, Value: "true"}}}, `prefix /api/, method GET, header x-beta is "true"`},
		{&Match{Exact: "/a", Scheme: "https", Query: []QueryMatch{{Name: "debug"}}}, "path /a, scheme https, query parameter debug is present"},
		{&Match{Regex: "/v[0-9]+", GRPC: true}, "path like /v[0-9]+, gRPC"},
		{&HeaderMatch{Name: "a", Invert: true}, "header a is absent"},
		{&HeaderMatch{Name: "a", Kind: MatchRange, Start: 1, End: 10}, "header a is from 1 to 9"},
		{&HeaderMatch{Name: "a", Kind: MatchSuffix, Value: "x", Invert: true}, `header a does not end with "x"`},
		{&HeaderMatch{Name: "a", Kind: MatchRegex, Value: "x.*"}, "header a is like x.*"},
		{Timeout{}, "no limit"},
		{Timeout{Value: 15 * time.Second}, "15s"},
		{DefaultRetry(), "up to 2 times on no response, status 503, grpc-status 14"},
		{(*RetryPolicy)(nil), "never"},
		{&RetryPolicy{MaxRetries: 1, On: RetryConnectFailure | RetryRefusedStream, PerTryTimeout: time.Second}, "once on connect failure, refused stream, 1s each try"},
		{&Discovery{Kind: StrictDNS, Host: "a.local", Port: 80, Preference: IPv4Only}, "every address of a.local port 80, IPv4_ONLY"},
		{&Discovery{Kind: CloudMap, Host: "a.local", Port: 80}, "Cloud Map service a.local port 80, by DNS"},
		{&Discovery{Kind: Static, Addrs: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:80")}}, "127.0.0.1:80"},
		{&Discovery{}, "nowhere: the node has no serviceDiscovery"},
		{Limits{}, "no limit"},
		{Limits{MaxConnections: 10, MaxPendingRequests: 5}, "at most 10 connections, 5 pending requests"},
		{&HealthCheck{Protocol: HTTP, Path: "/ping", Port: 80, Interval: 5 * time.Second, Timeout: 2 * time.Second, Healthy: 2, Unhealthy: 3}, "http /ping on port 80 every 5s, timeout 2s, healthy after 2, unhealthy after 3"},
		{(*HealthCheck)(nil), "none"},
		{&OutlierDetection{MaxServerErrors: 5, Interval: 10 * time.Second, BaseEjectionDuration: 30 * time.Second, MaxEjectionPercent: 50}, "ejected for 30s after 5 server errors in a row, looked at every 10s, at most 50 % at once"},
		{&Rewrite{Host: "a.local", Prefix: &root}, "host to a.local, prefix to /"},
		{&Rewrite{Service: "a.local"}, "nothing"},
		{&Rewrite{Path: "/b"}, "path to /b"},
		{&ServerTLS{Mode: TLSStrict, Certificate: Certificate{ChainFile: "/c.pem", KeyFile: "/k.pem"}, ClientTrust: &Trust{File: "/ca.pem"}, ClientNames: []string{"a", "b"}}, "STRICT, certificate file /c.pem with key /k.pem, clients need a certificate that file /ca.pem vouches for, names a b"},
		{&ClientTLS{Enforce: true, Trust: &Trust{ACM: []string{"arn:a"}}, Certificate: Certificate{SDS: "s"}}, "TLS always, trusting ACM arn:a, showing SDS secret s"},
		{(*ClientTLS)(nil), "plaintext"},
		{&Cluster{Name: "cds_egress_m_a_http_80", Node: "a", Discovery: Discovery{Port: 80}}, `virtual node "a" port 80`},
		{&Cluster{Name: "cds_ingress_m_a_http_80", Node: "a", Discovery: Discovery{Kind: Static, Addrs: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:80")}}}, "the app at 127.0.0.1:80"},
		{&Cluster{Name: "cds_egress_m_amazonaws", Discovery: Discovery{Kind: OriginalDst}}, "the address that the app dialled"},
		{(*AccessLog)(nil), "none"},
		{&AccessLog{Path: "/dev/stdout"}, "/dev/stdout, in Envoy's own format"},
		{&AccessLog{Path: "/l", Text: "a\n"}, `/l, as "a\n"`},
		{&AccessLog{Path: "/l", JSON: []LogField{{Key: "k", Value: "%START_TIME%"}}}, `/l, as JSON {"k": "%START_TIME%"}`},
	} {
		if got := tt.thing.String(); got != tt.want {
			t.Errorf("%#v: got %q, want %q", tt.thing, got, tt.want)
		}
	}
}

func TestShare(t *testing.T) {
	for want, target := range map[string]Target{
		"90 % (weight 9 of 10)":  {Weight: 9},
		"33.3 % (weight 1 of 3)": {Weight: 1},
		"all":                    {Weight: 7},
		"none (weight 0)":        {},
	} {
		total := map[uint32]uint64{9: 10, 1: 3, 7: 7, 0: 5}[target.Weight]
		if got := target.Share(total); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestShares(t *testing.T) {
	a := &Cluster{Name: "cds_egress_m_a_http_80", Node: "a", Discovery: Discovery{Port: 80}}
	for want, targets := range map[string][]Target{
		"nobody":                        nil,
		`virtual node "a" port 80: all`: {{Cluster: a, Weight: 3}},
		`virtual node "a" port 80: 90 % (weight 9 of 10), virtual node "a" port 80: 10 % (weight 1 of 10)`: {{Cluster: a, Weight: 9}, {Cluster: a, Weight: 1}},
	} {
		if got := Shares(targets); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestRetryWords(t *testing.T) {
	for _, tt := range []struct {
		policy           *RetryPolicy
		methods, backoff string
	}{
		{nil, "none", "none"},
		{&RetryPolicy{Explicit: true}, "none", "none"},
		{DefaultRetry(), "idempotent ones; others only if nothing of them was sent or the peer refused them", "from 25ms to 250ms"},
		{&RetryPolicy{MaxRetries: 1, Explicit: true, BackoffBase: 1, BackoffMax: 2}, "whatever their method", "from 1ns to 2ns"},
	} {
		if m, b := tt.policy.Methods(), tt.policy.Backoff(); m != tt.methods || b != tt.backoff {
			t.Errorf("%+v: %q, %q", tt.policy, m, b)
		}
	}
}

package telemetry

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/stat"
)

// fields are header fields by lower-case name.
type fields map[string]string

func (f fields) Append(dst []byte, name string) ([]byte, bool) {
	v, ok := f[name]
	return append(dst, v...), ok
}

// exchange is a finished request that was tried twice and answered.
func exchange() *stat.Record {
	return &stat.Record{
		Start: time.Date(2026, 11, 21, 14, 40, 15, 120304050, time.UTC), Duration: 1234567 * time.Microsecond,
		Protocol: "HTTP/1.1", UpstreamProtocol: "HTTP/1.1",
		Method: []byte("GET"), Path: []byte("/api/users?id=7&x=y%20z"), Authority: []byte("user-service.local:8080"),
		Code: 503, Flags: "UF,URX", Details: "upstream_reset_before_response_started{connection termination}",
		TransportFailure: "delayed connect error: 111", BytesReceived: 16, BytesSent: 91, UpstreamTime: 1200 * time.Millisecond,
		RequestDuration: 5 * time.Millisecond, Route: "user-route", Cluster: "cds_egress_my-mesh_user_http_8080",
		Upstream: netip.MustParseAddrPort("10.0.2.1:80"), UpstreamLocal: netip.MustParseAddrPort("10.0.0.4:41000"),
		Downstream: netip.MustParseAddrPort("[::ffff:10.1.2.3]:5000"), Local: netip.MustParseAddrPort("[fd00::1]:8080"),
		Attempts: 2, ConnectionID: 42, Termination: "idle timeout", ServerName: "s3.amazonaws.com", Sniffed: "tls",
		Request:  fields{"user-agent": "curl/8.5", "x-request-id": "abc", "x-forwarded-for": "10.0.0.9", "evil": "a\r\nb\x7f\tc"},
		Response: fields{"x-envoy-upstream-service-time": "1200", "content-type": "text/plain", "grpc-status": "14"},
		Trailer:  fields{"grpc-message": "no"},
	}
}

func format(t *testing.T, text string, r *stat.Record) string {
	t.Helper()
	segments, err := compileFormat(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(appendSegments(nil, segments, r))
}

func TestTheDefaultLineIsEnvoys(t *testing.T) {
	got := format(t, DefaultFormat, exchange())
	want := `[2026-11-21T14:40:15.120Z] "GET /api/users?id=7&x=y%20z HTTP/1.1" 503 UF,URX 16 91 1234 1200 "10.0.0.9" "curl/8.5" "abc" "user-service.local:8080" "10.0.2.1:80"` + "\n"
	if got != want {
		t.Errorf("\n%s\nwant\n%s", got, want)
	}
	got = format(t, DefaultFormat, &stat.Record{Start: exchange().Start})
	want = `[2026-11-21T14:40:15.120Z] "- - -" 0 - 0 0 0 - "-" "-" "-" "-" "-"` + "\n"
	if got != want {
		t.Errorf("\n%s\nwant\n%s", got, want)
	}
}

func TestOperators(t *testing.T) {
	host, _ := os.Hostname()
	t.Setenv("OUTRIDER_TEST", "value")
	for text, want := range map[string]string{
		"plain %% text":                                                       "plain % text",
		"%START_TIME%":                                                        "2026-11-21T14:40:15.120Z",
		"%START_TIME(%Y/%m/%dT%H:%M:%S%z %s)%":                                "2026/11/21T14:40:15+0000 1795272015",
		"%START_TIME(%s.%3f)%":                                                "1795272015.120",
		"%START_TIME(%6f %9f %f %1f)%":                                        "120304 120304050 120304050 1",
		"%START_TIME(%F %T %j %e %a %b %%)%":                                  "2026-11-21 14:40:15 325 21 Sat Nov %",
		"%EMIT_TIME(%T)%":                                                     "14:40:16",
		"%PROTOCOL% %UPSTREAM_PROTOCOL%":                                      "HTTP/1.1 HTTP/1.1",
		"%RESPONSE_CODE% %RESP(:STATUS)%":                                     "503 503",
		"%RESPONSE_CODE_DETAILS%":                                             "upstream_reset_before_response_started{connection_termination}",
		"%RESPONSE_CODE_DETAILS(ALLOW_WHITESPACES)%":                          "upstream_reset_before_response_started{connection termination}",
		"%CONNECTION_TERMINATION_DETAILS%":                                    "idle_timeout",
		"%UPSTREAM_TRANSPORT_FAILURE_REASON%":                                 "delayed_connect_error:_111",
		"%RESPONSE_FLAGS% %RESPONSE_FLAGS_LONG%":                              "UF,URX UpstreamConnectionFailure,UpstreamRetryLimitExceeded",
		"%BYTES_RECEIVED% %BYTES_SENT%":                                       "16 91",
		"%DURATION% %REQUEST_DURATION%":                                       "1234 5",
		"%RESPONSE_DURATION% %RESPONSE_TX_DURATION%":                          "1205 29",
		"%UPSTREAM_REQUEST_ATTEMPT_COUNT% %CONNECTION_ID%":                    "2 42",
		"%ROUTE_NAME% %UPSTREAM_CLUSTER%":                                     "user-route cds_egress_my-mesh_user_http_8080",
		"%UPSTREAM_HOST% %UPSTREAM_REMOTE_PORT%":                              "10.0.2.1:80 80",
		"%UPSTREAM_LOCAL_ADDRESS%":                                            "10.0.0.4:41000",
		"%DOWNSTREAM_REMOTE_ADDRESS%":                                         "10.1.2.3:5000",
		"%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%":                            "10.1.2.3",
		"%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(16)%":                        "10.1.0.0/16",
		"%DOWNSTREAM_DIRECT_REMOTE_ADDRESS% %DOWNSTREAM_DIRECT_REMOTE_PORT%":  "10.1.2.3:5000 5000",
		"%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_PORT%":                  "[fd00::1]:8080 8080",
		"%SNIFFED_PROTOCOL%":                                                  "tls",
		"%REQUESTED_SERVER_NAME% %HOSTNAME%":                                  "s3.amazonaws.com " + host,
		"%REQ(:METHOD)% %REQ(:SCHEME)% %REQ(:Path)%":                          "GET http /api/users?id=7&x=y%20z",
		"%REQ(X-ENVOY-ORIGINAL-PATH?:PATH):4%":                                "/api",
		"%REQ_WITHOUT_QUERY(:PATH)%":                                          "/api/users",
		"%PATH% %PATH(NQ)% %PATH(WQ:ORIG)%":                                   "/api/users?id=7&x=y%20z /api/users -",
		"%QUERY_PARAM(id)% %QUERY_PARAM(x):2% %QUERY_PARAM(n)%":               "7 y% -",
		"%REQ(USER-AGENT)% %REQUEST_HEADER(user-agent):4%":                    "curl/8.5 curl",
		"%REQ(NONE)% %REQ(NONE?X-REQUEST-ID)%":                                "- abc",
		"%REQ(EVIL)%":                                                         "a__b_\tc",
		"%RESP(CONTENT-TYPE)% %TRAILER(GRPC-MESSAGE)%":                        "text/plain no",
		"%GRPC_STATUS% %GRPC_STATUS(SNAKE_STRING)% %GRPC_STATUS_NUMBER%":      "Unavailable UNAVAILABLE 14",
		"%ACCESS_LOG_TYPE% %ENVIRONMENT(OUTRIDER_TEST):3%":                    "DownstreamEnd val",
		"%ENVIRONMENT(OUTRIDER_NOT_SET)%":                                     "-",
		"%DYNAMIC_METADATA(a:b):9% %STREAM_ID% %DOWNSTREAM_PEER_URI_SAN%":     "- - -",
		"%FILTER_STATE(k:PLAIN)% %DOWNSTREAM_PEER_CERT_V_START(%b)% %CEL(x)%": "- - -",
	} {
		if got := format(t, text, exchange()); got != want {
			t.Errorf("%s\n prints %q\n want   %q", text, got, want)
		}
	}
}

func TestAConnectionHasNoRequest(t *testing.T) {
	r := &stat.Record{Start: exchange().Start, Duration: time.Second, BytesSent: 9, UpstreamTime: -1, Cluster: "cds_tcp"}
	got := format(t, "%REQ(:SCHEME)% %REQ(A)% %RESP(A)% %TRAILER(A)% %GRPC_STATUS% %PATH% %QUERY_PARAM(a)% %RESPONSE_DURATION% %UPSTREAM_HOST% %ACCESS_LOG_TYPE% %BYTES_SENT%", r)
	if want := "- - - - - - - - - TcpConnectionEnd 9"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestFormatsThatEnvoyRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"%":                          "column 1: % begins no operator (write %% for a percent sign)",
		"100% sure":                  "column 4: % begins no operator (write %% for a percent sign)",
		"a %protocol%":               "column 3: % begins no operator (write %% for a percent sign)",
		"%PROTOCOL":                  "column 1: operator PROTOCOL is never closed by % (write %% for a percent sign)",
		"%REQ(A%":                    "column 5: ( is never closed",
		"ok %RESPONSE_COD%":          "column 4: Envoy knows no operator RESPONSE_COD (did you mean %RESPONSE_CODE%?)",
		"%SOMETHING_ELSE%":           "column 1: Envoy knows no operator SOMETHING_ELSE",
		"%PROTOCOL(x)%":              "column 1: operator PROTOCOL takes no argument in ()",
		"%PROTOCOL:3%":               "column 1: operator PROTOCOL takes no length",
		"%REQ%":                      "column 1: operator REQ needs an argument (like %REQ(...)%)",
		"%REQ(A):x%":                 "column 9: a length must be a number (like %REQ(USER-AGENT):40%)",
		"%REQ(A?B?C)%":               "column 1: more than one alternative header: A?B?C",
		"%REQ()%":                    `column 1: "" is not the name of a header`,
		"%REQ(A B)%":                 `column 1: "A B" is not the name of a header`,
		"%START_TIME(%Q)%":           "column 1: time format: %Q is not known",
		"%START_TIME(%3)%":           "column 1: time format: %3 must be followed by f",
		"%START_TIME(a%)%":           "column 1: a time format must not end in a lone %",
		"%GRPC_STATUS(LOUD)%":        "column 1: GRPC_STATUS takes CAMEL_STRING, SNAKE_STRING or NUMBER",
		"%RESPONSE_CODE_DETAILS(X)%": "column 1: RESPONSE_CODE_DETAILS takes only ALLOW_WHITESPACES",
		"%PATH(X)%":                  "column 1: PATH takes WQ or NQ first",
		"%PATH(WQ:X)%":               "column 1: PATH takes ORIG, PATH or ORIG_OR_PATH second",
		"%UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(129)%": "column 1: UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT takes the length of a prefix, 0 to 128",
		"%CEL%": "column 1: operator CEL needs an argument (like %CEL(...)%)",
	} {
		err := CheckFormat(text)
		var where *FormatError
		if !errors.As(err, &where) || err.Error() != "access log format: "+want {
			t.Errorf("%s: %v\nwant %s", text, err, want)
		}
	}
}

func TestEveryOperatorOfTheTablesCompilesAndPrints(t *testing.T) {
	names := strings.Fields(unansweredPlain + unansweredArgs + unansweredMayArgs)
	for _, s := range answered {
		names = append(names, s.name)
	}
	seen := make(map[string]bool)
	for _, name := range names {
		if seen[name] {
			t.Errorf("%s is listed twice", name)
		}
		seen[name] = true
		spec, ok := findOperator(name)
		if !ok {
			t.Errorf("%s is not found", name)
		}
		text := "%" + name + "%"
		if spec.args == needsArgs {
			text = "%" + name + "(A)%"
		}
		for _, r := range []*stat.Record{exchange(), {}} {
			if got := format(t, text, r); got == "" || spec.code == opUnknown && got != "-" {
				t.Errorf("%s prints %q", text, got)
			}
		}
	}
}

func jsonLine(t *testing.T, cfg *mesh.AccessLog, r *stat.Record) string {
	t.Helper()
	f, err := compileLine(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var l line
	f.append(&l, r)
	if !json.Valid(l.buf) {
		t.Errorf("not JSON: %s", l.buf)
	}
	return string(l.buf)
}

func TestJSONKeepsTypesAndOrdersKeys(t *testing.T) {
	cfg := &mesh.AccessLog{JSON: []mesh.LogField{
		{Key: "status", Value: "%RESPONSE_CODE%"}, {Key: "path", Value: "%REQ(:PATH)%"}, {Key: "none", Value: "%REQ(NONE)%"},
		{Key: "mixed", Value: "%RESPONSE_CODE%/%REQ(NONE)%"}, {Key: "text", Value: `a "b"`}, {Key: `k"`, Value: "%PROTOCOL%"},
		{Key: "twice", Value: "first"}, {Key: "twice", Value: "last"}, {Key: "evil", Value: "%REQ(EVIL)%"}, {Key: "port", Value: "%UPSTREAM_REMOTE_PORT%"},
	}}
	want := `{"evil":"a__b_\tc","k\"":"HTTP/1.1","mixed":"503/-","none":null,"path":"/api/users?id=7&x=y%20z","port":80,"status":503,"text":"a \"b\"","twice":"last"}` + "\n"
	if got := jsonLine(t, cfg, exchange()); got != want {
		t.Errorf("\n%s\nwant\n%s", got, want)
	}
}

func TestWhatPeersSendCannotBreakJSON(t *testing.T) {
	cfg := &mesh.AccessLog{JSON: []mesh.LogField{{Key: "h", Value: "%REQ(H)%"}, {Key: "cut", Value: "%REQ(H):3%"}}}
	for value, want := range map[string]string{
		`"},{"`:    `{"cut":"\"},","h":"\"},{\""}`,
		"\xff\xfe": `{"cut":"` + "\ufffd\ufffd" + `","h":"` + "\ufffd\ufffd" + `"}`,
		"aä\\":     `{"cut":"aä","h":"aä\\"}`,
		"ab\u2028": `{"cut":"ab` + "\ufffd" + `","h":"ab` + "\u2028" + `"}`,
		"\x00\x1b": `{"cut":"__","h":"__"}`,
	} {
		if got := jsonLine(t, cfg, &stat.Record{Request: fields{"h": value}}); got != want+"\n" {
			t.Errorf("%q\n%s\nwant\n%s", value, got, want)
		}
	}
}

func TestABadFormatNamesKeyAndPlace(t *testing.T) {
	err := CheckAccessLog(&mesh.AccessLog{JSON: []mesh.LogField{{Key: "a", Value: "x%NOPE%"}}})
	if err == nil || err.Error() != `key "a": access log format: column 2: Envoy knows no operator NOPE` {
		t.Error(err)
	}
}

func TestFormattingDoesNotAllocate(t *testing.T) {
	r := exchange()
	for _, cfg := range []*mesh.AccessLog{
		{},
		{Text: "%START_TIME(%s.%3f)% %RESPONSE_FLAGS_LONG% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(8)% %GRPC_STATUS% %QUERY_PARAM(x)% %RESPONSE_CODE_DETAILS%"},
		{JSON: []mesh.LogField{{Key: "a", Value: "%START_TIME%"}, {Key: "b", Value: "%REQ(EVIL)%"}, {Key: "c", Value: "%DURATION%"}, {Key: "d", Value: "x%UPSTREAM_HOST%"}}},
	} {
		f, err := compileLine(cfg)
		if err != nil {
			t.Fatal(err)
		}
		var l line
		f.append(&l, r)
		if n := testing.AllocsPerRun(100, func() { f.append(&l, r) }); n != 0 {
			t.Errorf("%+v: %g allocations", cfg, n)
		}
	}
}

func FuzzFormat(f *testing.F) {
	f.Add(DefaultFormat)
	f.Add("%START_TIME(%s.%3f %e %j)% %% %REQ(A?B):3% %PATH(NQ:ORIG)% %GRPC_STATUS(NUMBER)%")
	f.Add("%REQ(%)%%FILTER_STATE(a:b):4%")
	f.Fuzz(func(t *testing.T, text string) {
		segments, err := compileFormat(text)
		if err != nil {
			var where *FormatError
			if !errors.As(err, &where) || where.Offset < 0 || where.Offset > len(text) {
				t.Fatalf("%v", err)
			}
			return
		}
		appendSegments(nil, segments, exchange())
		appendSegments(nil, segments, &stat.Record{})
		c := &mesh.AccessLog{JSON: []mesh.LogField{{Key: text, Value: text}}}
		jsonLine(t, c, exchange())
	})
}

func BenchmarkDefaultLine(b *testing.B) {
	f, _ := compileLine(&mesh.AccessLog{})
	var l line
	r := exchange()
	b.ReportAllocs()
	for range b.N {
		f.append(&l, r)
	}
}

func TestTheDirectPeerIsNotTheClientBehindAProxy(t *testing.T) {
	r := exchange()
	r.Direct = netip.MustParseAddrPort("10.9.9.9:99")
	r.Downstream = netip.MustParseAddrPort("203.0.113.9:0")
	want := "203.0.113.9:0 203.0.113.9 10.9.9.9:99 10.9.9.9"
	got := format(t, "%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% "+
		"%DOWNSTREAM_DIRECT_REMOTE_ADDRESS% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%", r)
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

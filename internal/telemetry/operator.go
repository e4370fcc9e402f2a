package telemetry

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
)

// opcode says which value an operator prints.
type opcode uint8

const (
	opUnknown opcode = iota // valid in Envoy, never known here: prints as missing
	opFixed
	opStartTime
	opEndTime
	opProtocol
	opUpstreamProtocol
	opCode
	opDetails
	opTermination
	opTransportFailure
	opFlags
	opFlagsLong
	opBytesReceived
	opBytesSent
	opDuration
	opRequestDuration
	opResponseDuration
	opResponseTxDuration
	opAttempts
	opRoute
	opCluster
	opServerName
	opSniffed
	opConnection
	opLogType
	opRequestHeader
	opRequestNoQuery
	opResponseHeader
	opTrailer
	opGRPCStatus
	opPath
	opQuery
	opUpstream
	opUpstreamLocal
	opDownstream
	opDirect
	opLocal
)

// The *_ADDRESS operators come in three forms, told apart by these.
const (
	formWhole     = ""
	formNoPort    = "host"
	formPortAlone = "port"
)

type argRule uint8

const (
	noArgs argRule = iota
	mayHaveArgs
	needsArgs
)

// operatorSpec says what Envoy allows for an operator.
type operatorSpec struct {
	name   string
	code   opcode
	args   argRule
	limit  bool // ":Z" is allowed
	number bool
	form   string
}

// answered are the operators that a record can answer.
var answered = []operatorSpec{
	{name: "ACCESS_LOG_TYPE", code: opLogType},
	{name: "BYTES_RECEIVED", code: opBytesReceived, number: true},
	{name: "BYTES_SENT", code: opBytesSent, number: true},
	{name: "CONNECTION_ID", code: opConnection, number: true},
	{name: "CONNECTION_TERMINATION_DETAILS", code: opTermination},
	{name: "DOWNSTREAM_DIRECT_LOCAL_ADDRESS", code: opLocal},
	{name: "DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT", code: opLocal, args: mayHaveArgs, form: formNoPort},
	{name: "DOWNSTREAM_DIRECT_LOCAL_PORT", code: opLocal, number: true, form: formPortAlone},
	{name: "DOWNSTREAM_DIRECT_REMOTE_ADDRESS", code: opDirect},
	{name: "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT", code: opDirect, args: mayHaveArgs, form: formNoPort},
	{name: "DOWNSTREAM_DIRECT_REMOTE_PORT", code: opDirect, number: true, form: formPortAlone},
	{name: "DOWNSTREAM_LOCAL_ADDRESS", code: opLocal},
	{name: "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", code: opLocal, args: mayHaveArgs, form: formNoPort},
	{name: "DOWNSTREAM_LOCAL_PORT", code: opLocal, number: true, form: formPortAlone},
	// The peer itself: X-Forwarded-For is not believed for these.
	{name: "DOWNSTREAM_REMOTE_ADDRESS", code: opDownstream},
	{name: "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", code: opDownstream, args: mayHaveArgs, form: formNoPort},
	{name: "DOWNSTREAM_REMOTE_PORT", code: opDownstream, number: true, form: formPortAlone},
	{name: "DURATION", code: opDuration, number: true},
	{name: "EMIT_TIME", code: opEndTime, args: mayHaveArgs},
	{name: "EMIT_TIME_LOCAL", code: opEndTime, args: mayHaveArgs},
	{name: "ENVIRONMENT", code: opFixed, args: needsArgs, limit: true},
	{name: "GRPC_STATUS", code: opGRPCStatus, args: mayHaveArgs},
	{name: "GRPC_STATUS_NUMBER", code: opGRPCStatus, number: true},
	{name: "HOSTNAME", code: opFixed},
	{name: "PATH", code: opPath, args: mayHaveArgs, limit: true},
	{name: "PROTOCOL", code: opProtocol},
	{name: "QUERY_PARAM", code: opQuery, args: needsArgs, limit: true},
	{name: "REQ", code: opRequestHeader, args: needsArgs, limit: true},
	{name: "REQUEST_HEADER", code: opRequestHeader, args: needsArgs, limit: true},
	{name: "REQ_WITHOUT_QUERY", code: opRequestNoQuery, args: needsArgs, limit: true},
	{name: "REQUESTED_SERVER_NAME", code: opServerName},
	{name: "REQUEST_DURATION", code: opRequestDuration, number: true},
	{name: "RESP", code: opResponseHeader, args: needsArgs, limit: true},
	{name: "RESPONSE_CODE", code: opCode, number: true},
	{name: "RESPONSE_CODE_DETAILS", code: opDetails, args: mayHaveArgs},
	{name: "RESPONSE_DURATION", code: opResponseDuration, number: true},
	{name: "RESPONSE_FLAGS", code: opFlags},
	{name: "RESPONSE_FLAGS_LONG", code: opFlagsLong},
	{name: "RESPONSE_HEADER", code: opResponseHeader, args: needsArgs, limit: true},
	{name: "RESPONSE_TRAILER", code: opTrailer, args: needsArgs, limit: true},
	{name: "RESPONSE_TX_DURATION", code: opResponseTxDuration, number: true},
	{name: "ROUTE_NAME", code: opRoute},
	// Ours: what a connection speaks that no document declares; see stat.Record.
	{name: "SNIFFED_PROTOCOL", code: opSniffed},
	{name: "START_TIME", code: opStartTime, args: mayHaveArgs},
	{name: "START_TIME_LOCAL", code: opStartTime, args: mayHaveArgs},
	{name: "TRAILER", code: opTrailer, args: needsArgs, limit: true},
	{name: "UPSTREAM_CLUSTER", code: opCluster},
	{name: "UPSTREAM_CLUSTER_RAW", code: opCluster},
	{name: "UPSTREAM_HOST", code: opUpstream},
	{name: "UPSTREAM_LOCAL_ADDRESS", code: opUpstreamLocal},
	{name: "UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", code: opUpstreamLocal, args: mayHaveArgs, form: formNoPort},
	{name: "UPSTREAM_LOCAL_PORT", code: opUpstreamLocal, number: true, form: formPortAlone},
	{name: "UPSTREAM_PROTOCOL", code: opUpstreamProtocol},
	{name: "UPSTREAM_REMOTE_ADDRESS", code: opUpstream},
	{name: "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", code: opUpstream, args: mayHaveArgs, form: formNoPort},
	{name: "UPSTREAM_REMOTE_PORT", code: opUpstream, number: true, form: formPortAlone},
	{name: "UPSTREAM_REQUEST_ATTEMPT_COUNT", code: opAttempts, number: true},
	{name: "UPSTREAM_TRANSPORT_FAILURE_REASON", code: opTransportFailure},
}

// unanswered are Envoy's other operators (Envoy up to 1.37). The arguments of
// those that take some are not looked into.
const (
	unansweredPlain = ` BYTES_RETRANSMITTED CUSTOM_FLAGS DOWNSTREAM_DETECTED_CLOSE_TYPE
		DOWNSTREAM_HANDSHAKE_DURATION DOWNSTREAM_HEADER_BYTES_RECEIVED DOWNSTREAM_HEADER_BYTES_SENT
		DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_SENT
		DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID DOWNSTREAM_REMOTE_ADDRESS_ENDPOINT_ID
		DOWNSTREAM_LOCAL_CLOSE_REASON DOWNSTREAM_LOCAL_DNS_SAN DOWNSTREAM_LOCAL_EMAIL_SAN
		DOWNSTREAM_LOCAL_IP_SAN DOWNSTREAM_LOCAL_OTHERNAME_SAN DOWNSTREAM_LOCAL_SUBJECT
		DOWNSTREAM_LOCAL_URI_SAN DOWNSTREAM_PEER_CERT DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1
		DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256 DOWNSTREAM_PEER_CHAIN_SERIALS DOWNSTREAM_PEER_DNS_SAN
		DOWNSTREAM_PEER_EMAIL_SAN DOWNSTREAM_PEER_FINGERPRINT_1 DOWNSTREAM_PEER_FINGERPRINT_256
		DOWNSTREAM_PEER_IP_SAN DOWNSTREAM_PEER_ISSUER DOWNSTREAM_PEER_OTHERNAME_SAN DOWNSTREAM_PEER_SERIAL
		DOWNSTREAM_PEER_SUBJECT DOWNSTREAM_PEER_URI_SAN DOWNSTREAM_TLS_CIPHER DOWNSTREAM_TLS_SESSION_ID
		DOWNSTREAM_TLS_VERSION DOWNSTREAM_TRANSPORT_FAILURE_REASON DOWNSTREAM_WIRE_BYTES_RECEIVED
		DOWNSTREAM_WIRE_BYTES_SENT FILTER_CHAIN_NAME LOCAL_REPLY_BODY PACKETS_RETRANSMITTED
		REQUEST_HEADERS_BYTES REQUEST_TX_DURATION RESPONSE_HEADERS_BYTES RESPONSE_TRAILERS_BYTES
		ROUNDTRIP_DURATION STREAM_ID TLS_JA3_FINGERPRINT TLS_JA4_FINGERPRINT TRACE_ID UNIQUE_ID
		UPSTREAM_CONNECTION_ID UPSTREAM_CONNECTION_POOL_READY_DURATION
		UPSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED UPSTREAM_DECOMPRESSED_HEADER_BYTES_SENT
		UPSTREAM_HEADER_BYTES_RECEIVED UPSTREAM_HEADER_BYTES_SENT UPSTREAM_HOST_NAME
		UPSTREAM_HOST_NAME_WITHOUT_PORT UPSTREAM_LOCAL_DNS_SAN UPSTREAM_LOCAL_IP_SAN UPSTREAM_LOCAL_URI_SAN
		UPSTREAM_PEER_CERT UPSTREAM_PEER_DNS_SAN UPSTREAM_PEER_IP_SAN UPSTREAM_PEER_ISSUER
		UPSTREAM_PEER_SUBJECT UPSTREAM_PEER_URI_SAN UPSTREAM_TLS_CIPHER UPSTREAM_TLS_SESSION_ID
		UPSTREAM_TLS_VERSION UPSTREAM_WIRE_BYTES_RECEIVED UPSTREAM_WIRE_BYTES_SENT VIRTUAL_CLUSTER_NAME `
	unansweredArgs = ` CEL CLUSTER_METADATA COALESCE COMMON_DURATION DYNAMIC_METADATA FILTER_STATE METADATA
		TYPED_CEL UPSTREAM_FILTER_STATE UPSTREAM_METADATA `
	unansweredMayArgs = ` DOWNSTREAM_PEER_CERT_V_END DOWNSTREAM_PEER_CERT_V_START
		UPSTREAM_PEER_CERT_V_END UPSTREAM_PEER_CERT_V_START `
)

func findOperator(name string) (operatorSpec, bool) {
	i := slices.IndexFunc(answered, func(s operatorSpec) bool { return s.name == name })
	switch {
	case i >= 0:
		return answered[i], true
	case slices.Contains(strings.Fields(unansweredPlain), name):
		return operatorSpec{name: name}, true
	case slices.Contains(strings.Fields(unansweredArgs), name):
		return operatorSpec{name: name, args: needsArgs, limit: true}, true
	case slices.Contains(strings.Fields(unansweredMayArgs), name):
		return operatorSpec{name: name, args: mayHaveArgs}, true
	}
	return operatorSpec{}, false
}

// setArgs works the arguments of a command into the operator; problem is empty
// when they are fine.
func (op *operator) setArgs(c *command) (problem string) {
	spec, _ := findOperator(c.name)
	switch op.code {
	case opFixed:
		return op.setFixed(c)
	case opStartTime, opEndTime:
		op.time, problem = compileTime(c.args, strings.HasSuffix(c.name, "_LOCAL"))
		return problem
	case opRequestHeader, opRequestNoQuery, opResponseHeader, opTrailer:
		return op.setHeader(c.args)
	case opDetails:
		if c.args != "" && c.args != "ALLOW_WHITESPACES" {
			return "RESPONSE_CODE_DETAILS takes only ALLOW_WHITESPACES"
		}
		op.keepSpaces = c.args != ""
	case opGRPCStatus:
		return op.setGRPC(c)
	case opPath:
		return op.setPath(c.args)
	case opQuery:
		op.name = c.args
	case opUpstream, opUpstreamLocal, opDownstream, opDirect, opLocal:
		op.name = spec.form
		if c.args == "" {
			return ""
		}
		bits, err := strconv.Atoi(c.args)
		if err != nil || bits < 0 || bits > 128 {
			return c.name + " takes the length of a prefix, 0 to 128"
		}
		op.bits = bits
	}
	return ""
}

// setFixed answers what cannot change while the process runs.
func (op *operator) setFixed(c *command) (problem string) {
	if c.name == "ENVIRONMENT" {
		op.fixed = os.Getenv(c.args)
		return ""
	}
	op.fixed, _ = os.Hostname() // without a name it prints as missing
	return ""
}

// setHeader reads "X" or "X?Y".
func (op *operator) setHeader(args string) (problem string) {
	name, alternative, two := strings.Cut(args, "?")
	if strings.Contains(alternative, "?") {
		return "more than one alternative header: " + args
	}
	if !isHeaderName(name) || two && !isHeaderName(alternative) {
		return strconv.Quote(args) + " is not the name of a header"
	}
	op.name, op.alternative = strings.ToLower(name), strings.ToLower(alternative)
	return ""
}

func isHeaderName(name string) bool {
	name = strings.TrimPrefix(name, ":")
	return name != "" && !strings.ContainsAny(name, "\r\n\t\x00 :")
}

// setGRPC reads the form of a gRPC status; CAMEL_STRING unless another is asked.
func (op *operator) setGRPC(c *command) (problem string) {
	op.name = c.args
	switch {
	case c.name == "GRPC_STATUS_NUMBER":
		op.name = "NUMBER"
	case c.args == "":
		op.name = "CAMEL_STRING"
	case c.args != "CAMEL_STRING" && c.args != "SNAKE_STRING" && c.args != "NUMBER":
		return "GRPC_STATUS takes CAMEL_STRING, SNAKE_STRING or NUMBER"
	}
	op.number = op.name == "NUMBER"
	return ""
}

// setPath reads "WQ|NQ:ORIG|PATH|ORIG_OR_PATH", both halves optional.
func (op *operator) setPath(args string) (problem string) {
	query, which, _ := strings.Cut(args, ":")
	switch query {
	case "", "WQ":
	case "NQ":
		op.alternative = "NQ"
	default:
		return "PATH takes WQ or NQ first"
	}
	switch which {
	case "", "ORIG_OR_PATH", "ORIG", "PATH":
		op.name = which
	default:
		return "PATH takes ORIG, PATH or ORIG_OR_PATH second"
	}
	return ""
}

// nearestOperator is the operator that was most likely meant, or "".
func nearestOperator(name string) string {
	names := make([]string, len(answered))
	for i, s := range answered {
		names[i] = s.name
	}
	return mesh.Nearest(name, names)
}

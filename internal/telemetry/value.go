package telemetry

import (
	"net/netip"
	"strconv"
	"time"

	"github.com/outrider-mesh/outrider/internal/stat"
)

// append appends the operator's value, cut to its limit. ok is false, and dst
// unchanged, when the record has none.
func (op *operator) append(dst []byte, r *stat.Record) (out []byte, ok bool) {
	from := len(dst)
	dst, ok = op.appendValue(dst, r)
	if !ok {
		return dst[:from], false
	}
	if op.limit > 0 && len(dst)-from > op.limit {
		dst = dst[:from+op.limit]
	}
	return dst, true
}

func (op *operator) appendValue(dst []byte, r *stat.Record) (out []byte, ok bool) {
	switch op.code {
	case opFixed:
		return appendText(dst, op.fixed)
	case opStartTime:
		return op.time.append(dst, r.Start), true
	case opEndTime:
		return op.time.append(dst, r.Start.Add(r.Duration)), true
	case opProtocol:
		return appendText(dst, r.Protocol)
	case opUpstreamProtocol:
		return appendText(dst, r.UpstreamProtocol)
	case opCode:
		return strconv.AppendInt(dst, int64(r.Code), 10), true
	case opDetails:
		return op.appendToken(dst, r.Details)
	case opTermination:
		return op.appendToken(dst, r.Termination)
	case opTransportFailure:
		return op.appendToken(dst, r.TransportFailure)
	case opFlags:
		return appendText(dst, r.Flags)
	case opFlagsLong:
		return appendLongFlags(dst, r.Flags)
	case opBytesReceived:
		return strconv.AppendUint(dst, r.BytesReceived, 10), true
	case opBytesSent:
		return strconv.AppendUint(dst, r.BytesSent, 10), true
	case opDuration, opRequestDuration, opResponseDuration, opResponseTxDuration:
		return op.appendDuration(dst, r)
	case opAttempts:
		return strconv.AppendInt(dst, int64(r.Attempts), 10), true
	case opRoute:
		return appendText(dst, r.Route)
	case opCluster:
		return appendText(dst, r.Cluster)
	case opServerName:
		return appendClean(dst, r.ServerName)
	case opSniffed:
		return appendText(dst, r.Sniffed)
	case opConnection:
		return strconv.AppendUint(dst, r.ConnectionID, 10), r.ConnectionID != 0
	case opLogType:
		return appendText(dst, logType(r))
	case opRequestHeader, opRequestNoQuery, opResponseHeader, opTrailer, opGRPCStatus, opPath, opQuery:
		return op.appendMessage(dst, r)
	case opUpstream:
		return op.appendAddress(dst, r.Upstream)
	case opUpstreamLocal:
		return op.appendAddress(dst, r.UpstreamLocal)
	case opDownstream:
		return op.appendAddress(dst, r.Downstream)
	case opDirect:
		if r.Direct.IsValid() {
			return op.appendAddress(dst, r.Direct)
		}
		return op.appendAddress(dst, r.Downstream)
	case opLocal:
		return op.appendAddress(dst, r.Local)
	}
	return dst, false
}

func appendText(dst []byte, text string) ([]byte, bool) {
	return append(dst, text...), text != ""
}

// appendToken appends text with "_" for spaces, so that it stays one column.
func (op *operator) appendToken(dst []byte, text string) ([]byte, bool) {
	from := len(dst)
	dst, ok := appendClean(dst, text)
	if !op.keepSpaces {
		for i := from; i < len(dst); i++ {
			if dst[i] == ' ' {
				dst[i] = '_'
			}
		}
	}
	return dst, ok
}

// appendClean appends what a peer may have sent: without control characters.
func appendClean[T string | []byte](dst []byte, text T) ([]byte, bool) {
	from := len(dst)
	dst = append(dst, text...)
	clean(dst[from:])
	return dst, len(text) > 0
}

func clean(b []byte) {
	for i, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			b[i] = '_'
		}
	}
}

// appendDuration appends whole milliseconds, rounded down.
func (op *operator) appendDuration(dst []byte, r *stat.Record) ([]byte, bool) {
	d, ok := r.Duration, true
	first := r.RequestDuration + r.UpstreamTime // to the response's first byte
	switch op.code {
	case opRequestDuration:
		d, ok = r.RequestDuration, r.RequestDuration > 0
	case opResponseDuration:
		d, ok = first, r.RequestDuration > 0 && r.UpstreamTime >= 0
	case opResponseTxDuration:
		d, ok = r.Duration-first, r.RequestDuration > 0 && r.UpstreamTime >= 0
	}
	return strconv.AppendInt(dst, int64(d/time.Millisecond), 10), ok
}

// logType tells an exchange from a connection (Envoy: ACCESS_LOG_TYPE).
func logType(r *stat.Record) string {
	if r.Protocol == "" {
		return "TcpConnectionEnd"
	}
	return "DownstreamEnd"
}

func (op *operator) appendAddress(dst []byte, a netip.AddrPort) ([]byte, bool) {
	if !a.IsValid() {
		return dst, false
	}
	addr := a.Addr().Unmap().WithZone("")
	switch {
	case op.name == formPortAlone:
		return strconv.AppendUint(dst, uint64(a.Port()), 10), true
	case op.name != formNoPort:
		return netip.AddrPortFrom(addr, a.Port()).AppendTo(dst), true
	case op.bits < 0:
		return addr.AppendTo(dst), true
	}
	prefix, err := addr.Prefix(min(op.bits, addr.BitLen()))
	if err != nil {
		return dst, false
	}
	return prefix.AppendTo(dst), true
}

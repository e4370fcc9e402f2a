package telemetry

import (
	"fmt"
	"log/slog"
	"path"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// appendHead appends all of a line that stands before its attributes. In text
// that is Envoy's "[%Y-%m-%d %T.%e][%t][%l][%n] [%g:%#] %v", with the process
// id where Envoy has the thread's: Go does not tell threads apart.
func (l *Log) appendHead(dst []byte, component string, r *slog.Record) []byte {
	if l.format == LogJSON {
		dst = append(dst, `{"time":"`...)
		dst = r.Time.AppendFormat(dst, "2006-01-02T15:04:05.000Z07:00")
		dst = append(dst, `","level":"`...)
		dst = append(dst, levelName(r.Level)...)
		dst = append(dst, `","component":`...)
		dst = appendJSONString(dst, component)
		if r.PC != 0 {
			dst = append(dst, `,"source":"`...)
			dst = append(appendSource(dst, r.PC), '"')
		}
		dst = append(dst, `,"message":`...)
		return appendJSONString(dst, r.Message)
	}
	dst = append(dst, '[')
	dst = r.Time.AppendFormat(dst, "2006-01-02 15:04:05.000")
	dst = append(dst, "]["...)
	dst = strconv.AppendInt(dst, int64(l.pid), 10)
	dst = append(dst, "]["...)
	dst = append(dst, levelName(r.Level)...)
	dst = append(dst, "]["...)
	dst = append(dst, component...)
	dst = append(dst, "] "...)
	if r.PC != 0 {
		dst = append(dst, '[')
		dst = append(appendSource(dst, r.PC), "] "...)
	}
	return appendPlain(dst, r.Message)
}

// module is the path before the folders of this program.
const module = "github.com/outrider-mesh/outrider/"

// appendSource appends "proxy/server.go:123": the package's folder in the
// module, whether or not the build kept whole paths.
func appendSource(dst []byte, pc uintptr) []byte {
	frame, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	pkg := frame.Function
	slash := strings.LastIndexByte(pkg, '/') + 1
	if dot := strings.IndexByte(pkg[slash:], '.'); dot >= 0 {
		pkg = pkg[:slash+dot]
	}
	dst = append(dst, strings.TrimPrefix(pkg, module)...)
	dst = append(dst, '/')
	dst = append(dst, path.Base(frame.File)...)
	dst = append(dst, ':')
	return strconv.AppendInt(dst, int64(frame.Line), 10)
}

// appendAttr appends one attribute in the log's format; a group becomes keys
// with dots.
func (l *Log) appendAttr(dst []byte, group string, a slog.Attr) []byte {
	a.Value = a.Value.Resolve()
	if a.Equal(slog.Attr{}) {
		return dst
	}
	if a.Value.Kind() == slog.KindGroup {
		if a.Key != "" {
			group += a.Key + "."
		}
		for _, member := range a.Value.Group() {
			dst = l.appendAttr(dst, group, member)
		}
		return dst
	}
	if l.format == LogJSON {
		dst = append(dst, ',')
		dst = appendJSONString(dst, jsonKey(group+a.Key))
		dst = append(dst, ':')
		return appendJSONAttr(dst, a.Value)
	}
	dst = append(dst, ' ')
	dst = appendPlain(dst, group)
	dst = appendPlain(dst, a.Key)
	dst = append(dst, '=')
	return appendTextAttr(dst, a.Value)
}

// jsonKey keeps an attribute from standing where the line's own keys stand.
func jsonKey(key string) string {
	switch key {
	case "time", "level", "component", "source", "message":
		return "attr." + key
	}
	return key
}

func appendJSONAttr(dst []byte, v slog.Value) []byte {
	switch v.Kind() {
	case slog.KindInt64:
		return strconv.AppendInt(dst, v.Int64(), 10)
	case slog.KindUint64:
		return strconv.AppendUint(dst, v.Uint64(), 10)
	case slog.KindBool:
		return strconv.AppendBool(dst, v.Bool())
	case slog.KindFloat64:
		return appendJSONFloat(dst, v.Float64())
	}
	return appendJSONString(dst, attrText(v))
}

func appendTextAttr(dst []byte, v slog.Value) []byte {
	text := attrText(v)
	if needsQuotes(text) {
		return strconv.AppendQuote(dst, text)
	}
	return append(dst, text...)
}

func attrText(v slog.Value) string {
	switch v.Kind() {
	case slog.KindTime:
		return v.Time().Format(time.RFC3339Nano)
	case slog.KindAny:
		switch x := v.Any().(type) {
		case error:
			return x.Error()
		case fmt.Stringer:
			return x.String()
		case []byte:
			return string(x)
		}
	}
	return v.String()
}

func needsQuotes(text string) bool {
	if text == "" || !utf8.ValidString(text) {
		return true
	}
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c == '"' || c == '=' || c == 0x7f {
			return true
		}
	}
	return false
}

// appendPlain appends text without anything that could begin a line of its
// own: what came from outside must not forge a line.
func appendPlain(dst []byte, text string) []byte {
	for i := range len(text) {
		switch c := text[i]; {
		case c == '\n':
			dst = append(dst, `\n`...)
		case c < ' ' && c != '\t' || c == 0x7f:
			dst = append(dst, '?')
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

package telemetry

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/outrider-mesh/outrider/internal/mesh"
	"github.com/outrider-mesh/outrider/internal/stat"
)

// DefaultFormat is the line written when the documents give no format
// (App Mesh 2.13; Envoy's default).
const DefaultFormat = `[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" ` +
	`%RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% ` +
	`"%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"` + "\n"

// AccessLog writes one line for each record. All methods may be called from
// any goroutine.
type AccessLog struct {
	format lineFormat
	sink   *sink
}

// OpenAccessLog compiles the format and opens the file: appended to, made if
// need be; /dev/stdout and /dev/stderr are the process's own. What happens to
// lines is counted in set under "filesystem." and "access_log.". The error
// names the place in the documents.
func OpenAccessLog(cfg *mesh.AccessLog, set *stat.Set) (*AccessLog, error) {
	format, err := compileLine(cfg)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Origin, err)
	}
	open := func() (io.WriteCloser, error) { return openLogFile(cfg.Path) }
	sink, err := newSink(open, set)
	if err != nil {
		return nil, fmt.Errorf("%s: open access log: %w", cfg.Origin, err)
	}
	return &AccessLog{format, sink}, nil
}

// CheckAccessLog tells whether OpenAccessLog would take the format. It opens
// nothing.
func CheckAccessLog(cfg *mesh.AccessLog) error {
	_, err := compileLine(cfg)
	return err
}

// Log writes one line. It does not wait for the file: a line that finds the
// queue full is dropped and counted. Nothing of r is kept.
func (a *AccessLog) Log(r *stat.Record) {
	l := lines.Get().(*line)
	a.format.append(l, r)
	a.sink.append(l.buf)
	l.release()
}

// Reopen opens the file anew and lets go of the old one once what was logged
// before is in it (SIGUSR1, after a log was rotated; Envoy: /reopen_logs). On
// an error the old file stays in use.
func (a *AccessLog) Reopen() error {
	if err := a.sink.reopen(); err != nil {
		return fmt.Errorf("reopen access log: %w", err)
	}
	return nil
}

// Close writes what is queued and closes the file. It waits at most 2 s for a
// file that takes nothing, then gives up with an error. Records logged later
// are dropped.
func (a *AccessLog) Close() error { return a.sink.close() }

func openLogFile(path string) (io.WriteCloser, error) {
	switch path {
	case "":
		return nil, errors.New("no path is given")
	case "/dev/stdout":
		// Not by its path: another user's pipe may not be opened anew, as in a
		// container whose sidecar runs under its own UID.
		return keepOpen{os.Stdout}, nil
	case "/dev/stderr":
		return keepOpen{os.Stderr}, nil
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
}

// keepOpen is a file that belongs to the process, not to the log.
type keepOpen struct{ io.Writer }

func (keepOpen) Close() error { return nil }

// lineFormat is a compiled line: a text format, or the fields of a JSON object.
type lineFormat struct {
	text []segment
	json []jsonField
}

// jsonField is one key and its value. A value that is one operator alone keeps
// its type: a number, a string or null (Envoy since 1.33).
type jsonField struct {
	key   string // with quotes, colon and what stands before
	value []segment
}

func compileLine(cfg *mesh.AccessLog) (lineFormat, error) {
	if len(cfg.JSON) == 0 {
		text := cfg.Text
		if text == "" {
			text = DefaultFormat
		}
		segments, err := compileFormat(text)
		return lineFormat{text: segments}, err
	}
	// Envoy prints keys in order, and the last of two that are the same.
	fields := slices.Clone(cfg.JSON)
	slices.SortStableFunc(fields, func(a, b mesh.LogField) int { return strings.Compare(a.Key, b.Key) })
	var f lineFormat
	for i, field := range fields {
		if i+1 < len(fields) && fields[i+1].Key == field.Key {
			continue
		}
		value, err := compileFormat(field.Value)
		if err != nil {
			return lineFormat{}, fmt.Errorf("key %q: %w", field.Key, err)
		}
		before := byte(',')
		if len(f.json) == 0 {
			before = '{'
		}
		key := append(appendJSONString([]byte{before}, field.Key), ':')
		f.json = append(f.json, jsonField{string(key), value})
	}
	return f, nil
}

// append formats the record into l.buf.
func (f *lineFormat) append(l *line, r *stat.Record) {
	l.buf = l.buf[:0]
	if len(f.json) == 0 {
		l.buf = appendSegments(l.buf, f.text, r)
		return
	}
	for i := range f.json {
		field := &f.json[i]
		l.buf = append(l.buf, field.key...)
		if len(field.value) == 1 && field.value[0].operator != nil {
			l.appendTyped(field.value[0].operator, r)
			continue
		}
		l.scratch = appendSegments(l.scratch[:0], field.value, r)
		l.buf = appendJSONString(l.buf, l.scratch)
	}
	l.buf = append(l.buf, "}\n"...)
}

// appendSegments prints a text; what is missing is "-".
func appendSegments(dst []byte, segments []segment, r *stat.Record) []byte {
	for i := range segments {
		s := &segments[i]
		if s.operator == nil {
			dst = append(dst, s.literal...)
			continue
		}
		var ok bool
		if dst, ok = s.operator.append(dst, r); !ok {
			dst = append(dst, '-')
		}
	}
	return dst
}

func (l *line) appendTyped(op *operator, r *stat.Record) {
	var ok bool
	l.scratch, ok = op.append(l.scratch[:0], r)
	switch {
	case !ok:
		l.buf = append(l.buf, "null"...)
	case op.number:
		l.buf = append(l.buf, l.scratch...)
	default:
		l.buf = appendJSONString(l.buf, l.scratch)
	}
}

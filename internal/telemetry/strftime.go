package telemetry

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// timeFormat is a compiled time format: pieces in order. The zero value prints
// Envoy's default, "2016-04-15T20:17:00.310Z".
type timeFormat struct {
	local  bool
	pieces []timePiece
}

// timePiece is literal text, a layout of package time, or a number.
type timePiece struct {
	kind   timeKind
	text   string // literal or layout
	digits int    // of a fraction
}

type timeKind uint8

const (
	timeLiteral timeKind = iota
	timeLayout
	timeFraction
	timeEpoch
	timeYearDay
	timeSpaceDay
)

const defaultTime = "2006-01-02T15:04:05.000Z07:00"

// conversions are strftime's that have a layout.
var conversions = map[byte]string{
	'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'H': "15", 'I': "03", 'M': "04", 'S': "05",
	'p': "PM", 'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January", 'h': "Jan",
	'F': "2006-01-02", 'T': "15:04:05", 'R': "15:04", 'D': "01/02/06", 'z': "-0700", 'Z': "MST",
}

// compileTime compiles a strftime format with Envoy's extensions: %f is nine
// digits of a second, %3f three, %s the seconds since 1970.
func compileTime(format string, local bool) (f timeFormat, problem string) {
	f.local = local
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			f.literal(format[i : i+1])
			continue
		}
		if i++; i == len(format) {
			return f, "a time format must not end in a lone %"
		}
		switch c := format[i]; c {
		case '%', 'n', 't':
			f.literal(map[byte]string{'%': "%", 'n': "\n", 't': "\t"}[c])
		case 'f':
			f.pieces = append(f.pieces, timePiece{kind: timeFraction, digits: 9})
		case 's':
			f.pieces = append(f.pieces, timePiece{kind: timeEpoch})
		case 'j':
			f.pieces = append(f.pieces, timePiece{kind: timeYearDay})
		case 'e':
			f.pieces = append(f.pieces, timePiece{kind: timeSpaceDay})
		case '1', '2', '3', '4', '5', '6', '7', '8', '9':
			if i+1 == len(format) || format[i+1] != 'f' {
				return f, fmt.Sprintf("time format: %%%c must be followed by f", c)
			}
			f.pieces = append(f.pieces, timePiece{kind: timeFraction, digits: int(c - '0')})
			i++
		default:
			layout, ok := conversions[c]
			if !ok {
				return f, fmt.Sprintf("time format: %%%c is not known", c)
			}
			f.pieces = append(f.pieces, timePiece{kind: timeLayout, text: layout})
		}
	}
	return f, ""
}

// literal adds text to the last piece if that is literal too.
func (f *timeFormat) literal(text string) {
	if n := len(f.pieces); n > 0 && f.pieces[n-1].kind == timeLiteral {
		f.pieces[n-1].text += text
		return
	}
	f.pieces = append(f.pieces, timePiece{text: strings.Clone(text)})
}

func (f *timeFormat) append(dst []byte, t time.Time) []byte {
	if f.local {
		t = t.Local()
	} else {
		t = t.UTC()
	}
	if len(f.pieces) == 0 {
		return t.AppendFormat(dst, defaultTime)
	}
	for i := range f.pieces {
		p := &f.pieces[i]
		switch p.kind {
		case timeLiteral:
			dst = append(dst, p.text...)
		case timeLayout:
			dst = t.AppendFormat(dst, p.text)
		case timeFraction:
			from := len(dst)
			dst = strconv.AppendInt(dst, 1e9+int64(t.Nanosecond()), 10) // a leading 1 keeps the zeros
			dst = append(dst[:from], dst[from+1:from+1+p.digits]...)
		case timeEpoch:
			dst = strconv.AppendInt(dst, t.Unix(), 10)
		case timeYearDay:
			dst = t.AppendFormat(dst, "002")
		case timeSpaceDay:
			dst = t.AppendFormat(dst, "_2")
		}
	}
	return dst
}

package telemetry

import (
	"math"
	"strconv"
	"unicode/utf8"
)

// appendJSONString appends text as a JSON string. Bytes that are no UTF-8
// become U+FFFD: what peers send must not make a line unreadable.
func appendJSONString[T string | []byte](dst []byte, text T) []byte {
	dst = append(dst, '"')
	return append(appendJSONText(dst, text), '"')
}

const hexDigits = "0123456789abcdef"

// appendJSONText is the inside of a JSON string.
func appendJSONText[T string | []byte](dst []byte, text T) []byte {
	from := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			if n := runeLen(text[i:]); n > 0 {
				i += n
				continue
			}
		}
		dst = append(dst, text[from:i]...)
		i++
		from = i
		switch {
		case c >= utf8.RuneSelf:
			dst = append(dst, "\ufffd"...)
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, `\n`...)
		case c == '\t':
			dst = append(dst, `\t`...)
		case c == '\r':
			dst = append(dst, `\r`...)
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(dst, text[from:]...)
}

// runeLen is the length of the valid UTF-8 sequence that text begins with, 0
// when it begins with none.
func runeLen[T string | []byte](text T) int {
	var b [utf8.UTFMax]byte
	n := copy(b[:], text[:min(len(text), utf8.UTFMax)])
	r, size := utf8.DecodeRune(b[:n])
	if r == utf8.RuneError && size <= 1 {
		return 0
	}
	return size
}

func appendJSONFloat(dst []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	return strconv.AppendFloat(dst, f, 'g', -1, 64)
}

package types

import (
	"bytes"
	"math"
	"strconv"
)

// AppendDouble appends a DOUBLE as Java's Double.toString writes it, with the
// shortest digits that give the number back: 0.1, 1.0E10, -1.0E-5, NaN,
// Infinity. ksqlDB uses it in JSON, DELIMITED and casts to STRING.
func AppendDouble(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	case f == 0:
		if math.Signbit(f) {
			return append(dst, "-0.0"...)
		}
		return append(dst, "0.0"...)
	}
	if abs := math.Abs(f); abs >= 1e-3 && abs < 1e7 {
		start := len(dst)
		dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
		for _, c := range dst[start:] {
			if c == '.' {
				return dst
			}
		}
		return append(dst, ".0"...)
	}
	var buf [32]byte
	text := strconv.AppendFloat(buf[:0], f, 'e', -1, 64)
	if !bytes.Contains(text, []byte{'.'}) {
		// Java writes two digits at least, the two nearest: 4.9E-324.
		text = strconv.AppendFloat(buf[:0], f, 'e', 1, 64)
	}
	mantissa, exp, _ := bytes.Cut(text, []byte{'e'})
	dst = append(append(dst, mantissa...), 'E')
	if exp[0] == '-' {
		dst = append(dst, '-')
	}
	return append(dst, bytes.TrimLeft(exp[1:], "0")...)
}

package serde

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// millisPerDay bounds TIME values.
const millisPerDay = 24 * 60 * 60 * 1000

var errTimeRange = fmt.Errorf("Time values must use number of milliseconds greater than 0 and less than %d.", millisPerDay)

// CheckTime refuses milliseconds of the day out of range. Like ksqlDB it lets
// the first millisecond of the next day pass.
func CheckTime(millis int64) error {
	if millis < 0 || millis > millisPerDay {
		return errTimeRange
	}
	return nil
}

// ParseInt reads an integer as Java's Integer.parseInt and Long.parseLong do: a
// sign and digits, nothing else.
func ParseInt(text string, bits int) (int64, bool) {
	if strings.Contains(text, "_") {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, bits)
	return n, err == nil
}

// ParseDouble reads a number as Java's Double.parseDouble does: blanks around
// it are skipped, too large numbers are infinite, too small ones zero, NaN and
// Infinity are words, and a suffix d or f is allowed.
func ParseDouble(text string) (float64, error) {
	trimmed := strings.TrimFunc(text, func(r rune) bool { return r <= ' ' })
	sign, digits := 1, trimmed
	switch {
	case strings.HasPrefix(digits, "-"):
		sign, digits = -1, digits[1:]
	case strings.HasPrefix(digits, "+"):
		digits = digits[1:]
	}
	switch {
	case digits == "NaN":
		return math.NaN(), nil
	case digits == "Infinity":
		return math.Inf(sign), nil
	}
	hex := strings.HasPrefix(digits, "0x") || strings.HasPrefix(digits, "0X")
	if digits != "" && strings.ContainsRune("dDfF", rune(digits[len(digits)-1])) && (!hex || strings.ContainsAny(digits, "pP")) {
		digits = digits[:len(digits)-1]
	}
	if digits == "" || digits[0] != '.' && (digits[0] < '0' || digits[0] > '9') || strings.Contains(digits, "_") {
		return 0, fmt.Errorf("For input string: %q", text)
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, fmt.Errorf("For input string: %q", text)
	}
	if sign < 0 {
		f = math.Copysign(f, -1)
	}
	return f, nil
}

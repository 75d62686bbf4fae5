package types

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// maxPowerOfTen bounds how far a decimal is scaled: beyond it a text such as
// 1e999999999 would fill the memory.
const maxPowerOfTen = 10_000

// Scale is the number of digits after a decimal's point; negative for numbers
// such as 1E3.
func Scale(d *apd.Decimal) int { return -int(d.Exponent) }

// Precision is the number of digits of a decimal, as Java counts them: 1 for
// zero, and 1 for 0.005.
func Precision(d *apd.Decimal) int {
	if d.Coeff.Sign() == 0 {
		return 1
	}
	return int(d.NumDigits())
}

func pow10(n int) *apd.BigInt {
	return new(apd.BigInt).Exp(apd.NewBigInt(10), apd.NewBigInt(int64(n)), nil)
}

// unscaled is the signed integer in front of the power of ten.
func unscaled(d *apd.Decimal) *apd.BigInt {
	u := new(apd.BigInt).Set(&d.Coeff)
	if d.Negative {
		u.Neg(u)
	}
	return u
}

func fromUnscaled(u *apd.BigInt, scale int) *apd.Decimal {
	d := &apd.Decimal{Exponent: int32(-scale), Negative: u.Sign() < 0}
	d.Coeff.Abs(u)
	return d
}

// DecimalFromInt is an integer as a decimal of scale 0.
func DecimalFromInt(i int64) *apd.Decimal { return apd.New(i, 0) }

// DecimalText is AppendDecimal as a string.
func DecimalText(d *apd.Decimal) string { return string(AppendDecimal(nil, d)) }

// DecimalScientificText writes a decimal as Java's BigDecimal.toString does:
// plain unless the scale is negative or more than five zeros follow the point.
func DecimalScientificText(d *apd.Decimal) string {
	digits := d.Coeff.String()
	scale := Scale(d)
	adjusted := len(digits) - 1 - scale
	if scale == 0 || scale > 0 && adjusted >= -6 {
		return DecimalText(d)
	}
	text := digits[:1]
	if len(digits) > 1 {
		text += "." + digits[1:]
	}
	if d.Negative && d.Coeff.Sign() != 0 {
		text = "-" + text
	}
	if adjusted != 0 {
		text += fmt.Sprintf("E%+d", adjusted)
	}
	return text
}

// DecimalTypeOf is the smallest DECIMAL type that holds a number as written:
// DECIMAL(3, 2) for 1.50, DECIMAL(4, 3) for 0.005.
func DecimalTypeOf(d *apd.Decimal) *Type {
	scale := max(Scale(d), 0)
	precision := Precision(d) + max(-Scale(d), 0)
	if d.Coeff.Sign() == 0 || precision <= scale {
		precision = scale + 1
	}
	return DecimalOf(precision, scale)
}

// setScale changes the number of digits after the point. Where digits are lost
// the mode decides.
func setScale(d *apd.Decimal, scale int, mode rounding) (*apd.Decimal, error) {
	from := Scale(d)
	if scale == from {
		return d, nil
	}
	if abs(scale-from) > maxPowerOfTen {
		return nil, fmt.Errorf("rounding %s: out of range", d)
	}
	if scale > from {
		out := &apd.Decimal{Exponent: int32(-scale), Negative: d.Negative}
		out.Coeff.Mul(&d.Coeff, pow10(scale-from))
		return out, nil
	}
	divisor := pow10(from - scale)
	var q, r apd.BigInt
	q.QuoRem(&d.Coeff, divisor, &r)
	if r.Sign() != 0 {
		up, err := mode(d.Negative, r.Add(&r, &r).Cmp(divisor))
		if err != nil {
			return nil, err
		}
		if up {
			q.Add(&q, apd.NewBigInt(1))
		}
	}
	out := &apd.Decimal{Exponent: int32(-scale), Negative: d.Negative && q.Sign() != 0}
	out.Coeff.Set(&q)
	return out, nil
}

func abs(i int) int { return max(i, -i) }

// rounding decides, for a number with a sign and lost digits that are less than
// (-1), equal to (0) or more than (1) half a unit, whether the rest grows by a
// unit.
type rounding func(negative bool, half int) (bool, error)

func roundHalfUp(_ bool, half int) (bool, error)      { return half >= 0, nil }
func roundDown(bool, int) (bool, error)               { return false, nil }
func roundCeiling(negative bool, _ int) (bool, error) { return !negative, nil }
func roundFloor(negative bool, _ int) (bool, error)   { return negative, nil }
func roundHalfCeiling(negative bool, half int) (bool, error) {
	return half > 0 || half == 0 && !negative, nil
}
func roundUnnecessary(bool, int) (bool, error) {
	return false, fmt.Errorf("Rounding necessary")
}

// RoundHalfUp gives a decimal with the scale, halves rounded away from zero.
func RoundHalfUp(d *apd.Decimal, scale int) (*apd.Decimal, error) {
	return setScale(d, scale, roundHalfUp)
}

// RoundHalfCeiling gives a decimal with the scale, halves rounded upwards.
func RoundHalfCeiling(d *apd.Decimal, scale int) (*apd.Decimal, error) {
	return setScale(d, scale, roundHalfCeiling)
}

// Truncate gives a decimal with the scale, digits beyond it cut off.
func Truncate(d *apd.Decimal, scale int) (*apd.Decimal, error) { return setScale(d, scale, roundDown) }

// Ceiling rounds a decimal up to the scale.
func Ceiling(d *apd.Decimal, scale int) (*apd.Decimal, error) {
	return setScale(d, scale, roundCeiling)
}

// Floor rounds a decimal down to the scale.
func Floor(d *apd.Decimal, scale int) (*apd.Decimal, error) { return setScale(d, scale, roundFloor) }

// Rescale changes the scale; digits that would be lost are an error.
func Rescale(d *apd.Decimal, scale int) (*apd.Decimal, error) {
	return setScale(d, scale, roundUnnecessary)
}

func checkMagnitude(d *apd.Decimal, precision, scale int) error {
	limit := precision - scale
	// d < 10^limit in magnitude when it has at most limit digits before the point.
	if d.Coeff.Sign() != 0 && int(d.NumDigits())-Scale(d) > limit {
		return fmt.Errorf("Numeric field overflow: A field with precision %d and scale %d "+
			"must round to an absolute value less than 10^%d. Got %s", precision, scale, limit, DecimalText(d))
	}
	return nil
}

// CastDecimal fits a decimal into DECIMAL(precision, scale), rounding half up.
// A number that is too large before rounding is an error; one that becomes too
// long by rounding is not, as in ksqlDB.
func CastDecimal(d *apd.Decimal, precision, scale int) (*apd.Decimal, error) {
	if err := checkMagnitude(d, precision, scale); err != nil {
		return nil, err
	}
	return RoundHalfUp(d, scale)
}

// DecimalFromDouble is the exact value of a double, rounded half up to so many
// digits (0 for all), as Java's new BigDecimal(double, MathContext).
func DecimalFromDouble(f float64, digits int) (*apd.Decimal, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, fmt.Errorf("%s is not a decimal number", AppendDouble(nil, f))
	}
	// Every double has a finite number of decimal places: 53 less its exponent.
	places := 0
	if mantissa, exp := math.Frexp(f); mantissa != 0 {
		places = min(max(53-exp, 0), 1100)
	}
	text := strconv.FormatFloat(f, 'f', places, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	d, err := ParseDecimal(text)
	if err != nil {
		return nil, err
	}
	return RoundToPrecision(d, digits)
}

// DecimalFromShortest is the shortest decimal that reads back as the double, as
// Java's BigDecimal.valueOf.
func DecimalFromShortest(f float64) (*apd.Decimal, error) {
	return ParseDecimal(string(AppendDouble(nil, f)))
}

// RoundToPrecision rounds half up to so many digits; 0 keeps all.
func RoundToPrecision(d *apd.Decimal, digits int) (*apd.Decimal, error) {
	for digits > 0 && Precision(d) > digits {
		rounded, err := RoundHalfUp(d, Scale(d)-(Precision(d)-digits))
		if err != nil {
			return nil, err
		}
		d = rounded
	}
	return d, nil
}

// significant counts a number's digits without zeros at the end.
func significant(u *apd.BigInt) int {
	digits := new(apd.BigInt).Abs(u).String()
	return max(len(strings.TrimRight(digits, "0")), 1)
}

// DecimalFloat is the double nearest to a decimal.
func DecimalFloat(d *apd.Decimal) float64 {
	f, _ := strconv.ParseFloat(d.String(), 64)
	return f
}

// DecimalInt is the decimal's whole part, its low 64 bits where it is longer,
// as Java's BigDecimal.longValue.
func DecimalInt(d *apd.Decimal) int64 {
	whole, err := Truncate(d, 0)
	if err != nil {
		return 0
	}
	u := unscaled(whole)
	if u.IsInt64() {
		return u.Int64()
	}
	low := new(apd.BigInt).And(u, new(apd.BigInt).SetUint64(math.MaxUint64))
	return int64(low.Uint64())
}

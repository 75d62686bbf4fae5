package data

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// Decimal is an exact number, Unscaled × 10^-Scale.
type Decimal struct {
	Unscaled *big.Int
	Scale    int
}

// String writes the number as Java's BigDecimal does: in plain digits, or with an
// exponent where it has zeros that are not its own, or many behind the point.
func (d Decimal) String() string {
	digits := new(big.Int).Abs(d.Unscaled).String()
	sign := ""
	if d.Unscaled.Sign() < 0 {
		sign = "-"
	}
	exponent := len(digits) - 1 - d.Scale
	switch {
	case d.Scale == 0:
		return sign + digits
	case d.Scale < 0 || exponent < -6:
		if len(digits) > 1 {
			digits = digits[:1] + "." + digits[1:]
		}
		return fmt.Sprintf("%s%sE%+d", sign, digits, exponent)
	}
	if len(digits) <= d.Scale {
		digits = strings.Repeat("0", d.Scale-len(digits)+1) + digits
	}
	return sign + digits[:len(digits)-d.Scale] + "." + digits[len(digits)-d.Scale:]
}

// maxDecimalShift bounds the zeros that are written out to reckon with a number.
const maxDecimalShift = 1000

// rat gives the number as a fraction; ok is false when it has too many zeros.
func (d Decimal) rat() (r *big.Rat, ok bool) {
	shift := max(d.Scale, -d.Scale)
	if shift > maxDecimalShift {
		return nil, false
	}
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(shift)), nil)
	if d.Scale >= 0 {
		return new(big.Rat).SetFrac(d.Unscaled, power), true
	}
	return new(big.Rat).SetInt(power.Mul(power, d.Unscaled)), true
}

// Float gives the nearest floating-point number of 32 or 64 bits.
func (d Decimal) Float(bits int) float64 {
	f, err := strconv.ParseFloat(d.Unscaled.String()+"e"+strconv.Itoa(-d.Scale), bits)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0
	}
	return f
}

// Long gives the whole part, of which the lowest 64 bits, as Java's longValue does.
func (d Decimal) Long() int64 {
	whole, ok := d.whole()
	if !ok {
		return 0
	}
	return int64(new(big.Int).And(whole, new(big.Int).SetUint64(^uint64(0))).Uint64()) //nolint:gosec // as Java narrows
}

// whole gives the number without what is behind the point.
func (d Decimal) whole() (*big.Int, bool) {
	r, ok := d.rat()
	if !ok {
		return nil, d.Scale > 0 // nothing is left, or its lowest bits are zero
	}
	return new(big.Int).Quo(r.Num(), r.Denom()), true
}

// javaError is an error in Java's words.
type javaError string

func (e javaError) Error() string { return string(e) }

// ParseDecimal reads a number as Java's BigDecimal does, with as many decimals as
// it is written with. The error is in Java's words.
func ParseDecimal(text string) (Decimal, error) {
	rest := strings.TrimLeft(text, "+-")
	if len(text)-len(rest) > 1 {
		rest = text[1:]
	}
	digits, scale, point := "", 0, false
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case c >= '0' && c <= '9':
			digits += string(c)
			if point {
				scale++
			}
		case c == '.' && !point:
			point = true
		case c == '.':
			return Decimal{}, javaError("Character array contains more than one decimal point.")
		case c == 'e' || c == 'E':
			exponent, err := strconv.ParseInt(rest[i+1:], 10, 32)
			if err != nil || digits == "" {
				return Decimal{}, javaError("No digits following exponential mark.")
			}
			return decimalOf(text, digits, scale-int(exponent))
		default:
			return Decimal{}, javaError(fmt.Sprintf("Character %c is neither a decimal digit number, decimal point, nor \"e\" notation exponential mark.", []rune(rest[i:])[0]))
		}
	}
	return decimalOf(text, digits, scale)
}

func decimalOf(text, digits string, scale int) (Decimal, error) {
	unscaled, ok := new(big.Int).SetString(digits, 10)
	if !ok {
		if text == "" {
			return Decimal{}, javaError("Index 0 out of bounds for length 0")
		}
		return Decimal{}, javaError("No digits found.")
	}
	if strings.HasPrefix(text, "-") {
		unscaled.Neg(unscaled)
	}
	return Decimal{Unscaled: unscaled, Scale: scale}, nil
}

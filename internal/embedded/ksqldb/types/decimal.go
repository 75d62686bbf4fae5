package types

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// maxDecimalDigits bounds the digits of a decimal that is read from text, and
// of one that is written out in plain notation.
const maxDecimalDigits = 10_000

// ErrNotANumber means that a text isn't a decimal number.
var ErrNotANumber = errors.New("not a number")

// ParseDecimal reads a decimal number in the syntax of Java's BigDecimal: an
// optional sign, digits with an optional point, an optional exponent, nothing
// around it. Trailing zeros count: 1.50 has scale 2. There is no negative zero.
func ParseDecimal(text string) (*apd.Decimal, error) {
	if len(text) > maxDecimalDigits {
		return nil, fmt.Errorf("reading a decimal of %d characters: at most %d are read", len(text), maxDecimalDigits)
	}
	mantissa, exponent := text, int64(0)
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		var err error
		if exponent, err = strconv.ParseInt(text[i+1:], 10, 32); err != nil {
			return nil, ErrNotANumber
		}
		mantissa = text[:i]
	}
	d := &apd.Decimal{}
	digits := mantissa
	if digits != "" && (digits[0] == '-' || digits[0] == '+') {
		d.Negative = digits[0] == '-'
		digits = digits[1:]
	}
	if whole, fraction, found := strings.Cut(digits, "."); found {
		digits = whole + fraction
		exponent -= int64(len(fraction))
	}
	if digits == "" || exponent != int64(int32(exponent)) {
		return nil, ErrNotANumber
	}
	small := uint64(0)
	for i := range len(digits) {
		c := digits[i]
		if c < '0' || c > '9' {
			return nil, ErrNotANumber
		}
		small = small*10 + uint64(c-'0')
	}
	if len(digits) <= 18 {
		d.Coeff.SetUint64(small)
	} else {
		d.Coeff.SetString(digits, 10)
	}
	d.Exponent = int32(exponent)
	if d.Coeff.Sign() == 0 {
		d.Negative = false
	}
	return d, nil
}

// FitDecimal gives the number the scale of DECIMAL(precision, scale) without
// rounding. The errors are those of ksqlDB's DecimalUtil.ensureFit.
func FitDecimal(d *apd.Decimal, precision, scale int) (*apd.Decimal, error) {
	digits := precision - scale
	if d.Coeff.Sign() != 0 && d.NumDigits()+int64(d.Exponent) > int64(digits) {
		return nil, fmt.Errorf("Numeric field overflow: A field with precision %d and scale %d must round to an absolute value less than 10^%d. Got %s",
			precision, scale, digits, AppendDecimal(nil, d))
	}
	shift := int64(scale) + int64(d.Exponent)
	if shift == 0 {
		return d, nil
	}
	fit := &apd.Decimal{Negative: d.Negative, Exponent: int32(-scale)}
	if d.Coeff.Sign() == 0 {
		return fit, nil
	}
	if shift > 0 {
		var pow apd.BigInt
		pow.Exp(apd.NewBigInt(10), apd.NewBigInt(shift), nil)
		fit.Coeff.Mul(&d.Coeff, &pow)
		return fit, nil
	}
	var pow, rest apd.BigInt
	if -shift <= d.NumDigits() {
		pow.Exp(apd.NewBigInt(10), apd.NewBigInt(-shift), nil)
		fit.Coeff.QuoRem(&d.Coeff, &pow, &rest)
		if rest.Sign() == 0 {
			return fit, nil
		}
	}
	return nil, fmt.Errorf("Cannot fit decimal '%s' into DECIMAL(%d, %d) without rounding. (Requires %d,%d)",
		AppendDecimal(nil, d), precision, scale, d.NumDigits(), -d.Exponent)
}

// AppendDecimal appends a decimal in plain notation with all digits of its
// scale, as BigDecimal.toPlainString does: 12.50, 0.00. A number whose exponent
// would make that absurdly long is appended in scientific notation.
func AppendDecimal(dst []byte, d *apd.Decimal) []byte {
	if d.Exponent > maxDecimalDigits || d.Exponent < -maxDecimalDigits {
		return d.Append(dst, 'E')
	}
	if d.Coeff.IsInt64() && d.Exponent <= 0 && d.Exponent >= -18 {
		return appendSmallDecimal(dst, d)
	}
	return d.Append(dst, 'f')
}

func appendSmallDecimal(dst []byte, d *apd.Decimal) []byte {
	var buf [20]byte
	digits := strconv.AppendInt(buf[:0], d.Coeff.Int64(), 10)
	if d.Negative {
		dst = append(dst, '-')
	}
	scale := int(-d.Exponent)
	if scale == 0 {
		return append(dst, digits...)
	}
	if point := len(digits) - scale; point > 0 {
		dst = append(dst, digits[:point]...)
		dst = append(dst, '.')
		return append(dst, digits[point:]...)
	}
	dst = append(dst, '0', '.')
	for range scale - len(digits) {
		dst = append(dst, '0')
	}
	return append(dst, digits...)
}

// UnscaledBytes appends the unscaled value of a decimal of the given scale as
// big endian two's complement in as few bytes as possible, the form that Avro
// and Connect carry. The decimal must have that scale, as FitDecimal makes it.
func UnscaledBytes(dst []byte, d *apd.Decimal) []byte {
	if d.Coeff.IsInt64() {
		n := d.Coeff.Int64()
		if d.Negative {
			n = -n
		}
		size := 1
		for size < 8 && n != n<<(64-8*size)>>(64-8*size) {
			size++
		}
		for i := size - 1; i >= 0; i-- {
			dst = append(dst, byte(n>>(8*i)))
		}
		return dst
	}
	if !d.Negative {
		b := d.Coeff.Bytes()
		if b[0]&0x80 != 0 {
			dst = append(dst, 0)
		}
		return append(dst, b...)
	}
	// -n is the complement of n-1.
	var minus apd.BigInt
	minus.Sub(&d.Coeff, apd.NewBigInt(1))
	b := minus.Bytes()
	if b[0]&0x80 != 0 {
		dst = append(dst, 0xFF)
	}
	for _, c := range b {
		dst = append(dst, ^c)
	}
	return dst
}

// DecimalFromUnscaled reads what UnscaledBytes writes. No bytes are zero.
func DecimalFromUnscaled(b []byte, scale int) *apd.Decimal {
	d := &apd.Decimal{Exponent: int32(-scale)}
	if len(b) == 0 {
		return d
	}
	d.Negative = b[0]&0x80 != 0
	if len(b) <= 8 {
		n := int64(int8(b[0]))
		for _, c := range b[1:] {
			n = n<<8 | int64(c)
		}
		if d.Negative {
			d.Coeff.SetUint64(uint64(-n))
			return d
		}
		d.Coeff.SetInt64(n)
		return d
	}
	if !d.Negative {
		d.Coeff.SetBytes(b)
		return d
	}
	inverted := make([]byte, len(b))
	for i, c := range b {
		inverted[i] = ^c
	}
	d.Coeff.SetBytes(inverted)
	d.Coeff.Add(&d.Coeff, apd.NewBigInt(1))
	return d
}

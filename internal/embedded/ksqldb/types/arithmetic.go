package types

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/apd/v3"
)

// ErrDivisionByZero is the error of dividing whole or decimal numbers by zero.
var ErrDivisionByZero = errors.New("/ by zero")

var errRounding = errors.New("Rounding necessary")

// AddDecimal adds, for a result of DECIMAL(precision, scale): a sum that needs
// rounding to fit the precision is an error.
func AddDecimal(a, b *apd.Decimal, precision, scale int) (*apd.Decimal, error) {
	x, y, s, err := align(a, b)
	if err != nil {
		return nil, err
	}
	return finish(x.Add(x, y), s, precision, scale)
}

// SubDecimal subtracts, with the rules of AddDecimal.
func SubDecimal(a, b *apd.Decimal, precision, scale int) (*apd.Decimal, error) {
	x, y, s, err := align(a, b)
	if err != nil {
		return nil, err
	}
	return finish(x.Sub(x, y), s, precision, scale)
}

// MulDecimal multiplies, with the rules of AddDecimal.
func MulDecimal(a, b *apd.Decimal, precision, scale int) (*apd.Decimal, error) {
	x := unscaled(a)
	return finish(x.Mul(x, unscaled(b)), Scale(a)+Scale(b), precision, scale)
}

// DivDecimal divides, for a result of DECIMAL(precision, scale): a quotient
// that is not exact is an error.
func DivDecimal(a, b *apd.Decimal, precision, scale int) (*apd.Decimal, error) {
	if b.Coeff.Sign() == 0 {
		return nil, ErrDivisionByZero
	}
	x, y := unscaled(a), unscaled(b)
	shift := scale + Scale(b) - Scale(a)
	switch {
	case abs(shift) > maxPowerOfTen:
		return nil, errRounding
	case shift >= 0:
		x.Mul(x, pow10(shift))
	default:
		y.Mul(y, pow10(-shift))
	}
	var q, r apd.BigInt
	q.QuoRem(x, y, &r)
	if r.Sign() != 0 || significant(&q) > precision {
		return nil, errRounding
	}
	return fromUnscaled(&q, scale), nil
}

// RemDecimal is the remainder of a division, with the sign of a. It is an error
// when the whole part of the quotient needs more digits than the precision, as
// with Java's BigDecimal.remainder and a MathContext.
func RemDecimal(a, b *apd.Decimal, precision, scale int) (*apd.Decimal, error) {
	if b.Coeff.Sign() == 0 {
		return nil, ErrDivisionByZero
	}
	x, y, s, err := align(a, b)
	if err != nil {
		return nil, err
	}
	var q, r apd.BigInt
	q.QuoRem(x, y, &r)
	if significant(&q) > precision {
		return nil, errors.New("Division impossible")
	}
	return Rescale(fromUnscaled(&r, s), scale)
}

// NegDecimal changes the sign; a number longer than the precision is an error.
func NegDecimal(d *apd.Decimal, precision int) (*apd.Decimal, error) {
	u := unscaled(d)
	return finish(u.Neg(u), Scale(d), precision, Scale(d))
}

func align(a, b *apd.Decimal) (x, y *apd.BigInt, scale int, err error) {
	x, y = unscaled(a), unscaled(b)
	sa, sb := Scale(a), Scale(b)
	switch {
	case abs(sa-sb) > maxPowerOfTen:
		return nil, nil, 0, fmt.Errorf("computing with %s and %s: the scales are too far apart", a, b)
	case sa < sb:
		x.Mul(x, pow10(sb-sa))
	case sb < sa:
		y.Mul(y, pow10(sa-sb))
	}
	return x, y, max(sa, sb), nil
}

func finish(u *apd.BigInt, from, precision, scale int) (*apd.Decimal, error) {
	d := fromUnscaled(u, from)
	if Precision(d) > precision && significant(u) > precision {
		return nil, errRounding
	}
	return Rescale(d, scale)
}

// AddType is the type of the sum of two decimals.
func AddType(a, b *Type) *Type {
	scale := max(a.Scale, b.Scale)
	return DecimalOf(scale+max(a.Precision-a.Scale, b.Precision-b.Scale)+1, scale)
}

// MulType is the type of the product of two decimals.
func MulType(a, b *Type) *Type { return DecimalOf(a.Precision+b.Precision+1, a.Scale+b.Scale) }

// DivType is the type of the quotient of two decimals.
func DivType(a, b *Type) *Type {
	scale := max(6, a.Scale+b.Precision+1)
	return DecimalOf(a.Precision-a.Scale+b.Scale+scale, scale)
}

// RemType is the type of the remainder of two decimals.
func RemType(a, b *Type) *Type {
	scale := max(a.Scale, b.Scale)
	return DecimalOf(min(a.Precision-a.Scale, b.Precision-b.Scale)+scale, scale)
}

// WidenDecimal is the DECIMAL type that holds the values of two types, each
// INTEGER, BIGINT or DECIMAL.
func WidenDecimal(a, b *Type) (*Type, error) {
	da, err := AsDecimalType(a)
	if err != nil {
		return nil, err
	}
	db, err := AsDecimalType(b)
	if err != nil {
		return nil, err
	}
	scale := max(da.Scale, db.Scale)
	return DecimalOf(max(da.Precision-da.Scale, db.Precision-db.Scale)+scale, scale), nil
}

// AsDecimalType is the DECIMAL that an exact number counts as: DECIMAL(10, 0)
// for INTEGER, DECIMAL(19, 0) for BIGINT.
func AsDecimalType(t *Type) (*Type, error) {
	switch t.Kind {
	case KindDecimal:
		return t, nil
	case KindInteger:
		return DecimalOf(10, 0), nil
	case KindBigint:
		return DecimalOf(19, 0), nil
	default:
		return nil, fmt.Errorf("Cannot convert %s to DECIMAL.", t.Kind)
	}
}

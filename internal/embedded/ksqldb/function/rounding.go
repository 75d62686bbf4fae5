package function

import (
	"math"

	"github.com/cockroachdb/apd/v3"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// decimal declares a function of a DECIMAL by the function on its number.
func decimal(f func(d *apd.Decimal) (*apd.Decimal, error)) Impl {
	return f1(func(v types.Value) (types.Value, error) {
		d, err := f(v.Decimal())
		return types.DecimalValue(d), err
	})
}

// keepScale rounds a decimal with f and gives it its own scale again.
func keepScale(f func(d *apd.Decimal, scale int) (*apd.Decimal, error)) func(d *apd.Decimal) (*apd.Decimal, error) {
	return func(d *apd.Decimal) (*apd.Decimal, error) {
		r, err := f(d, 0)
		if err != nil {
			return nil, err
		}
		return types.Rescale(r, types.Scale(d))
	}
}

func wholePart(args []*types.Type) (*types.Type, error) {
	return types.DecimalOf(args[0].Precision-args[0].Scale, 0), nil
}

func roundingFunctions() []scalarDef {
	double := func(f func(float64) float64) Impl {
		return f1(func(v types.Value) (types.Value, error) { return types.DoubleValue(f(v.Double())), nil })
	}
	absDecimal := func(d *apd.Decimal) (*apd.Decimal, error) { return new(apd.Decimal).Abs(d), nil }
	absInt := f1(func(v types.Value) (types.Value, error) {
		return types.IntValue(int64(int32(max(v.Int(), -v.Int())))), nil
	})
	absLong := f1(func(v types.Value) (types.Value, error) {
		if v.Int() < 0 {
			return types.IntValue(-v.Int()), nil
		}
		return v, nil
	})
	unary := func(name, description string, onDouble func(float64) float64, onInt, onLong Impl, onDecimal func(*apd.Decimal) (*apd.Decimal, error)) scalarDef {
		return scalarDef{name, CategoryMath, description, []overloadDef{
			{params: "DECIMAL val", result: "DECIMAL", typeOf: sameType, impl: decimal(onDecimal)},
			{params: "DOUBLE val", result: "DOUBLE", impl: double(onDouble)},
			{params: "INT val", result: "INT", impl: onInt},
			{params: "BIGINT val", result: "BIGINT", impl: onLong},
		}}
	}
	return []scalarDef{
		unary("Abs", "The absolute value of a number.", math.Abs, absInt, absLong, absDecimal),
		unary("Ceil", "The smallest whole number that is not less.", math.Ceil, f1(same), f1(same), keepScale(types.Ceiling)),
		unary("Floor", "The largest whole number that is not greater.", math.Floor, f1(same), f1(same), keepScale(types.Floor)),
		rounding("Round", "Rounds a number to so many places after the point (0 when left out), halves upwards.",
			func(f float64) int64 { return types.DoubleToInt(math.Floor(f + 0.5)) }, types.RoundHalfCeiling),
		truncation(),
	}
}

// truncation lists its signatures in another order than ROUND, as ksqlDB does.
func truncation() scalarDef {
	d := rounding("trunc", "Cuts a number off after so many places behind the point (0 when left out).", types.DoubleToInt, types.Truncate)
	d.overloads[1], d.overloads[2] = d.overloads[2], d.overloads[1]
	return d
}

// rounding declares ROUND and TRUNC.
func rounding(name, description string, whole func(float64) int64, round func(*apd.Decimal, int) (*apd.Decimal, error)) scalarDef {
	return scalarDef{name, CategoryMath, description, []overloadDef{
		{params: "DECIMAL val", result: "DECIMAL", typeOf: wholePart, impl: decimal(func(d *apd.Decimal) (*apd.Decimal, error) { return round(d, 0) })},
		{params: "DOUBLE val, INT decimalPlaces", result: "DOUBLE", impl: f2(func(v, places types.Value) (types.Value, error) {
			d, err := types.DecimalFromShortest(v.Double())
			if err != nil {
				return types.Null, err
			}
			if d, err = round(d, int(places.Int())); err != nil {
				return types.Null, err
			}
			return types.DoubleValue(types.DecimalFloat(d)), nil
		})},
		{params: "DOUBLE val", result: "BIGINT", impl: f1(func(v types.Value) (types.Value, error) {
			return types.IntValue(whole(v.Double())), nil
		})},
		{params: "DECIMAL val, INT decimalPlaces", result: "DECIMAL", typeOf: sameType, impl: f2(func(v, places types.Value) (types.Value, error) {
			d, err := round(v.Decimal(), int(places.Int()))
			if err != nil {
				return types.Null, err
			}
			d, err = types.Rescale(d, types.Scale(v.Decimal()))
			return types.DecimalValue(d), err
		})},
		{params: "INT val", result: "BIGINT", impl: f1(same)},
		{params: "BIGINT val", result: "BIGINT", impl: f1(same)},
	}}
}

package function

import (
	"errors"
	"math"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

func f1(f func(a types.Value) (types.Value, error)) Impl       { return Impl{F1: f} }
func f2(f func(a, b types.Value) (types.Value, error)) Impl    { return Impl{F2: f} }
func f3(f func(a, b, c types.Value) (types.Value, error)) Impl { return Impl{F3: f} }

func same(v types.Value) (types.Value, error) { return v, nil }

func sameType(args []*types.Type) (*types.Type, error) { return args[0], nil }

// doubleFunction declares a function of one number with a DOUBLE result. Whole
// numbers are converted before.
func doubleFunction(name, param, description string, f func(float64) float64) scalarDef {
	real := f1(func(v types.Value) (types.Value, error) { return types.DoubleValue(f(v.Double())), nil })
	whole := f1(func(v types.Value) (types.Value, error) { return types.DoubleValue(f(float64(v.Int()))), nil })
	return scalarDef{name, CategoryMath, description, []overloadDef{
		{params: "DOUBLE " + param, result: "DOUBLE", impl: real},
		{params: "INT " + param, result: "DOUBLE", impl: whole},
		{params: "BIGINT " + param, result: "DOUBLE", impl: whole},
	}}
}

// doubleFunction2 is doubleFunction for two numbers of one type.
func doubleFunction2(name, a, b, description string, f func(a, b float64) (float64, error)) scalarDef {
	list := make([]overloadDef, 0, 3)
	for _, t := range []*types.Type{types.Double, types.Bigint, types.Integer} {
		spelled := map[types.Kind]string{types.KindDouble: "DOUBLE", types.KindBigint: "BIGINT", types.KindInteger: "INT"}[t.Kind]
		list = append(list, overloadDef{
			params: spelled + " " + a + ", " + spelled + " " + b, result: "DOUBLE",
			impl: f2(func(x, y types.Value) (types.Value, error) {
				r, err := f(toFloat(t, x), toFloat(t, y))
				return types.DoubleValue(r), err
			}),
		})
	}
	return scalarDef{name, CategoryMath, description, list}
}

func exact(f func(a, b float64) float64) func(a, b float64) (float64, error) {
	return func(a, b float64) (float64, error) { return f(a, b), nil }
}

func mathFunctions(opts Options) []scalarDef {
	log := doubleFunction("log", "value", "The natural logarithm of a number, or the logarithm to a base.", preciseLog)
	log.overloads = append(log.overloads, doubleFunction2("log", "base", "value", "", exact(func(base, x float64) float64 {
		if base <= 0 || base == 1 {
			return math.NaN()
		}
		return preciseLog(x) / preciseLog(base)
	})).overloads...)
	geo := func(args []types.Value) (types.Value, error) {
		unit := "KM"
		if len(args) > 4 {
			unit = args[4].Str()
		}
		for _, a := range args[:4] {
			if a.IsNull() {
				return types.Null, nil
			}
		}
		return geoDistance(args[0].Double(), args[1].Double(), args[2].Double(), args[3].Double(), unit)
	}
	list := []scalarDef{
		doubleFunction("acos", "value", "The arc cosine of a number, in radians.", preciseAcos),
		doubleFunction("asin", "value", "The arc sine of a number, in radians.", preciseAsin),
		doubleFunction("atan", "value", "The arc tangent of a number, in radians.", preciseAtan),
		doubleFunction2("atan2", "y", "x", "The angle, in radians, of the point (x, y).", exact(math.Atan2)),
		doubleFunction("cbrt", "value", "The cube root of a number.", preciseCbrt),
		doubleFunction("cos", "value", "The cosine of an angle in radians.", preciseCos),
		doubleFunction("cosh", "value", "The hyperbolic cosine of a number.", math.Cosh),
		doubleFunction("cot", "value", "The cotangent of an angle in radians.", func(x float64) float64 { return 1 / preciseTan(x) }),
		doubleFunction("degrees", "value", "An angle in radians as degrees.", func(x float64) float64 { return x * (180 / math.Pi) }),
		doubleFunction("exp", "exponent", "Euler's number to a power.", math.Exp),
		doubleFunction("ln", "value", "The natural logarithm of a number.", preciseLog),
		log,
		doubleFunction2("power", "base", "exponent", "A number to a power.", exact(math.Pow)),
		doubleFunction("radians", "value", "An angle in degrees as radians.", func(x float64) float64 { return x * (math.Pi / 180) }),
		doubleFunction("sin", "value", "The sine of an angle in radians.", preciseSin),
		doubleFunction("sinh", "value", "The hyperbolic sine of a number.", javaSinh),
		doubleFunction("sqrt", "value", "The square root of a number.", math.Sqrt),
		doubleFunction("tan", "value", "The tangent of an angle in radians.", preciseTan),
		doubleFunction("tanh", "value", "The hyperbolic tangent of a number.", math.Tanh),
		{"pi", CategoryMath, "The number pi.", []overloadDef{{result: "DOUBLE", impl: Impl{
			F0: func() (types.Value, error) { return types.DoubleValue(math.Pi), nil },
		}}}},
		{"random", CategoryMath, "A random number, at least 0 and less than 1.", []overloadDef{{result: "DOUBLE", volatile: true, impl: Impl{
			F0: func() (types.Value, error) { return types.DoubleValue(opts.Random()), nil },
		}}}},
		{"geo_distance", CategoryOther, "The distance over the earth's surface of two points given as latitude and longitude in degrees.", []overloadDef{
			{params: "DOUBLE lat1, DOUBLE lon1, DOUBLE lat2, DOUBLE lon2, VARCHAR units", result: "DOUBLE", nulls: true, impl: Impl{FN: geo}},
			{params: "DOUBLE lat1, DOUBLE lon1, DOUBLE lat2, DOUBLE lon2", result: "DOUBLE", impl: Impl{FN: geo}},
		}},
		signFunction(),
		extremeOf("greatest", "The largest of the arguments that are not NULL.", 1,
			"TIME", "DATE", "BYTES", "TIMESTAMP", "DECIMAL", "INT", "BIGINT", "DOUBLE", "VARCHAR"),
		extremeOf("least", "The smallest of the arguments that are not NULL.", -1,
			"TIME", "DATE", "TIMESTAMP", "DECIMAL", "INT", "BIGINT", "DOUBLE", "VARCHAR", "BYTES"),
	}
	return list
}

func signFunction() scalarDef {
	sign := func(negative, positive bool) (types.Value, error) {
		switch {
		case negative:
			return types.IntValue(-1), nil
		case positive:
			return types.IntValue(1), nil
		default:
			return types.IntValue(0), nil
		}
	}
	whole := f1(func(v types.Value) (types.Value, error) { return sign(v.Int() < 0, v.Int() > 0) })
	return scalarDef{"sign", CategoryMath, "The sign of a number: -1, 0 or 1.", []overloadDef{
		{params: "DOUBLE value", result: "INT", impl: f1(func(v types.Value) (types.Value, error) { return sign(v.Double() < 0, v.Double() > 0) })},
		{params: "INT value", result: "INT", impl: whole},
		{params: "BIGINT value", result: "INT", impl: whole},
	}}
}

// extremeOf declares GREATEST and LEAST.
func extremeOf(name, description string, sign int, params ...string) scalarDef {
	d := scalarDef{name: name, category: CategoryMath, description: description}
	for _, t := range params {
		o := overloadDef{
			params: t + " val, " + t + "... vals", result: t, nulls: true,
			bind: func(args []*types.Type, result *types.Type) (Impl, error) {
				return Impl{FN: func(args []types.Value) (types.Value, error) {
					best := types.Null
					for _, v := range args {
						if !v.IsNull() && (best.IsNull() || compareJava(result, v, best)*sign > 0) {
							best = v
						}
					}
					return best, nil
				}}, nil
			},
		}
		if t == "DECIMAL" {
			o.typeOf = widestDecimal
		}
		d.overloads = append(d.overloads, o)
	}
	return d
}

func widestDecimal(args []*types.Type) (*types.Type, error) {
	var widest *types.Type
	for _, t := range args {
		switch {
		case t == nil:
		case widest == nil:
			widest = t
		default:
			w, err := types.WidenDecimal(widest, t)
			if err != nil {
				return nil, err
			}
			widest = w
		}
	}
	return widest, nil
}

func geoDistance(lat1, lon1, lat2, lon2 float64, unit string) (types.Value, error) {
	if math.Abs(lat1) > 90 || math.Abs(lat2) > 90 {
		return types.Null, errors.New("valid latitude values for GeoDistance function are in the range of -90 to 90 decimal degrees")
	}
	if math.Abs(lon1) > 180 || math.Abs(lon2) > 180 {
		return types.Null, errors.New("valid longitude values for GeoDistance function are in the range of -180 to +180 decimal degrees")
	}
	radius := 6371.0
	switch strings.ToLower(strings.TrimSpace(unit)) {
	case "mi", "mile", "miles":
		radius = 3959
	case "", "km", "kilometer", "kilometers", "kilometre", "kilometres":
	default:
		return types.Null, errors.New("GeoDistance function units parameter must be one of mi, mile, miles, km, kilometer, " +
			"kilometers, kilometre, or kilometres. Values are case-insensitive.")
	}
	radians := func(x float64) float64 { return x * (math.Pi / 180) }
	haversine := func(x float64) float64 { return math.Pow(math.Sin(x/2), 2) }
	a := haversine(radians(lat2-lat1)) + haversine(radians(lon2-lon1))*math.Cos(radians(lat1))*math.Cos(radians(lat2))
	return types.DoubleValue(2 * math.Asin(math.Sqrt(a)) * radius), nil
}

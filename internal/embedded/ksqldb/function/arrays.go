package function

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// onArrays binds code that needs the element type of the first argument.
func onArrays(make func(elem *types.Type) Impl) func([]*types.Type, *types.Type) (Impl, error) {
	return func(args []*types.Type, _ *types.Type) (Impl, error) {
		for _, t := range args {
			if t != nil && t.Kind == types.KindArray {
				return make(t.Elem), nil
			}
		}
		return make(nil), nil
	}
}

func arrayFunctions() []scalarDef {
	pair := func(name, description string, combine func(elem *types.Type, left, right []types.Value) []types.Value) scalarDef {
		return scalarDef{name, CategoryArray, description, []overloadDef{{params: "ARRAY<T> left, ARRAY<T> right", result: "ARRAY<T>", bind: onArrays(func(elem *types.Type) Impl {
			return f2(func(l, r types.Value) (types.Value, error) {
				return types.ArrayValue(combine(elem, l.Elems(), r.Elems())), nil
			})
		})}}}
	}
	extreme := func(name, description string, sign int) scalarDef {
		return scalarDef{name, CategoryArray, description, []overloadDef{{params: "ARRAY<T> input", result: "T", bind: onArrays(func(elem *types.Type) Impl {
			return f1(func(v types.Value) (types.Value, error) {
				best := types.Null
				for _, e := range v.Elems() {
					if !e.IsNull() && isNested(elem) {
						return types.Null, errNoOrder
					}
					if !e.IsNull() && (best.IsNull() || compareJava(elem, e, best)*sign > 0) {
						best = e
					}
				}
				return best, nil
			})
		})}}}
	}
	return []scalarDef{
		{"ARRAY_LENGTH", CategoryArray, "The number of elements of an array.", []overloadDef{
			{params: "ARRAY<T> array", result: "INT", impl: f1(func(v types.Value) (types.Value, error) { return types.IntValue(int64(len(v.Elems()))), nil })},
		}},
		extreme("array_max", "The largest element of an array.", 1),
		extreme("array_min", "The smallest element of an array.", -1),
		{"array_distinct", CategoryArray, "The distinct elements of an array.", []overloadDef{{params: "ARRAY<T> input", result: "ARRAY<T>", bind: onArrays(func(elem *types.Type) Impl {
			return f1(func(v types.Value) (types.Value, error) { return types.ArrayValue(distinct(elem, nil, v.Elems())), nil })
		})}}},
		{"ARRAY_CONTAINS", CategoryArray, "Whether an array has an element.", []overloadDef{{params: "ARRAY<T> array, T val", result: "BOOLEAN", nulls: true, bind: onArrays(func(elem *types.Type) Impl {
			return f2(func(a, v types.Value) (types.Value, error) {
				return types.BoolValue(!a.IsNull() && contains(elem, a.Elems(), v)), nil
			})
		})}}},
		{"array_concat", CategoryArray, "The elements of two arrays.", []overloadDef{{params: "ARRAY<T> left, ARRAY<T> right", result: "ARRAY<T>", nulls: true, impl: f2(func(l, r types.Value) (types.Value, error) {
			if l.IsNull() && r.IsNull() {
				return types.Null, nil
			}
			return types.ArrayValue(slices.Concat(l.Elems(), r.Elems())), nil
		})}}},
		pair("array_union", "The distinct elements of two arrays.", func(elem *types.Type, l, r []types.Value) []types.Value {
			return distinct(elem, distinct(elem, nil, l), r)
		}),
		pair("array_intersect", "The distinct elements that are in both arrays.", func(elem *types.Type, l, r []types.Value) []types.Value {
			return slices.DeleteFunc(distinct(elem, nil, l), func(v types.Value) bool { return !contains(elem, r, v) })
		}),
		pair("array_except", "The distinct elements of an array that are not in another.", func(elem *types.Type, l, r []types.Value) []types.Value {
			return slices.DeleteFunc(distinct(elem, nil, l), func(v types.Value) bool { return contains(elem, r, v) })
		}),
		{"array_remove", CategoryArray, "An array without the elements that equal a value.", []overloadDef{{params: "ARRAY<T> array, T victim", result: "ARRAY<T>", nulls: true, bind: onArrays(func(elem *types.Type) Impl {
			return f2(func(a, victim types.Value) (types.Value, error) {
				if a.IsNull() {
					return types.Null, nil
				}
				return types.ArrayValue(slices.DeleteFunc(slices.Clone(a.Elems()), func(e types.Value) bool { return types.Equal(elem, e, victim) })), nil
			})
		})}}},
		arraySort(), arrayJoin(),
		{"slice", CategoryArray, "The elements of an array from one position to another, counted from 1.", []overloadDef{
			{params: "ARRAY<T> in, INT from, INT to", result: "ARRAY<T>", nulls: true, impl: f3(slice)},
		}},
		generateSeries(),
	}
}

var errNoOrder = errors.New("arrays, maps and structs have no order")

func isNested(t *types.Type) bool {
	return t.Kind == types.KindArray || t.Kind == types.KindMap || t.Kind == types.KindStruct
}

func distinct(elem *types.Type, to, from []types.Value) []types.Value {
	for _, v := range from {
		if !contains(elem, to, v) {
			to = append(to, v)
		}
	}
	return to
}

func arraySort() scalarDef {
	sortBy := func(elem *types.Type, a types.Value, direction string) (types.Value, error) {
		sign := 1
		switch upper(direction) {
		case "ASC", "ASCENDING":
		case "DESC", "DESCENDING":
			sign = -1
		default:
			return types.Null, nil
		}
		out := slices.Clone(a.Elems())
		if isNested(elem) && len(out) > 0 {
			return types.Null, errNoOrder
		}
		slices.SortStableFunc(out, func(x, y types.Value) int {
			switch {
			case x.IsNull() && y.IsNull():
				return 0
			case x.IsNull():
				return 1
			case y.IsNull():
				return -1
			default:
				return compareJava(elem, x, y) * sign
			}
		})
		return types.ArrayValue(out), nil
	}
	return scalarDef{"array_sort", CategoryArray, "The elements of an array in order, NULLs last; the array itself stays as it is.", []overloadDef{
		{params: "ARRAY<T> input", result: "ARRAY<T>", bind: onArrays(func(elem *types.Type) Impl {
			return f1(func(a types.Value) (types.Value, error) { return sortBy(elem, a, "ASC") })
		})},
		{params: "ARRAY<T> input, VARCHAR direction", result: "ARRAY<T>", bind: onArrays(func(elem *types.Type) Impl {
			return f2(func(a, direction types.Value) (types.Value, error) { return sortBy(elem, a, direction.Str()) })
		})},
	}}
}

func arrayJoin() scalarDef {
	join := func(elem *types.Type, a types.Value, delimiter string) (types.Value, error) {
		if a.IsNull() {
			return types.Null, nil
		}
		parts := make([]string, 0, len(a.Elems()))
		for _, e := range a.Elems() {
			if !e.IsNull() && (elem.Kind > types.KindString || elem.Kind == 0) {
				return types.Null, fmt.Errorf("error: hit element of type %s which is currently not supported", elem)
			}
			parts = append(parts, types.Text(elem, e))
		}
		return text(strings.Join(parts, delimiter))
	}
	return scalarDef{"ARRAY_JOIN", CategoryArray, "The elements of an array as one text, with a delimiter (a comma when left out) between them.", []overloadDef{
		{params: "ARRAY<T> array", result: "VARCHAR", bind: onArrays(func(elem *types.Type) Impl {
			return f1(func(a types.Value) (types.Value, error) { return join(elem, a, ",") })
		})},
		{params: "ARRAY<T> array, VARCHAR delimiter", result: "VARCHAR", nulls: true, bind: onArrays(func(elem *types.Type) Impl {
			return f2(func(a, delimiter types.Value) (types.Value, error) { return join(elem, a, delimiter.Str()) })
		})},
	}}
}

func slice(in, from, to types.Value) (types.Value, error) {
	if in.IsNull() {
		return types.Null, nil
	}
	elems := in.Elems()
	start, end := int64(0), int64(len(elems))
	if !from.IsNull() {
		start = from.Int() - 1
	}
	if !to.IsNull() {
		end = to.Int()
	}
	if start >= 0 && end <= int64(len(elems)) && start > end {
		return types.Null, fmt.Errorf("fromIndex(%d) > toIndex(%d)", start, end)
	}
	if start < 0 || end > int64(len(elems)) {
		return types.Null, nil
	}
	return types.ArrayValue(elems[start:end]), nil
}

// maxSeries bounds the length of GENERATE_SERIES.
const maxSeries = 10_000_000

func generateSeries() scalarDef {
	series := func(start, end, step int64) (types.Value, error) {
		switch {
		case step == 0:
			return types.Null, errors.New("GENERATE_SERIES step cannot be zero")
		case end > start && step < 0 || end < start && step > 0:
			return types.Null, errors.New("GENERATE_SERIES step has wrong sign")
		}
		n := (end-start)/step + 1
		if n < 0 || n > maxSeries {
			return types.Null, fmt.Errorf("GENERATE_SERIES of %d elements: at most %d are made", uint64(n), maxSeries)
		}
		out := make([]types.Value, n)
		for i := range out {
			out[i] = types.IntValue(start + int64(i)*step)
		}
		return types.ArrayValue(out), nil
	}
	direction := func(start, end types.Value) int64 {
		if end.Int() > start.Int() {
			return 1
		}
		return -1
	}
	two := f2(func(start, end types.Value) (types.Value, error) {
		return series(start.Int(), end.Int(), direction(start, end))
	})
	three := f3(func(start, end, step types.Value) (types.Value, error) {
		return series(start.Int(), end.Int(), step.Int())
	})
	return scalarDef{"GENERATE_SERIES", CategoryArray, "The numbers from one to another, both included, with a step.", []overloadDef{
		{params: "BIGINT start, BIGINT end", result: "ARRAY<BIGINT>", impl: two},
		{params: "INT start, INT end", result: "ARRAY<INT>", impl: two},
		{params: "BIGINT start, BIGINT end, INT step", result: "ARRAY<BIGINT>", impl: three},
		{params: "INT start, INT end, INT step", result: "ARRAY<INT>", impl: three},
	}}
}

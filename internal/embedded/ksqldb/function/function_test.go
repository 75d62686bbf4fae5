package function_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/function"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

func builtin(t testing.TB) *function.Registry {
	r, err := function.Builtin(function.Options{
		Now:    func() time.Time { return time.UnixMilli(1_600_000_000_123) },
		Random: func() float64 { return 0.25 },
	})
	require.NoError(t, err)
	return r
}

func TestBuiltinHasAllFunctionsOfKsqlDB(t *testing.T) {
	r := builtin(t)
	for _, name := range strings.Fields(`
		ATTR AVG COLLECT_LIST COLLECT_SET CORRELATION COUNT COUNT_DISTINCT EARLIEST_BY_OFFSET HISTOGRAM LATEST_BY_OFFSET MAX MIN
		STDDEV_SAMP STDDEV_SAMPLE SUM SUM_LIST TOPK TOPKDISTINCT EXPLODE CUBE_EXPLODE
		ARRAY_CONCAT ARRAY_CONTAINS ARRAY_DISTINCT ARRAY_EXCEPT ARRAY_INTERSECT ARRAY_JOIN ARRAY_LENGTH ARRAY_MAX ARRAY_MIN
		ARRAY_REMOVE ARRAY_SORT ARRAY_UNION GENERATE_SERIES SLICE AS_MAP ENTRIES MAP_KEYS MAP_UNION MAP_VALUES FILTER REDUCE TRANSFORM
		CHR CONCAT CONCAT_WS ELT ENCODE FIELD FROM_BYTES INITCAP INSTR LCASE LEN LPAD MASK MASK_KEEP_LEFT MASK_KEEP_RIGHT MASK_LEFT
		MASK_RIGHT MD5 REPLACE RPAD SPLIT SPLIT_TO_MAP SUBSTRING TO_BYTES TRIM UCASE UUID REGEXP_EXTRACT REGEXP_EXTRACT_ALL
		REGEXP_REPLACE REGEXP_SPLIT_TO_ARRAY ABS ACOS ASIN ATAN ATAN2 CBRT CEIL COS COSH COT DEGREES EXP FLOOR GEO_DISTANCE GREATEST
		LEAST LN LOG PI POWER RADIANS RANDOM ROUND SIGN SIN SINH SQRT TAN TANH TRUNC CONVERT_TZ DATEADD DATESUB DATETOSTRING
		FORMAT_DATE FORMAT_TIME FORMAT_TIMESTAMP FROM_DAYS FROM_UNIXTIME PARSE_DATE PARSE_TIME PARSE_TIMESTAMP STRINGTODATE
		STRINGTOTIMESTAMP TIMEADD TIMESTAMPADD TIMESTAMPSUB TIMESTAMPTOSTRING TIMESUB UNIX_DATE UNIX_TIMESTAMP EXTRACTJSONFIELD
		IS_JSON_STRING JSON_ARRAY_CONTAINS JSON_ARRAY_LENGTH JSON_CONCAT JSON_ITEMS JSON_KEYS JSON_RECORDS TO_JSON_STRING
		URL_DECODE_PARAM URL_ENCODE_PARAM URL_EXTRACT_FRAGMENT URL_EXTRACT_HOST URL_EXTRACT_PARAMETER URL_EXTRACT_PATH
		URL_EXTRACT_PORT URL_EXTRACT_PROTOCOL URL_EXTRACT_QUERY COALESCE IFNULL NULLIF BIGINT_FROM_BYTES DOUBLE_FROM_BYTES
		INT_FROM_BYTES AS_VALUE`) {
		assert.True(t, r.IsKnown(strings.ToLower(name)), name)
	}
	for _, s := range r.Scalars() {
		assert.NotEmpty(t, s.Description, s.Name)
		assert.NotEmpty(t, s.Category, s.Name)
	}
}

func TestUnknownFunctions(t *testing.T) {
	r := builtin(t)
	_, err := r.Scalar("NOPE")
	assert.EqualError(t, err, "Can't find any functions with the name 'NOPE'")
	_, err = r.Aggregate("NOPE")
	assert.EqualError(t, err, "Can not find any aggregate functions with the name 'NOPE'")
}

func TestCloneCanBeExtendedAlone(t *testing.T) {
	base := builtin(t)
	clone := base.Clone()
	require.NoError(t, clone.AddScalar(&function.Scalar{Info: function.Info{Name: "mine"}}))
	assert.True(t, clone.IsKnown("MINE"))
	assert.False(t, base.IsKnown("MINE"))
	assert.Error(t, clone.AddTable(&function.Table{Info: function.Info{Name: "Mine"}}), "a name is given once")
}

func scalarOf(t testing.TB, params ...string) *function.Scalar {
	s := &function.Scalar{Info: function.Info{Name: "f"}}
	for _, text := range params {
		p, err := function.ParseParams(text)
		require.NoError(t, err)
		s.Overloads = append(s.Overloads, &function.Overload{Params: p, Description: text})
	}
	return s
}

func TestResolve(t *testing.T) {
	i, l, d, n, s := types.Integer, types.Bigint, types.Double, types.DecimalOf(4, 2), types.String
	for name, c := range map[string]struct {
		overloads []string
		args      []*types.Type
		want      string // "" when refused
		message   string
	}{
		"exact before wider":           {[]string{"BIGINT", "INT"}, []*types.Type{i}, "INT", ""},
		"widening":                     {[]string{"DOUBLE"}, []*types.Type{n}, "DOUBLE", ""},
		"no narrowing":                 {[]string{"INT"}, []*types.Type{l}, "", "does not accept parameters (BIGINT)"},
		"two ways to widen":            {[]string{"BIGINT", "DOUBLE"}, []*types.Type{i}, "", "ambiguous method parameters (INTEGER)"},
		"text for a time":              {[]string{"TIMESTAMP"}, []*types.Type{s}, "TIMESTAMP", ""},
		"not variadic before":          {[]string{"INT... x", "INT a, INT b"}, []*types.Type{i, i}, "INT a, INT b", ""},
		"more parameters before":       {[]string{"INT... x", "INT a, INT... x"}, []*types.Type{i, i}, "INT a, INT... x", ""},
		"less generic before":          {[]string{"T a", "INT a"}, []*types.Type{i}, "INT a", ""},
		"any number of arguments":      {[]string{"VARCHAR a, INT... x"}, []*types.Type{s, i, i, i, i, i, i}, "VARCHAR a, INT... x", ""},
		"none of the arguments":        {[]string{"VARCHAR a, INT... x"}, []*types.Type{s}, "VARCHAR a, INT... x", ""},
		"variadic in the middle":       {[]string{"INT a, VARCHAR... x, BIGINT b"}, []*types.Type{i, s, s, s, l}, "INT a, VARCHAR... x, BIGINT b", ""},
		"one generic type":             {[]string{"ARRAY<T> a, T b"}, []*types.Type{types.ArrayOf(i), s}, "", "does not accept parameters (ARRAY<INTEGER>, STRING)"},
		"NULL fits":                    {[]string{"INT a, INT b"}, []*types.Type{nil, i}, "INT a, INT b", ""},
		"NULL fits two":                {[]string{"INT", "VARCHAR"}, []*types.Type{nil}, "", "ambiguous method parameters (null)"},
		"nested types":                 {[]string{"MAP<VARCHAR, ARRAY<T>> m"}, []*types.Type{types.MapOf(s, types.ArrayOf(d))}, "MAP<VARCHAR, ARRAY<T>> m", ""},
		"struct members must be there": {[]string{"STRUCT<A INT> s"}, []*types.Type{types.StructOf(types.Field{Name: "B", Type: i})}, "", "does not accept"},
	} {
		args := make([]function.Arg, len(c.args))
		for k, a := range c.args {
			args[k].Type = a
		}
		o, err := scalarOf(t, c.overloads...).Resolve(args)
		if c.want == "" {
			if assert.Error(t, err, name) {
				assert.Contains(t, err.Error(), c.message, name)
			}
			continue
		}
		require.NoError(t, err, name)
		assert.Equal(t, c.want, o.Description, name)
	}
}

func TestRefusalListsTheAlternatives(t *testing.T) {
	s, err := builtin(t).Scalar("abs")
	require.NoError(t, err)
	_, err = s.Resolve([]function.Arg{{Type: types.String}})
	assert.EqualError(t, err, "Function 'Abs' does not accept parameters (STRING).\nValid alternatives are:\nABS(DECIMAL val)\nABS(DOUBLE val)\n"+
		"ABS(INT val)\nABS(BIGINT val)\nFor detailed information on a function run: DESCRIBE FUNCTION <Function-Name>;")
}

// bind binds an aggregate function to argument types and whole numbers.
func bind(t testing.TB, name string, args []*types.Type, constants ...types.Value) function.Aggregator {
	a, err := builtin(t).Aggregate(name)
	require.NoError(t, err)
	all := slices.Clone(args)
	for range constants {
		all = append(all, types.Integer)
	}
	o, err := a.Resolve(all)
	require.NoError(t, err)
	agg, err := o.Bind(function.Binding{Args: args, Constants: constants})
	require.NoError(t, err)
	return agg
}

// run gives the state after the rows, which are numbered from a number on.
func run(t testing.TB, agg function.Aggregator, from int64, rows ...[]types.Value) types.Value {
	state := agg.Init()
	var err error
	for i, row := range rows {
		state, err = agg.Add(state, row, from+int64(i))
		require.NoError(t, err)
	}
	return state
}

func show(t testing.TB, agg function.Aggregator, state types.Value) string {
	v, err := agg.Result(state)
	require.NoError(t, err)
	return types.Text(agg.ResultType(), v)
}

func ints(list ...int64) [][]types.Value {
	rows := make([][]types.Value, len(list))
	for i, n := range list {
		rows[i] = []types.Value{types.IntValue(n)}
		if n == math.MinInt64 {
			rows[i][0] = types.Null
		}
	}
	return rows
}

const null = math.MinInt64

func TestAggregates(t *testing.T) {
	integer := []*types.Type{types.Integer}
	for _, c := range []struct {
		name      string
		constants []types.Value
		rows      [][]types.Value
		want      string
	}{
		{"COUNT", nil, ints(1, null, 3), "2"},
		{"SUM", nil, ints(math.MaxInt32, null, 1), "-2147483648"},
		{"SUM", nil, nil, "0"},
		{"AVG", nil, ints(1, 2, null), "1.5"},
		{"AVG", nil, nil, "0.0"},
		{"MIN", nil, ints(3, null, -1), "-1"},
		{"MAX", nil, ints(3, null, -1), "3"},
		{"MAX", nil, nil, "null"},
		{"LATEST_BY_OFFSET", nil, ints(1, 2, null), "2"},
		{"LATEST_BY_OFFSET", []types.Value{types.IntValue(2)}, ints(1, null, 2, 3), "[2, 3]"},
		{"LATEST_BY_OFFSET", []types.Value{types.IntValue(2), types.BoolValue(false)}, ints(1, 2, null), "[2, null]"},
		{"EARLIEST_BY_OFFSET", nil, ints(null, 1, 2), "1"},
		{"EARLIEST_BY_OFFSET", []types.Value{types.IntValue(2)}, ints(1, null, 2, 3), "[1, 2]"},
		{"COLLECT_LIST", nil, ints(1, null, 1), "[1, null, 1]"},
		{"COLLECT_SET", nil, ints(1, null, 1, null, 2), "[1, null, 2]"},
		{"COUNT_DISTINCT", nil, ints(1, 2, 1, null), "2"},
		{"TOPK", []types.Value{types.IntValue(2)}, ints(1, 3, null, 3, 2), "[3, 3]"},
		{"TOPKDISTINCT", []types.Value{types.IntValue(2)}, ints(1, 3, null, 3, 2), "[3, 2]"},
		{"ATTR", nil, ints(5, 5), "5"},
		{"ATTR", nil, ints(5, 6), "null"},
		{"STDDEV_SAMP", nil, ints(1, 3, 5), "4.0"},
		{"STDDEV_SAMPLE", nil, ints(1, 3, 5), "2.0"},
		{"STDDEV_SAMPLE", nil, ints(1), "0.0"},
	} {
		a, err := builtin(t).Aggregate(c.name)
		require.NoError(t, err)
		argTypes := append([]*types.Type{}, integer...)
		for i := range c.constants {
			argTypes = append(argTypes, []*types.Type{types.Integer, types.Boolean}[i])
		}
		o, err := a.Resolve(argTypes)
		require.NoError(t, err, c.name)
		agg, err := o.Bind(function.Binding{Args: integer, Constants: c.constants})
		require.NoError(t, err)
		assert.Equal(t, c.want, show(t, agg, run(t, agg, 0, c.rows...)), "%s %v", c.name, c.constants)
	}
}

func TestUndoTakesARowOutAgain(t *testing.T) {
	for name, want := range map[string]string{
		"COUNT": "2", "SUM": "4", "AVG": "2.0", "COLLECT_LIST": "[1, 3]", "ATTR": "null", "STDDEV_SAMP": "2.0", "STDDEV_SAMPLE": "1.4142135623730951",
	} {
		agg := bind(t, name, []*types.Type{types.Integer})
		require.True(t, agg.CanUndo(), name)
		state, err := agg.Undo(run(t, agg, 0, ints(1, 3, 5)...), ints(5)[0])
		require.NoError(t, err)
		assert.Equal(t, want, show(t, agg, state), name)
	}
	for _, name := range []string{"MIN", "MAX", "LATEST_BY_OFFSET", "EARLIEST_BY_OFFSET", "COLLECT_SET", "COUNT_DISTINCT"} {
		assert.False(t, bind(t, name, []*types.Type{types.Integer}).CanUndo(), name)
	}
}

func TestMergeJoinsSessions(t *testing.T) {
	for name, want := range map[string]string{
		"COUNT": "4", "SUM": "10", "AVG": "2.5", "MIN": "1", "MAX": "4", "COLLECT_LIST": "[3, 4, 1, 2]", "COLLECT_SET": "[3, 4, 1, 2]",
		"COUNT_DISTINCT": "4", "LATEST_BY_OFFSET": "4", "EARLIEST_BY_OFFSET": "1", "STDDEV_SAMPLE": "1.2909944487358056",
	} {
		agg := bind(t, name, []*types.Type{types.Integer})
		// The earlier session was processed later: its values have higher numbers.
		earlier, later := run(t, agg, 10, ints(3, 4)...), run(t, agg, 0, ints(1, 2)...)
		state, err := agg.Merge(earlier, later)
		require.NoError(t, err)
		assert.Equal(t, want, show(t, agg, state), name)
		state, err = agg.Merge(agg.Init(), earlier)
		require.NoError(t, err)
		assert.Equal(t, show(t, agg, earlier), show(t, agg, state), "%s: a fresh state changes nothing", name)
	}
}

func TestAddLeavesTheOldStateAlone(t *testing.T) {
	for _, name := range []string{"COLLECT_LIST", "COLLECT_SET", "COUNT_DISTINCT", "AVG", "ATTR"} {
		agg := bind(t, name, []*types.Type{types.Integer})
		old := run(t, agg, 0, ints(1, 2)...)
		before := show(t, agg, old)
		for _, n := range []int64{7, 8} {
			_, err := agg.Add(old, ints(n)[0], 9)
			require.NoError(t, err)
		}
		assert.Equal(t, before, show(t, agg, old), name)
	}
}

func TestSumOfDecimalsMustFit(t *testing.T) {
	agg := bind(t, "SUM", []*types.Type{types.DecimalOf(3, 1)})
	d, err := types.ParseDecimal("60.0")
	require.NoError(t, err)
	row := []types.Value{types.DecimalValue(d)}
	state := run(t, agg, 0, row)
	assert.Equal(t, "60.0", show(t, agg, state))
	_, err = agg.Add(state, row, 1)
	assert.EqualError(t, err, "Numeric field overflow: A field with precision 3 and scale 1 must round to an absolute value less than 10^2. Got 120.0")
}

func TestCountDistinctIsCloseForManyValues(t *testing.T) {
	agg := bind(t, "COUNT_DISTINCT", []*types.Type{types.Bigint})
	for _, n := range []int64{10, 1000, 3000, 20_000} {
		var rows [][]types.Value
		for i := range n {
			rows = append(rows, ints(i * 7919)[0])
		}
		v, err := agg.Result(run(t, agg, 0, rows...))
		require.NoError(t, err)
		assert.InEpsilon(t, n, v.Int(), 0.02, "%d values", n)
	}
}

func TestCollectListStopsAtItsLimit(t *testing.T) {
	a, err := builtin(t).Aggregate("COLLECT_LIST")
	require.NoError(t, err)
	o, err := a.Resolve([]*types.Type{types.Integer})
	require.NoError(t, err)
	b := function.Binding{Args: []*types.Type{types.Integer}, Properties: map[string]string{"ksql.functions.collect_list.limit": "2"}}
	agg, err := o.Bind(b)
	require.NoError(t, err)
	assert.Equal(t, "[1, 2]", show(t, agg, run(t, agg, 0, ints(1, 2, 3)...)))
	b.Properties["ksql.functions.collect_list.limit"] = "many"
	_, err = o.Bind(b)
	assert.Error(t, err)
}

func TestTopKKeepsOtherColumns(t *testing.T) {
	agg := bind(t, "TOPK", []*types.Type{types.Integer, types.String}, types.IntValue(2))
	row := func(n int64, s string) []types.Value { return []types.Value{types.IntValue(n), types.StringValue(s)} }
	assert.Equal(t, "[Struct{sort_col=3,col0=c}, Struct{sort_col=2,col0=b}]",
		show(t, agg, run(t, agg, 0, row(1, "a"), row(3, "c"), row(2, "b"))))
}

func TestTableFunctions(t *testing.T) {
	rows := func(name string, elems ...types.Value) string {
		f, err := builtin(t).Table(name)
		require.NoError(t, err)
		args := []function.Arg{{Type: types.ArrayOf(types.Integer)}}
		o, err := f.Resolve(args)
		require.NoError(t, err)
		typ, err := o.Result(args)
		require.NoError(t, err)
		explode, err := o.Make(args, typ)
		require.NoError(t, err)
		out, err := explode([]types.Value{types.ArrayValue(elems)})
		require.NoError(t, err)
		return types.Text(types.ArrayOf(typ), types.ArrayValue(out))
	}
	one, two := types.IntValue(1), types.IntValue(2)
	assert.Equal(t, "[1, null, 2]", rows("explode", one, types.Null, two))
	assert.Equal(t, "[]", rows("explode"))
	assert.Equal(t, "[[null, null], [null, 2], [1, null], [1, 2]]", rows("cube_explode", one, two))
	assert.Equal(t, "[[null, null], [null, 2]]", rows("cube_explode", types.Null, two))
}

func FuzzParseParams(f *testing.F) {
	f.Add("ARRAY<T> array, LAMBDA (T) => R function")
	f.Add("MAP<K, STRUCT<A INT, B VARCHAR>> m, INTERVAL UNIT unit, ANY... rest")
	f.Fuzz(func(t *testing.T, text string) {
		params, err := function.ParseParams(text)
		if err != nil {
			return
		}
		for _, p := range params {
			again, err := function.ParseParamType(p.Type.String())
			require.NoError(t, err, p.Type.String())
			require.Equal(t, p.Type.String(), again.String())
		}
	})
}

func TestMathGivesTheNearestDouble(t *testing.T) {
	r := builtin(t)
	for _, c := range []struct {
		name    string
		x, want float64
	}{
		{"SIN", -2, -0.9092974268256817}, {"SIN", 1e22, -0.8522008497671888}, {"COS", 5e9, -0.9677602034277024}, {"TAN", 1, 1.5574077246549023},
		{"COT", 0.5, 1.830487721712452}, {"ASIN", 0.1, 0.1001674211615598}, {"ACOS", 0.5, 1.0471975511965979}, {"ATAN", 2.5, 1.1902899496825317},
		{"LN", 7, 1.9459101490553132}, {"LN", 0, math.Inf(-1)}, {"CBRT", 27, 3}, {"SINH", 0.1, 0.10016675001984403}, {"SIN", 0, 0}, {"ACOS", 1, 0},
	} {
		s, err := r.Scalar(c.name)
		require.NoError(t, err)
		args := []function.Arg{{Type: types.Double}}
		o, err := s.Resolve(args)
		require.NoError(t, err)
		impl, err := o.Make(args, types.Double)
		require.NoError(t, err)
		v, err := impl.F1(types.DoubleValue(c.x))
		require.NoError(t, err)
		assert.Equal(t, c.want, v.Double(), "%s(%v)", c.name, c.x)
	}
}

package function

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// Options are what the built-in functions depend on from outside.
type Options struct {
	// Now is the clock of UNIX_TIMESTAMP() and UNIX_DATE(); time.Now when nil.
	Now func() time.Time
	// Random gives RANDOM's values, in [0, 1); math/rand's when nil. It is
	// called from several goroutines.
	Random func() float64
}

// Builtin gives a registry with ksqlDB's own functions.
func Builtin(opts Options) (*Registry, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Random == nil {
		opts.Random = rand.Float64
	}
	r := NewRegistry()
	var scalars []scalarDef
	for _, group := range [][]scalarDef{
		mathFunctions(opts), roundingFunctions(), stringFunctions(), maskFunctions(), regexpFunctions(), bytesFunctions(),
		urlFunctions(), nullFunctions(), jsonFunctions(), arrayFunctions(), mapFunctions(),
		lambdaFunctions(), timeFunctions(opts), timeArithmetic(),
	} {
		scalars = append(scalars, group...)
	}
	for _, d := range scalars {
		s, err := d.scalar()
		if err != nil {
			return nil, err
		}
		if err := r.AddScalar(s); err != nil {
			return nil, err
		}
	}
	for _, d := range aggregateFunctions() {
		a, err := d.aggregate()
		if err != nil {
			return nil, err
		}
		if err := r.AddAggregate(a); err != nil {
			return nil, err
		}
	}
	for _, d := range tableFunctions() {
		t, err := d.table()
		if err != nil {
			return nil, err
		}
		if err := r.AddTable(t); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// scalarDef declares a scalar function. The overloads stand in the order in
// which ksqlDB lists them.
type scalarDef struct {
	name        string
	category    string
	description string
	overloads   []overloadDef
}

// overloadDef declares a signature: params and result in the notation of
// ParseParams, and the code. Where the code or the result depends on the types
// of the arguments, bind and typeOf give them.
type overloadDef struct {
	params string
	result string
	impl   Impl
	typeOf func(args []*types.Type) (*types.Type, error)
	bind   func(args []*types.Type, result *types.Type) (Impl, error)
	nulls  bool
	// volatile functions give another result for equal arguments.
	volatile bool
}

// unsigned are the functions for which ksqlDB names no author.
const unsigned = " ATTR ARRAY_CONCAT ARRAY_DISTINCT ARRAY_EXCEPT ARRAY_INTERSECT ARRAY_MAX ARRAY_MIN ARRAY_REMOVE ARRAY_SORT " +
	"ARRAY_UNION EXTRACTJSONFIELD MAP_KEYS MAP_UNION MAP_VALUES RANDOM CHR CONCAT CONCAT_WS LCASE LPAD LEN RPAD SPLIT_TO_MAP " +
	"TRIM UCASE UUID "

func author(name string) string {
	if strings.Contains(unsigned, " "+upper(name)+" ") {
		return ""
	}
	return "Confluent"
}

func (d scalarDef) info() Info {
	return Info{Name: d.name, Category: d.category, Description: d.description, Author: author(d.name), Examples: examples[upper(d.name)]}
}

func (d scalarDef) scalar() (*Scalar, error) {
	s := &Scalar{Info: d.info()}
	for _, od := range d.overloads {
		o, err := od.overload()
		if err != nil {
			return nil, fmt.Errorf("declaring function %s: %w", d.name, err)
		}
		o.Description = d.description
		s.Overloads = append(s.Overloads, o)
	}
	return s, nil
}

func (d overloadDef) overload() (*Overload, error) {
	params, err := ParseParams(d.params)
	if err != nil {
		return nil, err
	}
	result, err := resultFunc(params, d.result, d.typeOf)
	if err != nil {
		return nil, err
	}
	o := &Overload{Params: params, Returns: d.result, Result: result, HandlesNull: d.nulls, Volatile: d.volatile}
	o.Make = func(args []Arg, result *types.Type) (Impl, error) {
		if d.bind == nil {
			return d.impl, nil
		}
		return d.bind(argTypes(args), result)
	}
	return o, nil
}

func argTypes(args []Arg) []*types.Type {
	list := make([]*types.Type, len(args))
	for i, a := range args {
		list[i] = a.Type
	}
	return list
}

// resultFunc makes the function that finds a call's result type.
func resultFunc(params []Param, result string, typeOf func([]*types.Type) (*types.Type, error)) (func([]Arg) (*types.Type, error), error) {
	if typeOf != nil {
		return func(args []Arg) (*types.Type, error) { return typeOf(argTypes(args)) }, nil
	}
	t, err := ParseParamType(result)
	if err != nil {
		return nil, err
	}
	if !t.HasGenerics() {
		fixed, err := Generics{}.Apply(t)
		return func([]Arg) (*types.Type, error) { return fixed, nil }, err
	}
	return func(args []Arg) (*types.Type, error) {
		g := Generics{}
		for i, a := range args {
			p := paramAt(params, i).Type
			if a.Type == nil && a.Lambda == nil {
				return nil, untypedNull(p, i)
			}
			if !p.HasGenerics() {
				continue
			}
			if err := g.Reserve(p, a); err != nil {
				return nil, err
			}
		}
		return g.Apply(t)
	}, nil
}

// untypedNull refuses a literal NULL where the arguments' types decide that of
// the result.
func untypedNull(p *ParamType, i int) error {
	if p.Kind == ParamGeneric {
		return fmt.Errorf("null value in entry: %s=null", p.Name)
	}
	return fmt.Errorf("argument %d is NULL and has no type: cast it to one, e.g. CAST(null AS VARCHAR)", i+1)
}

// aggregateDef declares an aggregate function.
type aggregateDef struct {
	name        string
	description string
	overloads   []aggregateOverloadDef
}

type aggregateOverloadDef struct {
	params    string
	result    string
	constants int
	bind      func(b Binding) (*aggregator, error)
}

func (d aggregateDef) aggregate() (*Aggregate, error) {
	a := &Aggregate{Info: scalarDef{name: d.name, category: CategoryAggregate, description: d.description}.info()}
	for _, od := range d.overloads {
		params, err := ParseParams(od.params)
		if err != nil {
			return nil, fmt.Errorf("declaring function %s: %w", d.name, err)
		}
		a.Overloads = append(a.Overloads, &AggregateOverload{
			Params: params, Returns: od.result, Constants: od.constants, Description: d.description,
			Bind: func(b Binding) (Aggregator, error) {
				bound, err := od.bind(b)
				if err != nil {
					return nil, err
				}
				return bound, nil
			},
		})
	}
	return a, nil
}

// tableDef declares a table function.
type tableDef struct {
	name        string
	description string
	overloads   []tableOverloadDef
}

type tableOverloadDef struct {
	params string
	result string
	typeOf func(args []*types.Type) (*types.Type, error)
	rows   func(args []types.Value) ([]types.Value, error)
}

func (d tableDef) table() (*Table, error) {
	t := &Table{Info: scalarDef{name: d.name, category: CategoryTable, description: d.description}.info()}
	for _, od := range d.overloads {
		params, err := ParseParams(od.params)
		if err != nil {
			return nil, fmt.Errorf("declaring function %s: %w", d.name, err)
		}
		result, err := resultFunc(params, od.result, od.typeOf)
		if err != nil {
			return nil, fmt.Errorf("declaring function %s: %w", d.name, err)
		}
		t.Overloads = append(t.Overloads, &TableOverload{
			Params: params, Returns: od.result, Description: d.description, Result: result,
			Make: func([]Arg, *types.Type) (func([]types.Value) ([]types.Value, error), error) {
				return od.rows, nil
			},
		})
	}
	return t, nil
}

// Package function is the registry of ksqlDB's functions: scalar, table and
// aggregate ones, their signatures, the resolution of a call to a signature as
// ksqlDB does it, and the code that computes them.
//
// Invariants: a Registry is a value; it is filled before its first use and only
// read afterwards, so it may be shared; Clone gives a copy to extend. Function
// code is free of state: it may run in several goroutines at once, and it never
// changes its arguments. A NULL argument makes the result NULL unless the
// overload says that it handles NULL itself.
package function

import (
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// Info describes a function for SHOW FUNCTIONS and DESCRIBE FUNCTION.
type Info struct {
	// Name is the function's name as ksqlDB spells it in error texts.
	Name string
	// Category groups functions, such as MATHEMATICAL.
	Category string
	// Description is a sentence for people.
	Description string
	// Author is the author that ksqlDB names; empty where it names none.
	Author string
	// Examples show calls with their results: at least one for each of ksqlDB's
	// own functions.
	Examples []Example
}

// Example is a call of a function and what it gives.
type Example struct {
	// Call is the expression. The example of an aggregate function calls it with
	// the columns x and y.
	Call string
	// Rows are what an aggregate function is applied to: the values of x, or of x
	// and y, row by row.
	Rows [][]string
	// Result is the value as CAST(… AS STRING) shows it; the rows of a table
	// function are divided by semicolons.
	Result string
}

// The categories of functions that ksqlDB knows.
const (
	CategoryAggregate   = "AGGREGATE"
	CategoryArray       = "ARRAY"
	CategoryConditional = "CONDITIONAL"
	CategoryDateTime    = "DATE / TIME"
	CategoryJSON        = "JSON"
	CategoryLambda      = "LAMBDA"
	CategoryMap         = "MAP"
	CategoryMath        = "MATHEMATICAL"
	CategoryOther       = "OTHER"
	CategoryRegex       = "REGULAR EXPRESSION"
	CategoryString      = "STRING"
	CategoryTable       = "TABLE"
	CategoryURL         = "URL"
)

// Arg is an argument of a call as resolution sees it. The zero Arg is a literal
// NULL.
type Arg struct {
	// Type is the type of the argument; nil for NULL, lambdas and units.
	Type *types.Type
	// Lambda is set for a lambda.
	Lambda *LambdaArg
	// Unit is set for an interval unit such as DAYS.
	Unit bool
}

// LambdaArg is a lambda as an argument. Types is nil until the inputs' types
// are known.
type LambdaArg struct {
	Inputs int
	Types  []*types.Type
	Result *types.Type
}

// Lambda is a lambda to call: it has as many inputs as its parameter declares.
type Lambda func(inputs ...types.Value) (types.Value, error)

// Impl is the code of an overload for certain argument types. Exactly one
// member is set; those with a fixed number of arguments need no allocation.
type Impl struct {
	F0 func() (types.Value, error)
	F1 func(a types.Value) (types.Value, error)
	F2 func(a, b types.Value) (types.Value, error)
	F3 func(a, b, c types.Value) (types.Value, error)
	// FN gets the arguments in a slice that it must not keep.
	FN func(args []types.Value) (types.Value, error)
	// FL is for functions with lambdas: lambdas[i] is set where argument i is
	// one, args[i] elsewhere.
	FL func(args []types.Value, lambdas []Lambda) (types.Value, error)
}

// Overload is one signature of a scalar function.
type Overload struct {
	Params      []Param
	Description string
	// Returns is the declared type of the result, such as ARRAY<T>.
	Returns string
	// Result gives the type of the result for resolved arguments.
	Result func(args []Arg) (*types.Type, error)
	// HandlesNull is set when the code wants to see NULL arguments itself.
	HandlesNull bool
	// Volatile is set when equal arguments may give different results, so that
	// a call must not be folded into a constant.
	Volatile bool
	// Make gives the code for arguments already converted to the parameters'
	// types. args are those types.
	Make func(args []Arg, result *types.Type) (Impl, error)
}

// Scalar is a scalar function.
type Scalar struct {
	Info
	Overloads []*Overload
}

// Param is the declared parameter that takes the argument at position i.
func (o *Overload) Param(i int) Param { return paramAt(o.Params, i) }

// Resolve picks the overload for a call, first without, then with implicit
// widening of the arguments.
func (s *Scalar) Resolve(args []Arg) (*Overload, error) {
	sigs := make([]signature, len(s.Overloads))
	for i, o := range s.Overloads {
		sigs[i] = signature{display: upper(s.Name), params: o.Params}
	}
	i, err := resolve(s.Name, sigs, args, true)
	if err != nil {
		return nil, err
	}
	return s.Overloads[i], nil
}

// TableOverload is one signature of a table function.
type TableOverload struct {
	Params      []Param
	Description string
	// Returns is the declared type of the rows, such as T.
	Returns string
	// Result gives the type of the rows for resolved arguments.
	Result func(args []Arg) (*types.Type, error)
	// Make gives the code: the rows that one call produces.
	Make func(args []Arg, result *types.Type) (func(args []types.Value) ([]types.Value, error), error)
}

// Table is a table function.
type Table struct {
	Info
	Overloads []*TableOverload
}

// Param is the declared parameter that takes the argument at position i.
func (o *TableOverload) Param(i int) Param { return paramAt(o.Params, i) }

// Resolve picks the overload for a call as for scalar functions.
func (t *Table) Resolve(args []Arg) (*TableOverload, error) {
	sigs := make([]signature, len(t.Overloads))
	for i, o := range t.Overloads {
		sigs[i] = signature{display: t.Name, params: o.Params}
	}
	i, err := resolve(t.Name, sigs, args, true)
	if err != nil {
		return nil, err
	}
	return t.Overloads[i], nil
}

func paramAt(params []Param, i int) Param {
	if i >= len(params) {
		return params[len(params)-1]
	}
	return params[i]
}

package function

import "github.com/orderflow/orderflow/internal/embedded/ksqldb/types"

// Aggregator is an aggregate function bound to the types of its arguments and
// to its constants. It has no state of its own and may be used by several tasks
// at once: the state is a SQL value of StateType, so that it can be stored like
// any other value. A state is never changed in place.
type Aggregator interface {
	// ResultType is the type of what Result gives.
	ResultType() *types.Type
	// StateType is the type of the state.
	StateType() *types.Type
	// Init is the state before the first row.
	Init() types.Value
	// Add gives the state after another row. args are the values of the column
	// arguments (constants left out). seq orders the rows that a task processed:
	// it must grow from row to row, across restarts too; LATEST_BY_OFFSET and
	// EARLIEST_BY_OFFSET keep it to merge sessions in the order of processing.
	Add(state types.Value, args []types.Value, seq int64) (types.Value, error)
	// CanUndo reports whether the function can be applied to a table.
	CanUndo() bool
	// Undo takes a row out of the state again.
	Undo(state types.Value, args []types.Value) (types.Value, error)
	// Merge joins the states of two sessions; a is the earlier window.
	Merge(a, b types.Value) (types.Value, error)
	// Result is the function's value for a state.
	Result(state types.Value) (types.Value, error)
}

// Binding is what an aggregate function is bound to.
type Binding struct {
	// Args are the types of the column arguments. The type of COUNT's missing
	// argument is left out too.
	Args []*types.Type
	// Constants are the values of the trailing literal arguments.
	Constants []types.Value
	// Properties are the session's properties; some functions read limits from
	// ksql.functions.<name>.<property>.
	Properties map[string]string
}

// AggregateOverload is one signature of an aggregate function.
type AggregateOverload struct {
	// Params are all parameters, the trailing constants included.
	Params []Param
	// Constants counts the trailing parameters that must be literals.
	Constants int
	// Description says what this signature does.
	Description string
	// Returns is the declared type of the result, such as ARRAY<T>.
	Returns string
	// Bind makes the aggregator.
	Bind func(b Binding) (Aggregator, error)
}

// Aggregate is an aggregate function.
type Aggregate struct {
	Info
	Overloads []*AggregateOverload
}

// ConstantArgs counts the trailing arguments of a call with n arguments that
// must be literals.
func (o *AggregateOverload) ConstantArgs(n int) int {
	for _, p := range o.Params[len(o.Params)-o.Constants:] {
		if p.Variadic {
			return n - (len(o.Params) - o.Constants)
		}
	}
	return o.Constants
}

// Resolve picks the overload for arguments of these types (nil for a literal
// NULL), the constants included. Nothing is widened for aggregates.
func (a *Aggregate) Resolve(args []*types.Type) (*AggregateOverload, error) {
	in := make([]Arg, len(args))
	for i, t := range args {
		in[i] = Arg{Type: t}
	}
	sigs := make([]signature, len(a.Overloads))
	for i, o := range a.Overloads {
		sigs[i] = signature{display: a.Name, params: o.Params}
	}
	i, err := resolve(a.Name, sigs, in, false)
	if err != nil {
		return nil, err
	}
	return a.Overloads[i], nil
}

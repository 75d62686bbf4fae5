package plan

import "github.com/orderflow/orderflow/internal/embedded/ksqldb/types"

// Pull is a pull query on a table: what to read from the store of the query
// that keeps the table's rows, which of them to take, and what of them to show.
// It is no step of a tree: it reads what such a tree has left in its store.
type Pull struct {
	// Table is the table's name, Query the id of the query that keeps its rows.
	Table string
	Query string
	// Schema is the shape of the stored rows.
	Schema *types.Schema
	// Window is the kind of window of the keys.
	Window types.WindowKind
	// Scan tells that all rows are to be read; Lookups are empty then, or have
	// one element that bounds the scan.
	Scan bool
	// Lookups say which rows are to be read when not all are. A row may be found
	// by several of them and is shown once.
	Lookups []Lookup
	// Predicate decides which of the rows read are shown; nil shows all.
	Predicate *Expr
	Columns   []PullColumn
	// Limit is nil without a LIMIT clause.
	Limit *int
	// Nothing tells that the answer has no rows whatever the store has: session
	// tables can't be scanned.
	Nothing bool
}

// Lookup finds rows by their key, and the windows of a key by their bounds.
type Lookup struct {
	// Key are the values of all key columns; nil for a range of keys.
	Key []types.Value
	// From and To bound the keys of a scan, From included, To not; nil is open.
	From, To []types.Value
	// Start and End bound the windows of a key.
	Start, End Interval
}

// Interval bounds a time in epoch milliseconds, both ends included; nil is open.
type Interval struct{ Min, Max *int64 }

// Contains reports whether a time lies in the interval.
func (i Interval) Contains(t int64) bool {
	return (i.Min == nil || t >= *i.Min) && (i.Max == nil || t <= *i.Max)
}

// PullColumn is a column of the answer. Key tells that it is a key column or a
// window bound under its own name, which the answer's header marks.
type PullColumn struct {
	Named
	Key bool
}

// Package plan holds the logical plan of a query: a tree of immutable nodes
// from sources to one sink, as the analyzer makes it, EXPLAIN shows it and the
// builder turns it into operators.
//
// Invariants: nodes are never changed after they were made; every expression of
// a node refers to columns of the node's input by their plain names (system
// columns such as ROWTIME included), never by a source's alias; column names
// within one schema are unique, key and value together, except that a value
// column may carry the same name as a key column after a join or a re-key;
// expressions then mean the value column.
package plan

import (
	"time"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// Node is a step of a plan.
type Node interface {
	// Schema is the shape of the rows that the step gives.
	Schema() *types.Schema
	// Inputs are the steps it reads from, left to right.
	Inputs() []Node
	// Changelog reports whether the step gives a table (each row replaces the
	// one of the same key, a row without value deletes it) or a stream.
	Changelog() bool
	// Windowed is the kind of window that the keys of its rows carry.
	Windowed() types.WindowKind
}

// Expr is an expression over the columns of a node's input, and its type.
type Expr struct {
	AST  ast.Expr
	Type *types.Type
}

// Named is an expression and the column that it makes.
type Named struct {
	Name string
	Expr Expr
}

// Format says how a side of a record (key or value) is written: the format's
// name (KAFKA, JSON, AVRO, …) and the properties of the WITH clause that bear
// on it. Wrap is nil where the format's default applies.
type Format struct {
	Name      string
	Wrap      *bool
	Delimiter string
	// SchemaID is the id given by KEY_SCHEMA_ID or VALUE_SCHEMA_ID.
	SchemaID *int
	// FullName is the record or message name (…_SCHEMA_FULL_NAME).
	FullName string
	// Nullable is the Protobuf representation of nulls: "", OPTIONAL or WRAPPER.
	Nullable string
}

// Timestamp says which column a source or sink takes its record timestamps
// from. Pattern is the java.time pattern for a STRING column.
type Timestamp struct {
	Column  string
	Pattern string
}

// Topic is a topic that a plan reads or writes and how its records look.
type Topic struct {
	Name  string
	Key   Format
	Value Format
	// Window and WindowSize tell of windowed keys; the size is 0 for sessions.
	Window     types.WindowKind
	WindowSize time.Duration
}

// Source reads a topic declared as a stream or table. Columns are those of the
// declaration, header columns included.
type Source struct {
	Name      string // of the stream or table
	Topic     Topic
	Table     bool
	Columns   *types.Schema
	Timestamp *Timestamp
	// Offsets is where a new query begins: "earliest", "latest" or "" for the
	// default (streams latest, tables earliest).
	Offsets string
}

// Filter lets rows pass whose predicate is true. On a changelog a row that no
// longer passes becomes a tombstone if its predecessor passed.
type Filter struct {
	Input     Node
	Predicate Expr
}

// Project computes new value columns. KeyNames renames the key columns in
// place; it has as many names as the input has key columns.
type Project struct {
	Input    Node
	KeyNames []string
	Values   []Named
}

// FlatMap calls table functions and gives one row per element of the longest
// result, the shorter ones padded with nulls. Its schema is the input's with a
// value column per call appended.
type FlatMap struct {
	Input Node
	Calls []TableCall
}

// TableCall is a call of a table function; Name is the column it makes.
type TableCall struct {
	Name     string
	Function string
	Args     []Expr
	Type     *types.Type
}

// Rekey gives rows a new key. The value columns of the result are the input's
// value columns followed by those key columns of the input that Keep names.
// Where a stateful step follows, Repartition is set and Internal is the topic
// through which rows reach the task of their new key.
type Rekey struct {
	Input       Node
	Keys        []Named
	Keep        []Named
	Repartition bool
	Internal    *InternalTopic
}

// InternalTopic is a repartition topic. Its step is the middle part of ksqlDB's
// name for it, such as Aggregate-GroupBy; the application id goes before it and
// "-repartition" behind it.
type InternalTopic struct {
	Step  string
	Key   Format
	Value Format
}

// Aggregate groups rows by the group columns and folds each group. The result
// is a changelog whose key columns are the groups in order and whose value
// columns are the results of the calls, named as the calls say. On a changelog
// input a change takes the old row out of its old group first (undo).
// Repartition says that groups differ from the input's key, so that rows must
// travel through Internal first.
type Aggregate struct {
	Input       Node
	Groups      []Named
	Calls       []AggregateCall
	Window      *Window
	Repartition bool
	Internal    *InternalTopic
	// Step names the state store, such as Aggregate-Aggregate-Materialize.
	Step string
	// KeyFormat and ValueFormat are those of the state's changelog in ksqlDB;
	// KeyFormat also decides the order of groups in scans.
	KeyFormat   Format
	ValueFormat Format
}

// AggregateCall is a call of an aggregate function; Name is the column it makes.
type AggregateCall struct {
	Name     string
	Function string
	Args     []Expr
	Type     *types.Type
}

// WindowType is the kind of a WINDOW clause.
type WindowType uint8

// The windows of ksqlDB.
const (
	Tumbling WindowType = iota + 1
	Hopping
	Session
)

// Window is a WINDOW clause with its defaults filled in. Size is the gap of a
// session; Advance equals Size for tumbling windows.
type Window struct {
	Type      WindowType
	Size      time.Duration
	Advance   time.Duration
	Grace     time.Duration
	Retention time.Duration
}

// Suppress holds back the rows of a windowed aggregate until their window has
// closed by stream time (EMIT FINAL).
type Suppress struct {
	Input  Node
	Window *Window
}

// JoinType is the kind of a join.
type JoinType uint8

// The joins of ksqlDB.
const (
	Inner JoinType = iota + 1
	Left
	Right
	Full
)

// Join is what all joins share. The result's key column is KeyName with the
// type of the join key. Its value columns are Prefixed copies of the left
// side's key and value columns, then the right side's, under LeftNames and
// RightNames (key columns first on each side, then value columns). A column
// whose name there is "" is left out of the result.
type Join struct {
	Type       JoinType
	LeftInput  Node
	RightInput Node
	KeyName    string
	LeftNames  []string
	RightNames []string
	// Step begins the names of its stores and topics: "" for the only or last
	// join, "L_" and so on for the inner ones of an n-way join.
	Step string
}

// StreamStreamJoin joins rows of equal key whose times are near: right.time is
// in [left.time-Before, left.time+After]. Grace is nil for the older semantics
// (unmatched rows of outer joins come at once).
type StreamStreamJoin struct {
	Join
	Before time.Duration
	After  time.Duration
	Grace  *time.Duration
}

// StreamTableJoin looks up each stream row's key in the table as it stands.
type StreamTableJoin struct{ Join }

// TableTableJoin joins two tables on their primary keys.
type TableTableJoin struct{ Join }

// ForeignKeyJoin joins a table with another on an expression over the left row
// that equals the right table's primary key. The result's key is the left key.
type ForeignKeyJoin struct {
	Join
	ForeignKey Expr
	// KeyNames are the names of the result's key columns (those of the left).
	KeyNames []string
}

// Sink writes the rows of its input to a topic as they are. Materialize keeps
// the newest row of each key in a store for pull queries.
type Sink struct {
	Input       Node
	Name        string // of the stream or table that is written
	Topic       Topic
	Timestamp   *Timestamp
	Materialize bool
}

// Output hands the rows of its input to the caller: the end of a transient
// query. Columns are those of the answer, in order, picked from the input's
// rows; on a deletion the ones from the key or its window keep their values and
// the others are null. Limit is nil without a LIMIT clause.
type Output struct {
	Input   Node
	Columns []OutputColumn
	Limit   *int
}

// OutputColumn is a column of the answer to a transient query.
type OutputColumn struct {
	Name string
	Type *types.Type
	// From says which part of the row it is taken from, Index where in it (0 for
	// window bounds).
	From  OutputPart
	Index int
}

// OutputPart is a part of a row.
type OutputPart uint8

// The parts of a row that an output may show.
const (
	FromKey OutputPart = iota + 1
	FromValue
	FromWindowStart
	FromWindowEnd
)

// Materialize keeps the newest row of each key of a table for pull queries
// without writing a topic: the plan of a CREATE SOURCE TABLE.
type Materialize struct{ Input Node }

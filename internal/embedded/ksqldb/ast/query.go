package ast

import (
	"math"
	"time"
)

// Query is SELECT ...: a statement of its own, or the body of a CREATE ... AS
// SELECT or INSERT INTO.
type Query struct {
	Source
	// Select has at least one item.
	Select []SelectItem
	From   Relation
	// Window is nil when there is no WINDOW clause.
	Window *Window
	// Where is nil when there is no WHERE clause.
	Where Expr
	// GroupBy is nil when there is no GROUP BY clause.
	GroupBy *GroupBy
	// PartitionBy is nil when there is no PARTITION BY clause.
	PartitionBy *PartitionBy
	// Having is nil when there is no HAVING clause.
	Having Expr
	// Emit is what was written. A persistent query takes EmitUnspecified as
	// EmitChanges; a SELECT statement with EmitUnspecified is a pull query.
	Emit Emit
	// Limit is nil when there is no LIMIT clause. It may be negative.
	Limit *int32
}

func (*Query) statement() {}

// Emit is the output refinement of a query.
type Emit int

// The values of Emit.
const (
	EmitUnspecified Emit = iota
	EmitChanges
	EmitFinal
)

// SelectItem is one element of the projection: SingleColumn, AllColumns or
// StructAll.
type SelectItem interface {
	Node
	selectItem()
}

// SingleColumn is expression [AS alias].
type SingleColumn struct {
	Span
	Expr Expr
	// Alias is nil when none was given.
	Alias *Ident
}

// AllColumns is * or source.*.
type AllColumns struct {
	Span
	// Source is the name or alias before the star; nil for a bare star.
	Source *Ident
}

// StructAll is base->*, all fields of a STRUCT.
type StructAll struct {
	Span
	Base Expr
}

func (*SingleColumn) selectItem() {}
func (*AllColumns) selectItem()   {}
func (*StructAll) selectItem()    {}

// Relation is what a query reads: an AliasedSource, or a Join whose left side is
// again a Relation.
type Relation interface {
	Node
	relation()
}

// AliasedSource is source [[AS] alias].
type AliasedSource struct {
	Span
	// Name of the stream or table.
	Name *Ident
	// Alias is nil when none was given; the source is then known by its name.
	Alias *Ident
}

// Ref returns the name by which columns refer to the source: the alias, or else
// the source's own name.
func (a *AliasedSource) Ref() string {
	if a.Alias != nil {
		return a.Alias.Name
	}
	return a.Name.Name
}

// JoinType is the kind of a Join.
type JoinType int

// The kinds of join.
const (
	InnerJoin JoinType = iota
	LeftJoin
	RightJoin
	// OuterJoin is FULL [OUTER] JOIN.
	OuterJoin
)

// Join is left JOIN right. A chain a JOIN b JOIN c is Join{Join{a, b}, c}.
type Join struct {
	Span
	Type JoinType
	Left Relation
	// Right is the one source that this join adds.
	Right *AliasedSource
	// Within is nil when there is no WITHIN clause.
	Within *Within
	// On is the join condition; never nil.
	On Expr
}

func (*AliasedSource) relation() {}
func (*Join) relation()          {}

// Within is WITHIN size, or WITHIN (before, after), [GRACE PERIOD grace].
type Within struct {
	Span
	// Before and After are the same duration in the short form.
	Before, After Duration
	// Grace is nil when none was given.
	Grace *Duration
}

// TimeUnit is a unit of time.
type TimeUnit int

// The units of time.
const (
	Millisecond TimeUnit = iota
	Second
	Minute
	Hour
	Day
)

var (
	timeUnitText = [...]string{
		Millisecond: "MILLISECONDS", Second: "SECONDS", Minute: "MINUTES", Hour: "HOURS", Day: "DAYS",
	}
	timeUnitMillis = [...]int64{
		Millisecond: 1, Second: 1000, Minute: 60_000, Hour: 3_600_000, Day: 86_400_000,
	}
)

// String returns the unit in the plural, as ksqlDB prints it.
func (u TimeUnit) String() string { return timeUnitText[u] }

// Millis returns the length of the unit in milliseconds.
func (u TimeUnit) Millis() int64 { return timeUnitMillis[u] }

// Duration is number unit, as in 30 SECONDS.
type Duration struct {
	Span
	// Value counts units. It may be 0 or negative; the parser does not judge.
	Value int64
	Unit  TimeUnit
}

// Millis returns the duration in milliseconds; what does not fit 64 bits becomes
// the largest or smallest value, as in Java's TimeUnit.
func (d Duration) Millis() int64 {
	f := d.Unit.Millis()
	switch {
	case d.Value > math.MaxInt64/f:
		return math.MaxInt64
	case d.Value < math.MinInt64/f:
		return math.MinInt64
	}
	return d.Value * f
}

// Duration returns the same as a time.Duration, limited to what that holds
// (about 292 years).
func (d Duration) Duration() time.Duration {
	const limit = int64(math.MaxInt64 / time.Millisecond)
	return time.Duration(min(max(d.Millis(), -limit), limit)) * time.Millisecond
}

// WindowType is the kind of a Window.
type WindowType int

// The kinds of window.
const (
	TumblingWindow WindowType = iota
	HoppingWindow
	SessionWindow
)

var windowTypeText = [...]string{
	TumblingWindow: "TUMBLING", HoppingWindow: "HOPPING", SessionWindow: "SESSION",
}

// String returns the kind as SQL writes it.
func (t WindowType) String() string { return windowTypeText[t] }

// Window is a WINDOW clause.
type Window struct {
	Span
	Type WindowType
	// Size is the window's length, or a session's gap of inactivity.
	Size Duration
	// Advance is the hop of a HoppingWindow; nil for the others.
	Advance *Duration
	// Retention is nil when none was given.
	Retention *Duration
	// Grace is nil when none was given.
	Grace *Duration
}

// GroupBy is a GROUP BY clause.
type GroupBy struct {
	Span
	// Exprs is empty for GROUP BY ().
	Exprs []Expr
}

// PartitionBy is a PARTITION BY clause.
type PartitionBy struct {
	Span
	// Exprs is empty for PARTITION BY ().
	Exprs []Expr
}

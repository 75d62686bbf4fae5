package ast

// Expr is an expression: a value, a condition or a piece of either.
type Expr interface {
	Node
	expr()
}

// Literal is an expression that stands for a constant.
type Literal interface {
	Expr
	literal()
}

// NullLiteral is NULL.
type NullLiteral struct {
	Span
}

// BooleanLiteral is TRUE or FALSE.
type BooleanLiteral struct {
	Span
	Value bool
}

// IntegerLiteral is a whole number that fits 32 bits; ksqlDB types it INTEGER.
// A minus sign directly before a number belongs to the literal.
type IntegerLiteral struct {
	Span
	Value int32
}

// LongLiteral is a whole number that fits 64 but not 32 bits; ksqlDB types it
// BIGINT.
type LongLiteral struct {
	Span
	Value int64
}

// DecimalLiteral is a number with a point and no exponent; ksqlDB types it
// DECIMAL with the digits that were written.
type DecimalLiteral struct {
	Span
	// Text is an optional minus sign, digits, a point, and the digits after it, of
	// which there may be none ("1.50", "-0.5", "7."). There is always a digit before
	// the point, and no needless zero.
	Text string
}

// DoubleLiteral is a number with an exponent; ksqlDB types it DOUBLE.
type DoubleLiteral struct {
	Span
	// Value is finite.
	Value float64
}

// StringLiteral is text in single quotes.
type StringLiteral struct {
	Span
	// Value is the text, with doubled quotes resolved.
	Value string
}

// ColumnRef names a column.
type ColumnRef struct {
	Span
	// Source is the name or alias before the point; nil when there is none.
	Source *Ident
	// Name of the column.
	Name *Ident
}

// LambdaVariable is the use of a parameter inside its lambda.
type LambdaVariable struct {
	Span
	// Name of the parameter, resolved like any identifier.
	Name string
}

// Dereference is base->field, the access to a field of a STRUCT.
type Dereference struct {
	Span
	Base  Expr
	Field *Ident
}

// Subscript is base[index], the access to an ARRAY element or a MAP value.
type Subscript struct {
	Span
	Base  Expr
	Index Expr
}

// FunctionCall is name(arguments).
type FunctionCall struct {
	Span
	Name *Ident
	// Args are the arguments; lambdas are the last ones.
	Args []Expr
	// Star tells that it was called as name(*); Args is then empty.
	Star bool
}

// Lambda is x => body or (x, y) => body. It occurs only as an argument.
type Lambda struct {
	Span
	// Params has at least one name.
	Params []*Ident
	Body   Expr
}

// IntervalUnit is a unit of time used as a function argument, as in
// TIMESTAMPADD(SECONDS, 1, T).
type IntervalUnit struct {
	Span
	Unit TimeUnit
}

// ArithmeticOp is an operator of Arithmetic.
type ArithmeticOp int

// The arithmetic operators.
const (
	Add ArithmeticOp = iota
	Subtract
	Multiply
	Divide
	Modulus
)

var arithmeticOpText = [...]string{Add: "+", Subtract: "-", Multiply: "*", Divide: "/", Modulus: "%"}

// String returns the operator as SQL writes it.
func (o ArithmeticOp) String() string { return arithmeticOpText[o] }

// Arithmetic is left op right.
type Arithmetic struct {
	Span
	Op          ArithmeticOp
	Left, Right Expr
	// OpPos is the place of the operator, which ksqlDB names in its errors.
	OpPos Position
}

// Concat is left || right.
type Concat struct {
	Span
	Left, Right Expr
	// OpPos is the place of the operator.
	OpPos Position
}

// Unary is a sign before an expression that is not a number literal.
type Unary struct {
	Span
	// Negative is true for "-" and false for "+".
	Negative bool
	Operand  Expr
}

// ComparisonOp is an operator of Comparison.
type ComparisonOp int

// The comparison operators.
const (
	Equal ComparisonOp = iota
	NotEqual
	LessThan
	LessOrEqual
	GreaterThan
	GreaterOrEqual
	IsDistinctFrom
)

var comparisonOpText = [...]string{
	Equal: "=", NotEqual: "<>", LessThan: "<", LessOrEqual: "<=",
	GreaterThan: ">", GreaterOrEqual: ">=", IsDistinctFrom: "IS DISTINCT FROM",
}

// String returns the operator as SQL writes it; != is written <>.
func (o ComparisonOp) String() string { return comparisonOpText[o] }

// Comparison is left op right.
type Comparison struct {
	Span
	Op          ComparisonOp
	Left, Right Expr
	// OpPos is the place of the operator, which ksqlDB names in its errors.
	OpPos Position
}

// LogicalOp is an operator of Logical.
type LogicalOp int

// The operators that join two conditions.
const (
	And LogicalOp = iota
	Or
)

// String returns the operator as SQL writes it.
func (o LogicalOp) String() string {
	if o == And {
		return "AND"
	}
	return "OR"
}

// Logical is left AND right or left OR right.
type Logical struct {
	Span
	Op          LogicalOp
	Left, Right Expr
	// OpPos is the place of the operator.
	OpPos Position
}

// Not is NOT operand, and stands around BETWEEN, IN, LIKE and IS DISTINCT FROM
// where those were written with NOT.
type Not struct {
	Span
	Operand Expr
}

// IsNull is operand IS [NOT] NULL.
type IsNull struct {
	Span
	Operand Expr
	// Not is true for IS NOT NULL.
	Not bool
}

// Between is operand BETWEEN lower AND upper, both bounds included.
type Between struct {
	Span
	Operand, Lower, Upper Expr
}

// In is operand IN (values).
type In struct {
	Span
	Operand Expr
	// Values has at least one element.
	Values []Expr
}

// Like is operand LIKE pattern [ESCAPE 'c'].
type Like struct {
	Span
	Operand, Pattern Expr
	// Escape is the escape character; 0 when none was given.
	Escape rune
}

// SearchedCase is CASE WHEN condition THEN result ... [ELSE result] END.
type SearchedCase struct {
	Span
	// Whens has at least one element.
	Whens []*WhenClause
	// Else is nil when it was left out.
	Else Expr
}

// SimpleCase is CASE operand WHEN value THEN result ... [ELSE result] END.
type SimpleCase struct {
	Span
	Operand Expr
	// Whens has at least one element.
	Whens []*WhenClause
	// Else is nil when it was left out.
	Else Expr
}

// WhenClause is one WHEN ... THEN ... of a CASE.
type WhenClause struct {
	Span
	// Condition is a condition in a SearchedCase, a value in a SimpleCase.
	Condition Expr
	Result    Expr
}

// Cast is CAST(operand AS type).
type Cast struct {
	Span
	Operand Expr
	Type    *DataType
}

// ArrayConstructor is ARRAY[element, ...].
type ArrayConstructor struct {
	Span
	Elements []Expr
}

// MapConstructor is MAP(key := value, ...).
type MapConstructor struct {
	Span
	Entries []*MapEntry
}

// MapEntry is one key := value of a MapConstructor.
type MapEntry struct {
	Span
	Key, Value Expr
}

// StructConstructor is STRUCT(name := value, ...).
type StructConstructor struct {
	Span
	Fields []*StructField
}

// StructField is one name := value of a StructConstructor.
type StructField struct {
	Span
	Name  *Ident
	Value Expr
}

func (*NullLiteral) expr()       {}
func (*BooleanLiteral) expr()    {}
func (*IntegerLiteral) expr()    {}
func (*LongLiteral) expr()       {}
func (*DecimalLiteral) expr()    {}
func (*DoubleLiteral) expr()     {}
func (*StringLiteral) expr()     {}
func (*ColumnRef) expr()         {}
func (*LambdaVariable) expr()    {}
func (*Dereference) expr()       {}
func (*Subscript) expr()         {}
func (*FunctionCall) expr()      {}
func (*Lambda) expr()            {}
func (*IntervalUnit) expr()      {}
func (*Arithmetic) expr()        {}
func (*Concat) expr()            {}
func (*Unary) expr()             {}
func (*Comparison) expr()        {}
func (*Logical) expr()           {}
func (*Not) expr()               {}
func (*IsNull) expr()            {}
func (*Between) expr()           {}
func (*In) expr()                {}
func (*Like) expr()              {}
func (*SearchedCase) expr()      {}
func (*SimpleCase) expr()        {}
func (*Cast) expr()              {}
func (*ArrayConstructor) expr()  {}
func (*MapConstructor) expr()    {}
func (*StructConstructor) expr() {}

func (*NullLiteral) literal()    {}
func (*BooleanLiteral) literal() {}
func (*IntegerLiteral) literal() {}
func (*LongLiteral) literal()    {}
func (*DecimalLiteral) literal() {}
func (*DoubleLiteral) literal()  {}
func (*StringLiteral) literal()  {}

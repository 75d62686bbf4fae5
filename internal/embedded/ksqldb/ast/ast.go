// Package ast holds the syntax tree of ksqlDB's SQL: what package parser makes
// of a text, before any name is looked up or any type is known.
//
// Invariants:
//   - Nodes are plain data. Every node is used through a pointer and knows the
//     piece of source it came from; nodes made by hand have a zero Span.
//   - Statement, Expr, Literal, Relation and SelectItem are sealed: only types
//     of this package implement them, so a type switch over them can be complete.
//   - Names are stored resolved: an unquoted identifier in upper case, a quoted
//     one as it was written.
//   - Parentheses leave no trace: the shape of the tree is the precedence.
//   - The negated forms NOT BETWEEN, NOT IN, NOT LIKE and IS NOT DISTINCT FROM
//     are a Not around the positive form, as in ksqlDB. Only IS NOT NULL has a
//     flag of its own.
//
// The package imports nothing of the engine.
package ast

import "fmt"

// Position is a place in the parsed text.
type Position struct {
	// Offset counts bytes from the start of the text, from 0.
	Offset int
	// Line counts from 1; 0 means that the position is unknown.
	Line int
	// Column counts characters (runes) from 1.
	Column int
}

// IsValid reports whether the position is known.
func (p Position) IsValid() bool { return p.Line > 0 }

// String gives "line:column", the way ksqlDB's messages name a place.
func (p Position) String() string { return fmt.Sprintf("%d:%d", p.Line, p.Column) }

// Span is the piece of text that a node came from. Every node embeds one.
type Span struct {
	// Start is the first character of the node.
	Start Position
	// Stop is the place just after the last character of the node.
	Stop Position
}

// Pos returns the place of the node's first character.
func (s Span) Pos() Position { return s.Start }

// End returns the place just after the node's last character.
func (s Span) End() Position { return s.Stop }

func (Span) node() {}

// Node is any part of the tree.
type Node interface {
	// Pos returns the place of the node's first character.
	Pos() Position
	// End returns the place just after the node's last character.
	End() Position
	node()
}

// Ident is a name.
type Ident struct {
	Span
	// Name is the resolved name: upper case if it was not quoted.
	Name string
	// Quoted tells that the name was written in back-ticks or double quotes.
	Quoted bool
	// Raw is the name as written, quotes included.
	Raw string
}

// Text returns the name without quotes and without change of case, which is how
// ksqlDB reads the topic of PRINT and the resources of ASSERT.
func (i *Ident) Text() string {
	if i.Quoted || i.Raw == "" {
		return i.Name
	}
	return i.Raw
}

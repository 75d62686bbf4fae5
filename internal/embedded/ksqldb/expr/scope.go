package expr

import (
	"slices"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// SlotKind says in which part of a row a column lies.
type SlotKind uint8

// The parts of a row. SlotHeaders is the array of all headers, SlotHeader the
// value of the last header with one key.
const (
	SlotKey SlotKind = iota
	SlotValue
	SlotHeaders
	SlotHeader
	SlotRowTime
	SlotRowPartition
	SlotRowOffset
	SlotWindowStart
	SlotWindowEnd
)

// Slot is the place of a column in a [types.Row].
type Slot struct {
	Kind SlotKind
	// Index is the position of a key or value column.
	Index int
	// Header is the key of a SlotHeader.
	Header string
}

// ScopeColumn is a column that an expression can name.
type ScopeColumn struct {
	// Qualifier is the source's name or alias; "" where there is only one.
	Qualifier string
	Name      string
	Type      *types.Type
	Slot      Slot
}

// Scope is the set of columns that an expression can name.
type Scope struct {
	Columns []ScopeColumn
	// Clause is the clause that the expression stands in, for error texts:
	// SELECT (also when empty), WHERE, GROUP BY, PARTITION BY, HAVING, JOIN ON.
	Clause string
}

// HeadersType is the type of a HEADERS column.
var HeadersType = types.ArrayOf(types.StructOf(
	types.Field{Name: "KEY", Type: types.String}, types.Field{Name: "VALUE", Type: types.Bytes}))

// ScopeOf is the scope of one source: the columns of its schema and ksqlDB's
// pseudo columns, with WINDOWSTART and WINDOWEND for a windowed one.
func ScopeOf(schema *types.Schema, windowed bool) *Scope {
	s := &Scope{}
	for i, c := range schema.Key {
		// Re-keyed and joined rows carry their key among their values too; there a
		// key column of the side of a join without a row is NULL.
		if schema.FindValue(c.Name) < 0 {
			s.add(c.Name, c.Type, Slot{Kind: SlotKey, Index: i})
		}
	}
	for i, c := range schema.Value {
		s.add(c.Name, c.Type, Slot{Kind: SlotValue, Index: i})
	}
	for _, c := range schema.Header {
		slot := Slot{Kind: SlotHeaders}
		if key, one := strings.CutPrefix(c.Header, "="); one {
			slot = Slot{Kind: SlotHeader, Header: key}
		}
		s.add(c.Name, c.Type, slot)
	}
	s.addPseudo(types.RowTime, types.Bigint, SlotRowTime)
	s.addPseudo(types.RowPartition, types.Integer, SlotRowPartition)
	s.addPseudo(types.RowOffset, types.Bigint, SlotRowOffset)
	if windowed {
		s.addPseudo(types.WindowStart, types.Bigint, SlotWindowStart)
		s.addPseudo(types.WindowEnd, types.Bigint, SlotWindowEnd)
	}
	return s
}

// In is the same scope for an expression of another clause.
func (s *Scope) In(clause string) *Scope { return &Scope{Columns: s.Columns, Clause: clause} }

func (s *Scope) add(name string, t *types.Type, slot Slot) {
	s.Columns = append(s.Columns, ScopeColumn{Name: name, Type: t, Slot: slot})
}

// addPseudo leaves out a pseudo column that the schema has as a real one, as
// repartitioned and joined rows do.
func (s *Scope) addPseudo(name string, t *types.Type, kind SlotKind) {
	for i := range s.Columns {
		if s.Columns[i].Name == name {
			return
		}
	}
	s.add(name, t, Slot{Kind: kind})
}

// Lookup finds the column that a reference names.
func (s *Scope) Lookup(ref *ast.ColumnRef) (*ScopeColumn, error) {
	var found *ScopeColumn
	for i := range s.Columns {
		c := &s.Columns[i]
		if c.Name != ref.Name.Name || ref.Source != nil && c.Qualifier != ref.Source.Name {
			continue
		}
		if found != nil {
			return nil, errorAt(ref, "%sColumn '%s' is ambiguous. Could be %s.%s or %s.%s.",
				where(ref), ref.Name.Name, found.Qualifier, found.Name, c.Qualifier, c.Name)
		}
		found = c
	}
	if found == nil {
		if ref.Source != nil && !s.hasSource(ref.Source.Name) {
			return nil, errorAt(ref, "'%s' is not a valid stream/table name or alias.", ref.Source.Name)
		}
		return nil, errorAt(ref, "%s%s column '%s' cannot be resolved.", where(ref), s.clause(), Format(ref))
	}
	return found, nil
}

func (s *Scope) hasSource(name string) bool {
	return slices.ContainsFunc(s.Columns, func(c ScopeColumn) bool { return c.Qualifier == name })
}

func (s *Scope) clause() string {
	if s.Clause == "" {
		return "SELECT"
	}
	return s.Clause
}

func where(ref *ast.ColumnRef) string {
	if !ref.Pos().IsValid() {
		return ""
	}
	return location(ref.Pos()) + ": "
}

// usage is the name of the clause in ksqlDB's texts about expressions that can't
// be compiled.
func (s *Scope) usage() string {
	switch s.clause() {
	case "WHERE", "HAVING":
		return "Predicate"
	case "GROUP BY":
		return "Group By"
	case "PARTITION BY":
		return "PartitionBy"
	default:
		return "Select"
	}
}

// invalid is the error for an expression that ksqlDB can't generate code for.
func (s *Scope) invalid(code *codeError, e ast.Expr) error {
	return &Error{
		Pos: code.pos,
		Msg: "Invalid " + s.usage() + ": " + code.msg + ". expression: " + Format(e) + ", schema:" + s.describe(),
	}
}

// describe lists the columns as ksqlDB's texts show a schema.
func (s *Scope) describe() string {
	parts := make([]string, 0, len(s.Columns))
	for i := range s.Columns {
		c := &s.Columns[i]
		text := types.QuoteName(c.Name) + " " + c.Type.String()
		if c.Slot.Kind == SlotKey {
			text += " KEY"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

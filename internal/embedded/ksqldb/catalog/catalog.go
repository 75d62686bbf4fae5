// Package catalog is the metastore of the engine: the streams, tables, custom
// types and persistent queries that exist, and what depends on what.
//
// Invariants: everything that a Catalog holds is immutable once put in, so that
// Snapshot is a copy of a few maps and a request can be tried out on it before
// it is carried out; the same sequence of changes gives the same catalog, and
// every list comes in a fixed order. A Catalog is not safe for concurrent use:
// its owner changes it, everybody else works on a snapshot.
package catalog

import (
	"maps"
	"slices"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// Source is a stream or a table.
type Source struct {
	// Name is the name as stored: upper case unless it was quoted.
	Name string
	Kind ast.SourceKind
	// Schema has the declared or computed columns, header columns included.
	Schema *types.Schema
	// Topic is where its records are and how they look.
	Topic plan.Topic
	// WindowType is TUMBLING, HOPPING or SESSION for windowed keys.
	WindowType string
	// Timestamp is the column that gives the records' times; nil for the time of
	// the Kafka record.
	Timestamp *plan.Timestamp
	// ReadOnly tells that it was created with SOURCE.
	ReadOnly bool
	// CreatedBy is the id of the query that was created together with it; empty
	// for a plain CREATE.
	CreatedBy string
	// SQL is the statement that made it, with defaults filled in.
	SQL string
}

// IsTable reports whether the source is a table.
func (s *Source) IsTable() bool { return s.Kind == ast.Table }

// QueryKind tells how a persistent query came to be.
type QueryKind uint8

// The kinds of persistent query.
const (
	// CreateAs is the query of a CREATE ... AS SELECT.
	CreateAs QueryKind = iota + 1
	// Insert is the query of an INSERT INTO ... SELECT.
	Insert
	// Materialization is the query of a CREATE SOURCE TABLE.
	Materialization
)

// Query is a persistent query.
type Query struct {
	// ID is the query's id, such as CSAS_X_3.
	ID   string
	Kind QueryKind
	// Sources are the names of the streams and tables that it reads.
	Sources []string
	// Sink is the name of the stream or table that it writes; for a
	// Materialization that of the table it keeps.
	Sink string
	// SQL is the statement.
	SQL string
	// Properties are the settings in force when the statement was issued.
	Properties map[string]string
	// Plan is what the query does.
	Plan plan.Node
}

// Catalog is the metastore.
type Catalog struct {
	sources map[string]*Source
	queries map[string]*Query
	order   []string
	types   map[string]*types.Type
}

// New gives an empty catalog.
func New() *Catalog {
	return &Catalog{
		sources: map[string]*Source{},
		queries: map[string]*Query{},
		types:   map[string]*types.Type{},
	}
}

// Snapshot gives an independent copy.
func (c *Catalog) Snapshot() *Catalog {
	return &Catalog{
		sources: maps.Clone(c.sources),
		queries: maps.Clone(c.queries),
		order:   slices.Clone(c.order),
		types:   maps.Clone(c.types),
	}
}

// Source finds a stream or table by its stored name.
func (c *Catalog) Source(name string) (*Source, bool) {
	s, ok := c.sources[name]
	return s, ok
}

// Sources lists all streams and tables by name.
func (c *Catalog) Sources() []*Source {
	list := make([]*Source, 0, len(c.sources))
	for _, name := range slices.Sorted(maps.Keys(c.sources)) {
		list = append(list, c.sources[name])
	}
	return list
}

// OnTopic lists the streams and tables over a topic by name.
func (c *Catalog) OnTopic(topic string) []*Source {
	return slices.DeleteFunc(c.Sources(), func(s *Source) bool { return s.Topic.Name != topic })
}

// Query finds a persistent query by its id.
func (c *Catalog) Query(id string) (*Query, bool) {
	q, ok := c.queries[strings.ToUpper(id)]
	return q, ok
}

// Queries lists all persistent queries in the order of their creation.
func (c *Catalog) Queries() []*Query {
	list := make([]*Query, 0, len(c.order))
	for _, id := range c.order {
		list = append(list, c.queries[id])
	}
	return list
}

// Readers lists the queries that read a stream or table, in the order of their
// creation.
func (c *Catalog) Readers(source string) []*Query {
	return slices.DeleteFunc(c.Queries(), func(q *Query) bool { return !slices.Contains(q.Sources, source) })
}

// Writers lists the queries that write a stream or table, in the order of their
// creation.
func (c *Catalog) Writers(source string) []*Query {
	return slices.DeleteFunc(c.Queries(), func(q *Query) bool { return q.Sink != source || q.Kind == Materialization })
}

// Materialized finds the query that keeps the rows of a table for pull queries.
// The result is nil where there is none: the table can't be asked.
func (c *Catalog) Materialized(table string) *Query {
	s, ok := c.sources[table]
	if !ok || !s.IsTable() {
		return nil
	}
	for _, q := range c.Queries() {
		if q.Sink == table && (q.Kind == CreateAs || q.Kind == Materialization) {
			return q
		}
	}
	return nil
}

// Type finds a custom type by its name.
func (c *Catalog) Type(name string) (*types.Type, bool) {
	t, ok := c.types[name]
	return t, ok
}

// TypeNames lists the custom types by name.
func (c *Catalog) TypeNames() []string { return slices.Sorted(maps.Keys(c.types)) }

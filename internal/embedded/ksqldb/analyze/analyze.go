// Package analyze turns a parsed statement into what has to be done: it looks
// up names, finds types, checks ksqlDB's rules and makes the plan of a query.
//
// It reads the catalog, the settings in force, the topics and the Schema
// Registry, and changes none of them: every result has an Apply that carries
// its part in the catalog out, so that a whole request can be tried out on a
// snapshot first. What a result needs outside the catalog (topics to create,
// schemas to register, queries to start) it lists.
//
// Rules are checked in ksqlDB's order and refused with its words, since the
// first broken rule is the one that a user sees. What the engine can't run is
// refused with the place of the clause; no plan is ever made that leaves
// something out.
//
// Invariants: the same statement, catalog, settings and registry content give
// the same result; expressions in a plan name the columns of their input
// plainly, without a source.
package analyze

import (
	"context"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/function"
)

// Topic is what is known of an existing topic. RetentionMS is -1 for ever and 0
// where it is not known.
type Topic struct {
	Partitions  int
	Replicas    int
	RetentionMS int64
}

// Topics tells which topics exist.
type Topics interface {
	// Topic describes a topic; the second result is false when there is none.
	Topic(ctx context.Context, name string) (Topic, bool, error)
}

// Analyzer analyzes statements against one state of the world. Its fields are
// read, never changed, so it may be copied and used once per request.
type Analyzer struct {
	Catalog   *catalog.Catalog
	Functions *function.Registry
	Registry  format.SchemaRegistry
	Topics    Topics
	Config    Config
	// QueryNumber is the number that the id of the statement's query ends with.
	QueryNumber int64
}

// Result is a statement resolved: one of the exported types of this package
// that has an Apply.
type Result interface {
	// Apply carries out what the statement changes in the catalog. The error is
	// one that appears only against another catalog than the analyzed one.
	Apply(c *catalog.Catalog) error
}

// Analyze resolves a statement that changes the catalog: CREATE, DROP, ALTER,
// INSERT INTO … SELECT and those about types. Statements that only ask or that
// concern the server are not its business and give an error; SELECT has
// Transient and Pull, INSERT … VALUES has InsertValues.
func (a *Analyzer) Analyze(ctx context.Context, stmt ast.Statement) (Result, error) {
	switch s := stmt.(type) {
	case *ast.CreateSource:
		r, err := a.createSource(ctx, s)
		if err != nil {
			return nil, a.quoteCreate(ctx, s, err)
		}
		return r, nil
	case *ast.CreateAsSelect:
		r, err := a.createAsSelect(ctx, s)
		if err != nil {
			return nil, a.quoteCreateAs(ctx, s, err)
		}
		return r, nil
	case *ast.InsertInto:
		return a.insertInto(ctx, s)
	case *ast.DropSource:
		return a.dropSource(s)
	case *ast.AlterSource:
		return a.alterSource(s)
	case *ast.CreateType:
		return a.createType(s)
	case *ast.DropType:
		return a.dropType(s)
	default:
		return nil, badStatement("%s: this statement does not change streams, tables or types", stmt.Pos())
	}
}

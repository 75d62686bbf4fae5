// Package rehearsal runs migrations on the embedded engine in memory, so that they
// can be judged, explained and compared with a server without touching one.
//
// It is the only package that knows both the migrator and the engine; commands
// hand it to the migrator.
//
// Invariants:
//   - An engine of this package opens no connection and writes no file once it is
//     made.
//   - Texts of one engine are comparable with each other and with what Normalize
//     makes of a server's.
package rehearsal

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/explain"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/sqltest"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
	"github.com/orderflow/orderflow/internal/ksql/migrate"
)

// Engine is an engine in memory. One goroutine uses it at a time.
type Engine struct{ session *sqltest.Session }

var _ migrate.Engine = (*Engine)(nil)

// New makes an engine that has these topics, with their numbers of partitions,
// and all schemas of a registry. Without a client there are no schemas.
func New(ctx context.Context, topics map[string]int, schemas *sr.Client) (*Engine, error) {
	memory := &registry.Memory{}
	options := sqltest.Options{Topics: map[string]analyze.Topic{}, Registry: memory, ForgetDeleted: true}
	for name, partitions := range topics {
		options.Topics[name] = analyze.Topic{Partitions: partitions, Replicas: 1}
	}
	if schemas != nil {
		if err := copySchemas(ctx, schemas, memory); err != nil {
			return nil, err
		}
	}
	session, err := sqltest.NewSession(options)
	if err != nil {
		return nil, fmt.Errorf("making an engine in memory: %w", err)
	}
	return &Engine{session}, nil
}

func copySchemas(ctx context.Context, from *sr.Client, to *registry.Memory) error {
	subjects, err := from.Subjects(ctx)
	if err != nil {
		return fmt.Errorf("reading the schemas: %w", err)
	}
	for _, subject := range subjects {
		versions, err := from.Schemas(ctx, subject)
		if err != nil {
			return fmt.Errorf("reading the schemas of %s: %w", subject, err)
		}
		for _, v := range versions {
			schema := registry.Schema{Type: v.Type.String(), Text: v.Schema.Schema}
			for _, r := range v.References {
				schema.References = append(schema.References, registry.Reference{Name: r.Name, Subject: r.Subject, Version: r.Version})
			}
			to.Put(subject, v.ID, schema)
		}
	}
	return nil
}

// Execute implements migrate.Engine.
func (e *Engine) Execute(ctx context.Context, statement string, properties map[string]string) error {
	return e.session.Execute(ctx, statement, properties)
}

// Source implements migrate.Engine.
func (e *Engine) Source(name string) (migrate.Source, bool) {
	source, ok := e.session.Engine().Catalog.Source(name)
	if !ok {
		return migrate.Source{}, false
	}
	return e.describe(source), true
}

// Sources implements migrate.Engine.
func (e *Engine) Sources() []migrate.Source {
	var list []migrate.Source
	for _, source := range e.session.Engine().Catalog.Sources() {
		list = append(list, e.describe(source))
	}
	return list
}

func (e *Engine) describe(source *catalog.Source) migrate.Source {
	described := migrate.Source{
		Name: source.Name, Kind: source.Kind.String(), Columns: columns(source), Topic: source.Topic.Name,
		KeyFormat: source.Topic.Key.Name, ValueFormat: source.Topic.Value.Name, Window: source.WindowType,
		Statement: source.SQL, Query: source.CreatedBy,
	}
	if source.Timestamp != nil {
		described.Timestamp = source.Timestamp.Column
	}
	if topic := e.session.Engine().Lookup(source.Topic.Name); topic != nil {
		described.Partitions = topic.Config.Partitions
	}
	return described
}

// columns are written as DESCRIBE lists them.
func columns(source *catalog.Source) []migrate.Column {
	var list []migrate.Column
	for _, part := range []struct {
		columns []types.Column
		role    string
	}{{source.Schema.Key, "KEY"}, {source.Schema.Value, ""}, {source.Schema.Header, "HEADER"}} {
		for _, column := range part.columns {
			list = append(list, migrate.Column{Name: column.Name, Type: column.Type.String(), Role: part.role})
		}
	}
	return list
}

// Queries implements migrate.Engine.
func (e *Engine) Queries() []migrate.Query {
	var list []migrate.Query
	for _, q := range e.session.Engine().Catalog.Queries() {
		list = append(list, migrate.Query{
			ID: q.ID, Sink: q.Sink, Sources: slices.Clone(q.Sources), Insert: q.Kind == catalog.Insert,
			Statement: q.SQL, Properties: q.Properties,
		})
	}
	return list
}

// Types implements migrate.Engine.
func (e *Engine) Types() map[string]string {
	all := map[string]string{}
	known := e.session.Engine().Catalog
	for _, name := range known.TypeNames() {
		if t, ok := known.Type(name); ok {
			all[name] = t.String()
		}
	}
	return all
}

// Topics implements migrate.Engine.
func (e *Engine) Topics() map[string]int {
	engine := e.session.Engine()
	all := map[string]int{}
	for _, name := range engine.TopicNames() {
		all[name] = engine.Lookup(name).Config.Partitions
	}
	return all
}

// Explain implements migrate.Engine.
func (e *Engine) Explain(queryID string) (string, bool) {
	query, ok := e.session.Engine().Catalog.Query(queryID)
	if !ok {
		return "", false
	}
	described := explain.Query{ID: query.ID, Plan: query.Plan}
	if statements, err := parser.Parse(query.SQL); err == nil && len(statements) == 1 {
		switch s := statements[0].(type) {
		case *ast.CreateAsSelect:
			described.Select = s.Query
		case *ast.InsertInto:
			described.Select = s.Query
		}
	}
	return strings.TrimRight(explain.ExecutionPlan(described), "\n"), true
}

// settledElsewhere are properties of a statement that servers add by what they
// find: how many partitions the topic has, and how it is kept.
var settledElsewhere = map[string]bool{"CLEANUP_POLICY": true, "RETENTION_MS": true, "PARTITIONS": true, "REPLICAS": true}

// Normalize implements migrate.Engine: OR REPLACE and IF NOT EXISTS are left out
// too, which say nothing about what stands in the end.
func (e *Engine) Normalize(statements string) (string, error) {
	parsed, err := parser.Parse(statements)
	if err != nil {
		return "", err
	}
	texts := make([]string, len(parsed))
	for i, statement := range parsed {
		switch s := statement.(type) {
		case *ast.CreateSource:
			s.OrReplace, s.IfNotExists, s.With = false, false, lasting(s.With)
		case *ast.CreateAsSelect:
			s.OrReplace, s.IfNotExists, s.With = false, false, lasting(s.With)
		}
		texts[i] = strings.TrimSuffix(ast.Format(statement), ";") + ";"
	}
	return strings.Join(texts, "\n"), nil
}

func lasting(properties []*ast.Property) []*ast.Property {
	return slices.DeleteFunc(slices.Clone(properties), func(p *ast.Property) bool { return settledElsewhere[p.Name] })
}

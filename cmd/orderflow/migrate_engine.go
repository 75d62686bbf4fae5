package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/explain"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/sqltest"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/ksql/migrate"
)

// validationEngine is an engine in memory, as the migrator needs it.
type validationEngine struct{ *sqltest.Session }

var (
	_ migrate.Describer = validationEngine{}
	_ migrate.Explainer = validationEngine{}
)

// Columns implements migrate.Describer.
func (e validationEngine) Columns(name string) ([]string, bool) {
	source, ok := e.Engine().Catalog.Source(name)
	if !ok {
		return nil, false
	}
	var columns []string
	for _, part := range []struct {
		columns []types.Column
		role    string
	}{{source.Schema.Key, " KEY"}, {source.Schema.Value, ""}, {source.Schema.Header, " HEADER"}} {
		for _, column := range part.columns {
			columns = append(columns, column.Name+" "+column.Type.String()+part.role)
		}
	}
	return columns, true
}

// Explain implements migrate.Explainer.
func (e validationEngine) Explain() (string, bool) {
	queries := e.Engine().Catalog.Queries()
	if len(queries) == 0 {
		return "", false
	}
	last := queries[len(queries)-1]
	statements, err := parser.Parse(last.SQL)
	if err != nil || len(statements) != 1 {
		return "", false
	}
	described := explain.Query{ID: last.ID, Plan: last.Plan}
	switch s := statements[0].(type) {
	case *ast.CreateAsSelect:
		described.Select = s.Query
	case *ast.InsertInto:
		described.Select = s.Query
	}
	return strings.TrimRight(explain.ExecutionPlan(described), "\n"), true
}

// newValidationEngine makes an engine in memory that has the topics, and the
// schemas of the configured Schema Registry.
func newValidationEngine(ctx context.Context, env *environment, topics map[string]int) (migrate.Engine, error) {
	options := sqltest.Options{Topics: map[string]analyze.Topic{}, Registry: &registry.Memory{}}
	for name, partitions := range topics {
		options.Topics[name] = analyze.Topic{Partitions: partitions, Replicas: 1}
	}
	source, err := kafka.NewRegistry(kafkaConfig(env))
	if err != nil {
		return nil, err
	}
	client := source.Client()
	subjects, err := client.Subjects(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the schemas: %w", err)
	}
	for _, subject := range subjects {
		versions, err := client.Schemas(ctx, subject)
		if err != nil {
			return nil, fmt.Errorf("reading the schemas of %s: %w", subject, err)
		}
		for _, v := range versions {
			schema := registry.Schema{Type: v.Type.String(), Text: v.Schema.Schema}
			for _, r := range v.References {
				schema.References = append(schema.References, registry.Reference{Name: r.Name, Subject: r.Subject, Version: r.Version})
			}
			options.Registry.Put(subject, v.ID, schema)
		}
	}
	session, err := sqltest.NewSession(options)
	if err != nil {
		return nil, err
	}
	return validationEngine{session}, nil
}

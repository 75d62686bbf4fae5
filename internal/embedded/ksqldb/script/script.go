// Package script runs SQL statements and records against the engine's core in
// memory: parser, analyzer, builder and operators as they are, without broker,
// server or clock. Tests are written with it.
//
// Topics have one partition. A record has had all its consequences, through all
// queries, when Send returns; queries take it in the order of their creation,
// and what they write is taken in the order of writing. A new query reads its
// topics from the beginning unless auto.offset.reset says latest. Everything is
// deterministic.
package script

import (
	"context"
	"fmt"
	"maps"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/build"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec/drive"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/function"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
)

// Config configures an Engine.
type Config struct {
	// Functions are the functions that statements may call. Required.
	Functions *function.Registry
	// Registry keeps schemas; nil makes an empty one.
	Registry *registry.Memory
	// Properties are server-wide settings.
	Properties map[string]string
	// ServiceID is part of the names of internal topics; empty for default_.
	ServiceID string
}

// Engine runs statements. It is not safe for concurrent use.
type Engine struct {
	cfg        Config
	catalog    *catalog.Catalog
	properties map[string]string
	queries    []*Query
	log        []exec.InRecord
	offsets    map[string]int64
	waiting    []exec.InRecord
	number     int64
	problems   []exec.ProcessingError
}

// Query is a running query.
type Query struct {
	ID       string
	Topology *exec.Topology
	Driver   *drive.Driver
}

// New makes an engine without statements.
func New(cfg Config) *Engine {
	if cfg.Registry == nil {
		cfg.Registry = &registry.Memory{}
	}
	if cfg.ServiceID == "" {
		cfg.ServiceID = "default_"
	}
	e := &Engine{cfg: cfg, catalog: catalog.New(), properties: map[string]string{}, offsets: map[string]int64{}}
	maps.Copy(e.properties, cfg.Properties)
	return e
}

// Catalog is the metastore, not to be changed.
func (e *Engine) Catalog() *catalog.Catalog { return e.catalog }

// Registry keeps the schemas.
func (e *Engine) Registry() *registry.Memory { return e.cfg.Registry }

// Queries lists the running queries in the order of their creation.
func (e *Engine) Queries() []*Query { return e.queries }

// Problems lists the processing errors so far.
func (e *Engine) Problems() []exec.ProcessingError { return e.problems }

// Run executes statements one after the other until one fails.
func (e *Engine) Run(ctx context.Context, sql string) error {
	statements, err := parser.Parse(sql)
	if err != nil {
		return err
	}
	for _, s := range statements {
		if err := e.statement(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) statement(ctx context.Context, s ast.Statement) error {
	switch s := s.(type) {
	case *ast.SetProperty:
		e.properties[s.Name] = s.Value
		return nil
	case *ast.UnsetProperty:
		delete(e.properties, s.Name)
		return nil
	}
	cfg, err := analyze.ConfigFrom(maps.Clone(e.properties))
	if err != nil {
		return err
	}
	a := &analyze.Analyzer{
		Catalog: e.catalog, Functions: e.cfg.Functions, Registry: e.cfg.Registry, Topics: allTopics{}, Config: cfg, QueryNumber: e.number,
	}
	e.number++
	result, err := a.Analyze(ctx, s)
	if err != nil {
		return err
	}
	if err := e.register(ctx, result); err != nil {
		return err
	}
	if err := result.Apply(e.catalog); err != nil {
		return err
	}
	switch r := result.(type) {
	case *analyze.CreateSource:
		return e.start(ctx, r.Query)
	case *analyze.CreateAsSelect:
		return e.start(ctx, r.Query)
	case *analyze.InsertInto:
		return e.start(ctx, r.Query)
	}
	return nil
}

func (e *Engine) register(ctx context.Context, r analyze.Result) error {
	var specs []format.Spec
	always := true
	switch r := r.(type) {
	case *analyze.CreateSource:
		specs, always = r.Schemas, false
	case *analyze.CreateAsSelect:
		specs = r.Schemas
	case *analyze.InsertInto:
		specs = r.Schemas
	}
	for _, spec := range specs {
		if err := format.Register(ctx, e.cfg.Registry, spec, always); err != nil {
			return err
		}
	}
	return nil
}

// start runs a query over what its topics hold already.
func (e *Engine) start(ctx context.Context, q *catalog.Query) error {
	if q == nil {
		return nil
	}
	topology, err := build.Build(ctx, q.Plan, build.Options{
		ApplicationID: "_confluent-ksql-" + e.cfg.ServiceID + "query_" + q.ID,
		Functions:     e.cfg.Functions, CustomType: e.catalog.Type, Registry: e.cfg.Registry, Properties: q.Properties,
	})
	if err != nil {
		return err
	}
	driver, err := drive.New(topology, drive.Callbacks{
		Output:  e.write,
		Problem: func(p exec.ProcessingError) { e.problems = append(e.problems, p) },
	})
	if err != nil {
		return err
	}
	query := &Query{ID: q.ID, Topology: topology, Driver: driver}
	e.queries = append(e.queries, query)
	if q.Properties["auto.offset.reset"] == "latest" {
		return nil
	}
	for _, rec := range e.log[:len(e.log):len(e.log)] {
		if err := query.process(rec); err != nil {
			return err
		}
	}
	return e.settle()
}

func (q *Query) process(rec exec.InRecord) error {
	if !q.Driver.Reads(rec.Topic) {
		return nil
	}
	if err := q.Driver.Process(rec); err != nil {
		return fmt.Errorf("running query %s: %w", q.ID, err)
	}
	return nil
}

// write appends an output to its topic and lets it wait for the queries that
// read it.
func (e *Engine) write(o exec.Output) {
	rec := exec.InRecord{
		Topic: o.Topic, Key: o.Key, Value: o.Value, Time: o.Time, Headers: o.Headers, Offset: e.offsets[o.Topic],
	}
	e.offsets[o.Topic]++
	e.log = append(e.log, rec)
	e.waiting = append(e.waiting, rec)
}

// Send appends a record to its topic and runs everything that follows from it.
func (e *Engine) Send(rec exec.InRecord) error {
	e.write(exec.Output{Topic: rec.Topic, Key: rec.Key, Value: rec.Value, Time: rec.Time, Headers: rec.Headers})
	return e.settle()
}

func (e *Engine) settle() error {
	for len(e.waiting) > 0 {
		rec := e.waiting[0]
		e.waiting = e.waiting[1:]
		for _, q := range e.queries {
			if err := q.process(rec); err != nil {
				return err
			}
		}
	}
	return nil
}

// Topic lists the records of a topic in order.
func (e *Engine) Topic(name string) []exec.InRecord {
	var records []exec.InRecord
	for _, rec := range e.log {
		if rec.Topic == name {
			records = append(records, rec)
		}
	}
	return records
}

// allTopics says of every topic that it exists, with one partition.
type allTopics struct{}

func (allTopics) Topic(context.Context, string) (analyze.Topic, bool, error) {
	return analyze.Topic{Partitions: 1, Replicas: 1}, true, nil
}

// Package sqltest runs ksqlDB statements in the test process: the engine's own
// parser, analysis, plans and operators, over topics that are slices in memory.
// The conformance tests drive it query by query; scripts (see Session) statement by
// statement.
//
// Invariants: every topic has one partition; nothing depends on the clock but
// the timestamps of INSERT … VALUES, and those come from Options.Now; an Engine
// is used by one goroutine.
package sqltest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/build"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/function"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// Options configure an Engine.
type Options struct {
	// ServiceID is part of the names of internal topics; "default_" if empty.
	ServiceID string
	// Properties are settings by name.
	Properties map[string]string
	// Functions are the functions that statements may call; ksqlDB's own if nil.
	Functions *function.Registry
	// Registry is the Schema Registry; an empty one if nil.
	Registry *registry.Memory
	// Topics are topics that exist from the start.
	Topics map[string]analyze.Topic
	// MissingPartitions makes every topic that is asked for exist, described
	// with so many partitions; 0 leaves missing topics missing.
	MissingPartitions int
	// Observed has the records that a Session's assertions compare, where somebody else
	// carries out the same statements; those of the engine if nil.
	Observed Observed
	// ForgetDeleted has DELETE TOPIC take the topic and its records away, so that
	// another of that name can be made; else they stay.
	ForgetDeleted bool
	// Now is the clock of INSERT … VALUES; time.Now if nil.
	Now func() time.Time
}

// Engine holds what statements have made so far.
type Engine struct {
	opts    Options
	Catalog *catalog.Catalog
	// Queries are the persistent queries in the order of their creation.
	Queries []*Query
	topics  map[string]*Topic
	number  int64
	quiet   bool // see Quiet
}

// Topic is a topic's content.
type Topic struct {
	Name    string
	Config  analyze.Topic
	Records []Record
}

// Record is a record of a topic. A nil Key or Value is null.
type Record struct {
	Key, Value []byte
	Time       int64
	Headers    []types.Header
}

// New makes an engine without streams and tables.
func New(o Options) (*Engine, error) {
	if o.Functions == nil {
		builtin, err := function.Builtin(function.Options{})
		if err != nil {
			return nil, err
		}
		o.Functions = builtin
	}
	if o.Registry == nil {
		o.Registry = &registry.Memory{}
	}
	if o.ServiceID == "" {
		o.ServiceID = "default_"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Properties == nil {
		o.Properties = map[string]string{}
	}
	e := &Engine{opts: o, Catalog: catalog.New(), topics: map[string]*Topic{}}
	for name, t := range o.Topics {
		e.topics[name] = &Topic{Name: name, Config: t}
	}
	return e, nil
}

// Registry is the engine's Schema Registry.
func (e *Engine) Registry() *registry.Memory { return e.opts.Registry }

// Properties are the settings in force; SET changes them.
func (e *Engine) Properties() map[string]string { return e.opts.Properties }

// Lookup gives a topic's content, nil where there is no such topic.
func (e *Engine) Lookup(name string) *Topic { return e.topics[name] }

// TopicNames are the names of all topics, sorted.
func (e *Engine) TopicNames() []string { return slices.Sorted(maps.Keys(e.topics)) }

// Writers counts the queries that write a topic.
func (e *Engine) Writers(topic string) int {
	n := 0
	for _, q := range e.Queries {
		if slices.ContainsFunc(q.Topology.Subs, func(sub *exec.SubTopology) bool { return slices.Contains(sub.Writes, topic) }) {
			n++
		}
	}
	return n
}

// Quiet reports whether a query that reads several topics took a record of the last
// Feed and wrote nothing for it, so that nobody could see from outside that it did.
func (e *Engine) Quiet() bool { return e.quiet }

// Topic implements analyze.Topics.
func (e *Engine) Topic(_ context.Context, name string) (analyze.Topic, bool, error) {
	t, ok := e.topics[name]
	if !ok && e.opts.MissingPartitions > 0 {
		return e.ensure(name, analyze.Topic{Partitions: e.opts.MissingPartitions, Replicas: 1}).Config, true, nil
	}
	if !ok {
		return analyze.Topic{}, false, nil
	}
	return t.Config, true, nil
}

func (e *Engine) ensure(name string, config analyze.Topic) *Topic {
	t, ok := e.topics[name]
	if !ok {
		t = &Topic{Name: name, Config: config}
		e.topics[name] = t
	}
	return t
}

// Append puts a record at the end of a topic. Queries do not see it by
// themselves: Feed does both.
func (e *Engine) Append(topic string, r Record) int64 {
	t := e.ensure(topic, analyze.Topic{Partitions: 1, Replicas: 1})
	t.Records = append(t.Records, r)
	return int64(len(t.Records) - 1)
}

// analyzer has the engine's present state.
func (e *Engine) analyzer() (*analyze.Analyzer, error) {
	config, err := analyze.ConfigFrom(e.opts.Properties)
	if err != nil {
		return nil, err
	}
	return &analyze.Analyzer{
		Catalog: e.Catalog, Functions: e.opts.Functions, Registry: e.opts.Registry, Topics: e, Config: config,
		QueryNumber: e.number,
	}, nil
}

// Inserted is what an INSERT … VALUES writes.
type Inserted struct {
	Topic  string
	Record Record
}

// Execute runs statements: all that change the catalog, SET, UNSET, and INSERT …
// VALUES, whose records it returns without writing them. It stops at the first
// error.
func (e *Engine) Execute(ctx context.Context, sql string) ([]Inserted, error) {
	stmts, err := parser.Parse(sql)
	if err != nil {
		return nil, err
	}
	var out []Inserted
	for _, s := range stmts {
		inserted, err := e.execute(ctx, s)
		if err != nil {
			return out, err
		}
		out = append(out, inserted...)
	}
	return out, nil
}

func (e *Engine) execute(ctx context.Context, s ast.Statement) ([]Inserted, error) {
	switch s := s.(type) {
	case *ast.SetProperty:
		e.opts.Properties[s.Name] = s.Value
		return nil, nil
	case *ast.UnsetProperty:
		delete(e.opts.Properties, s.Name)
		return nil, nil
	case *ast.TerminateQuery:
		return nil, e.terminate(s)
	case *ast.InsertValues:
		return e.insert(ctx, s)
	}
	a, err := e.analyzer()
	if err != nil {
		return nil, err
	}
	r, err := a.Analyze(ctx, s)
	if err != nil {
		return nil, err
	}
	if err := e.provide(ctx, r); err != nil {
		return nil, err
	}
	if err := r.Apply(e.Catalog); err != nil {
		return nil, err
	}
	return nil, e.follow(ctx, r)
}

func (e *Engine) terminate(s *ast.TerminateQuery) error {
	for _, q := range slices.Clone(e.Queries) {
		if s.QueryID == nil || strings.EqualFold(q.ID, s.QueryID.Name) {
			e.Catalog.RemoveQuery(q.ID)
			e.remove(q.ID)
		}
	}
	return nil
}

func (e *Engine) remove(id string) {
	e.Queries = slices.DeleteFunc(e.Queries, func(q *Query) bool { return q.ID == id })
}

// provide creates topics and registers schemas.
func (e *Engine) provide(ctx context.Context, r analyze.Result) error {
	var schemas []format.Spec
	always := true
	switch r := r.(type) {
	case *analyze.CreateSource:
		schemas, always = r.Schemas, false
		if r.Topic != nil {
			e.create(*r.Topic)
		}
	case *analyze.CreateAsSelect:
		schemas = r.Schemas
		if !r.Exists {
			e.create(r.Topic)
		}
	case *analyze.InsertInto:
		schemas = r.Schemas
	case *analyze.AlterSource:
		schemas = r.Schemas
	}
	for _, spec := range schemas {
		if err := format.Register(ctx, e.opts.Registry, spec, always); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) create(t analyze.TopicSpec) {
	config := analyze.Topic{Partitions: max(t.Partitions, 1), Replicas: max(t.Replicas, 1)}
	if t.RetentionMS != nil {
		config.RetentionMS = *t.RetentionMS
	}
	e.ensure(t.Name, config)
}

// follow starts and stops queries.
func (e *Engine) follow(ctx context.Context, r analyze.Result) error {
	switch r := r.(type) {
	case *analyze.CreateSource:
		if r.Query != nil {
			return e.start(ctx, r.Query)
		}
	case *analyze.CreateAsSelect:
		if r.Query != nil {
			return e.start(ctx, r.Query)
		}
	case *analyze.InsertInto:
		return e.start(ctx, r.Query)
	case *analyze.DropSource:
		for _, q := range r.Stopped {
			e.remove(q.ID)
		}
		if e.opts.ForgetDeleted && r.DeleteTopic && r.Source != nil {
			delete(e.topics, r.Source.Topic.Name)
		}
	}
	return nil
}

// start builds a query. One of the same id goes on with its state.
func (e *Engine) start(ctx context.Context, q *catalog.Query) error {
	topology, err := build.Build(ctx, q.Plan, build.Options{
		ApplicationID: "_confluent-ksql-" + e.opts.ServiceID + "query_" + q.ID,
		Functions:     e.opts.Functions, CustomType: e.Catalog.Type, Registry: e.opts.Registry, Properties: q.Properties,
	})
	if err != nil {
		return err
	}
	at := slices.IndexFunc(e.Queries, func(o *Query) bool { return o.ID == q.ID })
	var before *Query
	if at >= 0 {
		before = e.Queries[at]
	}
	started, err := newQuery(q, topology, before)
	if err != nil {
		return err
	}
	if at >= 0 {
		e.Queries[at] = started
		return nil
	}
	e.number++
	e.Queries = append(e.Queries, started)
	return nil
}

func (e *Engine) insert(ctx context.Context, s *ast.InsertValues) ([]Inserted, error) {
	a, err := e.analyzer()
	if err != nil {
		return nil, err
	}
	r, err := a.InsertValues(s)
	if err != nil {
		return nil, err
	}
	key, value, err := e.encode(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("Failed to insert values into '%s'. %w", r.Target.Name, err)
	}
	rec := Record{Key: key, Value: value, Time: e.opts.Now().UnixMilli()}
	if r.Time != nil {
		rec.Time = *r.Time
	}
	return []Inserted{{Topic: r.Target.Topic.Name, Record: rec}}, nil
}

func (e *Engine) encode(ctx context.Context, r *analyze.InsertValues) (key, value []byte, err error) {
	for i, spec := range []format.Spec{analyze.KeySpec(r.Target), analyze.ValueSpec(r.Target)} {
		values := [][]types.Value{r.Key, r.Value}[i]
		if len(spec.Columns) == 0 {
			continue
		}
		serde, err := format.New(ctx, spec, e.opts.Registry)
		if err != nil {
			return nil, nil, err
		}
		b, err := serde.Serialize(nil, values)
		if err != nil {
			return nil, nil, err
		}
		if i == 0 {
			key = b
		} else {
			value = b
		}
	}
	return key, value, nil
}

// Feed appends a record to a topic and takes it through all queries that read
// the topic, then what they wrote through those that read that, and so on: what
// was written first is taken first, as by queries that run side by side.
func (e *Engine) Feed(topic string, r Record) error {
	type fed struct {
		Output
		hops int
	}
	waiting := []fed{{Output{topic, r}, 0}}
	e.quiet = false
	for len(waiting) > 0 {
		next := waiting[0]
		waiting = waiting[1:]
		if next.hops > maxHops {
			return errors.New("feeding a record: the queries form a cycle")
		}
		offset := e.Append(next.Topic, next.Record)
		for _, q := range e.Queries {
			if !q.Reads(next.Topic) {
				continue
			}
			outputs, err := q.Process(next.Topic, offset, next.Record)
			if err != nil {
				return err
			}
			if len(outputs) == 0 && len(q.SourceTopics()) > 1 {
				e.quiet = true
			}
			for _, o := range outputs {
				waiting = append(waiting, fed{o, next.hops + 1})
			}
		}
	}
	return nil
}

const maxHops = 100

// Query is a running query.
type Query struct {
	*catalog.Query
	Topology *exec.Topology
	// Problems are the entries of the processing log.
	Problems []exec.ProcessingError

	tasks   []*exec.Task
	stores  []*storesOf
	pending []exec.Output
	// row gets the rows of a transient query.
	row     func(*types.Row)
	offsets map[string]int64
}

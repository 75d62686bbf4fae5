package conformance

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/function"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/sqltest"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// Runner runs cases.
type Runner struct {
	// Functions are ksqlDB's functions and those of its own tests.
	Functions *function.Registry
	// Limit is how long a case may take in one format.
	Limit time.Duration
}

// Run runs a case in all its formats. The error says what the first format that
// fails does wrong.
func (r *Runner) Run(c Case) error {
	variants, err := c.Variants()
	if err != nil {
		return err
	}
	for _, v := range variants {
		if err := r.limited(v); err != nil {
			if v.Name != "" {
				return fmt.Errorf("%s: %w", v.Name, err)
			}
			return err
		}
	}
	return nil
}

// PanicError is a panic of the engine.
type PanicError struct {
	Value any
	Stack string
}

// Error gives what the code panicked with.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// limited runs a variant and gives up on it after the limit.
func (r *Runner) limited(v Variant) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- &PanicError{p, string(debug.Stack())}
			}
		}()
		done <- r.variant(v)
	}()
	timer := time.NewTimer(r.Limit)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fmt.Errorf("not done after %s", r.Limit)
	}
}

// defaultPartitions is what ksqlDB's test runner says of topics that it makes
// up.
const defaultPartitions = 4

// testRun is one variant being run.
type testRun struct {
	test    Test
	engine  *sqltest.Engine
	schemas format.SchemaRegistry
	foreign map[string]bool // subjects whose schemas the test brought along
	codecs  map[string]*codec
	// registered are the topics whose schemas are in the registry.
	registered map[string]bool
	// inputs are the records of the inputs, in order.
	inputs  []sqltest.Inserted
	inserts bool
}

func (r *Runner) variant(v Variant) error {
	ctx := context.Background()
	run := &testRun{test: v.Test, foreign: map[string]bool{}, registered: map[string]bool{}, codecs: map[string]*codec{}}
	if err := run.setUp(r.Functions); err != nil {
		return err
	}
	err := run.execute(ctx)
	if err == nil && v.Test.Exception == nil || errors.Is(err, errUnmet) {
		if err != nil {
			return err
		}
		return run.verify(ctx)
	}
	if v.Test.Exception == nil {
		return err
	}
	if err == nil {
		return fmt.Errorf("no error, expected: %s", v.Test.Exception.text())
	}
	return v.Test.Exception.check(err, v.Test.Statements)
}

var errUnmet = errors.New("setting up the case")

func (x *ExpectedException) text() string {
	if x.Message != "" {
		return x.Message
	}
	return x.Type
}

// check compares an error with the expected one.
func (x *ExpectedException) check(err error, statements []string) error {
	got := err.Error()
	if e := (*parser.Error)(nil); errors.As(err, &e) {
		got = strings.TrimSuffix(e.Message, "\n") // what follows is a hint of our own
	}
	texts := []string{got, got + "\nStatement: " + statements[len(statements)-1]}
	if e := (*analyze.Error)(nil); errors.As(err, &e) {
		texts = append(texts, got+"\nStatement: "+e.Statement)
	}
	for _, want := range []string{x.Message, x.CauseMessage} {
		if want != "" && slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, want) }) {
			return nil
		}
	}
	if x.Message == "" && x.CauseMessage == "" {
		return nil
	}
	return fmt.Errorf("error %q, expected: %q", got, x.text())
}

func (t *testRun) setUp(functions *function.Registry) error {
	topics := map[string]analyze.Topic{}
	for _, spec := range t.test.Topics {
		topics[spec.Name] = analyze.Topic{Partitions: max(spec.Partitions, 1), Replicas: max(spec.Replicas, 1)}
	}
	properties := map[string]string{}
	for k, v := range t.test.Properties {
		properties[k] = fmt.Sprint(v)
	}
	if _, ok := properties["auto.offset.reset"]; !ok {
		properties["auto.offset.reset"] = "earliest"
	}
	engine, err := sqltest.New(sqltest.Options{
		ServiceID: "some.ksql.service.id", Properties: properties, Functions: functions, Registry: &registry.Memory{},
		Topics: topics, MissingPartitions: defaultPartitions,
	})
	if err != nil {
		return err
	}
	t.engine, t.schemas = engine, engine.Registry()
	return nil
}

var (
	topicOfCreate = regexp.MustCompile(`(?i)kafka_topic\s*=\s*'([^']*)'`)
	isCreateAs    = regexp.MustCompile(`(?is)^\s*(CREATE\b.*\bAS\s+SELECT\b|INSERT\b)`)
)

// registerFor registers the schemas of the topic that a CREATE names, and those
// of all topics left before the first query: schema ids are given in that order.
func (t *testRun) registerFor(sql string) error {
	all := isCreateAs.MatchString(sql)
	named := topicOfCreate.FindStringSubmatch(sql)
	for _, spec := range t.test.Topics {
		if t.registered[spec.Name] || !all && (named == nil || named[1] != spec.Name) {
			continue
		}
		t.registered[spec.Name] = true
		if err := t.register(t.schemas, spec); err != nil {
			return err
		}
	}
	return nil
}

// schemaPutter is a registry that takes schemas with ids that were chosen
// before.
type schemaPutter interface {
	Put(subject string, id int, s registry.Schema)
}

// register puts the schemas of a topic into the registry.
func (t *testRun) register(reg format.SchemaRegistry, spec TopicSpec) error {
	value := spec.ValueSchema
	if len(value) == 0 {
		value = spec.Schema
	}
	for _, side := range []struct {
		schema json.RawMessage
		format string
		id     *int
		refs   []Reference
		isKey  bool
	}{
		{spec.KeySchema, spec.KeyFormat, spec.KeySchemaID, spec.KeyReferences, true},
		{value, spec.ValueFormat, spec.ValueSchemaID, spec.ValueReferences, false},
	} {
		if len(side.schema) == 0 || string(side.schema) == "null" {
			continue
		}
		kind := schemaType(side.format, side.schema)
		s := registry.Schema{Type: kind, Text: schemaText(side.schema, kind)}
		subject := registry.Subject(spec.Name, side.isKey)
		for _, ref := range side.refs {
			if _, err := reg.Register(context.Background(), ref.Name, registry.Schema{Type: kind, Text: schemaText(ref.Schema, kind)}); err != nil {
				return err
			}
			s.References = append(s.References, registry.Reference{Name: ref.Name, Subject: ref.Name, Version: 1})
		}
		t.foreign[subject] = true
		if putter, ok := reg.(schemaPutter); ok && side.id != nil {
			putter.Put(subject, *side.id, s)
			continue
		}
		if _, err := reg.Register(context.Background(), subject, s); err != nil {
			return err
		}
	}
	return nil
}

// schemaType is the kind of a schema: that of the format, else what it looks
// like.
func schemaType(format string, schema json.RawMessage) string {
	switch strings.ToUpper(format) {
	case "PROTOBUF", "PROTOBUF_NOSR":
		return registry.TypeProtobuf
	case "JSON_SR", "JSON":
		return registry.TypeJSON
	case "AVRO":
		return registry.TypeAvro
	}
	var text string
	if json.Unmarshal(schema, &text) == nil && strings.Contains(text, "proto") {
		return registry.TypeProtobuf
	}
	return registry.TypeAvro
}

func schemaText(schema json.RawMessage, kind string) string {
	var text string
	if kind == registry.TypeProtobuf && json.Unmarshal(schema, &text) == nil {
		return text
	}
	return string(schema)
}

// execute runs the statements, encodes the inputs and takes them through the
// queries one query after the other.
func (t *testRun) execute(ctx context.Context) error {
	line := ""
	for _, sql := range t.test.Statements {
		if err := t.registerFor(sql); err != nil {
			return fmt.Errorf("%w: registering schemas: %w", errUnmet, err)
		}
		// Error texts count lines over all statements.
		inserted, err := t.engine.Execute(ctx, line+sql)
		line += strings.Repeat("\n", 1+strings.Count(sql, "\n"))
		if err != nil {
			return err
		}
		t.inputs = append(t.inputs, inserted...)
		t.inserts = t.inserts || len(inserted) > 0
	}
	for i, spec := range t.test.Inputs {
		rec, err := t.encode(ctx, spec)
		if err != nil {
			return fmt.Errorf("%w: writing input %d: %w", errUnmet, i, err)
		}
		t.inputs = append(t.inputs, sqltest.Inserted{Topic: spec.Topic, Record: rec})
	}
	given := map[string]bool{}
	for _, in := range t.inputs {
		given[in.Topic] = true
		t.engine.Append(in.Topic, in.Record)
	}
	for _, q := range t.engine.Queries {
		if err := t.runQuery(q, given); err != nil {
			return err
		}
	}
	return nil
}

// runQuery feeds a query with the inputs of its topics and then with what
// earlier queries wrote to the others.
func (t *testRun) runQuery(q *sqltest.Query, given map[string]bool) error {
	process := func(topic string, offset int64, r sqltest.Record) error {
		outputs, err := q.Process(topic, offset, r)
		if err != nil {
			return err
		}
		for _, o := range outputs {
			t.engine.Append(o.Topic, o.Record)
		}
		return nil
	}
	offsets := map[string]int64{}
	for _, in := range t.inputs {
		offset := offsets[in.Topic]
		offsets[in.Topic]++
		if !q.Reads(in.Topic) {
			continue
		}
		if err := process(in.Topic, offset, in.Record); err != nil {
			return err
		}
	}
	for _, topic := range q.SourceTopics() {
		content := t.engine.Lookup(topic)
		if given[topic] || content == nil {
			continue
		}
		for i, r := range content.Records {
			if err := process(topic, int64(i), r); err != nil {
				return err
			}
		}
	}
	return nil
}

func headersOf(specs []HeaderSpec) ([]types.Header, error) {
	var out []types.Header
	for _, h := range specs {
		header := types.Header{Key: h.Key}
		if h.Value != nil {
			b, err := base64.StdEncoding.DecodeString(*h.Value)
			if err != nil {
				return nil, fmt.Errorf("reading header %s: %w", h.Key, err)
			}
			header.Value = b
		}
		out = append(out, header)
	}
	return out, nil
}

package sqltest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/expr"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/function"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// Session runs the statements of a script one by one: plain SQL in the form of
// ksqlDB's own SQL tests, so that the same text runs on a real ksqlDB's test
// tool.
//
//	CREATE STREAM s (id INT KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
//	CREATE STREAM o AS SELECT id, v * 2 AS d FROM s;
//	INSERT INTO s (id, v, ROWTIME) VALUES (1, 2, 10);
//	ASSERT VALUES o (id, d, ROWTIME) VALUES (1, 4, 10);
//	ASSERT NULL VALUES o (id) KEY (1);
//	ASSERT STREAM o (id INT KEY, d INT) WITH (kafka_topic='O', value_format='JSON');
//
// An INSERT … VALUES goes through all queries at once. ASSERT VALUES compares
// the listed columns of the next record of the source's topic; WINDOWSTART and
// WINDOWEND may be listed for windowed ones.
//
// The only clock is that of the records: what has no ROWTIME of its own, and
// what asks for the time, gets the highest ROWTIME so far, 0 at the start.
type Session struct {
	engine   *Engine
	observed Observed
	// time is the highest ROWTIME so far, in milliseconds.
	time int64
}

// Observed has the records that assertions compare.
type Observed interface {
	// Next gives the records of a topic one of which the next assertion is about, the
	// likeliest first; none when all have been compared. compared counts those.
	Next(ctx context.Context, topic string) (records []Record, compared int, err error)
	// Compared takes the record of that number, of those that Next gave, off.
	Compared(topic string, record int)
	// Registry has the schemas of the records.
	Registry() format.SchemaRegistry
}

// own are the records of a session's own engine.
type own struct {
	*Engine
	cursors map[*Topic]int // the numbers of records that were compared so far
}

func (o *own) Next(_ context.Context, topic string) ([]Record, int, error) {
	t := o.Lookup(topic)
	at := o.cursors[t]
	if t == nil || at >= len(t.Records) {
		return nil, at, nil
	}
	return t.Records[at : at+1], at, nil
}

func (o *own) Compared(topic string, _ int) { o.cursors[o.Lookup(topic)]++ }

func (o *own) Registry() format.SchemaRegistry { return o.opts.Registry }

// NewSession makes a session on an engine of its own. Options.Now is not used.
func NewSession(o Options) (*Session, error) {
	s := &Session{observed: o.Observed}
	o.Now = s.Now
	if o.Functions == nil {
		builtin, err := function.Builtin(function.Options{Now: o.Now})
		if err != nil {
			return nil, err
		}
		o.Functions = builtin
	}
	engine, err := New(o)
	if err != nil {
		return nil, err
	}
	s.engine = engine
	if s.observed == nil {
		s.observed = &own{engine, map[*Topic]int{}}
	}
	return s, nil
}

// Now is the time of what asks for it.
func (s *Session) Now() time.Time { return time.UnixMilli(s.time) }

// Engine is what the statements have made so far.
func (s *Session) Engine() *Engine { return s.engine }

// SchemaID returns the id of a subject's latest schema.
func (s *Session) SchemaID(ctx context.Context, subject string) (int, error) {
	schema, err := s.engine.opts.Registry.Latest(ctx, subject)
	return schema.ID, err
}

// Execute runs statements, assertions included. properties are settings of
// these statements alone; SET changes those of all that follow.
func (s *Session) Execute(ctx context.Context, sql string, properties map[string]string) error {
	stmts, err := parser.ParseTest(sql)
	if err != nil {
		return err
	}
	for _, stmt := range stmts {
		if err := s.executeWith(ctx, stmt, properties); err != nil {
			return err
		}
	}
	return nil
}

func (s *Session) executeWith(ctx context.Context, stmt ast.Statement, properties map[string]string) error {
	switch stmt := stmt.(type) {
	case *ast.SetProperty, *ast.UnsetProperty:
		_, err := s.engine.execute(ctx, stmt)
		return err
	case *ast.RunScript:
		return fmt.Errorf("RUN SCRIPT '%s': a session reads no files", stmt.File)
	}
	lasting := s.engine.opts.Properties
	defer func() { s.engine.opts.Properties = lasting }()
	s.engine.opts.Properties = map[string]string{}
	maps.Copy(s.engine.opts.Properties, lasting)
	maps.Copy(s.engine.opts.Properties, properties)
	return s.execute(ctx, stmt)
}

func (s *Session) execute(ctx context.Context, stmt ast.Statement) error {
	switch stmt := stmt.(type) {
	case *ast.AssertValues:
		return s.assertValues(ctx, stmt)
	case *ast.AssertTombstone:
		return s.assertTombstone(ctx, stmt)
	case *ast.AssertSource:
		return s.assertSource(ctx, stmt)
	}
	inserted, err := s.engine.execute(ctx, stmt)
	if err != nil {
		return err
	}
	for _, i := range inserted {
		s.time = max(s.time, i.Record.Time)
		if err := s.engine.Feed(i.Topic, i.Record); err != nil {
			return err
		}
	}
	return nil
}

// checked is a record that an assertion is about.
type checked struct {
	source *catalog.Source
	row    *types.Row
	// place says which record it is.
	place string
}

// next checks the next record of a source's topic that was not compared yet.
func (s *Session) next(ctx context.Context, name string, check func(checked) error) error {
	source, ok := s.engine.Catalog.Source(name)
	if !ok {
		return fmt.Errorf("source %s does not exist", name)
	}
	topic := source.Topic.Name
	records, at, err := s.observed.Next(ctx, topic)
	if err != nil {
		return err
	}
	if len(records) == 0 {
		return fmt.Errorf("Expected another record, but all records have already been read: %d of topic %s%s", at, topic, s.problems())
	}
	var first error
	for i, rec := range records {
		c := checked{source: source, place: fmt.Sprintf("record %d of topic %s", at+i+1, topic)}
		c.row, err = s.engine.decode(ctx, source, rec, s.observed.Registry())
		if err != nil {
			err = fmt.Errorf("reading %s: %w", c.place, err)
		} else if err = check(c); err == nil {
			s.observed.Compared(topic, i)
			return nil
		}
		first = cmp.Or(first, err)
	}
	return first
}

// problems lists what the queries could not process, since that is often why a
// record is missing.
func (s *Session) problems() string {
	var text strings.Builder
	for _, q := range s.engine.Queries {
		for _, p := range q.Problems {
			fmt.Fprintf(&text, "\n  query %s skipped a record of topic %s: %s", q.ID, p.Topic, strings.Join(append([]string{p.Message}, p.Cause...), ": "))
		}
	}
	return text.String()
}

// decode reads a record of a source's topic.
func (e *Engine) decode(ctx context.Context, s *catalog.Source, rec Record, schemas format.SchemaRegistry) (*types.Row, error) {
	row := &types.Row{Time: rec.Time, Headers: rec.Headers}
	key, window, err := format.SplitWindow(rec.Key, s.Topic.Window, s.Topic.WindowSize.Milliseconds())
	if err != nil {
		return nil, err
	}
	row.Window = window
	if len(s.Schema.Key) > 0 {
		serde, err := format.New(ctx, analyze.KeySpec(s), schemas)
		if err != nil {
			return nil, err
		}
		if row.Key, err = serde.Deserialize(key); err != nil {
			return nil, err
		}
	}
	serde, err := format.New(ctx, analyze.ValueSpec(s), schemas)
	if err != nil {
		return nil, err
	}
	row.Value, err = serde.Deserialize(rec.Value)
	return row, err
}

func (s *Session) assertValues(ctx context.Context, stmt *ast.AssertValues) error {
	return s.next(ctx, stmt.Target.Name, func(c checked) error {
		if c.row.Value == nil && len(c.source.Schema.Value) > 0 {
			return mismatch(c, "it is a tombstone, expected one with a value")
		}
		return s.compare(c, stmt.Columns, stmt.Values)
	})
}

func (s *Session) assertTombstone(ctx context.Context, stmt *ast.AssertTombstone) error {
	return s.next(ctx, stmt.Target.Name, func(c checked) error {
		if c.row.Value != nil {
			return mismatch(c, "it has a value, expected a tombstone")
		}
		return s.compare(c, stmt.Columns, stmt.Values)
	})
}

func mismatch(c checked, lines ...string) error {
	return fmt.Errorf("Expected record does not match actual. In %s:\n  %s", c.place, strings.Join(lines, "\n  "))
}

// compare checks the listed columns of a row. The error shows all of them.
func (s *Session) compare(c checked, columns []*ast.Ident, values []ast.Expr) error {
	scope := expr.ScopeOf(c.source.Schema, c.source.Topic.Window != types.NoWindow)
	names := make([]string, len(columns))
	for i, column := range columns {
		names[i] = column.Name
	}
	if len(names) == 0 {
		for _, column := range slices.Concat(c.source.Schema.Key, c.source.Schema.Value) {
			names = append(names, column.Name)
		}
	}
	if len(names) != len(values) {
		return fmt.Errorf("%d columns are compared with %d values", len(names), len(values))
	}
	a, err := s.engine.analyzer()
	if err != nil {
		return err
	}
	compiler := &expr.Compiler{Registry: s.engine.opts.Functions, CustomType: s.engine.Catalog.Type}
	var lines []string
	same := true
	for i, name := range names {
		column, err := compiler.Compile(&ast.ColumnRef{Name: &ast.Ident{Name: name}}, scope)
		if err != nil {
			return err
		}
		want, err := a.ColumnValue(types.Column{Name: name, Type: column.Type}, values[i])
		if err != nil {
			return err
		}
		got, err := column.Eval(c.row)
		if err != nil {
			return err
		}
		line := fmt.Sprintf("%s is %s", name, types.Text(column.Type, got))
		if !types.Equal(column.Type, got, want) {
			line += ", expected " + types.Text(column.Type, want)
			same = false
		}
		lines = append(lines, line)
	}
	if !same {
		return mismatch(c, lines...)
	}
	return nil
}

// assertSource compares a source with its expected declaration.
func (s *Session) assertSource(ctx context.Context, stmt *ast.AssertSource) error {
	got, ok := s.engine.Catalog.Source(stmt.Name.Name)
	if !ok {
		return fmt.Errorf("source %s does not exist", stmt.Name.Name)
	}
	a, err := s.engine.analyzer()
	if err != nil {
		return err
	}
	a.Catalog, a.Topics = catalog.New(), nil
	declared, err := a.Analyze(ctx, &ast.CreateSource{Kind: stmt.Kind, Name: stmt.Name, Elements: stmt.Elements, With: stmt.With})
	if err != nil {
		return err
	}
	want := declared.(*analyze.CreateSource).Source
	actual := properties(got)
	for i, p := range properties(want) {
		if got := actual[i].value; got != p.value {
			return fmt.Errorf("Expected %s does not match actual for source %s: it is %s, expected %s", p.name, stmt.Name.Name, cmp.Or(got, "none"), cmp.Or(p.value, "none"))
		}
	}
	return nil
}

// property is one of what an assertion about a source compares.
type property struct{ name, value string }

func properties(s *catalog.Source) []property {
	list := []property{
		{"type", s.Kind.String()},
		{"schema", s.Schema.String()},
		{"topic", s.Topic.Name},
		{"key format", s.Topic.Key.Name},
		{"value format", s.Topic.Value.Name},
		{"window", s.WindowType},
	}
	if s.WindowType != "" {
		list[5].value = strings.TrimSpace(s.WindowType + " " + fmt.Sprint(s.Topic.WindowSize))
	}
	for _, part := range []struct {
		name   string
		format plan.Format
	}{{"key", s.Topic.Key}, {"value", s.Topic.Value}} {
		wrap, id := "", ""
		if part.format.Wrap != nil {
			wrap = fmt.Sprintf("wrap %t", *part.format.Wrap)
		}
		if part.format.SchemaID != nil {
			id = fmt.Sprint(*part.format.SchemaID)
		}
		list = append(list, property{part.name + " delimiter", part.format.Delimiter}, property{part.name + " schema id", id},
			property{part.name + " schema full name", part.format.FullName}, property{part.name + " serde features", wrap + part.format.Nullable})
	}
	timestamp := plan.Timestamp{}
	if s.Timestamp != nil {
		timestamp = *s.Timestamp
	}
	return append(list, property{"timestamp column", timestamp.Column}, property{"timestamp format", timestamp.Pattern})
}

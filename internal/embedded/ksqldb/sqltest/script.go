package sqltest

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/expr"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// RunFile runs a script: plain SQL in the form of ksqlDB's own SQL tests, so
// that the same file runs on a real ksqlDB's test tool.
//
//	--@test: the name of a test
//	CREATE STREAM s (id INT KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
//	CREATE STREAM o AS SELECT id, v * 2 AS d FROM s;
//	INSERT INTO s (id, v, ROWTIME) VALUES (1, 2, 10);
//	ASSERT VALUES o (id, d, ROWTIME) VALUES (1, 4, 10);
//	ASSERT NULL VALUES o (id) KEY (1);
//	ASSERT STREAM o (id INT KEY, d INT) WITH (kafka_topic='O', value_format='JSON');
//	--@test: what must be refused
//	--@expected.message: part of the error
//	CREATE STREAM …;
//
// An INSERT … VALUES goes through all queries at once. ASSERT VALUES compares
// the listed columns of the next record of the source's topic; WINDOWSTART and
// WINDOWEND may be listed for windowed ones. A test ends with the first error,
// which must be the expected one.
func RunFile(t *testing.T, path string, o Options) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	RunScript(t, string(text), o)
}

// RunScript runs the text of a script, see RunFile.
func RunScript(t *testing.T, text string, o Options) {
	t.Helper()
	for _, s := range splitScript(text) {
		t.Run(s.name, func(t *testing.T) {
			err := s.run(o)
			switch {
			case s.message == "" && err != nil:
				t.Error(err)
			case s.message != "" && err == nil:
				t.Errorf("nothing failed, expected: %s", s.message)
			case s.message != "" && !strings.Contains(err.Error(), s.message):
				t.Errorf("failed with: %s\nexpected: %s", err, s.message)
			}
		})
	}
}

// script is one test of a file.
type script struct {
	name    string
	message string
	sql     string
	// line is the line that sql begins at, from 1.
	line int
}

func splitScript(text string) []*script {
	var list []*script
	for i, line := range strings.Split(text, "\n") {
		directive, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch directive {
		case "--@test":
			list = append(list, &script{name: strings.TrimSpace(value), line: i + 1})
		case "--@expected.message":
			if len(list) > 0 {
				last := list[len(list)-1]
				last.message = strings.ReplaceAll(strings.TrimSpace(value), `\n`, "\n")
			}
		}
		if len(list) > 0 {
			list[len(list)-1].sql += line + "\n"
		}
	}
	return list
}

func (s *script) run(o Options) error {
	e, err := New(o)
	if err != nil {
		return err
	}
	r := &scriptRun{engine: e, cursors: map[string]int{}}
	// Texts of errors count lines within the file.
	stmts, err := parser.ParseTest(strings.Repeat("\n", s.line-1) + s.sql)
	if err != nil {
		return err
	}
	for _, stmt := range stmts {
		if err := r.execute(stmt); err != nil {
			return fmt.Errorf("%w\nin line %d: %s", err, stmt.Pos().Line, stmt.Text())
		}
	}
	return nil
}

// scriptRun is a test being run. cursors are the numbers of records that were
// compared so far, by topic.
type scriptRun struct {
	engine  *Engine
	cursors map[string]int
}

func (r *scriptRun) execute(stmt ast.Statement) error {
	switch stmt := stmt.(type) {
	case *ast.AssertValues:
		return r.assertValues(stmt)
	case *ast.AssertTombstone:
		return r.assertTombstone(stmt)
	case *ast.AssertSource:
		return r.assertSource(stmt)
	}
	inserted, err := r.engine.execute(context.Background(), stmt)
	if err != nil {
		return err
	}
	for _, i := range inserted {
		if err := r.engine.Feed(i.Topic, i.Record); err != nil {
			return err
		}
	}
	return nil
}

// next decodes the next record of a source's topic that was not compared yet.
func (r *scriptRun) next(name string) (*catalog.Source, *types.Row, error) {
	source, ok := r.engine.Catalog.Source(name)
	if !ok {
		return nil, nil, fmt.Errorf("source %s does not exist", name)
	}
	topic := r.engine.Lookup(source.Topic.Name)
	at := r.cursors[source.Topic.Name]
	if topic == nil || at >= len(topic.Records) {
		return nil, nil, fmt.Errorf("expected another record, but all records have already been read: %d of topic %s", at, source.Topic.Name)
	}
	r.cursors[source.Topic.Name]++
	row, err := r.engine.Decode(source, topic.Records[at])
	return source, row, err
}

// Decode reads a record of a source's topic.
func (e *Engine) Decode(s *catalog.Source, rec Record) (*types.Row, error) {
	ctx := context.Background()
	row := &types.Row{Time: rec.Time, Headers: rec.Headers}
	key, window, err := format.SplitWindow(rec.Key, s.Topic.Window, s.Topic.WindowSize.Milliseconds())
	if err != nil {
		return nil, err
	}
	row.Window = window
	if len(s.Schema.Key) > 0 {
		serde, err := format.New(ctx, analyze.KeySpec(s), e.opts.Registry)
		if err != nil {
			return nil, err
		}
		if row.Key, err = serde.Deserialize(key); err != nil {
			return nil, err
		}
	}
	serde, err := format.New(ctx, analyze.ValueSpec(s), e.opts.Registry)
	if err != nil {
		return nil, err
	}
	row.Value, err = serde.Deserialize(rec.Value)
	return row, err
}

func (r *scriptRun) assertValues(s *ast.AssertValues) error {
	source, row, err := r.next(s.Target.Name)
	if err != nil {
		return err
	}
	return r.compare(source, row, s.Columns, s.Values)
}

func (r *scriptRun) assertTombstone(s *ast.AssertTombstone) error {
	source, row, err := r.next(s.Target.Name)
	if err != nil {
		return err
	}
	if row.Value != nil {
		return fmt.Errorf("expected record does not match actual: it has a value, expected a tombstone")
	}
	return r.compare(source, row, s.Columns, s.Values)
}

// compare checks the listed columns of a row.
func (r *scriptRun) compare(source *catalog.Source, row *types.Row, columns []*ast.Ident, values []ast.Expr) error {
	scope := expr.ScopeOf(source.Schema, source.Topic.Window != types.NoWindow)
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	if len(names) == 0 {
		for _, c := range slices.Concat(source.Schema.Key, source.Schema.Value) {
			names = append(names, c.Name)
		}
	}
	if len(names) != len(values) {
		return fmt.Errorf("%d columns are compared with %d values", len(names), len(values))
	}
	a, err := r.engine.analyzer()
	if err != nil {
		return err
	}
	compiler := &expr.Compiler{Registry: r.engine.opts.Functions, CustomType: r.engine.Catalog.Type}
	for i, name := range names {
		column, err := compiler.Compile(&ast.ColumnRef{Name: &ast.Ident{Name: name}}, scope)
		if err != nil {
			return err
		}
		want, err := a.ColumnValue(types.Column{Name: name, Type: column.Type}, values[i])
		if err != nil {
			return err
		}
		got, err := column.Eval(row)
		if err != nil {
			return err
		}
		if !types.Equal(column.Type, got, want) {
			return fmt.Errorf("expected record does not match actual: %s is %s, expected %s",
				name, types.Text(column.Type, got), types.Text(column.Type, want))
		}
	}
	return nil
}

// assertSource compares a source with its expected declaration.
func (r *scriptRun) assertSource(s *ast.AssertSource) error {
	got, ok := r.engine.Catalog.Source(s.Name.Name)
	if !ok {
		return fmt.Errorf("source %s does not exist", s.Name.Name)
	}
	a, err := r.engine.analyzer()
	if err != nil {
		return err
	}
	a.Catalog, a.Topics = catalog.New(), nil
	declared, err := a.Analyze(context.Background(), &ast.CreateSource{Kind: s.Kind, Name: s.Name, Elements: s.Elements, With: s.With})
	if err != nil {
		return err
	}
	want := declared.(*analyze.CreateSource).Source
	for _, p := range []struct{ name, got, want string }{
		{"type", got.Kind.String(), want.Kind.String()},
		{"schema", got.Schema.String(), want.Schema.String()},
		{"topic", got.Topic.Name, want.Topic.Name},
		{"key format", got.Topic.Key.Name, want.Topic.Key.Name},
		{"value format", got.Topic.Value.Name, want.Topic.Value.Name},
		{"window", got.WindowType, want.WindowType},
	} {
		if p.got != p.want {
			return fmt.Errorf("expected %s does not match actual for source %s: it is %s, expected %s", p.name, s.Name.Name, p.got, p.want)
		}
	}
	return nil
}

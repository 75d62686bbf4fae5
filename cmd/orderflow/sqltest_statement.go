package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/sqltest"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/ksql/testrun"
)

// serverEngine runs the statements of one test on a server. Its session carries out
// the same statements in memory: it knows the schemas, says how many records each
// INSERT … VALUES leads to, and makes the assertions about the records that the
// server's queries wrote.
type serverEngine struct {
	tests    *serverTests
	session  *sqltest.Session
	admin    *kadm.Client
	subjects *sr.Client
	records  *serverRecords
	// queries are the server's ids of queries by those of the session, in upper case.
	queries map[string]string
	// foreignTopics and foreignSubjects were there before the test.
	foreignTopics, foreignSubjects map[string]bool
}

// SchemaID implements testrun.Engine.
func (e *serverEngine) SchemaID(ctx context.Context, subject string) (int, error) {
	schema, err := e.records.schemas.Latest(ctx, subject)
	return schema.ID, err
}

// Execute implements testrun.Engine.
func (e *serverEngine) Execute(ctx context.Context, statement string, properties map[string]string) error {
	parsed, err := parser.ParseTest(statement)
	if err != nil {
		return err
	}
	if len(parsed) != 1 {
		return fmt.Errorf("expected one statement, got %d", len(parsed))
	}
	switch stmt := parsed[0].(type) {
	case *ast.AssertValues, *ast.AssertTombstone:
		return e.session.Execute(ctx, statement, properties)
	case *ast.AssertSource:
		if err := e.session.Execute(ctx, statement, properties); err != nil {
			return err
		}
		return e.sameSource(ctx, stmt.Name.Name)
	case *ast.CreateSource, *ast.CreateAsSelect, *ast.InsertInto, *ast.InsertValues, *ast.DropSource, *ast.AlterSource,
		*ast.CreateType, *ast.DropType, *ast.TerminateQuery:
		if clock := clockFunction(stmt); clock != "" {
			return &testrun.Skip{Reason: fmt.Sprintf("needs the virtual clock: %s() gives the server's own time (line %d)", clock, stmt.Pos().Line)}
		}
		return e.change(ctx, statement, stmt, properties)
	default:
		return fmt.Errorf("a SQL test has no use for this statement")
	}
}

// change carries out a statement in the session and on the server.
func (e *serverEngine) change(ctx context.Context, statement string, stmt ast.Statement, properties map[string]string) error {
	if err := e.untouched(topicOf(stmt)); err != nil {
		return &testrun.Undecided{Err: err}
	}
	engine := e.session.Engine()
	queries := len(engine.Queries)
	now := e.session.Now().UnixMilli()
	expected := e.session.Execute(ctx, statement, properties)
	for _, topic := range engine.TopicNames() {
		if err := e.untouched(topic); err != nil {
			return &testrun.Undecided{Err: err}
		}
	}
	if len(engine.Queries) > queries {
		for _, topic := range engine.Queries[queries].SourceTopics() {
			if len(engine.Lookup(topic).Records) > 0 {
				return &testrun.Skip{Reason: fmt.Sprintf("needs the virtual clock: on a server the query that line %d makes would also read what topic %s had before it", stmt.Pos().Line, topic)}
			}
		}
	}
	text := e.forServer(statement, stmt, now)
	queryID, err := e.send(ctx, text, properties)
	if err != nil {
		return e.refused(err)
	}
	if expected != nil {
		return &testrun.Undecided{Err: fmt.Errorf("the server took the statement, but the embedded engine, which follows the test, did not: %w", expected)}
	}
	if queryID != "" && len(engine.Queries) > queries {
		e.queries[strings.ToUpper(engine.Queries[queries].ID)] = queryID
	}
	switch stmt := stmt.(type) {
	case *ast.InsertValues:
		return e.records.catchUp(ctx)
	case *ast.DropSource:
		if stmt.DeleteTopic {
			return e.records.forgetDeleted(ctx)
		}
	}
	return nil
}

// sameSource checks that the server has a source as the session has it.
func (e *serverEngine) sameSource(ctx context.Context, name string) error {
	source, ok := e.session.Engine().Catalog.Source(name)
	if !ok {
		return fmt.Errorf("source %s does not exist", name)
	}
	actual, err := e.tests.client.Describe(ctx, name)
	if err != nil {
		return err
	}
	var have, want []string
	for _, f := range actual.Fields {
		have = append(have, strings.TrimSpace(f.Name+" "+f.Schema.String()+" "+f.Type))
	}
	for _, part := range []struct {
		columns []types.Column
		role    string
	}{{source.Schema.Key, "KEY"}, {source.Schema.Value, ""}, {source.Schema.Header, "HEADER"}} {
		for _, c := range part.columns {
			want = append(want, strings.TrimSpace(c.Name+" "+c.Type.String()+" "+part.role))
		}
	}
	for _, p := range []struct{ name, have, want string }{
		{"type", actual.Type, source.Kind.String()},
		{"schema", strings.Join(have, ", "), strings.Join(want, ", ")},
		{"topic", actual.Topic, source.Topic.Name},
		{"key format", actual.KeyFormat, source.Topic.Key.Name},
		{"value format", actual.ValueFormat, source.Topic.Value.Name},
		{"window", actual.WindowType, source.WindowType},
	} {
		if p.have != p.want {
			return fmt.Errorf("the server has another %s for source %s than expected: it is %s, expected %s", p.name, name, p.have, p.want)
		}
	}
	return nil
}

// topicOf is the topic that a statement names or makes, "" if none.
func topicOf(stmt ast.Statement) string {
	var name *ast.Ident
	var with []*ast.Property
	switch s := stmt.(type) {
	case *ast.CreateSource:
		name, with = s.Name, s.With
	case *ast.CreateAsSelect:
		name, with = s.Name, s.With
	default:
		return ""
	}
	for _, p := range with {
		if text, ok := p.Value.(*ast.StringLiteral); ok && p.Name == "KAFKA_TOPIC" {
			return text.Value
		}
	}
	return name.Name
}

// clockFunction is the first function of a statement that gives the time, "" if none.
func clockFunction(stmt ast.Statement) (name string) {
	ast.Walk(stmt, func(n ast.Node) bool {
		call, ok := n.(*ast.FunctionCall)
		if ok && len(call.Args) == 0 && name == "" && slices.Contains([]string{"UNIX_TIMESTAMP", "UNIX_DATE"}, strings.ToUpper(call.Name.Name)) {
			name = strings.ToUpper(call.Name.Name)
		}
		return name == ""
	})
	return name
}

// edit replaces a part of a text.
type edit struct {
	from, to int
	text     string
}

// forServer gives the statement that makes a server do what the session does by
// itself: topics have one partition, a record without ROWTIME gets the time of the
// test, and queries are called by the server's ids.
func (e *serverEngine) forServer(statement string, stmt ast.Statement, now int64) string {
	var edits []edit
	partitions := func(with []*ast.Property) {
		for _, p := range with {
			if p.Name == "PARTITIONS" {
				edits = append(edits, edit{p.Value.Pos().Offset, p.Value.End().Offset, "1"})
			}
		}
	}
	switch s := stmt.(type) {
	case *ast.CreateSource:
		partitions(s.With)
	case *ast.CreateAsSelect:
		partitions(s.With)
	case *ast.InsertValues:
		edits = e.rowTime(s, now)
	case *ast.TerminateQuery:
		if s.QueryID == nil {
			break
		}
		if id, ok := e.queries[strings.ToUpper(s.QueryID.Name)]; ok {
			edits = append(edits, edit{s.QueryID.Pos().Offset, s.QueryID.End().Offset, id})
		}
	}
	for _, c := range slices.Backward(edits) {
		statement = statement[:c.from] + c.text + statement[c.to:]
	}
	return statement
}

// refusal is an error of the server in the words that the session would have for it:
// its text alone, with the session's ids of queries.
type refusal struct {
	err  error
	text string
}

func (r *refusal) Error() string { return r.text }

func (r *refusal) Unwrap() error { return r.err }

func (e *serverEngine) refused(err error) error {
	text := err.Error()
	var answer *ksql.Error
	if errors.As(err, &answer) {
		text = answer.Message
	}
	for own, id := range e.queries {
		text = regexp.MustCompile(`\b`+regexp.QuoteMeta(id)+`\b`).ReplaceAllLiteralString(text, own)
	}
	return &refusal{err, text}
}

// rowTime adds the time to an INSERT … VALUES that has none.
func (e *serverEngine) rowTime(s *ast.InsertValues, now int64) []edit {
	if len(s.Values) == 0 || slices.ContainsFunc(s.Columns, func(c *ast.Ident) bool { return c.Name == "ROWTIME" }) {
		return nil
	}
	end := s.Values[len(s.Values)-1].End().Offset
	value := edit{end, end, ", " + strconv.FormatInt(now, 10)}
	if len(s.Columns) > 0 {
		end := s.Columns[len(s.Columns)-1].End().Offset
		return []edit{{end, end, ", ROWTIME"}, value}
	}
	source, ok := e.session.Engine().Catalog.Source(s.Target.Name)
	if !ok {
		return nil
	}
	var names []string
	for _, column := range slices.Concat(source.Schema.Key, source.Schema.Value) {
		names = append(names, ksql.Identifier(column.Name))
	}
	end = s.Target.End().Offset
	return []edit{{end, end, " (" + strings.Join(append(names, "ROWTIME"), ", ") + ")"}, value}
}

// send runs a statement on the server as the test tool would, and waits until it has
// taken effect. It gives the id of the query that it made, if any.
func (e *serverEngine) send(ctx context.Context, statement string, properties map[string]string) (queryID string, err error) {
	settings := map[string]any{"auto.offset.reset": "earliest", "cache.max.bytes.buffering": "0", "commit.interval.ms": "100"}
	for name, value := range properties {
		settings[name] = value
	}
	entities, err := e.tests.client.Exec(ctx, statement, ksql.ExecOptions{Properties: settings})
	if err != nil {
		return "", err
	}
	for _, entity := range entities {
		status, err := e.tests.client.WaitCommand(ctx, entity)
		if err != nil {
			return "", err
		}
		if status.Status == ksql.StatusError {
			return "", errors.New(status.Message)
		}
		queryID = status.QueryID
	}
	return queryID, nil
}

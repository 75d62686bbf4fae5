package engine

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
)

// queryEndpoint is ksqlDB's refusal of statements that have an end point of
// their own.
const queryEndpoint = "The following statement types should be issued to the websocket endpoint '/query':\n\t* PRINT\n\t* SELECT"

// check tries a statement that does not change the catalog against a copy of it.
func (e *Engine) check(ctx context.Context, c *catalog.Catalog, stmt ast.Statement, sess *session) error {
	switch s := stmt.(type) {
	case *ast.Query, *ast.PrintTopic:
		return &Error{Code: CodeQueryEndpoint, Message: queryEndpoint, Statement: stmt.Text()}
	case *ast.InsertValues:
		_, err := e.analyzeInsert(c, s, sess)
		return err
	case *ast.TerminateQuery:
		return e.checkQuery(c, s.QueryID, true)
	case *ast.PauseQuery:
		return e.checkQuery(c, s.QueryID, false)
	case *ast.ResumeQuery:
		return e.checkQuery(c, s.QueryID, false)
	case *ast.DescribeSource:
		_, err := describedSource(c, s)
		return err
	case *ast.AlterSystemProperty:
		return sharedRuntimeOff(s)
	case *ast.AssertValues, *ast.AssertTombstone, *ast.AssertSource, *ast.RunScript:
		return refused(s, "this statement belongs to ksqlDB's test tool and can't be run by a server")
	default:
		return nil
	}
}

// sharedRuntimeOff is ksqlDB's answer to ALTER SYSTEM where its shared runtimes
// are off, as they are by default.
func sharedRuntimeOff(s *ast.AlterSystemProperty) *Error {
	return &Error{
		Code:    CodeServerError,
		Message: withCause(fmt.Sprintf("Could not write the statement '%s' into the command topic.", s.Text()), "Cannot alter system configs when KSQL_SHARED_RUNTIME_ENABLED is turned off."),
		hint:    "Properties of the server are set where it is started; SET changes those of a session.",
	}
}

// refused is the error for a statement that the engine can't run.
func refused(s ast.Statement, why string) *Error {
	return badStatement(s.Text(), "line %d:%d: %s", s.Pos().Line, s.Pos().Column, why)
}

func (e *Engine) checkQuery(c *catalog.Catalog, id *ast.Ident, transient bool) error {
	if id == nil {
		return nil
	}
	if _, ok := c.Query(id.Name); ok {
		return nil
	}
	if _, ok := e.push.find(id.Name); ok && transient {
		return nil
	}
	return &Error{Code: CodeBadStatement, Message: "Unknown queryId: " + id.Name}
}

// administer carries out a statement that does not change the catalog.
func (e *Engine) administer(ctx context.Context, stmt ast.Statement, sess *session) (any, error) {
	text := stmt.Text()
	switch s := stmt.(type) {
	case *ast.InsertValues:
		return nil, e.insertValues(ctx, s, sess)
	case *ast.TerminateQuery:
		return e.terminate(ctx, s, sess)
	case *ast.PauseQuery:
		return e.pause(ctx, s, sess)
	case *ast.ResumeQuery:
		return e.resume(ctx, s, sess)
	case *ast.ShowStreams:
		return e.showSources(ctx, text, ast.Stream, s.Extended)
	case *ast.ShowTables:
		return e.showSources(ctx, text, ast.Table, s.Extended)
	case *ast.ShowTopics:
		return e.showTopics(ctx, s)
	case *ast.ShowQueries:
		return e.showQueries(ctx, s)
	case *ast.ShowProperties:
		return e.showProperties(text, sess), nil
	case *ast.ShowFunctions:
		return e.showFunctions(text), nil
	case *ast.ShowTypes:
		return e.showTypes(text), nil
	case *ast.ShowVariables:
		return showVariables(text, sess), nil
	case *ast.DescribeSource:
		return e.describeSource(ctx, s)
	case *ast.DescribeStreams:
		return e.describeSources(ctx, text, ast.Stream, s.Extended)
	case *ast.DescribeTables:
		return e.describeSources(ctx, text, ast.Table, s.Extended)
	case *ast.DescribeFunction:
		return e.describeFunction(s)
	case *ast.Explain:
		return e.explain(ctx, s, sess)
	case *ast.AssertTopic:
		return e.assertTopic(ctx, s)
	case *ast.AssertSchema:
		return e.assertSchema(ctx, s)
	case *ast.CreateConnector:
		return e.createConnector(ctx, s)
	case *ast.DropConnector:
		return e.dropConnector(ctx, s)
	case *ast.DescribeConnector:
		return e.describeConnector(ctx, s)
	case *ast.ShowConnectors:
		return e.showConnectors(ctx, s)
	case *ast.ShowConnectorPlugins:
		return e.showConnectorPlugins(ctx, s)
	default:
		return nil, refused(stmt, "this statement is not supported")
	}
}

// terminate stops queries for good. A push query ends without a command.
func (e *Engine) terminate(ctx context.Context, s *ast.TerminateQuery, sess *session) (any, error) {
	if s.QueryID != nil {
		if _, ok := e.Catalog().Query(s.QueryID.Name); !ok {
			id := strings.ToUpper(s.QueryID.Name)
			return struct {
				head
				QueryID    string    `json:"queryId"`
				Terminated bool      `json:"wasTerminated"`
				Warnings   []Warning `json:"warnings"`
			}{head{"terminate_query", s.Text()}, id, e.CloseQuery(id), []Warning{}}, nil
		}
	}
	return e.control(ctx, s, s.QueryID, sess, "terminate", "Query terminated.", func(next *snapshot, id string) error {
		next.catalog.RemoveQuery(id)
		delete(next.paused, id)
		return e.runtime.Terminate(ctx, id)
	})
}

func (e *Engine) pause(ctx context.Context, s *ast.PauseQuery, sess *session) (any, error) {
	return e.control(ctx, s, s.QueryID, sess, "pause", "Query paused.", func(next *snapshot, id string) error {
		next.paused[id] = true
		return e.runtime.Pause(id)
	})
}

func (e *Engine) resume(ctx context.Context, s *ast.ResumeQuery, sess *session) (any, error) {
	return e.control(ctx, s, s.QueryID, sess, "resume", "Query resumed.", func(next *snapshot, id string) error {
		delete(next.paused, id)
		return e.runtime.Resume(ctx, id)
	})
}

// control logs a statement about persistent queries and carries it out for each
// of them.
func (e *Engine) control(ctx context.Context, stmt ast.Statement, id *ast.Ident, sess *session, action, message string,
	apply func(next *snapshot, id string) error,
) (any, error) {
	name := "ALL"
	if id != nil {
		name = strings.ToUpper(id.Name)
	}
	commandID := action + "/" + name + "/execute"
	sequence, err := e.commands.append(ctx, commandID, command{Statement: stmt.Text(), Properties: maps.Clone(sess.properties)})
	if err != nil {
		return nil, err
	}
	status := CommandStatus{Status: "SUCCESS", Message: message}
	e.setStatus(commandID, status)
	snap := e.current.Load()
	next := &snapshot{catalog: snap.catalog.Snapshot(), paused: maps.Clone(snap.paused)}
	var failed error
	for _, query := range selected(snap.catalog, id) {
		if err := apply(next, query); err != nil && failed == nil {
			failed = fmt.Errorf("%s query %s: %w", action, query, err)
		}
	}
	e.current.Store(next)
	if failed != nil {
		return nil, failed
	}
	return currentStatus(stmt.Text(), commandID, status, sequence), nil
}

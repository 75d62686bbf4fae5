package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
)

// commandTimeout is how long a request waits for the command that it names to
// be executed, ksqlDB's ksql.server.command.response.timeout.ms.
const commandTimeout = 5 * time.Second

// requestTimeout bounds how long a request that changes something may take, so
// that one which waits for an absent broker does not hold up all others for ever.
const requestTimeout = 2 * time.Minute

// Request is a request to execute statements: the body of POST /ksql.
type Request struct {
	SQL        string
	Properties map[string]string
	Variables  map[string]string
	// After is the sequence number of a command that must have been executed
	// first; nil for none.
	After *int64
}

// Execute carries out all statements of a request in order and gives their
// results. All are tried out first: when one can't be accepted, none is carried
// out. The error is an *Error.
func (e *Engine) Execute(ctx context.Context, req Request) ([]any, error) {
	if err := e.waitFor(ctx, req.After); err != nil {
		return nil, err
	}
	texts, err := splitRequest(req.SQL)
	if err != nil {
		return nil, statementError(req.SQL, err)
	}
	if len(texts) == 0 {
		return []any{}, nil
	}
	sess := e.newSession(req.Properties, req.Variables)
	if err := checkOverrides(req.Properties, shownText(texts[0], sess)); err != nil {
		return nil, err
	}
	if !onlyAsks(texts, sess) {
		// Once begun, a request is carried out even if its client goes away.
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
		defer cancel()
		e.execute.Lock()
		defer e.execute.Unlock()
		if err := e.catchUp(ctx); err != nil {
			return nil, statementError("", err)
		}
	}
	if err := e.try(ctx, texts, sess.clone()); err != nil {
		return nil, err
	}
	entities := []any{}
	for _, text := range texts {
		entity, err := e.statement(ctx, text, sess)
		if err != nil {
			failed := statementError(shownText(text, sess), err)
			if failed.Statement != "" {
				failed.Entities = entities
			}
			return nil, failed
		}
		if entity != nil {
			entities = append(entities, entity)
		}
	}
	return entities, nil
}

// waitFor waits for a command to have been executed.
func (e *Engine) waitFor(ctx context.Context, sequence *int64) error {
	if sequence == nil || e.commands.wait(ctx, *sequence, commandTimeout) {
		return nil
	}
	return &Error{Code: CodeCommandTimeout, Message: fmt.Sprintf(
		"Timed out while waiting for a previous command to execute. command sequence number: %d", *sequence)}
}

// shownText is what answers and logs show of a statement.
func shownText(text string, sess *session) string {
	stmt, err := parseOne(text, sess)
	if err != nil {
		return text
	}
	return ast.Mask(stmt)
}

// onlyAsks reports whether the statements of a request change nothing but its
// session, or write a single record each, so that they need not wait for other
// requests.
func onlyAsks(texts []string, sess *session) bool {
	for _, text := range texts {
		stmt, err := parseOne(text, sess)
		if err != nil {
			return false
		}
		switch stmt.(type) {
		case *ast.TerminateQuery, *ast.PauseQuery, *ast.ResumeQuery, *ast.CreateConnector, *ast.DropConnector:
			return false
		}
		if changesCatalog(stmt) {
			return false
		}
	}
	return true
}

// splitRequest cuts a request into its statements. A request without
// substitutions is parsed as a whole, so that errors count lines from its
// beginning.
func splitRequest(sql string) ([]string, error) {
	if strings.TrimSpace(sql) == "" {
		return nil, nil
	}
	return parser.Split(sql)
}

// parseOne reads one statement with the session's variables filled in.
func parseOne(text string, sess *session) (ast.Statement, error) {
	text, err := sess.substitute(text)
	if err != nil {
		return nil, err
	}
	stmts, err := parser.Parse(text)
	if err != nil {
		return nil, err
	}
	if len(stmts) != 1 {
		return nil, badStatement(text, "Expected exactly one KSQL statement; found %d instead", len(stmts))
	}
	return stmts[0], nil
}

func (e *Engine) analyzer(c *catalog.Catalog, topics analyze.Topics, cfg analyze.Config, number int64) *analyze.Analyzer {
	return &analyze.Analyzer{
		Catalog: c, Functions: e.functions, Registry: e.registry, Topics: topics, Config: cfg, QueryNumber: number,
	}
}

// try checks all statements against a copy of the metastore, each with what the
// ones before it would have changed.
func (e *Engine) try(ctx context.Context, texts []string, sess *session) error {
	sandbox := e.Catalog().Snapshot()
	topics := overlaidTopics{Topics: liveTopics{e}, made: map[string]analyze.Topic{}}
	number := e.commands.nextSequence()
	for _, text := range texts {
		stmt, err := parseOne(text, sess)
		if err != nil {
			return statementError(text, err)
		}
		text := ast.Mask(stmt)
		if done, _, err := sess.apply(stmt); done || err != nil {
			if err != nil {
				return statementError(text, err)
			}
			continue
		}
		if !changesCatalog(stmt) {
			if err := e.check(ctx, sandbox, stmt, sess); err != nil {
				return statementError(text, err)
			}
			if s, ok := stmt.(*ast.TerminateQuery); ok {
				for _, id := range selected(sandbox, s.QueryID) {
					sandbox.RemoveQuery(id)
				}
			}
			continue
		}
		cfg, err := sess.config()
		if err != nil {
			return statementError(text, err)
		}
		result, err := e.analyzer(sandbox, topics, cfg, number).Analyze(ctx, stmt)
		if err != nil {
			return statementError(text, err)
		}
		if err := checkTopic(ctx, topics, result); err != nil {
			return statementError(text, err)
		}
		if err := result.Apply(sandbox); err != nil {
			return statementError(text, err)
		}
		topics.add(topicOf(result))
		number++
	}
	return nil
}

// changesCatalog reports whether a statement is one for Analyzer.Analyze.
func changesCatalog(stmt ast.Statement) bool {
	switch stmt.(type) {
	case *ast.CreateSource, *ast.CreateAsSelect, *ast.InsertInto, *ast.DropSource,
		*ast.AlterSource, *ast.CreateType, *ast.DropType:
		return true
	default:
		return false
	}
}

func topicOf(result analyze.Result) *analyze.TopicSpec {
	switch r := result.(type) {
	case *analyze.CreateSource:
		return r.Topic
	case *analyze.CreateAsSelect:
		if r.Exists {
			return nil
		}
		return &r.Topic
	default:
		return nil
	}
}

// apply carries out statements that only change the session. The first result
// is false for all others; the entity is a warning, or nil.
func (s *session) apply(stmt ast.Statement) (bool, any, error) {
	switch x := stmt.(type) {
	case *ast.SetProperty:
		if !isKnown(x.Name) {
			return true, nil, unknownProperty(x.Name)
		}
		if err := checkValue(x.Name, x.Value); err != nil {
			return true, nil, &Error{Code: CodeBadStatement, Message: err.Error()}
		}
		s.properties[x.Name] = x.Value
	case *ast.UnsetProperty:
		if !isKnown(x.Name) {
			return true, nil, unknownProperty(x.Name)
		}
		delete(s.properties, x.Name)
	case *ast.DefineVariable:
		s.variables[x.Name] = x.Value
	case *ast.UndefineVariable:
		if _, ok := s.variables[x.Name]; !ok {
			return true, warningEntity(x.Text(), fmt.Sprintf("Cannot undefine variable '%s' which was never defined", x.Name)), nil
		}
		delete(s.variables, x.Name)
	default:
		return false, nil, nil
	}
	return true, nil, nil
}

func unknownProperty(name string) *Error {
	return &Error{Code: CodeBadStatement, Message: "Unknown property: " + name}
}

// statement carries out one statement. The entity is nil for statements that
// add nothing to the answer.
func (e *Engine) statement(ctx context.Context, text string, sess *session) (any, error) {
	stmt, err := parseOne(text, sess)
	if err != nil {
		return nil, err
	}
	if done, entity, err := sess.apply(stmt); done || err != nil {
		return entity, err
	}
	if changesCatalog(stmt) {
		return e.change(ctx, stmt, sess)
	}
	return e.administer(ctx, stmt, sess)
}

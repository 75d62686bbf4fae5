package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/explain"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
)

type queryDescription struct {
	ID            string            `json:"id"`
	Statement     string            `json:"statementText"`
	WindowType    *string           `json:"windowType"`
	Fields        []field           `json:"fields"`
	Sources       []string          `json:"sources"`
	Sinks         []string          `json:"sinks"`
	Topology      string            `json:"topology"`
	ExecutionPlan string            `json:"executionPlan"`
	Overridden    map[string]any    `json:"overriddenProperties"`
	HostStatus    map[string]string `json:"ksqlHostQueryStatus"`
	QueryType     string            `json:"queryType"`
	Errors        []queryError      `json:"queryErrors"`
	Tasks         []taskMetadata    `json:"tasksMetadata"`
	Group         string            `json:"consumerGroupId"`
	State         *string           `json:"state"`
}

type queryError struct {
	Timestamp int64  `json:"timestamp"`
	Message   string `json:"errorMessage"`
	Type      string `json:"type"`
	ID        string `json:"queryId"`
}

// host names this server in answers; there is only one.
const host = "localhost:8088"

func (e *Engine) queryDescription(ctx context.Context, c *catalog.Catalog, q *catalog.Query) (queryDescription, error) {
	state := streamsState(e.queryState(q.ID))
	d := describePlan(q.ID, q.SQL, q.Plan, q.Sources)
	d.Overridden, d.QueryType, d.State = overridden(q.Properties), "PERSISTENT", &state
	d.HostStatus[host] = state
	d.Group = e.applicationID(q.ID)
	if sink, ok := c.Source(q.Sink); ok {
		if q.Kind != catalog.Materialization {
			d.Sinks = append(d.Sinks, sink.Name)
		}
		if sink.WindowType != "" {
			d.WindowType = &sink.WindowType
		}
	}
	if status, err := e.runtime.Status(q.ID); err == nil {
		for _, f := range status.Errors {
			d.Errors = append(d.Errors, queryError{f.Time.UnixMilli(), f.Message, "SYSTEM", q.ID})
		}
	}
	var err error
	d.Tasks, err = e.tasks(ctx, c, q)
	return d, err
}

// overridden are the properties of a query with the types that they have.
func overridden(properties map[string]string) map[string]any {
	out := map[string]any{}
	for name, value := range properties {
		out[name] = typedValue(name, value)
	}
	return out
}

func describePlan(id, text string, root plan.Node, sources []string) queryDescription {
	q := explain.Query{ID: id, Plan: root, Select: selectOf(text)}
	return queryDescription{
		ID: id, Statement: text, Fields: fieldsOf(explain.Schema(q)), Sources: sources, Sinks: []string{},
		ExecutionPlan: explain.ExecutionPlan(q), Topology: explain.Topology(q),
		Overridden: map[string]any{}, HostStatus: map[string]string{}, Errors: []queryError{}, Tasks: []taskMetadata{},
	}
}

// selectOf is the SELECT of a statement; nil when it has none.
func selectOf(text string) *ast.Query {
	statements, err := parser.Parse(text)
	if err != nil || len(statements) != 1 {
		return nil
	}
	switch s := statements[0].(type) {
	case *ast.Query:
		return s
	case *ast.CreateAsSelect:
		return s.Query
	case *ast.InsertInto:
		return s.Query
	default:
		return nil
	}
}

// taskMetadata is a task of a query, with how far it has read.
type taskMetadata struct {
	ID     string       `json:"taskId"`
	Topics []taskOffset `json:"topicOffsets"`
	Idling *string      `json:"timeCurrentIdlingStarted"`
}

type taskOffset struct {
	Of        topicPartition `json:"topicPartitionEntity"`
	End       int64          `json:"endOffset"`
	Committed int64          `json:"committedOffset"`
}

type topicPartition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
}

// tasks are the tasks of a query that runs.
func (e *Engine) tasks(ctx context.Context, c *catalog.Catalog, q *catalog.Query) ([]taskMetadata, error) {
	commits, err := e.commits(ctx, c, q)
	if err != nil {
		return nil, fmt.Errorf("asking how far query %s has read: %w", q.ID, err)
	}
	list := []taskMetadata{}
	for _, task := range commits {
		m := taskMetadata{ID: fmt.Sprintf("%d_%d", task.sub, task.partition), Topics: []taskOffset{}}
		for _, o := range task.offsets {
			m.Topics = append(m.Topics, taskOffset{topicPartition{o.topic, task.partition}, o.End, o.Consumer})
		}
		list = append(list, m)
	}
	return list, nil
}

func (e *Engine) explain(ctx context.Context, s *ast.Explain, sess *session) (any, error) {
	answer := func(d queryDescription) any {
		return struct {
			head
			Query    queryDescription `json:"queryDescription"`
			Warnings []Warning        `json:"warnings"`
		}{head{"queryDescription", s.Text()}, d, []Warning{}}
	}
	c := e.Catalog()
	if s.QueryID != nil {
		q, ok := c.Query(s.QueryID.Name)
		if !ok {
			return nil, &Error{Code: CodeBadStatement, Message: fmt.Sprintf(
				"Query with id:%s does not exist, use SHOW QUERIES to view the full set of queries.", s.QueryID.Name)}
		}
		d, err := e.queryDescription(ctx, c, q)
		if err != nil {
			return nil, err
		}
		return answer(d), nil
	}
	cfg, err := sess.config()
	if err != nil {
		return nil, err
	}
	a := e.analyzer(c, liveTopics{e}, cfg, e.commands.nextSequence())
	text := explainedText(s)
	if q, ok := s.Statement.(*ast.Query); ok {
		push, err := a.Push(ctx, q)
		if err != nil {
			return nil, err
		}
		query := &Query{text: text, transient: push}
		if err := query.nameTransient("transient_"); err != nil {
			return nil, err
		}
		var sources []string
		for _, src := range push.Sources {
			sources = append(sources, src.Name)
		}
		d := describePlan(query.ID, text, push.Output, sources)
		d.QueryType, d.Group = "PUSH", "_confluent-ksql-"+e.cfg.ServiceID+"transient_"+query.ID
		return answer(d), nil
	}
	if !changesCatalog(s.Statement) {
		return nil, &Error{Code: CodeBadStatement, Message: "The provided statement does not run a ksql query"}
	}
	result, err := a.Analyze(ctx, s.Statement)
	if err != nil {
		return nil, err
	}
	q := queryOf(result)
	if q == nil {
		return nil, &Error{Code: CodeBadStatement, Message: "The provided statement does not run a ksql query"}
	}
	d := describePlan(q.ID, text, q.Plan, q.Sources)
	d.Sinks, d.QueryType, d.Group = append(d.Sinks, q.Sink), "PERSISTENT", e.applicationID(q.ID)
	return answer(d), nil
}

func queryOf(result analyze.Result) *catalog.Query {
	switch r := result.(type) {
	case *analyze.CreateAsSelect:
		return r.Query
	case *analyze.InsertInto:
		return r.Query
	case *analyze.CreateSource:
		return r.Query
	default:
		return nil
	}
}

// explainedText is the text of the statement behind EXPLAIN.
func explainedText(s *ast.Explain) string {
	text := strings.TrimSpace(s.Text())
	return strings.TrimSpace(text[len("EXPLAIN"):])
}

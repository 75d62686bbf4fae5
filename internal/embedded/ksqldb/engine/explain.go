package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/build"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
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
	Overridden    map[string]string `json:"overriddenProperties"`
	HostStatus    map[string]string `json:"ksqlHostQueryStatus"`
	QueryType     string            `json:"queryType"`
	Errors        []queryError      `json:"queryErrors"`
	Tasks         []struct{}        `json:"tasksMetadata"`
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

func (e *Engine) queryDescription(c *catalog.Catalog, q *catalog.Query) queryDescription {
	state := streamsState(e.queryState(q.ID))
	d := e.describePlan(q.ID, q.SQL, q.Plan, q.Sources)
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
	return d
}

func overridden(properties map[string]string) map[string]string {
	if properties == nil {
		return map[string]string{}
	}
	return properties
}

func (e *Engine) describePlan(id, text string, root plan.Node, sources []string) queryDescription {
	d := queryDescription{
		ID: id, Statement: text, Fields: fieldsOf(root.Schema()), Sources: sources, Sinks: []string{},
		ExecutionPlan: executionPlan(root, id), Overridden: map[string]string{}, HostStatus: map[string]string{},
		Errors: []queryError{}, Tasks: []struct{}{},
	}
	if topology, err := e.explainTopology(id, root); err == nil {
		d.Topology = topology
	}
	return d
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
		return answer(e.queryDescription(c, q)), nil
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
		d := e.describePlan(query.ID, text, push.Output, sources)
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
	d := e.describePlan(q.ID, text, q.Plan, q.Sources)
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

// executionPlan draws a plan's steps from its end to its sources.
func executionPlan(root plan.Node, id string) string {
	var b strings.Builder
	var draw func(n plan.Node, depth int)
	draw = func(n plan.Node, depth int) {
		if out, ok := n.(*plan.Output); ok {
			draw(out.Input, depth)
			return
		}
		kind, logger := stepOf(n)
		fmt.Fprintf(&b, "%s > [ %s ] | Schema: %s | Logger: %s.%s\n", strings.Repeat("\t\t", depth), kind, planSchema(n.Schema()), id, logger)
		for _, in := range n.Inputs() {
			draw(in, depth+1)
		}
	}
	draw(root, 0)
	return b.String()
}

func stepOf(n plan.Node) (kind, logger string) {
	switch n := n.(type) {
	case *plan.Source:
		return "SOURCE", "KsqlTopic.Source"
	case *plan.Filter:
		return "FILTER", "WhereFilter"
	case *plan.Project:
		return "PROJECT", "Project"
	case *plan.FlatMap:
		return "FLAT_MAP", "FlatMap"
	case *plan.Rekey:
		return "REKEY", "PartitionBy"
	case *plan.Aggregate:
		return "AGGREGATE", "Aggregate.Aggregate"
	case *plan.Suppress:
		return "SUPPRESS", "Aggregate.Suppress"
	case *plan.StreamStreamJoin, *plan.StreamTableJoin, *plan.TableTableJoin, *plan.ForeignKeyJoin:
		return "JOIN", "Join"
	case *plan.Sink:
		return "SINK", n.Name
	case *plan.Materialize:
		return "MATERIALIZE", "KsqlTopic.Reduce"
	default:
		return "STEP", "Step"
	}
}

func planSchema(s *types.Schema) string {
	parts := []string{}
	for _, c := range s.Key {
		parts = append(parts, c.Name+" "+plainType(c.Type)+" KEY")
	}
	for _, c := range s.Value {
		parts = append(parts, c.Name+" "+plainType(c.Type))
	}
	return strings.Join(parts, ", ")
}

func plainType(t *types.Type) string { return strings.ReplaceAll(t.String(), "`", "") }

// explainTopology draws what a plan becomes: sub-topologies with the topics they
// read, the stores they keep and the topics they write.
func (e *Engine) explainTopology(id string, root plan.Node) (string, error) {
	topology, err := build.Build(context.Background(), root, e.buildOptions(e.Catalog(), id, nil))
	if err != nil {
		return "", err
	}
	prefix := e.applicationID(id) + "-"
	var b strings.Builder
	b.WriteString("Topologies:\n")
	for _, sub := range topology.Subs {
		fmt.Fprintf(&b, "   Sub-topology: %d\n", sub.ID)
		for _, src := range sub.Sources {
			fmt.Fprintf(&b, "    Source: (topics: [%s])\n", strings.TrimPrefix(src.Topic, prefix))
		}
		fmt.Fprintf(&b, "    Processor: (stores: [%s])\n", storeNames(sub.Stores))
		for _, topic := range sub.Writes {
			fmt.Fprintf(&b, "    Sink: (topic: %s)\n", strings.TrimPrefix(topic, prefix))
		}
		b.WriteString("\n")
	}
	return b.String(), nil
}

func storeNames(stores []exec.StoreInfo) string {
	names := make([]string, len(stores))
	for i, s := range stores {
		names[i] = s.Name
	}
	return strings.Join(names, ", ")
}

package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/runtime"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// change carries out a statement that changes the metastore: what it needs
// outside is made first, then it is logged, then it takes effect.
func (e *Engine) change(ctx context.Context, stmt ast.Statement, sess *session) (any, error) {
	cfg, err := sess.config()
	if err != nil {
		return nil, err
	}
	snap := e.current.Load()
	next := snap.catalog.Snapshot()
	found := newFacts()
	a := e.analyzer(next, nil, cfg, e.commands.nextSequence())
	a.Topics, a.Registry = found.noting(liveTopics{e}, e.registry)
	result, err := a.Analyze(ctx, stmt)
	if err != nil {
		return nil, err
	}
	if warning := nothingToDo(result); warning != "" {
		return warningEntity(stmt.Text(), warning), nil
	}
	if err := result.Apply(next); err != nil {
		return nil, err
	}
	if err := e.provide(ctx, result); err != nil {
		return nil, err
	}
	status, err := e.logged(ctx, stmt, sess, result, found)
	if err != nil {
		return nil, err
	}
	paused := maps.Clone(snap.paused)
	unpause(paused, result)
	e.current.Store(&snapshot{catalog: next, paused: paused})
	if err := e.takeEffect(ctx, next, result); err != nil {
		id, _, _, queryID := describeCommand(stmt, result)
		e.setStatus(id, CommandStatus{Status: "ERROR", Message: err.Error(), QueryID: queryID})
		if q := queryOf(result); q != nil {
			e.startLater(q, err)
		}
		return nil, err
	}
	return status, nil
}

// unpause makes a query that is replaced run again.
func unpause(paused map[string]bool, result analyze.Result) {
	if r, ok := result.(*analyze.CreateAsSelect); ok {
		delete(paused, r.Query.ID)
	}
}

// nothingToDo is the warning of an IF [NOT] EXISTS that was met.
func nothingToDo(result analyze.Result) string {
	switch r := result.(type) {
	case *analyze.CreateSource:
		return r.Warning
	case *analyze.CreateAsSelect:
		return r.Warning
	default:
		return ""
	}
}

// provide makes the topics and registers the schemas that a statement needs.
func (e *Engine) provide(ctx context.Context, result analyze.Result) error {
	var schemas []format.Spec
	always := false
	switch r := result.(type) {
	case *analyze.CreateSource:
		schemas = r.Schemas
	case *analyze.CreateAsSelect:
		schemas, always = r.Schemas, true
	case *analyze.InsertInto:
		schemas, always = r.Schemas, true
	case *analyze.AlterSource:
		schemas, always = r.Schemas, true
	case *analyze.DropSource:
		return e.deleteTopic(ctx, r)
	}
	if err := e.ensureTopic(ctx, topicOf(result)); err != nil {
		return err
	}
	for _, spec := range schemas {
		if e.registry == nil {
			return &Error{Code: CodeNoRegistry, Message: fmt.Sprintf("KSQL is not configured to use a schema registry, which format %s needs. Set ksql.schema.registry.url.", spec.Format)}
		}
		if err := format.Register(ctx, e.registry, spec, always); err != nil {
			return err
		}
	}
	return nil
}

// logged writes the statement to the command topic and gives the answer to it.
func (e *Engine) logged(ctx context.Context, stmt ast.Statement, sess *session, result analyze.Result, found *facts) (any, error) {
	id, text, message, queryID := describeCommand(stmt, result)
	sequence, err := e.commands.append(ctx, id, command{Statement: stmt.Text(), Properties: maps.Clone(sess.properties), Facts: found})
	if err != nil {
		return nil, err
	}
	status := CommandStatus{Status: "SUCCESS", Message: message, QueryID: queryID}
	e.setStatus(id, status)
	entity := currentStatus(text, id, status, sequence)
	if joinsWithoutGrace(stmt) {
		entity.Warnings = append(entity.Warnings, Warning{graceNotice})
	}
	return entity, nil
}

// graceNotice is ksqlDB's warning about joins of streams without GRACE PERIOD.
const graceNotice = "DEPRECATION NOTICE: Stream-stream joins statements without a GRACE PERIOD will not be accepted in a future ksqlDB version.\n" +
	"Please use the GRACE PERIOD clause as specified in https://docs.ksqldb.io/en/latest/developer-guide/ksqldb-reference/select-push-query/"

func joinsWithoutGrace(stmt ast.Statement) bool {
	var q *ast.Query
	switch s := stmt.(type) {
	case *ast.CreateAsSelect:
		q = s.Query
	case *ast.InsertInto:
		q = s.Query
	default:
		return false
	}
	for from := q.From; ; {
		join, ok := from.(*ast.Join)
		if !ok {
			return false
		}
		if join.Within != nil && join.Within.Grace == nil {
			return true
		}
		from = join.Left
	}
}

// takeEffect starts and stops queries and removes what a statement drops.
func (e *Engine) takeEffect(ctx context.Context, c *catalog.Catalog, result analyze.Result) error {
	switch r := result.(type) {
	case *analyze.CreateSource:
		if r.Query != nil {
			return e.startQuery(ctx, c, r.Query, false)
		}
	case *analyze.CreateAsSelect:
		return e.startQuery(ctx, c, r.Query, r.Replace)
	case *analyze.InsertInto:
		return e.startQuery(ctx, c, r.Query, false)
	case *analyze.DropSource:
		return e.drop(ctx, r)
	}
	return nil
}

func (e *Engine) startQuery(ctx context.Context, c *catalog.Catalog, q *catalog.Query, replace bool) error {
	topology, err := e.topology(ctx, c, q)
	if err != nil {
		return fmt.Errorf("building query %s: %w", q.ID, err)
	}
	spec := runtime.Spec{QueryID: q.ID, Topology: topology, OffsetReset: e.offsetReset(q.Properties), Retry: true}
	if replace {
		err := e.runtime.Replace(ctx, spec)
		if !errors.Is(err, runtime.ErrUnknownQuery) {
			return err
		}
	}
	return e.runtime.Start(ctx, spec)
}

func (e *Engine) drop(ctx context.Context, r *analyze.DropSource) error {
	var errs []error
	for _, q := range r.Stopped {
		if err := e.runtime.Terminate(ctx, q.ID); err != nil && !errors.Is(err, runtime.ErrUnknownQuery) {
			errs = append(errs, err)
		}
		e.problems.forget(q.ID)
	}
	return errors.Join(errs...)
}

// deleteTopic removes the topic of a DROP … DELETE TOPIC, and its schemas. That
// comes before the statement is logged: after a crash in between, the statement
// is repeated, while a topic that a logged statement has left would stay. The
// queries that the statement is about to end are halted meanwhile.
func (e *Engine) deleteTopic(ctx context.Context, r *analyze.DropSource) error {
	if !r.DeleteTopic || r.Source == nil {
		return nil
	}
	paused := e.current.Load().paused
	for _, q := range r.Stopped {
		if err := e.runtime.Pause(q.ID); err != nil && !errors.Is(err, runtime.ErrUnknownQuery) {
			return err
		}
	}
	err := e.removeTopic(ctx, r.Source)
	if err == nil {
		return nil
	}
	for _, q := range r.Stopped {
		if !paused[q.ID] {
			err = errors.Join(err, e.runtime.Resume(ctx, q.ID))
		}
	}
	return err
}

func (e *Engine) removeTopic(ctx context.Context, source *catalog.Source) error {
	topic := source.Topic.Name
	deleted, err := e.admin.DeleteTopics(ctx, topic)
	if err == nil {
		err = deleted.Error()
	}
	if err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
		return fmt.Errorf("deleting topic %s: %w", topic, err)
	}
	e.runtime.Forget(topic)
	e.client.PurgeTopicsFromProducing(topic)
	if e.registry == nil {
		return nil
	}
	for _, spec := range []format.Spec{analyze.KeySpec(source), analyze.ValueSpec(source)} {
		if !format.SupportsInference(spec.Format) {
			continue
		}
		if err := e.registry.DeleteSubject(ctx, spec.Subject()); err != nil {
			return err
		}
	}
	return nil
}

// describeCommand gives a command's id, the text that the answer shows, its
// message and the id of its query.
func describeCommand(stmt ast.Statement, result analyze.Result) (id, text, message string, queryID *string) {
	text = stmt.Text()
	created := func(q *catalog.Query) string {
		queryID = &q.ID
		return "Created query with ID " + q.ID
	}
	switch r := result.(type) {
	case *analyze.CreateSource:
		kind := r.Source.Kind
		id, text = commandID(kind, types.QuoteName(r.Source.Name), "create"), r.Text
		message = map[ast.SourceKind]string{ast.Stream: "Stream created", ast.Table: "Table created"}[kind]
		if r.Query != nil {
			queryID = &r.Query.ID
			message = created(r.Query)
		}
	case *analyze.CreateAsSelect:
		id, text = commandID(r.Source.Kind, types.QuoteName(r.Source.Name), "create"), r.Text
		message = created(r.Query)
	case *analyze.InsertInto:
		id, text = commandID(ast.Stream, types.QuoteName(r.Target.Name), "create"), r.Text
		message = created(r.Query)
	case *analyze.DropSource:
		drop := stmt.(*ast.DropSource)
		id, text = commandID(drop.Kind, r.Name, "drop"), r.Text
		message = fmt.Sprintf("Source %s does not exist.", types.QuoteName(r.Name))
		if r.Source != nil {
			message = fmt.Sprintf("Source %s (topic: %s) was dropped.", types.QuoteName(r.Name), r.Source.Topic.Name)
		}
	case *analyze.AlterSource:
		id = commandID(r.Source.Kind, r.Source.Name, "alter")
		message = fmt.Sprintf("%s %s altered.", map[ast.SourceKind]string{ast.Stream: "Stream", ast.Table: "Table"}[r.Source.Kind], r.Source.Name)
	case *analyze.CreateType:
		id, message = "type/"+r.Name+"/create", r.Message
	case *analyze.DropType:
		id, message = "type/"+r.Name+"/drop", r.Message
	}
	return id, text, message, queryID
}

func commandID(kind ast.SourceKind, name, action string) string {
	if kind == ast.Table {
		return "table/" + name + "/" + action
	}
	return "stream/" + name + "/" + action
}

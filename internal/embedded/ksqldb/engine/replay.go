package engine

import (
	"context"
	"fmt"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
)

// replay rebuilds the metastore from the commands that the start found.
func (e *Engine) replay(ctx context.Context) (*snapshot, error) {
	snap := &snapshot{catalog: catalog.New(), paused: map[string]bool{}}
	for _, c := range e.commands.past {
		if err := e.replayOne(ctx, snap, c); err != nil {
			return nil, fmt.Errorf("replaying command %d of topic %s (%s): %w", c.offset, e.commands.topic, c.Statement, err)
		}
	}
	e.commands.past = nil
	return snap, nil
}

func (e *Engine) replayOne(ctx context.Context, snap *snapshot, c command) error {
	sess := e.newSession(c.Properties, nil)
	stmt, err := parseOne(c.Statement, sess)
	if err != nil {
		return err
	}
	switch s := stmt.(type) {
	case *ast.TerminateQuery:
		for _, id := range selected(snap.catalog, s.QueryID) {
			snap.catalog.RemoveQuery(id)
		}
		return nil
	case *ast.PauseQuery:
		for _, id := range selected(snap.catalog, s.QueryID) {
			snap.paused[id] = true
		}
		return nil
	case *ast.ResumeQuery:
		for _, id := range selected(snap.catalog, s.QueryID) {
			delete(snap.paused, id)
		}
		return nil
	}
	cfg, err := sess.config()
	if err != nil {
		return err
	}
	known := c.Facts
	if known == nil {
		known = newFacts()
	}
	a := e.analyzer(snap.catalog, nil, cfg, c.offset)
	a.Topics, a.Registry = known.replaying(e.registry)
	result, err := a.Analyze(ctx, stmt)
	if err != nil {
		return err
	}
	id, _, message, queryID := describeCommand(stmt, result)
	e.setStatus(id, CommandStatus{Status: "SUCCESS", Message: message, QueryID: queryID})
	if nothingToDo(result) == "" {
		unpause(snap.paused, result)
	}
	return result.Apply(snap.catalog)
}

// selected are the ids of the queries that TERMINATE, PAUSE or RESUME is about:
// one, or all when none is named.
func selected(c *catalog.Catalog, id *ast.Ident) []string {
	var ids []string
	if id == nil {
		for _, q := range c.Queries() {
			ids = append(ids, q.ID)
		}
		return ids
	}
	if q, ok := c.Query(id.Name); ok {
		ids = append(ids, q.ID)
	}
	return ids
}

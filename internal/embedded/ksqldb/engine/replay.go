package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/runtime"
)

// replay rebuilds the metastore from the commands that the start found. A command
// that can't be carried out any more holds up none of those behind it: it counts
// as failed, which the health check shows. A Schema Registry that can't be asked
// is an error, since nothing tells what the command would be.
func (e *Engine) replay(ctx context.Context) (*snapshot, error) {
	snap := &snapshot{catalog: catalog.New(), paused: map[string]bool{}}
	for _, c := range e.commands.past {
		before := snap.catalog.Snapshot()
		if err := e.replayOne(ctx, snap, c); err != nil {
			if errors.Is(err, format.ErrFetch) {
				return nil, fmt.Errorf("replaying command %d of topic %s (%s): %w", c.offset, e.commands.topic, c.Statement, err)
			}
			snap.catalog = before
			e.commandFailed(c, err)
		}
	}
	e.commands.past = nil
	return snap, nil
}

// commandFailed notes a command of the topic that can't be carried out.
func (e *Engine) commandFailed(c command, err error) {
	e.log.Error("a statement that was logged can't be carried out any more and is left out: repeat or undo it",
		"topic", e.commands.topic, "offset", c.offset, "statement", c.Statement, "error", err)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failed[c.id] = true
	e.statuses[c.id] = CommandStatus{Status: "ERROR", Message: err.Error()}
}

// FailedCommands is how many statements of the command topic could not be carried
// out at the start, and have not been repeated since.
func (e *Engine) FailedCommands() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.failed)
}

// catchUp carries out what the command topic holds beyond the commands that are
// known: after a write whose outcome is not known, the statement may be there.
func (e *Engine) catchUp(ctx context.Context) error {
	if !e.commands.uncertain {
		return nil
	}
	missed, err := e.commands.readOn(ctx, e.cfg, e.admin)
	if err != nil {
		return &Error{Code: CodeServerError, Message: "An earlier statement may have been written to the command topic, which can't be read: " + err.Error(), cause: err}
	}
	before := e.current.Load()
	snap := &snapshot{catalog: before.catalog.Snapshot(), paused: maps.Clone(before.paused)}
	for _, c := range missed {
		e.log.Warn("carrying out a statement whose writing seemed to have failed", "statement", c.Statement)
		kept := snap.catalog.Snapshot()
		if err := e.replayOne(ctx, snap, c); err != nil {
			if errors.Is(err, format.ErrFetch) {
				e.commands.past, e.commands.uncertain = missed, true
				return err
			}
			snap.catalog = kept
			e.commandFailed(c, err)
		}
	}
	e.current.Store(snap)
	for _, q := range before.catalog.Queries() {
		now, ok := snap.catalog.Query(q.ID)
		if ok && now == q {
			continue
		}
		if ok { // it goes on with its state and positions
			if err := e.startQuery(ctx, snap.catalog, now, true); err != nil {
				e.startLater(now, err)
			}
			continue
		}
		if err := e.runtime.Terminate(ctx, q.ID); err != nil && !errors.Is(err, runtime.ErrUnknownQuery) {
			return err
		}
	}
	for _, q := range snap.catalog.Queries() {
		if _, err := e.runtime.Status(q.ID); err == nil {
			continue
		}
		if err := e.startOne(ctx, snap, q); err != nil {
			e.startLater(q, err)
		}
	}
	return nil
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

package engine

import (
	"log/slog"
	"sync"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
)

// problemInterval is how often the same step of a query gets a line in the log.
const problemInterval = 10 * time.Second

// problemLog writes what queries report of records that they could not process
// as they should. Each step of a query gets a line at once, and then at most one
// per interval that says how many there were meanwhile; every one is at debug
// level.
type problemLog struct {
	log *slog.Logger
	now func() time.Time
	// topic takes every problem, too; nil without a processing log.
	topic *processingLog

	mu    sync.Mutex
	steps map[problemStep]*problemCount
}

type problemStep struct {
	query string
	step  string
	kind  exec.ErrorType
}

type problemCount struct {
	logged time.Time
	since  int
}

func newProblemLog(log *slog.Logger, now func() time.Time) *problemLog {
	return &problemLog{log: log, now: now, steps: map[problemStep]*problemCount{}}
}

func (l *problemLog) add(queryID string, p exec.ProcessingError) {
	if l.topic != nil {
		l.topic.add(queryID, p)
	}
	if p.Type == exec.ThreadError {
		return // the runtime logs it
	}
	args := []any{"query", queryID, "step", p.Step, "topic", p.Topic, "partition", p.Partition,
		"offset", p.Offset, "message", p.Message, "cause", p.Cause}
	l.log.Debug("a record could not be processed as it should", args...)
	if more, due := l.due(problemStep{queryID, p.Step, p.Type}); due {
		l.log.Warn("a record could not be processed as it should", append(args, "others_since_last_line", more)...)
	}
}

func (l *problemLog) due(step problemStep) (more int, due bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	count, ok := l.steps[step]
	if !ok {
		count = &problemCount{}
		l.steps[step] = count
	}
	now := l.now()
	if ok && now.Sub(count.logged) < problemInterval {
		count.since++
		return 0, false
	}
	more, count.since, count.logged = count.since, 0, now
	return more, true
}

// forget drops what is known of a query that ended.
func (l *problemLog) forget(queryID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for step := range l.steps {
		if step.query == queryID {
			delete(l.steps, step)
		}
	}
}

package runtime

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
)

// maxFailures is how many failures a query remembers, ksqlDB's
// ksql.query.error.max.queue.size.
const maxFailures = 10

// query is a persistent query over its whole life: started, failed and started
// again, paused and resumed.
type query struct {
	rt   *Runtime
	spec Spec

	control sync.Mutex // serialises start, pause and stop

	mu       sync.Mutex
	state    string
	failures []Failure
	metrics  []*exec.Metrics // of the session's tasks
	past     totals          // of earlier sessions
	cancel   context.CancelFunc
	done     chan struct{}
	tasks    map[int]int32 // number of tasks by sub-topology
	session  *session      // that runs; nil between sessions
}

func newQuery(rt *Runtime, spec Spec) *query {
	return &query{rt: rt, spec: spec, state: Paused}
}

// start makes the query's topics and tasks ready and lets it run. The context
// bounds the preparation only.
func (q *query) start(ctx context.Context) error {
	q.control.Lock()
	defer q.control.Unlock()
	q.mu.Lock()
	running := q.cancel != nil
	q.mu.Unlock()
	if running {
		return nil
	}
	first, err := openSession(ctx, q)
	if err != nil && !q.spec.Retry {
		return err
	}
	runCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	q.mu.Lock()
	q.state, q.cancel, q.done = Running, cancel, done
	q.mu.Unlock()
	go func() {
		defer close(done)
		q.run(runCtx, first, err)
	}()
	return nil
}

// run keeps the query going: when a session fails, a new one goes on from what
// was committed, after a while.
func (q *query) run(ctx context.Context, s *session, err error) {
	backoff := q.rt.cfg.RetryBackoff
	for {
		if err == nil {
			q.setState(Running)
			started := time.Now()
			err = s.run(ctx)
			if time.Since(started) > backoff {
				backoff = q.rt.cfg.RetryBackoff
			}
		}
		if ctx.Err() != nil {
			if err != nil {
				q.rt.log.Warn("a query did not stop cleanly; it goes on from its last commit when it is started again", "query", q.spec.QueryID, "error", err)
			}
			return
		}
		if !errors.Is(err, errGrown) {
			q.fail(err)
			if errors.Is(err, errFenced) {
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(backoff):
			}
			backoff = min(2*backoff, q.rt.cfg.MaxRetryBackoff)
		}
		s, err = openSession(ctx, q)
	}
}

func (q *query) setSession(s *session) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.session = s
}

func (q *query) running() *session {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.session
}

func (q *query) setState(state string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.state = state
}

func (q *query) fail(err error) {
	q.rt.log.Error("a query failed and will be tried again", "query", q.spec.QueryID, "error", err)
	q.rt.cfg.Problem(q.spec.QueryID, exec.ProcessingError{
		Type: exec.ThreadError, Step: "ksql.logger.thread.exception.uncaught",
		Message: "Unhandled exception caught in streams thread", Cause: exec.Causes(err),
	})
	q.mu.Lock()
	defer q.mu.Unlock()
	q.state = Errored
	q.failures = append(q.failures, Failure{Time: time.Now(), Message: err.Error()})
	if len(q.failures) > maxFailures {
		q.failures = q.failures[1:]
	}
}

// stop ends the processing after the batch at hand. It may be called twice.
func (q *query) stop() {
	q.control.Lock()
	defer q.control.Unlock()
	q.mu.Lock()
	cancel, done := q.cancel, q.done
	q.cancel = nil
	q.mu.Unlock()
	if cancel != nil {
		cancel()
		<-done
	}
	q.setState(Paused)
}

func (q *query) pause() { q.stop() }

// totals are the counts of a query's tasks.
type totals struct {
	in, out, problems, late int64
	operators               []exec.OperatorCounts
}

func (t *totals) add(m *exec.Metrics, operators []exec.Operator) {
	t.in += m.RecordsIn.Load()
	t.out += m.RecordsOut.Load()
	t.problems += m.Problems.Load()
	t.late += m.Late.Load()
	if t.operators == nil {
		t.operators = make([]exec.OperatorCounts, len(operators))
	}
	m.AddTo(t.operators, operators)
}

// setMetrics takes the metrics of a new session's tasks.
func (q *query) setMetrics(metrics []*exec.Metrics) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range q.metrics {
		q.past.add(m, q.spec.Topology.Operators)
	}
	q.metrics = metrics
}

func (q *query) totals() totals {
	q.mu.Lock()
	defer q.mu.Unlock()
	sum := q.past
	sum.operators = slices.Clone(sum.operators)
	for _, m := range q.metrics {
		sum.add(m, q.spec.Topology.Operators)
	}
	if sum.operators == nil {
		sum.operators = make([]exec.OperatorCounts, len(q.spec.Topology.Operators))
	}
	return sum
}

func (q *query) status() Status {
	sum := q.totals()
	q.mu.Lock()
	defer q.mu.Unlock()
	return Status{
		State: q.state, Errors: slices.Clone(q.failures),
		RecordsIn: sum.in, RecordsOut: sum.out, Problems: sum.problems, Late: sum.late,
	}
}

// tasksOf is the number of tasks, and so of partitions, of a sub-topology.
func (q *query) tasksOf(sub int) int32 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.tasks[sub]
}

func (q *query) setTasks(tasks []*runner) {
	counts := map[int]int32{}
	for _, t := range tasks {
		counts[t.ID().Sub]++
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tasks = counts
}

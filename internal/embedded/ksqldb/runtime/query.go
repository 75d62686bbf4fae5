package runtime

import (
	"context"
	"errors"
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
	metrics  []*exec.Metrics
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

func (q *query) addMetrics(m *exec.Metrics) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.metrics = append(q.metrics, m)
}

func (q *query) status() Status {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := Status{State: q.state, Errors: append([]Failure(nil), q.failures...)}
	for _, m := range q.metrics {
		s.RecordsIn += m.RecordsIn.Load()
		s.RecordsOut += m.RecordsOut.Load()
		s.Problems += m.Problems.Load()
		s.Late += m.Late.Load()
	}
	return s
}

// tasksOf is the number of tasks, and so of partitions, of a sub-topology.
func (q *query) tasksOf(sub int) int32 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.tasks[sub]
}

func (q *query) setTasks(tasks []*task) {
	counts := map[int]int32{}
	for _, t := range tasks {
		counts[t.id.Sub]++
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tasks = counts
}

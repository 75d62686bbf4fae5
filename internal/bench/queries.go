package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/orderflow/orderflow/internal/ksql"
)

// QueriesConfig says how the start of persistent queries is measured.
type QueriesConfig struct {
	// Queries is how many are started.
	Queries int
	// Memory gives how many bytes the server uses; nil when that can't be known.
	Memory func(ctx context.Context) (int64, error)
}

// Queries is what starting queries cost.
type Queries struct {
	Started Latencies
	// BytesEach is how much memory each query took; 0 when that isn't known.
	BytesEach int64
}

// StartQueries measures how long it takes to start persistent queries that have
// nothing to do, from the statement to the answer that it runs.
func (t *Target) StartQueries(ctx context.Context, cfg QueriesConfig) (_ Queries, err error) {
	_, clean, err := t.prepare(ctx)
	if err != nil {
		return Queries{}, err
	}
	defer func() {
		if failed := clean(); err == nil {
			err = failed
		}
	}()
	var q Queries
	var before int64
	if cfg.Memory != nil {
		if before, err = cfg.Memory(ctx); err != nil {
			return Queries{}, err
		}
	}
	var took []time.Duration
	began := time.Now()
	for i := range cfg.Queries {
		sql := fmt.Sprintf("CREATE STREAM bench_idle_%d AS SELECT k, v + %d AS v FROM bench_events WHERE v > %d;", i, i, i)
		asked := time.Now()
		entities, err := t.KsqlDB.Exec(ctx, sql, ksql.ExecOptions{})
		if err != nil {
			return Queries{}, fmt.Errorf("starting query %d: %w", i+1, err)
		}
		if len(entities) != 1 {
			return Queries{}, fmt.Errorf("starting query %d: ksqlDB answered with %d entities", i+1, len(entities))
		}
		took = append(took, time.Since(asked))
	}
	q.Started = summarize(took, time.Since(began))
	if cfg.Memory != nil {
		after, err := cfg.Memory(ctx)
		if err != nil {
			return Queries{}, err
		}
		q.BytesEach = (after - before) / int64(cfg.Queries)
	}
	return q, nil
}

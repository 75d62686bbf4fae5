package bench

import (
	"context"
	"fmt"
	"time"
)

// PushConfig says how push queries are measured.
type PushConfig struct {
	// Rows is how many rows are sent, Pause how long after another.
	Rows  int
	Pause time.Duration
}

// Push measures how long a record takes from the moment it is produced until its
// row has arrived at the client of a push query.
func (t *Target) Push(ctx context.Context, cfg PushConfig) (_ Latencies, err error) {
	client, clean, err := t.prepare(ctx)
	if err != nil {
		return Latencies{}, err
	}
	defer func() {
		if failed := clean(); err == nil {
			err = failed
		}
	}()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rows, err := t.KsqlDB.Query(ctx, "SELECT v FROM bench_events EMIT CHANGES;", map[string]string{"auto.offset.reset": "latest"})
	if err != nil {
		return Latencies{}, err
	}
	defer rows.Close()
	const warmUp = 20
	var took []time.Duration
	began := time.Now()
	for i := range cfg.Rows + warmUp {
		if i == warmUp {
			began = time.Now()
		}
		sent := time.Now()
		client.Produce(ctx, event(key(i), int64(i)), nil)
		if !rows.Next() {
			return Latencies{}, fmt.Errorf("waiting for row %d of the push query: it ended: %w", i, rows.Err())
		}
		arrived := time.Since(sent)
		var v int64
		if err := rows.Scan(&v); err != nil {
			return Latencies{}, err
		}
		if v != int64(i) {
			return Latencies{}, fmt.Errorf("the push query gave row %d in the place of row %d", v, i)
		}
		if i >= warmUp {
			took = append(took, arrived)
		}
		select {
		case <-time.After(cfg.Pause):
		case <-ctx.Done():
			return Latencies{}, ctx.Err()
		}
	}
	return summarize(took, time.Since(began)), nil
}

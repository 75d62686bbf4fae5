package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/orderflow/orderflow/internal/kafka"
)

// feed keeps one push query running: when it ends or cannot be started, it is
// started again.
type feed struct {
	name    string
	text    string
	props   map[string]string
	queries Queries
	log     *slog.Logger
	// onConnect is called each time ksqlDB has accepted the query; nil for none.
	onConnect func()
	// onRow is called for each row, by one goroutine at a time.
	onRow func(Rows) error

	up atomic.Bool
}

func (f *feed) connected() bool { return f.up.Load() }

// run returns when ctx ends.
func (f *feed) run(ctx context.Context) {
	kafka.Keep(ctx, f.log, "reading "+f.name, func(ctx context.Context, progress func()) error {
		defer f.up.Store(false)
		return f.once(ctx, progress)
	})
}

// once runs the query until it ends, which is an error always.
func (f *feed) once(ctx context.Context, progress func()) (err error) {
	rows, err := f.queries.Query(ctx, f.text, f.props)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := rows.Close(); err == nil {
			err = cerr
		}
	}()
	f.up.Store(true)
	progress()
	f.log.Debug("push query connected", "query", f.name)
	if f.onConnect != nil {
		f.onConnect()
	}
	for rows.Next() {
		if err := f.onRow(rows); err != nil {
			return fmt.Errorf("reading a row: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return errors.New("ksqlDB ended the query")
}

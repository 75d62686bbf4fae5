package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
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
	retry := backoff{}
	for ctx.Err() == nil {
		err := f.once(ctx, &retry)
		f.up.Store(false)
		if ctx.Err() != nil {
			return
		}
		retry.report(f.log, "reading "+f.name, err)
		if !retry.wait(ctx) {
			return
		}
	}
}

func (f *feed) once(ctx context.Context, retry *backoff) (err error) {
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
	retry.reset()
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

// The first retry comes soon, since a stack that is starting needs a moment only.
const (
	firstRetry  = 50 * time.Millisecond
	longestWait = 2 * time.Second
)

// backoff paces retries: twice as long each time, up to a limit. The zero value is ready for use.
type backoff struct{ next time.Duration }

func (b *backoff) reset() { b.next = 0 }

// report logs the first failure in a row as a warning and the repeated ones quietly.
func (b *backoff) report(log *slog.Logger, what string, err error) {
	level := slog.LevelDebug
	if b.next >= longestWait/2 {
		level = slog.LevelWarn
	}
	log.Log(context.Background(), level, what+" failed, trying again", "error", err)
}

// wait sleeps for the next pause and reports false when ctx ended meanwhile.
func (b *backoff) wait(ctx context.Context) bool {
	if b.next == 0 {
		b.next = firstRetry
	}
	timer := time.NewTimer(b.next)
	defer timer.Stop()
	b.next = min(2*b.next, longestWait)
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

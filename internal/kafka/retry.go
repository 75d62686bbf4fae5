package kafka

import (
	"context"
	"log/slog"
	"time"
)

// The pauses between attempts: the first, and the longest.
const (
	firstRetry  = 50 * time.Millisecond
	longestWait = 2 * time.Second
)

// Keep calls work until it returns nil or ctx ends: again soon after the first
// failure, then with growing pauses, up to two seconds. work calls progress when it has come
// so far that the next failure is a new one. Failures are logged under what, the
// first ones quietly, since a system that is starting has them.
func Keep(ctx context.Context, log *slog.Logger, what string, work func(ctx context.Context, progress func()) error) {
	pause := firstRetry
	for {
		err := work(ctx, func() { pause = firstRetry })
		if err == nil || ctx.Err() != nil {
			return
		}
		level := slog.LevelDebug
		if pause >= longestWait/2 {
			level = slog.LevelWarn
		}
		log.Log(ctx, level, what+" was interrupted, trying again", "error", err)
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		pause = min(2*pause, longestWait)
	}
}

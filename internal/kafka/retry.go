package kafka

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// The pauses between attempts: the first, the longest, and the longest when somebody has
// to do something first. Members that join and fail again and again disturb their group.
const (
	firstRetry  = 50 * time.Millisecond
	longestWait = 2 * time.Second
	lastingWait = 30 * time.Second
)

// Lasting reports whether an error stays until somebody does something about it: run
// another version, or give the Schema Registry its schemas back.
func Lasting(err error) bool { return errors.Is(err, ErrNewer) || errors.Is(err, ErrUnknownSchema) }

// Keep calls work until it returns nil or ctx ends: again soon after the first
// failure, then with growing pauses, up to two seconds, or half a minute after errors that
// are lasting. work calls progress when it has come
// so far that the next failure is a new one. Failures are logged under what, the
// first ones quietly, since a system that is starting has them.
func Keep(ctx context.Context, log *slog.Logger, what string, work func(ctx context.Context, progress func()) error) {
	pause := firstRetry
	for {
		err := work(ctx, func() { pause = firstRetry })
		if err == nil || ctx.Err() != nil {
			return
		}
		level, longest := slog.LevelDebug, longestWait
		if pause >= longestWait/2 {
			level = slog.LevelWarn
		}
		if Lasting(err) {
			level, longest = slog.LevelError, lastingWait
		}
		pause = min(pause, longest)
		log.Log(ctx, level, what+" was interrupted, trying again", "error", err)
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		pause = min(2*pause, longest)
	}
}

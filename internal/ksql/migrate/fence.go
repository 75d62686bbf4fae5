package migrate

import (
	"context"
	"errors"
	"fmt"
)

// ErrLockLost says that a migrator was stopped because another may be at work, so that
// nothing could be noted any more. What it had begun goes on at the next Apply.
var ErrLockLost = errors.New("the migrations' lock was lost")

type fenceKey struct{}

// Fence returns a context under which a Migrator sends nothing that changes the
// server before confirm has returned nil. A lock that is lost is told late: a
// server that was away has forgotten who had it and may have given it to another
// before the former holder hears of it, and one that was stopped for a while goes on
// as if nothing had been. A Config.Lock that can ask whether it is still held
// returns such a context.
func Fence(ctx context.Context, confirm func(context.Context) error) context.Context {
	return context.WithValue(ctx, fenceKey{}, confirm)
}

// passFence returns an error when the lock that ctx belongs to is not held any more.
func passFence(ctx context.Context) error {
	confirm, ok := ctx.Value(fenceKey{}).(func(context.Context) error)
	if !ok {
		return nil
	}
	if err := confirm(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrLockLost, err)
	}
	return nil
}

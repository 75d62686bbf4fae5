package api

import (
	"context"
	"sync"
)

// endLookups asks for the ends of partitions. Of each partition one question is under way
// at a time; all that come meanwhile share the next one. It is safe for concurrent use.
type endLookups struct {
	ask func(ctx context.Context, partition int32) (int64, error)

	mu      sync.Mutex
	next    map[int32]*endLookup // not yet asked
	running map[int32]bool
}

type endLookup struct {
	end  int64
	err  error
	done chan struct{}
}

func newEndLookups(ask func(ctx context.Context, partition int32) (int64, error)) *endLookups {
	return &endLookups{ask: ask, next: map[int32]*endLookup{}, running: map[int32]bool{}}
}

// start asks where a partition ends: whatever was acknowledged before the call lies
// before it.
func (l *endLookups) start(partition int32) *endLookup {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.next[partition]
	if one == nil {
		one = &endLookup{done: make(chan struct{})}
		l.next[partition] = one
	}
	if !l.running[partition] {
		l.running[partition] = true
		go l.run(partition)
	}
	return one
}

// wait returns the answer.
func (one *endLookup) wait(ctx context.Context) (int64, error) {
	select {
	case <-one.done:
		return one.end, one.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// run asks until nobody waits.
func (l *endLookups) run(partition int32) {
	for {
		l.mu.Lock()
		one := l.next[partition]
		delete(l.next, partition)
		if one == nil {
			delete(l.running, partition)
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		// It is asked for several requests and does not end with one of them.
		ctx, cancel := context.WithTimeout(context.Background(), reachTimeout)
		one.end, one.err = l.ask(ctx, partition)
		cancel()
		close(one.done)
	}
}

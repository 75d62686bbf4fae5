package api

import (
	"context"
	"errors"
	"sync"
)

const (
	// lookupBatch bounds how many ids one pull query asks for.
	lookupBatch = 100
	// lookupQueries bounds how many pull queries of a kind run at the same time.
	lookupQueries = 4
	// lookupQueue bounds how many look-ups wait for their query.
	lookupQueue = 20_000
)

// lookups joins the look-ups that come while others are under way into one pull query, so
// that their number does not depend on that of the requests. It is safe for concurrent use.
type lookups[T any] struct {
	find func(ctx context.Context, ids ...string) (map[string]T, error)

	mu      sync.Mutex
	waiting []*lookup[T] // not yet asked for, in the order in which they came
	running int          // queries
}

// lookup is what one caller, or several with the same id in one query, wait for.
type lookup[T any] struct {
	id    string
	value T
	found bool
	err   error
	done  chan struct{}
}

func newLookups[T any](find func(ctx context.Context, ids ...string) (map[string]T, error)) *lookups[T] {
	return &lookups[T]{find: find}
}

// get returns what is found under an id. An error comes with a value when it could be read
// all the same.
func (l *lookups[T]) get(ctx context.Context, id string) (value T, found bool, err error) {
	one, err := l.enqueue(id)
	if err != nil {
		return value, false, err
	}
	select {
	case <-one.done:
		return one.value, one.found, one.err
	case <-ctx.Done():
		return value, false, ctx.Err()
	}
}

func (l *lookups[T]) enqueue(id string) (*lookup[T], error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) >= lookupQueue {
		return nil, busy("Too many requests wait for ksqlDB's tables.")
	}
	one := &lookup[T]{id: id, done: make(chan struct{})}
	l.waiting = append(l.waiting, one)
	if l.running < lookupQueries {
		l.running++
		go l.run()
	}
	return one, nil
}

// run asks until nothing waits.
func (l *lookups[T]) run() {
	for {
		batch := l.next()
		if batch == nil {
			return
		}
		l.ask(batch)
	}
}

// next takes what one query can ask for; nil ends the caller.
func (l *lookups[T]) next() []*lookup[T] {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		l.waiting = nil
		l.running--
		return nil
	}
	n := min(lookupBatch, len(l.waiting))
	batch := l.waiting[:n:n]
	l.waiting = l.waiting[n:]
	return batch
}

func (l *lookups[T]) ask(batch []*lookup[T]) {
	ids := make([]string, 0, len(batch))
	asked := make(map[string]struct{}, len(batch))
	for _, one := range batch {
		if _, ok := asked[one.id]; !ok {
			asked[one.id] = struct{}{}
			ids = append(ids, one.id)
		}
	}
	// It is asked for several requests and does not end with one of them.
	ctx, cancel := context.WithTimeoutCause(context.Background(), lookupTimeout, errLookupTimeout)
	defer cancel()
	found, err := l.find(ctx, ids...)
	if err != nil && ctx.Err() != nil {
		err = errors.Join(context.Cause(ctx), err)
	}
	var unreadable rowErrors
	some := errors.As(err, &unreadable)
	for _, one := range batch {
		one.value, one.found = found[one.id]
		if one.err = err; some {
			one.err = unreadable[one.id]
		}
		close(one.done)
	}
}

var errLookupTimeout = errors.New("ksqlDB did not answer within " + lookupTimeout.String())

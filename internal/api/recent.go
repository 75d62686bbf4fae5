package api

import (
	"sync"

	"github.com/orderflow/orderflow/internal/order"
)

// recentLimit bounds how many orders and payments each an instance remembers.
const recentLimit = 1 << 16

// recent remembers what this instance wrote last, by id. It bridges the moment
// between the broker's acknowledgement and the record's arrival in ksqlDB's tables;
// when it has forgotten, the tables answer. It is safe for concurrent use.
type recent[T any] struct {
	mu    sync.Mutex
	limit int
	byID  map[string]T
	ring  []string
	next  int
}

func newRecent[T any](limit int) *recent[T] {
	return &recent[T]{limit: limit, byID: map[string]T{}}
}

func (r *recent[T]) get(id string) (T, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, ok := r.byID[id]
	return v, ok
}

// put remembers v; when there are too many, the oldest is forgotten.
func (r *recent[T]) put(id string, v T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.byID[id]; !ok {
		if len(r.ring) < r.limit {
			r.ring = append(r.ring, id)
		} else {
			delete(r.byID, r.ring[r.next])
			r.ring[r.next] = id
			r.next = (r.next + 1) % r.limit
		}
	}
	r.byID[id] = v
}

// update changes what is remembered under id; what is not remembered stays so.
func (r *recent[T]) update(id string, change func(T) T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if v, ok := r.byID[id]; ok {
		r.byID[id] = change(v)
	}
}

// idLocks makes requests for one id wait for each other. The zero value is ready for use.
type idLocks struct {
	mu    sync.Mutex
	locks map[string]*idLock
}

type idLock struct {
	mu   sync.Mutex
	uses int
}

// lock blocks until no other request holds id, and returns what lets it go.
func (l *idLocks) lock(id string) (unlock func()) {
	l.mu.Lock()
	if l.locks == nil {
		l.locks = map[string]*idLock{}
	}
	k := l.locks[id]
	if k == nil {
		k = &idLock{}
		l.locks[id] = k
	}
	k.uses++
	l.mu.Unlock()
	k.mu.Lock()
	return func() {
		k.mu.Unlock()
		l.mu.Lock()
		defer l.mu.Unlock()
		if k.uses--; k.uses == 0 {
			delete(l.locks, id)
		}
	}
}

// newerOrder merges what is remembered of an order with what was found.
func newerOrder(remembered order.Order, known bool, found order.Order, ok bool) (order.Order, bool) {
	switch {
	case known && ok:
		return newer(remembered, found), true
	case known:
		return remembered, true
	default:
		return found, ok
	}
}

package ledger

import (
	"context"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/order"
)

// Reader keeps the folds of ledger partitions. A partition that is read stays so: a
// fold is right whoever writes, and is there at once when it is needed again. One
// goroutine uses a Reader, but for Reservation.
type Reader struct {
	*kafka.Follower
	registry *kafka.Registry
	// mu is held while a fold changes and while Reservation looks into them.
	mu    sync.Mutex
	folds map[int32]*Fold
	// lastSet has the source of the last stock-set, by product.
	lastSet map[string]Source
}

// NewReader returns a reader of no partitions; Add names those to read.
func NewReader(cfg kafka.Config, registry *kafka.Registry) (*Reader, error) {
	r := &Reader{registry: registry, folds: map[int32]*Fold{}, lastSet: map[string]Source{}}
	follower, err := kafka.NewFollower(cfg, order.TopicInventoryLedger, r.apply)
	if err != nil {
		return nil, err
	}
	r.Follower = follower
	return r, nil
}

// Fold returns the fold of what has been read of a partition.
func (r *Reader) Fold(partition int32) *Fold {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fold(partition)
}

// Reservation returns what became of an order's reserve-request in any partition, and
// false when none has been read. It is safe for concurrent use.
func (r *Reader) Reservation(orderID string) (Reservation, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.folds {
		if found, ok := f.Reservation(orderID); ok {
			return found, true
		}
	}
	return Reservation{}, false
}

func (r *Reader) fold(partition int32) *Fold {
	f := r.folds[partition]
	if f == nil {
		f = NewFold()
		r.folds[partition] = f
	}
	return f
}

func (r *Reader) apply(rec *kgo.Record) error {
	// Only fetching a schema takes time here, and that has a time limit of its own.
	e, err := Decode(context.Background(), r.registry, rec.Value)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fold(rec.Partition).Apply(e) && e.Kind == StockSet {
		r.lastSet[e.Product] = e.Source
	}
	return nil
}

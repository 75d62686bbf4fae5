package runtime

import (
	"sync"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/tail"
)

type topicPartition = tail.Partition

// endTracker knows, per output partition, an offset that the next record cannot
// lie below: what the broker last said of its end, in an acknowledgement or on
// request.
type endTracker struct {
	mu   sync.Mutex
	ends map[topicPartition]int64
}

func newEndTracker() *endTracker { return &endTracker{ends: map[topicPartition]int64{}} }

func (e *endTracker) get(tp topicPartition) (int64, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	end, ok := e.ends[tp]
	return end, ok
}

func (e *endTracker) atLeast(tp topicPartition, end int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if known, ok := e.ends[tp]; !ok || end > known {
		e.ends[tp] = end
	}
}

// set takes an end that the broker gave on request. It may be lower than what
// acknowledgements said since, or than that of a topic of the same name that was
// deleted; both are safe, since a bound may be too low but never too high.
func (e *endTracker) set(tp topicPartition, end int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ends[tp] = end
}

// forget drops what is known of a topic that may have been made anew.
func (e *endTracker) forget(topic string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for tp := range e.ends {
		if tp.Topic == topic {
			delete(e.ends, tp)
		}
	}
}

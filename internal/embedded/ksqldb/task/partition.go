package task

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Partitioner gives the partition of a key as Kafka's default partitioner does:
// murmur2 over the key's bytes. It is used by one goroutine.
type Partitioner struct{ byKey kgo.TopicPartitioner }

// NewPartitioner returns a partitioner.
func NewPartitioner() Partitioner {
	return Partitioner{byKey: kgo.StickyKeyPartitioner(nil).ForTopic("")}
}

// Partition returns the partition of a key among so many. It spreads records without a key by their number, so that the same
// outputs always go to the same partitions.
func (p Partitioner) Partition(key []byte, seq uint64, partitions int32) int32 {
	if key == nil {
		return int32(seq % uint64(partitions))
	}
	return int32(p.byKey.Partition(&kgo.Record{Key: key}, int(partitions)))
}

// SharedPartitioner is a Partitioner for several goroutines. A look-up that made
// one of its own would spend most of its time on that.
type SharedPartitioner struct {
	mu    sync.Mutex
	inner Partitioner
}

// NewSharedPartitioner returns a partitioner.
func NewSharedPartitioner() *SharedPartitioner { return &SharedPartitioner{inner: NewPartitioner()} }

// Partition is that of Partitioner.
func (s *SharedPartitioner) Partition(key []byte, seq uint64, partitions int32) int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inner.Partition(key, seq, partitions)
}

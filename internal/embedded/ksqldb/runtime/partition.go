package runtime

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// partitioner gives the partition of a key as Kafka's default partitioner does:
// murmur2 over the key's bytes. It is used by one goroutine.
type partitioner struct{ byKey kgo.TopicPartitioner }

func newPartitioner() partitioner {
	return partitioner{byKey: kgo.StickyKeyPartitioner(nil).ForTopic("")}
}

// partition spreads records without a key by their number, so that the same
// outputs always go to the same partitions.
func (p partitioner) partition(key []byte, seq uint64, partitions int32) int32 {
	if key == nil {
		return int32(seq % uint64(partitions))
	}
	return int32(p.byKey.Partition(&kgo.Record{Key: key}, int(partitions)))
}

// sharedPartitioner is a partitioner for several goroutines. A look-up that made
// one of its own would spend most of its time on that.
type sharedPartitioner struct {
	mu sync.Mutex
	partitioner
}

func (s *sharedPartitioner) partition(key []byte, seq uint64, partitions int32) int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.partitioner.partition(key, seq, partitions)
}

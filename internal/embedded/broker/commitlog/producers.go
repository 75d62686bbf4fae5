package commitlog

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/orderflow/orderflow/internal/embedded/broker/batch"
)

// rememberedBatches is how many batches of a producer are recognised when they
// are sent again: as many as a producer may have under way, as in Kafka.
const rememberedBatches = 5

// producer is what a log knows of one idempotent producer.
type producer struct {
	Epoch   int16           `json:"epoch"`
	Seen    int64           `json:"seen"` // when the last batch came, in milliseconds
	Batches []producerBatch `json:"batches"`
}

type producerBatch struct {
	First     int32 `json:"first"` // sequence numbers
	Last      int32 `json:"last"`
	Base      int64 `json:"base"`      // offset of the first record
	Timestamp int64 `json:"timestamp"` // the highest of the records, in milliseconds
}

// producers has the state of the producers of one partition.
type producers map[int64]*producer

// check decides on a batch that came: already is set when it was stored before.
// An error says that it may not be stored (KIP-98, KIP-360).
func (ps producers) check(b batch.Batch) (already *producerBatch, err error) {
	id := b.ProducerID()
	p := ps[id]
	if id < 0 || p == nil {
		// A producer nobody knows may go on with any number: what it sent before
		// may have been trimmed.
		return nil, nil
	}
	first := b.FirstSequence()
	switch epoch := b.ProducerEpoch(); {
	case epoch < p.Epoch:
		return nil, fmt.Errorf("producer %d sent with epoch %d, but epoch %d has taken over: %w", id, epoch, p.Epoch, kerr.InvalidProducerEpoch)
	case epoch > p.Epoch:
		if first != 0 {
			return nil, fmt.Errorf("producer %d began its epoch %d with sequence number %d: %w", id, epoch, first, kerr.OutOfOrderSequenceNumber)
		}
		return nil, nil
	}
	for i, known := range p.Batches {
		if known.First == first && known.Last == b.LastSequence() {
			return &p.Batches[i], nil
		}
	}
	last := p.Batches[len(p.Batches)-1].Last
	if next := int32((int64(last) + 1) & 0x7fffffff); first != next {
		return nil, fmt.Errorf("producer %d sent sequence number %d, not %d: %w", id, first, next, kerr.OutOfOrderSequenceNumber)
	}
	return nil, nil
}

// stored remembers a batch that is in the log now.
func (ps producers) stored(b batch.Batch, now int64) {
	id := b.ProducerID()
	if id < 0 || b.Control() {
		return
	}
	p := ps[id]
	if p == nil {
		p = &producer{}
		ps[id] = p
	}
	if n := len(p.Batches); n > 0 && b.BaseOffset() <= p.Batches[n-1].Base {
		return // read again, when a log is opened
	}
	if p.Epoch != b.ProducerEpoch() {
		p.Epoch, p.Batches = b.ProducerEpoch(), nil
	}
	p.Seen = now
	if len(p.Batches) == rememberedBatches {
		copy(p.Batches, p.Batches[1:])
		p.Batches = p.Batches[:rememberedBatches-1]
	}
	p.Batches = append(p.Batches, producerBatch{b.FirstSequence(), b.LastSequence(), b.BaseOffset(), b.MaxTimestamp()})
}

// HighestProducer is the highest id of a producer whose batches the log recognises, -1
// when there is none.
func (l *Log) HighestProducer() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	highest := int64(-1)
	for id := range l.producers {
		highest = max(highest, id)
	}
	return highest
}

// expire forgets producers that have sent nothing for an age.
func (ps producers) expire(now time.Time, age time.Duration) {
	limit := now.Add(-age).UnixMilli()
	for id, p := range ps {
		if p.Seen < limit {
			delete(ps, id)
		}
	}
}

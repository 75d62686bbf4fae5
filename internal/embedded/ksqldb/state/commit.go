package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// commitVersion is the version of the encoding of a commit record. The first one
// had no topic ids.
const commitVersion = 2

// Commit is what a task commits beside the content of its stores.
type Commit struct {
	// Positions are the offsets of the next record to read, by source topic.
	Positions map[string]int64
	// TopicIDs are the ids of the source topics, since another topic may take the name
	// of one that is deleted; those that aren't known are left out.
	TopicIDs map[string][16]byte
	// NextSeq is the number of the next output.
	NextSeq uint64
	// Outbox are the outputs that may not have been written yet, in order.
	Outbox []Pending
	// Bounds say, per output partition, an offset that no output of Outbox can
	// lie below.
	Bounds []Bound
}

// Pending is an output that may not have been written yet.
type Pending struct {
	Seq       uint64
	Topic     string
	Partition int32
	Key       []byte
	Value     []byte
	Time      int64
	Headers   []types.Header
}

// Bound is a position in an output partition.
type Bound struct {
	Topic     string
	Partition int32
	Offset    int64
}

func (c *Commit) append(b []byte) []byte {
	b = append(b, commitVersion)
	b = binary.AppendUvarint(b, uint64(len(c.Positions)))
	for _, topic := range slices.Sorted(maps.Keys(c.Positions)) {
		b = appendString(b, topic)
		b = binary.AppendVarint(b, c.Positions[topic])
	}
	b = binary.AppendUvarint(b, uint64(len(c.TopicIDs)))
	for _, topic := range slices.Sorted(maps.Keys(c.TopicIDs)) {
		b = appendString(b, topic)
		id := c.TopicIDs[topic]
		b = append(b, id[:]...)
	}
	b = binary.AppendUvarint(b, c.NextSeq)
	b = binary.AppendUvarint(b, uint64(len(c.Bounds)))
	for _, bound := range c.Bounds {
		b = appendString(b, bound.Topic)
		b = binary.AppendVarint(b, int64(bound.Partition))
		b = binary.AppendVarint(b, bound.Offset)
	}
	b = binary.AppendUvarint(b, uint64(len(c.Outbox)))
	for _, p := range c.Outbox {
		b = binary.AppendUvarint(b, p.Seq)
		b = appendString(b, p.Topic)
		b = binary.AppendVarint(b, int64(p.Partition))
		b = appendBytes(b, p.Key)
		b = appendBytes(b, p.Value)
		b = binary.AppendVarint(b, p.Time)
		b = binary.AppendUvarint(b, uint64(len(p.Headers)))
		for _, h := range p.Headers {
			b = appendString(b, h.Key)
			b = appendBytes(b, h.Value)
		}
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendBytes writes the length plus one, so that 0 stands for nil.
func appendBytes(b, s []byte) []byte {
	if s == nil {
		return append(b, 0)
	}
	return append(binary.AppendUvarint(b, uint64(len(s))+1), s...)
}

var errBadCommit = errors.New("a commit record is damaged")

func parseCommit(data []byte) (*Commit, error) {
	r := &commitReader{rest: data}
	if len(data) == 0 || data[0] < 1 || data[0] > commitVersion {
		return nil, fmt.Errorf("reading a task's commit: its version is not between 1 and %d: use the program that wrote it", commitVersion)
	}
	r.rest = data[1:]
	c := &Commit{Positions: map[string]int64{}}
	for range r.count() {
		topic := r.string()
		c.Positions[topic] = r.varint()
	}
	if data[0] > 1 {
		c.TopicIDs = r.topicIDs()
	}
	c.NextSeq = r.uvarint()
	for range r.count() {
		c.Bounds = append(c.Bounds, Bound{Topic: r.string(), Partition: int32(r.varint()), Offset: r.varint()})
	}
	for range r.count() {
		p := Pending{Seq: r.uvarint(), Topic: r.string(), Partition: int32(r.varint()), Key: r.bytes(), Value: r.bytes(), Time: r.varint()}
		for range r.count() {
			p.Headers = append(p.Headers, types.Header{Key: r.string(), Value: r.bytes()})
		}
		c.Outbox = append(c.Outbox, p)
	}
	if r.failed || len(r.rest) > 0 {
		return nil, fmt.Errorf("reading a task's commit: %w", errBadCommit)
	}
	return c, nil
}

func (r *commitReader) topicIDs() map[string][16]byte {
	var ids map[string][16]byte
	for range r.count() {
		if ids == nil {
			ids = map[string][16]byte{}
		}
		topic := r.string()
		var id [16]byte
		copy(id[:], r.take(uint64(len(id))))
		ids[topic] = id
	}
	return ids
}

type commitReader struct {
	rest   []byte
	failed bool
}

func (r *commitReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.failed, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *commitReader) varint() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.failed, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// count reads a number of elements, none of which is shorter than one byte.
func (r *commitReader) count() uint64 {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.failed, r.rest = true, nil
		return 0
	}
	return n
}

func (r *commitReader) take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.failed, r.rest = true, nil
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *commitReader) string() string { return string(r.take(r.uvarint())) }

func (r *commitReader) bytes() []byte {
	n := r.uvarint()
	if n == 0 {
		return nil
	}
	return append([]byte{}, r.take(n-1)...)
}

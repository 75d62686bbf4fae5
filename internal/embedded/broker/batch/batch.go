// Package batch reads and checks Kafka's record batches of version 2
// (https://kafka.apache.org/documentation/#recordbatch), the unit in which
// records are sent, stored and read. A batch is kept as the bytes it came in;
// what the broker has to fill in is patched in place.
//
// Invariant: a [Batch] has a whole header and is exactly as long as its header
// says; whether its content is sound, [Batch.CheckCRC] and [Batch.CheckRecords]
// tell.
package batch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Where the fields of a header are.
const (
	atLength          = 8
	atLeaderEpoch     = 12
	atMagic           = 16
	atCRC             = 17
	atAttributes      = 21 // the checksum covers all from here on
	atLastOffsetDelta = 23
	atFirstTimestamp  = 27
	atMaxTimestamp    = 35
	atProducerID      = 43
	atProducerEpoch   = 51
	atFirstSequence   = 53
	atNumRecords      = 57

	// HeaderSize is the length of a batch's header, in bytes.
	HeaderSize = 61
	// PrefixSize is the part of a header before the bytes that its length counts.
	PrefixSize = 12

	magic = 2

	codecMask         = 0x07
	logAppendTimeFlag = 0x08
	transactionalFlag = 0x10
	controlFlag       = 0x20
	maxCodec          = 4 // zstd

	// MaxContent is how many bytes the records of a batch may decompress to. A batch
	// of a megabyte can hold a thousand times that.
	MaxContent = 64 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrShort means that bytes end before the batch they begin with does.
var ErrShort = errors.New("the batch is cut off")

// Batch is one record batch.
type Batch []byte

// Cut takes the batch at the beginning of raw. The error is ErrShort when raw
// is too short for it, another one when it is no batch.
func Cut(raw []byte) (Batch, []byte, error) {
	size, err := Size(raw)
	if err != nil {
		return nil, nil, err
	}
	if size > len(raw) {
		return nil, nil, ErrShort
	}
	return Batch(raw[:size:size]), raw[size:], nil
}

// Size gives the length, in bytes, of the batch that begins with head. The
// error is ErrShort when head is shorter than a header.
func Size(head []byte) (int, error) {
	if len(head) < HeaderSize {
		return 0, ErrShort
	}
	if head[atMagic] != magic {
		return 0, fmt.Errorf("message format %d: only 2, that of Kafka 0.11 and later, is supported", head[atMagic])
	}
	length := int32(binary.BigEndian.Uint32(head[atLength:]))
	if length < HeaderSize-PrefixSize {
		return 0, fmt.Errorf("a batch length of %d bytes is shorter than its header", length)
	}
	return PrefixSize + int(length), nil
}

func (b Batch) int16(at int) int16 { return int16(binary.BigEndian.Uint16(b[at:])) }
func (b Batch) int32(at int) int32 { return int32(binary.BigEndian.Uint32(b[at:])) }
func (b Batch) int64(at int) int64 { return int64(binary.BigEndian.Uint64(b[at:])) }

// BaseOffset is the offset of the first record.
func (b Batch) BaseOffset() int64 { return b.int64(0) }

// LastOffset is the offset of the last record.
func (b Batch) LastOffset() int64 { return b.BaseOffset() + int64(b.int32(atLastOffsetDelta)) }

// LeaderEpoch is the epoch of the leader that stored the batch.
func (b Batch) LeaderEpoch() int32 { return b.int32(atLeaderEpoch) }

// FirstTimestamp is what the records' timestamps are relative to, in
// milliseconds.
func (b Batch) FirstTimestamp() int64 { return b.int64(atFirstTimestamp) }

// MaxTimestamp is the highest timestamp of the records, in milliseconds.
func (b Batch) MaxTimestamp() int64 { return b.int64(atMaxTimestamp) }

// ProducerID is the idempotent producer that sent the batch, -1 for none.
func (b Batch) ProducerID() int64 { return b.int64(atProducerID) }

// ProducerEpoch is the epoch of that producer.
func (b Batch) ProducerEpoch() int16 { return b.int16(atProducerEpoch) }

// FirstSequence is the producer's sequence number of the first record.
func (b Batch) FirstSequence() int32 { return b.int32(atFirstSequence) }

// LastSequence is that of the last record; numbers go on at 0 after the highest.
func (b Batch) LastSequence() int32 {
	return int32((int64(b.FirstSequence()) + int64(b.int32(atLastOffsetDelta))) & 0x7fffffff)
}

// NumRecords is how many records there are.
func (b Batch) NumRecords() int32 { return b.int32(atNumRecords) }

// Codec is the compression: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
func (b Batch) Codec() int { return int(b[atAttributes+1] & codecMask) }

// Transactional reports whether the batch belongs to a transaction.
func (b Batch) Transactional() bool { return b[atAttributes+1]&transactionalFlag != 0 }

// Control reports whether the batch is a marker of the broker's.
func (b Batch) Control() bool { return b[atAttributes+1]&controlFlag != 0 }

// SetBase gives the batch its place in the log. Neither is part of the checksum.
func (b Batch) SetBase(offset int64, leaderEpoch int32) {
	binary.BigEndian.PutUint64(b, uint64(offset))
	binary.BigEndian.PutUint32(b[atLeaderEpoch:], uint32(leaderEpoch))
}

// SetAppendTime stamps all records with the time of their arrival, in
// milliseconds.
func (b Batch) SetAppendTime(ms int64) {
	b[atAttributes+1] |= logAppendTimeFlag
	binary.BigEndian.PutUint64(b[atMaxTimestamp:], uint64(ms))
	binary.BigEndian.PutUint32(b[atCRC:], crc32.Checksum(b[atAttributes:], castagnoli))
}

// CheckCRC reports whether the content is what was sent.
func (b Batch) CheckCRC() error {
	want := binary.BigEndian.Uint32(b[atCRC:])
	if got := crc32.Checksum(b[atAttributes:], castagnoli); got != want {
		return fmt.Errorf("the checksum is %08x, the content's is %08x", want, got)
	}
	return nil
}

// CheckSent reports what is wrong with a batch that a producer sent.
func (b Batch) CheckSent() error {
	if err := b.CheckCRC(); err != nil {
		return err
	}
	switch n := b.NumRecords(); {
	case n < 1:
		return fmt.Errorf("a batch of %d records", n)
	case b.int32(atLastOffsetDelta) != n-1:
		return fmt.Errorf("a batch of %d records whose last one is number %d", n, b.int32(atLastOffsetDelta))
	case b.Codec() > maxCodec:
		return fmt.Errorf("unknown compression codec %d", b.Codec())
	case b.ProducerID() >= 0 && (b.ProducerEpoch() < 0 || b.FirstSequence() < 0):
		return fmt.Errorf("producer %d with epoch %d and sequence %d", b.ProducerID(), b.ProducerEpoch(), b.FirstSequence())
	case b[atAttributes+1]&logAppendTimeFlag != 0:
		return errors.New("a producer can't set the timestamp type LogAppendTime")
	}
	return nil
}

// ErrKeyless is the error of [Batch.CheckRecords] for a record without a key where
// each must have one.
var ErrKeyless = errors.New("a record without a key in a compacted topic")

// CheckRecords reports what is wrong with the records of a batch. Compressed ones
// are only looked at when keys are required, and may have MaxContent bytes then.
func (b Batch) CheckRecords(keys bool) error {
	if b.Codec() != 0 && !keys {
		return nil
	}
	n := int32(0)
	for r, err := range b.Records() {
		if err != nil {
			return err
		}
		if r.OffsetDelta != n {
			return fmt.Errorf("record %d of a batch has number %d", n, r.OffsetDelta)
		}
		if keys && r.Key == nil {
			return ErrKeyless
		}
		n++
	}
	return nil
}

// Record is one record of a batch.
type Record struct {
	OffsetDelta    int32
	TimestampDelta int64
	Key, Value     []byte // nil when there is none
	Raw            []byte // the record as it is in the batch, with its length
}

// Records gives the records in order; the last pair has the error, if any.
// Compressed ones are decompressed, as far as they aren't larger than MaxContent; few
// at a time, so that whoever uses the records must not wait for another batch's.
func (b Batch) Records() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		content := []byte(b[HeaderSize:])
		if codec := b.Codec(); codec != 0 {
			unpacking <- struct{}{}
			defer func() { <-unpacking }()
			var err error
			if content, err = decompress(content, kgo.CompressionCodecType(codec)); err != nil {
				yield(Record{}, fmt.Errorf("decompressing a batch: %w", err))
				return
			}
		}
		for i := range b.NumRecords() {
			r, rest, err := cutRecord(content)
			if err != nil {
				yield(Record{}, fmt.Errorf("record %d of %d: %w", i, b.NumRecords(), err))
				return
			}
			if !yield(r, nil) {
				return
			}
			content = rest
		}
		if len(content) > 0 {
			yield(Record{}, fmt.Errorf("%d bytes follow the last record of a batch", len(content)))
		}
	}
}

// Timestamp is the time of one of the batch's records, in milliseconds.
func (b Batch) Timestamp(r Record) int64 {
	if b[atAttributes+1]&logAppendTimeFlag != 0 {
		return b.MaxTimestamp()
	}
	return b.FirstTimestamp() + r.TimestampDelta
}

var errRecord = errors.New("the record is cut off or longer than its length")

func cutRecord(raw []byte) (Record, []byte, error) {
	length, n := binary.Varint(raw)
	if n <= 0 || length < 1 || length > int64(len(raw)-n) {
		return Record{}, nil, errRecord
	}
	end := n + int(length)
	r := Record{Raw: raw[:end]}
	body := raw[n+1 : end] // without the attributes
	var ok bool
	if r.TimestampDelta, body, ok = varint(body); !ok {
		return Record{}, nil, errRecord
	}
	var delta int64
	if delta, body, ok = varint(body); !ok {
		return Record{}, nil, errRecord
	}
	r.OffsetDelta = int32(delta)
	if r.Key, body, ok = varbytes(body); !ok {
		return Record{}, nil, errRecord
	}
	if r.Value, body, ok = varbytes(body); !ok {
		return Record{}, nil, errRecord
	}
	headers, body, ok := varint(body)
	if !ok || headers < 0 {
		return Record{}, nil, errRecord
	}
	for range headers {
		var key []byte
		if key, body, ok = varbytes(body); !ok || key == nil {
			return Record{}, nil, errRecord
		}
		if _, body, ok = varbytes(body); !ok {
			return Record{}, nil, errRecord
		}
	}
	if len(body) > 0 {
		return Record{}, nil, errRecord
	}
	return r, raw[end:], nil
}

func varint(raw []byte) (int64, []byte, bool) {
	v, n := binary.Varint(raw)
	if n <= 0 {
		return 0, nil, false
	}
	return v, raw[n:], true
}

func varbytes(raw []byte) ([]byte, []byte, bool) {
	length, raw, ok := varint(raw)
	if !ok || length < -1 || length > int64(len(raw)) {
		return nil, nil, false
	}
	if length == -1 {
		return nil, raw, true
	}
	return raw[:length:length], raw[length:], true
}

// Package batchtest makes record batches for tests, as a producer would.
package batchtest

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/embedded/broker/batch"
)

// Record is a record to put into a batch.
type Record struct {
	Key, Value []byte
	Timestamp  int64 // milliseconds
}

// Producer says which idempotent producer a batch is from.
type Producer struct {
	ID       int64
	Epoch    int16
	Sequence int32 // of the first record
}

// None is a producer that isn't idempotent.
var None = Producer{ID: -1, Epoch: -1, Sequence: -1}

// Make makes a batch of at least one record.
func Make(from Producer, records ...Record) batch.Batch {
	first, highest := records[0].Timestamp, records[0].Timestamp
	var content []byte
	for i, r := range records {
		highest = max(highest, r.Timestamp)
		kr := kmsg.NewRecord()
		kr.TimestampDelta64 = r.Timestamp - first
		kr.OffsetDelta = int32(i)
		kr.Key, kr.Value = r.Key, r.Value
		raw := kr.AppendTo(nil)
		// The length is not part of itself: it is that of what follows it.
		_, n := binary.Varint(raw)
		kr.Length = int32(len(raw) - n)
		content = kr.AppendTo(content)
	}
	rb := kmsg.NewRecordBatch()
	rb.Magic = 2
	rb.LastOffsetDelta = int32(len(records) - 1)
	rb.FirstTimestamp, rb.MaxTimestamp = first, highest
	rb.ProducerID, rb.ProducerEpoch, rb.FirstSequence = from.ID, from.Epoch, from.Sequence
	rb.NumRecords = int32(len(records))
	rb.Records = content
	raw := rb.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[8:], uint32(len(raw)-batch.PrefixSize))
	Seal(raw)
	return raw
}

// Seal gives a batch that was changed the right checksum again.
func Seal(b batch.Batch) {
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
}

// Compress gives a batch that isn't compressed with its records compressed.
func Compress(t testing.TB, b batch.Batch, codec kgo.CompressionCodec) batch.Batch {
	t.Helper()
	compressor, err := kgo.DefaultCompressor(codec)
	if err != nil {
		t.Fatal(err)
	}
	if compressor == nil {
		return b
	}
	var buffer bytes.Buffer
	content, number := compressor.Compress(&buffer, b[batch.HeaderSize:])
	out := append(append(batch.Batch(nil), b[:batch.HeaderSize]...), content...)
	binary.BigEndian.PutUint32(out[8:], uint32(len(out)-batch.PrefixSize))
	out[22] |= byte(number)
	Seal(out)
	return out
}

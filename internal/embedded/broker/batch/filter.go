package batch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/twmb/franz-go/pkg/kgo"
)

// codecs are the compressions by their number.
var codecs = []kgo.CompressionCodec{
	kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression(),
}

// Filter gives the batch with only the records that keep accepts: the batch itself
// when those are all, nil when there are none. Their offsets, and those that the
// batch covers, stay.
func (b Batch) Filter(keep func(Record) bool) (Batch, error) {
	var content []byte
	kept, highest := int32(0), int64(-1)
	for r, err := range b.Records() {
		if err != nil {
			return nil, err
		}
		if !keep(r) {
			continue
		}
		kept++
		content = append(content, r.Raw...)
		highest = max(highest, b.Timestamp(r))
	}
	switch kept {
	case b.NumRecords():
		return b, nil
	case 0:
		return nil, nil
	}
	if codec := b.Codec(); codec != 0 {
		compressor, err := kgo.DefaultCompressor(codecs[codec])
		if err != nil {
			return nil, fmt.Errorf("compressing what is left of a batch: %w", err)
		}
		var buffer bytes.Buffer
		content, _ = compressor.Compress(&buffer, content)
	}
	out := make(Batch, HeaderSize, HeaderSize+len(content))
	copy(out, b)
	out = append(out, content...)
	binary.BigEndian.PutUint32(out[atLength:], uint32(len(out)-PrefixSize))
	binary.BigEndian.PutUint64(out[atMaxTimestamp:], uint64(highest))
	binary.BigEndian.PutUint32(out[atNumRecords:], uint32(kept))
	binary.BigEndian.PutUint32(out[atCRC:], crc32.Checksum(out[atAttributes:], castagnoli))
	return out, nil
}

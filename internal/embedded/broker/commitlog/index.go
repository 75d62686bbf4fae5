package commitlog

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"sort"

	"github.com/orderflow/orderflow/internal/embedded/broker/disk"
)

const (
	indexVersion    = 1
	indexHeaderSize = 44
	entrySize       = 16

	indexClosed = 1 // the segment is complete, and so is its index
	indexSynced = 2 // log and index are on the disk, not only with the system
	// indexCompacted says that the segment was compacted: offsets are missing, and
	// those that follow up to the header's next offset belong to it.
	indexCompacted = 4
)

var (
	indexMagic = [4]byte{'O', 'F', 'I', 'X'}
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// entry is one line of a sparse index: where a batch is, and what came before.
type entry struct {
	offset   uint32 // of the batch's first record, less the segment's base
	position uint32 // of the batch in the file
	// maxTimestamp is the highest timestamp of all batches before this one, in
	// milliseconds.
	maxTimestamp int64
}

func appendEntry(dst []byte, e entry) []byte {
	dst = binary.BigEndian.AppendUint32(dst, e.offset)
	dst = binary.BigEndian.AppendUint32(dst, e.position)
	return binary.BigEndian.AppendUint64(dst, uint64(e.maxTimestamp))
}

func parseEntry(raw []byte) entry {
	return entry{
		offset:       binary.BigEndian.Uint32(raw),
		position:     binary.BigEndian.Uint32(raw[4:]),
		maxTimestamp: int64(binary.BigEndian.Uint64(raw[8:])),
	}
}

// indexHeader begins an index file; the entries follow, 16 bytes each: offset
// less base (4), position (4), highest timestamp before it (8). It is all zero
// while the segment is still appended to. Everything is big endian.
type indexHeader struct {
	flags        uint16
	boot         uint32 // of the machine's run that closed the segment
	logSize      int64
	next         int64 // the offset behind the last record
	maxTimestamp int64
	entries      uint32
}

func (h indexHeader) encode() []byte {
	raw := append(make([]byte, 0, indexHeaderSize), indexMagic[:]...)
	raw = binary.BigEndian.AppendUint16(raw, indexVersion)
	raw = binary.BigEndian.AppendUint16(raw, h.flags)
	raw = binary.BigEndian.AppendUint32(raw, h.boot)
	raw = binary.BigEndian.AppendUint64(raw, uint64(h.logSize))
	raw = binary.BigEndian.AppendUint64(raw, uint64(h.next))
	raw = binary.BigEndian.AppendUint64(raw, uint64(h.maxTimestamp))
	raw = binary.BigEndian.AppendUint32(raw, h.entries)
	return binary.BigEndian.AppendUint32(raw, crc32.Checksum(raw, castagnoli))
}

// parseIndexHeader reports false for a header that isn't one, is damaged, or is
// of another version: the index is made again then.
func parseIndexHeader(raw []byte) (indexHeader, bool) {
	if len(raw) < indexHeaderSize || [4]byte(raw[:4]) != indexMagic || binary.BigEndian.Uint16(raw[4:]) != indexVersion {
		return indexHeader{}, false
	}
	const checked = indexHeaderSize - 4
	if crc32.Checksum(raw[:checked], castagnoli) != binary.BigEndian.Uint32(raw[checked:]) {
		return indexHeader{}, false
	}
	return indexHeader{
		flags:        binary.BigEndian.Uint16(raw[6:]),
		boot:         binary.BigEndian.Uint32(raw[8:]),
		logSize:      int64(binary.BigEndian.Uint64(raw[12:])),
		next:         int64(binary.BigEndian.Uint64(raw[20:])),
		maxTimestamp: int64(binary.BigEndian.Uint64(raw[28:])),
		entries:      binary.BigEndian.Uint32(raw[36:]),
	}, true
}

// index is what a lookup sees of a segment's index: entries in memory while the
// segment is appended to, else those of the file.
type index struct {
	entries []entry
	file    *disk.Handle // nil when entries has them
	count   int
}

func (x index) at(i int) (entry, error) {
	if x.file == nil {
		return x.entries[i], nil
	}
	var raw [entrySize]byte
	if _, err := x.file.ReadAt(raw[:], indexHeaderSize+int64(i)*entrySize); err != nil {
		return entry{}, fmt.Errorf("reading entry %d of an index: %w", i, err)
	}
	return parseEntry(raw[:]), nil
}

// last gives the last entry that keep accepts, which must be true up to some
// entry and false from there on; the segment's beginning when there is none.
func (x index) last(keep func(entry) bool) (entry, error) {
	var failed error
	n := sort.Search(x.count, func(i int) bool {
		e, err := x.at(i)
		if err != nil {
			failed = err
			return true
		}
		return !keep(e)
	})
	if failed != nil {
		return entry{}, failed
	}
	if n == 0 {
		return entry{maxTimestamp: -1}, nil
	}
	return x.at(n - 1)
}

// readEntries loads entries of an index file.
func readEntries(file disk.File, count int) ([]entry, error) {
	raw := make([]byte, count*entrySize)
	n, err := file.ReadAt(raw, indexHeaderSize)
	if n < len(raw) {
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	entries := make([]entry, count)
	for i := range entries {
		entries[i] = parseEntry(raw[i*entrySize:])
	}
	return entries, nil
}

// BootID makes Env.Boot of the system's name for the machine's run.
func BootID(name []byte) uint32 { return crc32.Checksum(name, castagnoli) }

package search

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
)

// record is what the database has of a document, or of one that was deleted: a
// deleted one keeps its version.
type record struct {
	version int64
	seq     uint64
	term    int64 // the primary term of the write
	deleted bool
	routing string
	ignored []string
	// lengths has the number of tokens of each text field.
	lengths map[string]int
	source  []byte
}

var errRecord = errors.New("a document's record is damaged")

const recordFormat = 1

// The flags of a record.
const (
	flagDeleted = 1 << iota
	flagTerm    // a primary term other than the first one follows the sequence number
)

// encode is the record's bytes: format, flags, version, sequence number,
// primary term when it isn't the first, routing, ignored fields, lengths, source.
func (r *record) encode() []byte {
	b := make([]byte, 0, len(r.source)+64)
	flags := byte(0)
	if r.deleted {
		flags |= flagDeleted
	}
	if r.term != firstTerm {
		flags |= flagTerm
	}
	b = append(b, recordFormat, flags)
	b = binary.AppendVarint(b, r.version)
	b = binary.AppendUvarint(b, r.seq)
	if r.term != firstTerm {
		b = binary.AppendVarint(b, r.term)
	}
	b = appendText(b, r.routing)
	b = binary.AppendUvarint(b, uint64(len(r.ignored)))
	for _, name := range r.ignored {
		b = appendText(b, name)
	}
	b = binary.AppendUvarint(b, uint64(len(r.lengths)))
	for _, name := range slices.Sorted(maps.Keys(r.lengths)) {
		b = appendText(b, name)
		b = binary.AppendUvarint(b, uint64(r.lengths[name]))
	}
	return append(b, r.source...)
}

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// decodeRecord reads a record; its source shares b.
func decodeRecord(b []byte) (*record, error) {
	if len(b) < 2 || b[0] != recordFormat {
		return nil, errRecord
	}
	d := &recordReader{b: b[2:]}
	r := &record{term: firstTerm, deleted: b[1]&flagDeleted != 0, lengths: map[string]int{}}
	r.version = d.varint()
	r.seq = d.uvarint()
	if b[1]&flagTerm != 0 {
		r.term = d.varint()
	}
	r.routing = d.text()
	for range d.count() {
		r.ignored = append(r.ignored, d.text())
	}
	for range d.count() {
		name := d.text()
		r.lengths[name] = int(d.uvarint())
	}
	r.source = d.b
	if d.bad {
		return nil, errRecord
	}
	return r, nil
}

type recordReader struct {
	b   []byte
	bad bool
}

func (d *recordReader) varint() int64 {
	v, n := binary.Varint(d.b)
	d.skip(n)
	return v
}

func (d *recordReader) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	d.skip(n)
	return v
}

func (d *recordReader) skip(n int) {
	if n <= 0 || n > len(d.b) {
		d.bad, d.b = true, nil
		return
	}
	d.b = d.b[n:]
}

// count reads the length of a list, which can't be longer than what is left.
func (d *recordReader) count() uint64 {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.bad = true
		return 0
	}
	return n
}

func (d *recordReader) text() string {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.bad, d.b = true, nil
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

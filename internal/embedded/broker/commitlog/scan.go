package commitlog

import (
	"errors"
	"io"

	"github.com/orderflow/orderflow/internal/embedded/broker/batch"
	"github.com/orderflow/orderflow/internal/embedded/broker/disk"
)

// scanBuffer is how much a scan reads at a time.
const scanBuffer = 256 << 10

// scanner reads the batches of a segment file one after the other.
type scanner struct {
	file  disk.File
	end   int64 // where the part to be read ends
	limit int64 // the offsets are below
	// dense says that no offsets are missing between batches, as they can be in a
	// segment that was compacted.
	dense bool

	buf   []byte
	begin int64 // where buf is from
}

// bytes gives n bytes of the file, fewer when it ends before.
func (s *scanner) bytes(position int64, n int) ([]byte, error) {
	n = int(min(int64(n), s.end-position))
	if n <= 0 {
		return nil, nil
	}
	if from := position - s.begin; from >= 0 && from+int64(n) <= int64(len(s.buf)) {
		return s.buf[from : from+int64(n)], nil
	}
	size := int(min(int64(max(n, scanBuffer)), s.end-position))
	if cap(s.buf) < size {
		s.buf = make([]byte, size)
	}
	s.buf, s.begin = s.buf[:size], position
	got, err := s.file.ReadAt(s.buf, position)
	s.buf = s.buf[:got]
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return s.buf[:min(n, got)], nil
}

// errUnsound means that there is no sound batch at a position.
var errUnsound = errors.New("no sound batch")

// batch gives the batch at a position, until the next call. least is the offset
// that it begins with, or, where some are missing, the lowest one that it can
// begin with. The error is errUnsound when there is none; b is nil then unless its
// length can be believed.
func (s *scanner) batch(position, least int64) (b batch.Batch, err error) {
	if b, err = s.checked(position); err != nil {
		return b, err
	}
	// No checksum covers the offset: it has to fit in between the others.
	base, last := b.BaseOffset(), b.LastOffset()
	switch {
	case base < least || last < base || last >= s.limit || s.dense && base != least:
		return b, errUnsound
	case base == least:
		return b, nil
	}
	look := scanner{file: s.file, end: s.end}
	if next, err := look.checked(position + int64(len(b))); err == nil && next.BaseOffset() <= last {
		return b, errUnsound
	}
	return b, nil
}

// checked gives the batch at a position if its checksum is right.
func (s *scanner) checked(position int64) (batch.Batch, error) {
	head, err := s.bytes(position, batch.HeaderSize)
	if err != nil {
		return nil, err
	}
	size, err := batch.Size(head)
	if err != nil || position+int64(size) > s.end {
		return nil, errUnsound
	}
	raw, err := s.bytes(position, size)
	switch {
	case err != nil:
		return nil, err
	case len(raw) < size:
		return nil, errUnsound
	case batch.Batch(raw).CheckCRC() != nil:
		return batch.Batch(raw), errUnsound
	}
	return batch.Batch(raw), nil
}

// resync looks for the next sound batch behind a damaged one; least is the lowest
// offset that it can begin with. found is false when there is none before the end.
func (s *scanner) resync(position, least int64) (at int64, found bool, err error) {
	for at = position + 1; at+batch.HeaderSize <= s.end; {
		window, err := s.bytes(at, scanBuffer)
		if err != nil {
			return 0, false, err
		}
		for i := 0; i+batch.HeaderSize <= len(window); i++ {
			// A header worth a closer look: the right format, not longer than what
			// is left, an offset that can follow.
			head := window[i : i+batch.HeaderSize]
			size, err := batch.Size(head)
			if err != nil || at+int64(i)+int64(size) > s.end {
				continue
			}
			if base := batch.Batch(head).BaseOffset(); base < least || base-least > maxGap {
				continue
			}
			look := scanner{file: s.file, end: s.end, limit: s.limit}
			if _, err := look.batch(at+int64(i), least); err == nil {
				return at + int64(i), true, nil
			} else if !errors.Is(err, errUnsound) {
				return 0, false, err
			}
		}
		at += int64(max(len(window)-batch.HeaderSize+1, 1))
	}
	return 0, false, nil
}

// maxGap is how many offsets may be missing between two batches: those of a
// segment at most.
const maxGap = 1 << 31

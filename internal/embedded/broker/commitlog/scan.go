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
	file disk.File
	end  int64 // where the part to be read ends

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

// batch gives the batch at a position, until the next call. least is the lowest
// offset that it may begin with. The error is errUnsound when there is none;
// whole then tells whether at least its length can be believed.
func (s *scanner) batch(position, least int64) (b batch.Batch, whole bool, err error) {
	head, err := s.bytes(position, batch.HeaderSize)
	if err != nil {
		return nil, false, err
	}
	size, err := batch.Size(head)
	if err != nil || position+int64(size) > s.end {
		return nil, false, errUnsound
	}
	raw, err := s.bytes(position, size)
	if err != nil {
		return nil, false, err
	}
	b = batch.Batch(raw)
	if len(raw) < size || b.BaseOffset() < least || b.LastOffset() < b.BaseOffset() {
		return nil, false, errUnsound
	}
	if b.CheckCRC() != nil {
		return b, true, errUnsound
	}
	return b, true, nil
}

// resync looks for the next sound batch behind a damaged one. found is false
// when there is none before the end.
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
			look := scanner{file: s.file, end: s.end}
			if _, _, err := look.batch(at+int64(i), least); err == nil {
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

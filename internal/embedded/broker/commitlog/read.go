package commitlog

import (
	"errors"
	"fmt"
	"sort"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/orderflow/orderflow/internal/embedded/broker/batch"
)

// damageKey names a damaged part of a log.
type damageKey struct{ segment, position int64 }

// reportDamage says once that a part of a segment can't be read.
func (l *Log) reportDamage(s *segment, from, to, nextOffset int64) {
	l.report(s.base, l.logPath(s), from, to, s.next, nextOffset)
}

func (l *Log) report(base int64, path string, from, to, firstOffset, nextOffset int64) {
	key := damageKey{base, from}
	if l.damage[key] {
		return
	}
	l.damage[key] = true
	l.env.Logger.Error("broker: stored records are damaged and are skipped by readers, those behind them are not. The disk changed what was written: look after it; bring the records back from a copy of the file (while the broker is stopped), or have their senders send them again",
		"partition", l.name, "file", path, "from_byte", from, "to_byte", to, "from_offset", firstOffset, "to_offset", nextOffset-1)
}

// Read gives whole batches from the one on that has an offset, up to maxBytes;
// with atLeastOne, the first batch may be larger. It is empty when there is
// nothing at the offset yet. The error wraps kerr.OffsetOutOfRange when the offset
// isn't in the log.
func (l *Log) Read(offset int64, maxBytes int, atLeastOne bool) ([]byte, error) {
	l.mu.Lock()
	if l.removed {
		l.mu.Unlock()
		return nil, fmt.Errorf("%s was deleted: %w", l.name, kerr.UnknownTopicOrPartition)
	}
	if offset < l.start || offset > l.visible {
		defer l.mu.Unlock()
		return nil, fmt.Errorf("offset %d of %s, which has %d to %d: %w", offset, l.name, l.start, l.visible, kerr.OffsetOutOfRange)
	}
	if offset == l.visible || maxBytes <= 0 {
		l.mu.Unlock()
		return nil, nil
	}
	i := l.segmentOf(offset)
	visible := l.visible
	for ; i < len(l.segments); i++ {
		s := l.segments[i]
		if s.size == 0 {
			continue
		}
		from := l.recentPosition(s, offset)
		v, err := l.look(s)
		if err != nil {
			l.mu.Unlock()
			return nil, storageError(l.name, err)
		}
		l.mu.Unlock()
		raw, ended, err := l.readView(v, from, offset, visible, maxBytes, atLeastOne)
		v.close()
		if err != nil {
			return nil, storageError(l.name, err)
		}
		if !ended {
			return raw, nil
		}
		l.mu.Lock() // nothing sound in this segment: go on with the next one
		if again := l.find(s.base); again == nil {
			l.mu.Unlock()
			return nil, nil
		}
		i = sort.Search(len(l.segments), func(i int) bool { return l.segments[i].base >= s.base })
	}
	l.mu.Unlock()
	return nil, nil
}

func storageError(name string, err error) error {
	return fmt.Errorf("reading %s: %w: %w", name, err, kerr.KafkaStorageError)
}

// segmentOf gives the place in the list of the segment that has an offset.
func (l *Log) segmentOf(offset int64) int {
	i := sort.Search(len(l.segments), func(i int) bool { return l.segments[i].base > offset }) - 1
	return max(i, 0)
}

func (l *Log) find(base int64) *segment {
	if i := l.segmentOf(base); l.segments[i].base == base {
		return l.segments[i]
	}
	return nil
}

// recentPosition finds an offset among the newest batches; -1 when it isn't.
func (l *Log) recentPosition(s *segment, offset int64) int64 {
	if s.closed || len(l.recent) == 0 || offset < l.recent[0].base {
		return -1
	}
	i := sort.Search(len(l.recent), func(i int) bool { return l.recent[i].next > offset })
	if i == len(l.recent) {
		return -1
	}
	return l.recent[i].position
}

// seek gives the position of the first sound batch that ends behind an offset,
// the segment's end when there is none.
func (l *Log) seek(scan *scanner, v view, offset int64) (int64, error) {
	e, err := v.index.last(func(e entry) bool { return v.base+int64(e.offset) <= offset })
	if err != nil {
		return 0, err
	}
	at := int64(e.position)
	if at > 0 {
		if b, _, err := scan.batch(at, v.base); err != nil || b.BaseOffset() != v.base+int64(e.offset) {
			at = 0 // the index is damaged: go without it
		}
	}
	for at < v.size {
		b, next, err := l.soundBatch(scan, v, at, v.base)
		if err != nil || b == nil {
			return v.size, err
		}
		if b.LastOffset() >= offset {
			return next, nil
		}
		at = next + int64(len(b))
	}
	return v.size, nil
}

// soundBatch gives the batch at a position, or the first sound one behind it;
// nil when there is none.
func (l *Log) soundBatch(scan *scanner, v view, at, least int64) (batch.Batch, int64, error) {
	b, _, err := scan.batch(at, least)
	if err == nil {
		return b, at, nil
	}
	if !errors.Is(err, errUnsound) {
		return nil, 0, err
	}
	next, found, err := scan.resync(at, least)
	if err != nil {
		return nil, 0, err
	}
	to, behind := v.size, int64(-1)
	if found {
		if b, _, err = scan.batch(next, least); err != nil {
			return nil, 0, err
		}
		to, behind = next, b.BaseOffset()
	}
	l.mu.Lock()
	if behind < 0 {
		behind = l.visible
	}
	l.report(v.base, v.path, at, to, least, behind)
	l.mu.Unlock()
	if !found {
		return nil, 0, nil
	}
	return b, next, nil
}

// readView reads batches of one segment. ended tells that there are no more.
func (l *Log) readView(v view, from, offset, visible int64, maxBytes int, atLeastOne bool) (raw []byte, ended bool, err error) {
	scan := &scanner{file: v.file, end: v.size}
	if from < 0 {
		if from, err = l.seek(scan, v, offset); err != nil {
			return nil, false, err
		}
	}
	if from == v.size {
		return nil, true, nil
	}
	raw = make([]byte, min(int64(maxBytes), v.size-from))
	n, err := v.file.ReadAt(raw, from)
	if n < len(raw) {
		return nil, false, err
	}
	if sound := soundPrefix(raw, visible); sound > 0 {
		return raw[:sound:sound], false, nil
	}
	// The first batch is larger than asked for, can't be seen yet, or is damaged.
	b, _, err := l.soundBatch(scan, v, from, v.base)
	switch {
	case err != nil:
		return nil, false, err
	case b == nil:
		return nil, true, nil
	case b.LastOffset() >= visible || len(b) > maxBytes && !atLeastOne:
		return nil, false, nil
	}
	return append([]byte(nil), b...), false, nil
}

// soundPrefix is how many bytes of whole, sound batches raw begins with.
func soundPrefix(raw []byte, visible int64) int {
	sound := 0
	for rest := raw; ; {
		b, after, err := batch.Cut(rest)
		if err != nil || b.LastOffset() >= visible || b.CheckCRC() != nil {
			return sound
		}
		sound += len(b)
		rest = after
	}
}

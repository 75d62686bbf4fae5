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
		var at *spot
		if recent, ok := l.recentSpot(s, offset); ok {
			at = &recent
		}
		v, err := l.look(s)
		if err != nil {
			l.mu.Unlock()
			return nil, storageError(l.name, err)
		}
		l.mu.Unlock()
		raw, ended, err := l.readView(v, at, offset, visible, maxBytes, atLeastOne)
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

// spot is where a batch is in a segment. least is the offset that it begins with,
// or, where some are missing, the lowest one that it can begin with.
type spot struct{ position, least int64 }

// recentSpot finds an offset among the newest batches.
func (l *Log) recentSpot(s *segment, offset int64) (spot, bool) {
	if s.closed || len(l.recent) == 0 || offset < l.recent[0].base {
		return spot{}, false
	}
	i := sort.Search(len(l.recent), func(i int) bool { return l.recent[i].next > offset })
	if i == len(l.recent) {
		return spot{}, false
	}
	return spot{l.recent[i].position, l.recent[i].base}, true
}

func (v view) scanner() *scanner {
	return &scanner{file: v.file, end: v.size, limit: v.limit, dense: v.dense}
}

// seek gives the first sound batch that ends behind an offset; false when there is
// none.
func (l *Log) seek(scan *scanner, v view, offset int64) (spot, bool, error) {
	e, err := v.index.last(func(e entry) bool { return v.base+int64(e.offset) <= offset })
	if err != nil {
		return spot{}, false, err
	}
	at := spot{int64(e.position), v.base + int64(e.offset)}
	if at.position > 0 {
		if b, err := scan.batch(at.position, at.least); err != nil || b.BaseOffset() != at.least {
			at = spot{0, v.base} // the index is damaged: go without it
		}
	}
	for at.position < v.size {
		b, next, err := l.soundBatch(scan, v, at)
		if err != nil || b == nil {
			return spot{}, false, err
		}
		if b.LastOffset() >= offset {
			return spot{next, b.BaseOffset()}, true, nil
		}
		at = spot{next + int64(len(b)), b.LastOffset() + 1}
	}
	return spot{}, false, nil
}

// soundBatch gives the batch at a spot, or the first sound one behind it, and its
// position; nil when there is none.
func (l *Log) soundBatch(scan *scanner, v view, at spot) (batch.Batch, int64, error) {
	b, err := scan.batch(at.position, at.least)
	if err == nil {
		return b, at.position, nil
	}
	if !errors.Is(err, errUnsound) {
		return nil, 0, err
	}
	next, found, err := scan.resync(at.position, at.least)
	if err != nil {
		return nil, 0, err
	}
	to, behind := v.size, v.limit
	if found {
		follows := scanner{file: v.file, end: v.size, limit: v.limit}
		if b, err = follows.batch(next, at.least); err != nil {
			return nil, 0, err
		}
		to, behind = next, b.BaseOffset()
	}
	l.mu.Lock()
	l.report(v.base, v.path, at.position, to, at.least, behind)
	l.mu.Unlock()
	if !found {
		return nil, 0, nil
	}
	return b, next, nil
}

// readView reads batches of one segment, from a spot or, without one, from an
// offset on. ended tells that there are no more.
func (l *Log) readView(v view, at *spot, offset, visible int64, maxBytes int, atLeastOne bool) (raw []byte, ended bool, err error) {
	scan := v.scanner()
	if at == nil {
		found, ok, err := l.seek(scan, v, offset)
		if err != nil || !ok {
			return nil, err == nil, err
		}
		at = &found
	}
	raw = make([]byte, min(int64(maxBytes), v.size-at.position))
	n, err := v.file.ReadAt(raw, at.position)
	if n < len(raw) {
		return nil, false, err
	}
	if sound := soundPrefix(raw, at.least, visible); sound > 0 {
		return raw[:sound:sound], false, nil
	}
	// The first batch is larger than asked for, can't be seen yet, or is damaged.
	b, _, err := l.soundBatch(scan, v, *at)
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

// soundPrefix is how many bytes of whole, sound batches raw begins with; next is
// the offset of the first. It ends before one that needs a closer look.
func soundPrefix(raw []byte, next, visible int64) int {
	sound := 0
	for rest := raw; ; {
		b, after, err := batch.Cut(rest)
		if err != nil || b.LastOffset() >= visible || b.CheckCRC() != nil {
			return sound
		}
		if base := b.BaseOffset(); base != next {
			follower, _, err := batch.Cut(after)
			if base < next || err != nil || follower.BaseOffset() <= b.LastOffset() {
				return sound
			}
		}
		sound += len(b)
		next = b.LastOffset() + 1
		rest = after
	}
}

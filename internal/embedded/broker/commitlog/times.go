package commitlog

import (
	"github.com/orderflow/orderflow/internal/embedded/broker/batch"
)

// Found is a record that a search by time found.
type Found struct {
	Offset    int64
	Timestamp int64 // milliseconds
}

// AtTime gives the first record that is not older than a time, in milliseconds;
// false when there is none.
func (l *Log) AtTime(ms int64) (Found, bool, error) {
	start, end := l.Bounds()
	for _, base := range l.bases() {
		l.mu.Lock()
		s := l.find(base)
		if s == nil || s.maxTimestamp < ms || s.next <= start {
			l.mu.Unlock()
			continue
		}
		v, err := l.look(s)
		l.mu.Unlock()
		if err != nil {
			return Found{}, false, storageError(l.name, err)
		}
		found, ok, err := l.searchTime(v, ms, start, end)
		v.close()
		if err != nil {
			return Found{}, false, storageError(l.name, err)
		}
		if ok {
			return found, true, nil
		}
	}
	return Found{}, false, nil
}

// Newest gives the record with the highest timestamp, the first one when there
// are several; false when the log is empty.
func (l *Log) Newest() (Found, bool, error) {
	start, _ := l.Bounds()
	highest := int64(-1)
	l.mu.Lock()
	for _, s := range l.segments {
		if s.next > start {
			highest = max(highest, s.maxTimestamp)
		}
	}
	l.mu.Unlock()
	if highest < 0 {
		return Found{}, false, nil
	}
	found, ok, err := l.AtTime(highest)
	if err != nil || ok {
		return found, ok, err
	}
	// The record that had it was trimmed, or isn't shown yet.
	return l.newestByReading()
}

func (l *Log) newestByReading() (newest Found, ok bool, err error) {
	newest.Timestamp = -1
	offset, end := l.Bounds()
	for offset < end {
		raw, err := l.Read(offset, scanBuffer, true)
		if err != nil || len(raw) == 0 {
			return newest, ok, err
		}
		for b, rest, err := batch.Cut(raw); err == nil; b, rest, err = batch.Cut(rest) {
			for r, err := range b.Records() {
				if err != nil {
					break
				}
				at := b.BaseOffset() + int64(r.OffsetDelta)
				if t := b.Timestamp(r); at >= offset && t > newest.Timestamp {
					newest, ok = Found{at, t}, true
				}
			}
			offset = b.LastOffset() + 1
		}
	}
	return newest, ok, nil
}

func (l *Log) bases() []int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	bases := make([]int64, len(l.segments))
	for i, s := range l.segments {
		bases[i] = s.base
	}
	return bases
}

// searchTime looks in one segment for the first record that is not older.
func (l *Log) searchTime(v view, ms, start, end int64) (Found, bool, error) {
	e, err := v.index.last(func(e entry) bool { return e.maxTimestamp < ms })
	if err != nil {
		return Found{}, false, err
	}
	scan := v.scanner()
	for at := (spot{int64(e.position), v.base + int64(e.offset)}); at.position < v.size; {
		b, next, err := l.soundBatch(scan, v, at)
		if err != nil || b == nil {
			return Found{}, false, err
		}
		at = spot{next + int64(len(b)), b.LastOffset() + 1}
		if b.MaxTimestamp() < ms || b.LastOffset() < start {
			continue
		}
		if b.LastOffset() >= end {
			return Found{}, false, nil
		}
		for r, err := range b.Records() {
			if err != nil {
				// Its producer compressed something else than records: the batch as a
				// whole has to do.
				return Found{max(b.BaseOffset(), start), b.MaxTimestamp()}, true, nil
			}
			offset := b.BaseOffset() + int64(r.OffsetDelta)
			if t := b.Timestamp(r); t >= ms && offset >= start {
				return Found{offset, t}, true, nil
			}
		}
	}
	return Found{}, false, nil
}

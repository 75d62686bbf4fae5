package commitlog

import (
	"errors"
	"fmt"
	"hash/maphash"
	"os"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/broker/batch"
	"github.com/orderflow/orderflow/internal/embedded/broker/disk"
)

const (
	// compactRoll is the size at which the segment that is appended to is closed
	// so that it can be compacted; topics with few keys would grow to a whole
	// segment otherwise.
	compactRoll = 16 << 20
	// compactKeys is how many different keys one pass looks at.
	compactKeys = 500_000
)

// Compaction says what compaction may remove.
type Compaction struct {
	// DirtyRatio is which part of the log has to be new since the last time for a
	// pass to be worth its while, 0 to 1.
	DirtyRatio float64
	// MinLag is how old a record has to be before one with the same key can take
	// its place.
	MinLag time.Duration
	// DeleteRetention is how long records without a value, which delete a key, are
	// kept for readers.
	DeleteRetention time.Duration
	// SegmentBytes is how large the segments that are left become.
	SegmentBytes int64
}

// keyHash stands for a key. Two different ones have the same with a probability
// of one in 2^128.
type keyHash [2]uint64

// compactor is one pass over a log.
type compactor struct {
	log    *Log
	opts   Compaction
	now    time.Time
	seeds  [2]maphash.Seed
	newest map[keyHash]int64 // the last offset of each key of the new segments
	last   int64             // the log's last offset
	whole  bool              // a batch that can't be read was left as it is
}

// Compact removes records whose key has a newer one, of all segments but the one
// that is appended to. It gives how many bytes it freed. Readers go on meanwhile;
// only one pass may run at a time.
func (l *Log) Compact(opts Compaction) (int64, error) {
	segments, dirty, err := l.compactable(opts)
	if err != nil || len(segments) == 0 {
		return 0, err
	}
	// No record goes for the sake of one that the end of the machine could take.
	l.mu.Lock()
	unsynced, err := l.unsynced()
	l.mu.Unlock()
	if err == nil {
		err = l.syncClosed(unsynced)
	}
	if err != nil {
		return 0, err
	}
	c := &compactor{
		log: l, opts: opts, now: l.env.Now(), newest: map[keyHash]int64{},
		seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
	}
	_, end := l.Bounds()
	c.last = end - 1
	// The keys of the new segments, as far as there is room for them: the rest has
	// its turn in the next pass.
	for i := dirty; i < len(segments); i++ {
		if err := c.collect(segments[i]); err != nil {
			return 0, fmt.Errorf("compacting %s: %w", l.name, err)
		}
		if len(c.newest) >= compactKeys {
			segments = segments[:i+1]
		}
	}
	freed := int64(0)
	for len(segments) > 0 {
		n, less, err := c.rewrite(segments)
		if err != nil {
			return freed, fmt.Errorf("compacting %s: %w", l.name, err)
		}
		freed += less
		segments = segments[n:]
	}
	return freed, nil
}

// compactable gives copies of the segments that can be compacted, from the first
// of the log on, and which is the first that never was; none when it isn't worth
// it.
func (l *Log) compactable(opts Compaction) (segments []segment, dirty int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.removed || l.failed != nil {
		return nil, 0, nil
	}
	if s := l.active(); s.size >= compactRoll {
		if err := l.roll(); err != nil {
			return nil, 0, fmt.Errorf("beginning a new segment of %s: %w", l.name, err)
		}
	}
	youngest := l.env.Now().Add(-opts.MinLag).UnixMilli()
	clean, fresh := int64(0), int64(0)
	dirty = -1
	for i, s := range l.segments {
		if !s.closed || s.next > l.visible || opts.MinLag > 0 && s.maxTimestamp > youngest {
			break
		}
		if dirty < 0 && !s.compacted {
			dirty = i
		}
		if dirty < 0 {
			clean += s.size
		} else {
			fresh += s.size
		}
		segments = append(segments, *s)
	}
	if fresh == 0 || float64(fresh) < opts.DirtyRatio*float64(clean+fresh) {
		return nil, 0, nil
	}
	return segments, dirty, nil
}

func (c *compactor) hash(key []byte) keyHash {
	return keyHash{maphash.Bytes(c.seeds[0], key), maphash.Bytes(c.seeds[1], key)}
}

// batches calls use with the sound batches of a segment.
func (c *compactor) batches(s segment, use func(batch.Batch) error) error {
	c.log.mu.Lock()
	v, err := c.log.look(&s)
	c.log.mu.Unlock()
	if err != nil {
		return err
	}
	defer v.close()
	scan := v.scanner()
	for at := (spot{0, s.base}); at.position < s.size; {
		b, next, err := c.log.soundBatch(scan, v, at)
		if err != nil || b == nil {
			return err
		}
		if err := use(b); err != nil {
			return err
		}
		at = spot{next + int64(len(b)), b.LastOffset() + 1}
	}
	return nil
}

func (c *compactor) collect(s segment) error {
	return c.batches(s, func(b batch.Batch) error {
		for r, err := range b.Records() {
			if err != nil {
				return nil // what can't be read is kept, and takes nothing's place
			}
			if r.Key != nil {
				c.newest[c.hash(r.Key)] = b.BaseOffset() + int64(r.OffsetDelta)
			}
		}
		return nil
	})
}

// rewrite puts what is to be kept of the first segments into one, which takes their
// place: as many as fit. It gives how many those are and how many bytes it freed.
func (c *compactor) rewrite(segments []segment) (n int, freed int64, err error) {
	l := c.log
	made := newSegment(segments[0].base)
	logPath, indexPath := l.logPath(made), l.indexPath(made)
	file, err := l.env.FS.Open(logPath+tmpSuffix, true)
	if err != nil {
		return 0, 0, err
	}
	before := int64(0)
	err = file.Truncate(0)
	for _, s := range segments {
		if err != nil || n > 0 && (made.size+s.size > c.opts.SegmentBytes || s.next-made.base >= maxGap) {
			break
		}
		n++
		before += s.size
		err = c.batches(s, func(b batch.Batch) error {
			kept, err := c.filter(b, s.compacted)
			if err != nil || kept == nil {
				return err
			}
			if _, err := file.WriteAt(kept, made.size); err != nil {
				return err
			}
			made.add(kept, indexInterval, kept.MaxTimestamp())
			return nil
		})
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return 0, 0, errors.Join(err, l.env.FS.Remove(logPath+tmpSuffix))
	}
	segments = segments[:n]
	if n > 1 && made.size == segments[0].size {
		// After a crash in swap, the index couldn't be told from one that fits: the
		// first one for itself, then. None may be left as it is, or what it has of
		// deleted keys outlives the records that deleted them.
		if err := l.env.FS.Remove(logPath + tmpSuffix); err != nil {
			return 0, 0, err
		}
		return c.rewrite(segments[:1])
	}
	made.next = segments[n-1].next
	made.closed, made.compacted, made.synced = true, true, true
	if err := disk.WriteFile(l.env.FS, indexPath+tmpSuffix, l.indexContent(made), true); err != nil {
		return 0, 0, errors.Join(err, l.env.FS.Remove(logPath+tmpSuffix))
	}
	return n, before - made.size, c.swap(segments, made)
}

// filter gives what is left of a batch, nil when nothing is.
func (c *compactor) filter(b batch.Batch, compacted bool) (batch.Batch, error) {
	// The values that a record without one deletes are gone once its segment was
	// compacted; it can go when readers had their time to see it. A batch that was
	// left as it is may still have one.
	deletes := compacted && !c.whole && c.now.UnixMilli()-b.MaxTimestamp() > c.opts.DeleteRetention.Milliseconds()
	kept, err := b.Filter(func(r batch.Record) bool {
		if r.Key == nil {
			return true
		}
		offset := b.BaseOffset() + int64(r.OffsetDelta)
		newest, known := c.newest[c.hash(r.Key)]
		if known && newest > offset {
			return false
		}
		// The last record stays in any case: readers who want to get to the end
		// wait for it.
		return r.Value != nil || !deletes || offset == c.last
	})
	if err != nil {
		c.whole = true
		c.log.keepWhole(b, err)
		return b, nil
	}
	return kept, nil
}

// keepWhole says once that a batch stays as it is because its records can't be read.
func (l *Log) keepWhole(b batch.Batch, why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.whole[b.BaseOffset()] {
		return
	}
	l.whole[b.BaseOffset()] = true
	l.env.Logger.Warn("broker: a batch is left out of compaction, all its records are kept",
		"partition", l.name, "from_offset", b.BaseOffset(), "to_offset", b.LastOffset(), "bytes", len(b), "error", why)
}

// swap puts a segment in the place of those it was made of. The index comes first:
// until the log has it too, the two don't fit and the index is made anew; from then
// on it tells that the other segments are part of this one.
func (c *compactor) swap(segments []segment, made *segment) error {
	l := c.log
	l.mu.Lock()
	defer l.mu.Unlock()
	logPath, indexPath := l.logPath(made), l.indexPath(made)
	at := l.segmentOf(made.base)
	current := !l.removed && at+len(segments) < len(l.segments)
	for i := range segments {
		current = current && l.segments[at+i].base == segments[i].base && l.segments[at+i].closed
	}
	if !current { // trimmed or deleted meanwhile
		return errors.Join(l.env.FS.Remove(logPath+tmpSuffix), l.env.FS.Remove(indexPath+tmpSuffix))
	}
	l.env.Handles.Drop(indexPath)
	l.env.Handles.Drop(logPath)
	if err := l.env.FS.Rename(indexPath+tmpSuffix, indexPath); err != nil {
		return err
	}
	if err := l.env.FS.Rename(logPath+tmpSuffix, logPath); err != nil {
		return err
	}
	made.entries = nil
	gone := append([]*segment(nil), l.segments[at+1:at+len(segments)]...)
	l.segments = append(append(l.segments[:at:at], made), l.segments[at+len(segments):]...)
	for _, s := range gone {
		if err := l.removeSegment(s); err != nil {
			return err
		}
	}
	if err := l.env.FS.SyncDir(l.dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// dropCovered removes segments that are part of the one before them, which a crash
// left behind after a compaction. The segments before i are loaded.
func (l *Log) dropCovered(i int) error {
	for i+1 < len(l.segments) && l.segments[i].compacted && l.segments[i+1].base < l.segments[i].next {
		if err := l.removeSegment(l.segments[i+1]); err != nil {
			return err
		}
		l.segments = append(l.segments[:i+1], l.segments[i+2:]...)
	}
	return nil
}

package commitlog

import (
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Retention says how long records are kept.
type Retention struct {
	Age   time.Duration // negative: for ever
	Bytes int64         // of a partition; negative: without a limit
	// Keep is the first offset that has to stay, however old.
	Keep int64
}

// Retain removes whole segments that are older than the retention's age or that
// bring the log above its size, oldest first, up to what has to stay. It gives
// how many bytes it freed.
func (l *Log) Retain(r Retention, now time.Time) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.removed {
		return 0, nil
	}
	total := int64(0)
	for _, s := range l.segments {
		total += s.size
	}
	due := func(s *segment) bool {
		if s.closed && s.size == 0 {
			return s.next <= r.Keep // compaction left nothing of it
		}
		expired := r.Age >= 0 && s.maxTimestamp >= 0 && now.UnixMilli()-s.maxTimestamp > r.Age.Milliseconds()
		return s.next <= r.Keep && s.next <= l.visible && s.size > 0 && (expired || r.Bytes >= 0 && total-s.size >= r.Bytes)
	}
	freed := int64(0)
	var err error
	for err == nil && due(l.segments[0]) {
		s := l.segments[0]
		if s == l.active() {
			if l.failed != nil {
				break // nothing comes behind it until the next start
			}
			if err = l.roll(); err != nil {
				err = fmt.Errorf("beginning a new segment of %s: %w", l.name, err)
				break
			}
		}
		if err = l.dropFirst(); err == nil {
			total -= s.size
			freed += s.size
		}
	}
	if freed > 0 && l.env.Sync {
		// The log's start, which readers were told, doesn't go back.
		if failed := l.env.FS.SyncDir(l.dir); failed != nil {
			err = errors.Join(err, fmt.Errorf("removing segments of %s: %w", l.name, failed))
		}
	}
	return freed, err
}

// dropFirst removes the oldest segment.
func (l *Log) dropFirst() error {
	if err := l.removeSegment(l.segments[0]); err != nil {
		return fmt.Errorf("removing the oldest segment of %s: %w", l.name, err)
	}
	l.segments = l.segments[1:]
	l.start = max(l.start, l.segments[0].base)
	return nil
}

// Trimmed checks a wish to delete the records before an offset, -1 for all, and
// gives the offset that the log would start with.
func (l *Log) Trimmed(offset int64) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if offset == -1 {
		offset = l.visible
	}
	if offset < 0 || offset > l.visible {
		return 0, fmt.Errorf("deleting the records of %s before offset %d, which has %d to %d: %w", l.name, offset, l.start, l.visible, kerr.OffsetOutOfRange)
	}
	return max(offset, l.start), nil
}

// TrimTo deletes the records before an offset that Trimmed gave. The caller has
// it noted before, so that they don't come back with the next start.
func (l *Log) TrimTo(offset int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.removed || offset <= l.start {
		return nil
	}
	l.start = min(offset, l.visible)
	for len(l.segments) > 1 && l.segments[0].next <= l.start {
		if err := l.dropFirst(); err != nil {
			return err
		}
	}
	// So that the space of the segment that is appended to can be freed, too, a
	// new one begins once much of it is trimmed.
	s := l.active()
	if s.size < trimRoll || s.next-l.start > (s.next-s.base)/2 {
		return nil
	}
	if err := l.roll(); err != nil {
		return fmt.Errorf("beginning a new segment of %s: %w", l.name, err)
	}
	if s.next <= l.start {
		return l.dropFirst()
	}
	return nil
}

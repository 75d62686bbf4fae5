package commitlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/broker/batch"
	"github.com/orderflow/orderflow/internal/embedded/broker/disk"
)

const (
	checkpointFile    = "checkpoint"
	checkpointVersion = 1
)

// checkpoint says up to where a log was sound, so that a start need not read
// what is before. The file is a CRC-32C of the rest in hexadecimal, a line feed,
// and this as JSON.
type checkpoint struct {
	Version   int       `json:"version"`
	Boot      uint32    `json:"boot"`     // of the machine's run that wrote it
	Synced    bool      `json:"synced"`   // what it covers is on the disk
	Segment   int64     `json:"segment"`  // base of the segment appended to
	Position  int64     `json:"position"` // of the first byte not covered
	Next      int64     `json:"next"`     // offset of the first record not covered
	MaxTime   int64     `json:"max_timestamp"`
	Created   int64     `json:"created"`
	Entries   int       `json:"entries"` // of the segment's index
	Sparse    int64     `json:"sparse"`  // bytes since the last of them
	Producers producers `json:"producers"`
}

// save writes a checkpoint and the index entries that it counts. synced says that
// the batches are on the disk.
func (l *Log) save(synced bool) error {
	s := l.active()
	if err := l.saveIndex(s); err != nil {
		return fmt.Errorf("writing the index of %s: %w", l.logPath(s), err)
	}
	body, err := json.Marshal(checkpoint{
		Version: checkpointVersion, Boot: l.env.Boot, Synced: synced, Segment: s.base, Position: s.size, Next: s.next,
		MaxTime: s.maxTimestamp, Created: s.created, Entries: len(s.entries), Sparse: s.sparse, Producers: l.producers,
	})
	if err != nil {
		return fmt.Errorf("writing the checkpoint of %s: %w", l.name, err)
	}
	content := fmt.Appendf(nil, "%08x\n%s", crc32.Checksum(body, castagnoli), body)
	if err := disk.WriteFile(l.env.FS, filepath.Join(l.dir, checkpointFile), content, false); err != nil {
		return fmt.Errorf("writing the checkpoint of %s: %w", l.name, err)
	}
	l.unsaved = 0
	return nil
}

// saveOrWarn saves a checkpoint; without one, only the next start is slower.
func (l *Log) saveOrWarn() {
	if err := l.save(false); err != nil {
		l.unsaved = 0 // not again at once
		l.env.Logger.Warn("broker: noting how far a partition is sound; a start after a crash will read more", "error", err)
	}
}

// loadCheckpoint gives nil when there is none that can be used.
func (l *Log) loadCheckpoint() *checkpoint {
	content, err := disk.ReadFile(l.env.FS, filepath.Join(l.dir, checkpointFile))
	if err != nil {
		return nil
	}
	sum, body, ok := bytes.Cut(content, []byte("\n"))
	if !ok || string(sum) != fmt.Sprintf("%08x", crc32.Checksum(body, castagnoli)) {
		return nil
	}
	var c checkpoint
	if json.Unmarshal(body, &c) != nil || c.Version != checkpointVersion || c.Position < 0 || c.Entries < 0 {
		return nil
	}
	for _, p := range c.Producers {
		if p == nil || len(p.Batches) == 0 {
			return nil
		}
	}
	return &c
}

// Open opens the log in a directory, which need not exist, and repairs what a
// crash left behind. name is for messages; start is the first offset that can be
// read, as far as the caller knows.
func (e *Env) Open(dir, name string, start int64) (*Log, error) {
	l := &Log{
		env: e, dir: dir, name: name,
		producers: producers{}, damage: map[damageKey]bool{}, whole: map[int64]bool{}, watchers: map[chan<- struct{}]int{},
	}
	if err := l.open(start); err != nil {
		return nil, fmt.Errorf("opening the log of %s in %s: %w", name, dir, err)
	}
	return l, nil
}

func (l *Log) open(start int64) error {
	if err := l.list(); err != nil {
		return err
	}
	if len(l.segments) == 0 {
		l.segments = []*segment{newSegment(start)}
	} else if err := l.recover(); err != nil {
		return err
	} else if err := l.syncRecovered(); err != nil {
		return err
	}
	l.start = max(start, l.segments[0].base)
	l.visible = l.active().next
	if l.start > l.visible {
		// The segments are older than what is known to have been trimmed.
		return l.restartAt(l.start)
	}
	return nil
}

// syncRecovered writes through what the process may have died before it could: what
// is shown from now on must stay.
func (l *Log) syncRecovered() error {
	if !l.env.Sync {
		return nil
	}
	for _, s := range l.segments {
		if s.synced {
			continue
		}
		err := l.syncFile(l.logPath(s))
		if err != nil && (s.size > 0 || !errors.Is(err, os.ErrNotExist)) { // one that begins has no file yet
			return fmt.Errorf("writing %s to the disk: %w", l.logPath(s), err)
		}
	}
	return l.syncNames()
}

// list finds the segment files and removes what was left half written.
func (l *Log) list() error {
	entries, err := l.env.FS.List(l.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	l.made = true
	for _, e := range entries {
		if strings.HasSuffix(e.Name, tmpSuffix) {
			if err := l.env.FS.Remove(filepath.Join(l.dir, e.Name)); err != nil {
				return err
			}
		}
		if base, ok := segmentBase(e.Name); ok && !e.Dir {
			s := newSegment(base)
			s.size = e.Size
			l.segments = append(l.segments, s)
		}
	}
	slices.SortFunc(l.segments, func(a, b *segment) int { return int(min(max(a.base-b.base, -1), 1)) })
	if n := len(l.segments); n > 0 {
		// Nothing is appended to a segment that was compacted.
		if last := *l.segments[n-1]; l.loadClosed(&last) && last.compacted {
			l.segments = append(l.segments, newSegment(last.next))
		}
	}
	return nil
}

func (l *Log) recover() error {
	c := l.loadCheckpoint()
	if c == nil || l.segments[0].base > c.Next {
		// What came after the checkpoint and was trimmed nobody knows any more, so what
		// the checkpoint says of producers need not be true.
		return l.rescanAll()
	}
	l.producers = c.Producers
	if l.producers == nil {
		l.producers = producers{}
	}
	for i := 0; i < len(l.segments); i++ {
		s := l.segments[i]
		switch {
		case s.base < c.Segment && l.loadClosed(s):
			if err := l.dropCovered(i); err != nil {
				return err
			}
		case s != l.active() && l.loadClosed(s) && s.compacted:
			// The checkpoint is older than the compaction.
			return l.rescanAll()
		case s.base == c.Segment && s == l.active() && l.loadActive(s, c):
		default:
			if err := l.rescan(s, nil); err != nil {
				return err
			}
			if i+1 < len(l.segments) && s.next < l.segments[i+1].base {
				// Its end was never acknowledged and is lost, but the checkpoint may know
				// of it: whoever sends it again must not be told that it is there.
				return l.rescanAll()
			}
		}
	}
	switch s := l.active(); {
	case s.next < c.Next, len(l.damage) > 0:
		// The end of the log, or something in it, is lost: what is known of the producers
		// is not true.
		return l.rescanAll()
	case s.size != c.Position || s.base != c.Segment:
		l.saveOrWarn()
	}
	return nil
}

// rescanAll reads all batches: nothing is known but what they say.
func (l *Log) rescanAll() error {
	l.producers, l.recent = producers{}, l.recent[:0]
	for i := 0; i < len(l.segments); i++ {
		s := l.segments[i]
		// A compacted segment can cover those behind it; it has to be known before
		// it is read.
		if s != l.active() && l.loadClosed(s) && s.compacted {
			if err := l.dropCovered(i); err != nil {
				return err
			}
			continue
		}
		if err := l.rescan(s, nil); err != nil {
			return err
		}
	}
	l.saveOrWarn()
	return nil
}

// loadClosed takes a closed segment from its index alone.
func (l *Log) loadClosed(s *segment) bool {
	file, err := l.env.Handles.Acquire(l.indexPath(s), false)
	if err != nil {
		return false
	}
	defer file.Release()
	raw := make([]byte, indexHeaderSize)
	if _, err := file.ReadAt(raw, 0); err != nil {
		return false
	}
	h, ok := parseIndexHeader(raw)
	if !ok || h.flags&indexClosed == 0 || h.logSize != s.size {
		return false
	}
	synced := h.flags&indexSynced != 0
	if !synced && (l.env.Boot == 0 || h.boot != l.env.Boot) {
		return false
	}
	if size, err := file.Size(); err != nil || size < indexHeaderSize+int64(h.entries)*entrySize {
		return false
	}
	s.next, s.maxTimestamp, s.count = h.next, h.maxTimestamp, int(h.entries)
	s.closed, s.synced, s.compacted = true, synced, h.flags&indexCompacted != 0
	return true
}

// loadActive takes the segment that is appended to from a checkpoint, and reads
// what came after it.
func (l *Log) loadActive(s *segment, c *checkpoint) bool {
	if !c.Synced && (l.env.Boot == 0 || c.Boot != l.env.Boot) || c.Position > s.size {
		return false
	}
	var entries []entry
	if c.Entries > 0 {
		file, err := l.env.Handles.Acquire(l.indexPath(s), false)
		if err != nil {
			return false
		}
		defer file.Release()
		if entries, err = readEntries(file, c.Entries); err != nil {
			return false
		}
	}
	size := s.size
	s.size, s.next, s.maxTimestamp, s.created = c.Position, c.Next, c.MaxTime, c.Created
	s.entries, s.count, s.saved, s.sparse = entries, len(entries), len(entries), c.Sparse
	if size > c.Position {
		if err := l.rescan(s, &size); err != nil {
			s.size = size // of the file, all of which is to be read now
			return false
		}
	}
	return true
}

// rescan reads a segment's batches, from its size on when the file's true size is
// given, else all of them, and makes the index anew.
func (l *Log) rescan(s *segment, fileSize *int64) error {
	end := s.size
	if fileSize != nil {
		end = *fileSize
	} else {
		*s = *newSegment(s.base)
	}
	file, err := l.env.Handles.Acquire(l.logPath(s), true)
	if err != nil {
		return err
	}
	defer file.Release()
	appended := s == l.active()
	scan := scanner{file: file, end: end, limit: l.baseBehind(s), dense: appended}
	now := l.env.Now().UnixMilli()
	for s.size < end {
		b, err := scan.batch(s.size, s.next)
		if err == nil {
			l.producers.stored(b, now)
			if appended {
				l.note(place{b.BaseOffset(), b.LastOffset() + 1, s.size})
			}
			s.add(b, indexInterval, b.MaxTimestamp())
			continue
		}
		if !errors.Is(err, errUnsound) {
			return fmt.Errorf("reading %s: %w", l.logPath(s), err)
		}
		at, found, err := scan.resync(s.size, s.next)
		if err != nil {
			return fmt.Errorf("reading %s: %w", l.logPath(s), err)
		}
		if !found {
			if err := l.endOfSegment(s, file, b, end, fileSize != nil); err != nil {
				return err
			}
			break
		}
		follows := scanner{file: file, end: end, limit: scan.limit}
		next, err := follows.batch(at, s.next)
		if err != nil {
			return fmt.Errorf("reading %s: %w", l.logPath(s), err)
		}
		l.reportDamage(s, s.size, at, next.BaseOffset())
		s.sparse += at - s.size
		s.size, s.next = at, next.BaseOffset()
	}
	if appended {
		return nil
	}
	s.closed = true
	if err := l.completeIndex(s); err != nil {
		// On a full disk the index stays in memory, until there is space.
		l.env.Logger.Warn("broker: an index could not be written; it is tried again", "error", err)
		return nil
	}
	s.entries = nil
	return nil
}

// baseBehind gives the offset that the segment behind one begins with.
func (l *Log) baseBehind(s *segment) int64 {
	for _, other := range l.segments {
		if other.base > s.base {
			return other.base
		}
	}
	return math.MaxInt64
}

// endOfSegment decides on what no sound batch follows: a write that a crash cut
// off leaves less than a whole batch, unless the machine went down. b is the
// batch, if there is a whole one.
func (l *Log) endOfSegment(s *segment, file disk.File, b batch.Batch, end int64, sameRun bool) error {
	whole := s.next >= l.baseBehind(s) // what follows was cut off, and came back with the machine's end
	if b == nil || whole || s.size+int64(len(b)) != end || !sameRun && b.CheckCRC() != nil {
		return l.dropTail(s, file, end)
	}
	records := max(int64(b.NumRecords()), b.LastOffset()-b.BaseOffset()+1, 1)
	next := s.next + min(records, maxGap)
	l.reportDamage(s, s.size, end, next)
	s.size, s.next = end, next
	return nil
}

// dropTail cuts off a write that a crash left unfinished.
func (l *Log) dropTail(s *segment, file disk.File, end int64) error {
	l.env.Logger.Warn("broker: dropping the end of a segment, a write that a crash cut off before it was acknowledged",
		"file", l.logPath(s), "bytes", end-s.size, "from_offset", s.next)
	if err := file.Truncate(s.size); err != nil {
		return fmt.Errorf("cutting off the unfinished write at the end of %s: %w", l.logPath(s), err)
	}
	return nil
}

// dropFrom reads the log anew and takes back all batches from an offset on.
func (l *Log) dropFrom(offset int64) error {
	// The checkpoint may cover what is taken back, and there may be no space for another.
	// Without it, a start looks at everything, whatever becomes of the rest.
	kept := l.env.FS.Remove(filepath.Join(l.dir, checkpointFile))
	for len(l.segments) > 1 && l.active().base >= offset {
		if err := l.removeSegment(l.active()); err != nil {
			return errors.Join(kept, err)
		}
		l.segments = l.segments[:len(l.segments)-1]
	}
	if kept != nil {
		return kept
	}
	if s := l.active(); s.closed && s.next <= offset {
		// It may be compacted: nothing is appended to it again.
		l.segments = append(l.segments, newSegment(offset))
		l.torn = false
		return l.rescanAll()
	}
	s := l.active()
	file, err := l.env.Handles.Acquire(l.logPath(s), true)
	if err != nil {
		return err
	}
	defer file.Release()
	size := int64(0)
	scan := scanner{file: file, end: s.size, limit: offset}
	for next := s.base; size < s.size; {
		b, err := scan.batch(size, next)
		if errors.Is(err, errUnsound) {
			at, found, err := scan.resync(size, next)
			if err != nil {
				return err
			}
			if !found {
				break
			}
			size = at
			continue
		}
		if err != nil {
			return err
		}
		size += int64(len(b))
		next = b.LastOffset() + 1
	}
	if err := file.Truncate(size); err != nil {
		return err
	}
	l.torn, l.cut = false, s
	s.size = size // what is left can be read, whatever becomes of the rest
	l.env.Handles.Drop(l.indexPath(s))
	if err := l.env.FS.Remove(l.indexPath(s)); err != nil {
		return err
	}
	err = l.rescanAll()
	l.active().next = max(l.active().next, offset)
	return err
}

// restartAt drops all segments and goes on with an offset.
func (l *Log) restartAt(offset int64) error {
	for _, s := range l.segments {
		if err := l.removeSegment(s); err != nil {
			return err
		}
	}
	l.segments = []*segment{newSegment(offset)}
	l.start, l.visible, l.recent = offset, offset, nil
	l.producers = producers{}
	return nil
}

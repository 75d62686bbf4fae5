package commitlog

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/broker/batch"
	"github.com/orderflow/orderflow/internal/embedded/broker/disk"
)

const (
	logSuffix   = ".log"
	indexSuffix = ".index"
	tmpSuffix   = ".tmp"
)

// segment is one file of batches. Its fields are guarded by the log's lock;
// those of a closed segment don't change but for synced.
type segment struct {
	base         int64 // offset of the first record; the file's name
	size         int64 // bytes of batches
	next         int64 // offset behind the last record
	maxTimestamp int64 // the highest of all records, -1 when there are none
	created      int64 // when the first batch came, in milliseconds; 0 when none did

	closed    bool
	synced    bool // closed only: on the disk, not only with the system
	compacted bool // closed only
	entries   []entry
	count     int   // entries, in memory or, when those are nil, on the disk
	sparse    int64 // bytes since the last entry
	saved     int   // entries that the index file has
}

func newSegment(base int64) *segment {
	return &segment{base: base, next: base, maxTimestamp: -1}
}

// add notes a batch that was written at the end of the segment.
func (s *segment) add(b batch.Batch, interval int64, now int64) {
	if s.sparse >= interval {
		s.entries = append(s.entries, entry{uint32(b.BaseOffset() - s.base), uint32(s.size), s.maxTimestamp})
		s.count++
		s.sparse = 0
	}
	if s.created == 0 {
		s.created = now
	}
	s.sparse += int64(len(b))
	s.size += int64(len(b))
	s.next = b.LastOffset() + 1
	s.maxTimestamp = max(s.maxTimestamp, b.MaxTimestamp())
}

func segmentName(base int64) string { return fmt.Sprintf("%020d", base) }

func (l *Log) logPath(s *segment) string {
	return filepath.Join(l.dir, segmentName(s.base)+logSuffix)
}

func (l *Log) indexPath(s *segment) string {
	return filepath.Join(l.dir, segmentName(s.base)+indexSuffix)
}

// segmentBase reads a segment's base from the name of its log file.
func segmentBase(name string) (int64, bool) {
	digits, ok := strings.CutSuffix(name, logSuffix)
	if !ok || len(digits) != 20 {
		return 0, false
	}
	base, err := strconv.ParseInt(digits, 10, 64)
	return base, err == nil && base >= 0
}

// saveIndex writes the entries that the index file doesn't have yet.
func (l *Log) saveIndex(s *segment) error {
	if s.saved == len(s.entries) {
		return nil
	}
	file, err := l.env.Handles.Acquire(l.indexPath(s), true)
	if err != nil {
		return err
	}
	defer file.Release()
	raw := make([]byte, 0, (len(s.entries)-s.saved)*entrySize)
	for _, e := range s.entries[s.saved:] {
		raw = appendEntry(raw, e)
	}
	if _, err := file.WriteAt(raw, indexHeaderSize+int64(s.saved)*entrySize); err != nil {
		return err
	}
	s.saved = len(s.entries)
	return nil
}

// completeIndex finishes the index of a segment that nothing will be appended to.
func (l *Log) completeIndex(s *segment) error {
	if err := l.saveIndex(s); err != nil {
		return fmt.Errorf("writing the index of %s: %w", l.logPath(s), err)
	}
	if err := l.writeIndexHeader(s, indexClosed); err != nil {
		return fmt.Errorf("writing the index of %s: %w", l.logPath(s), err)
	}
	return nil
}

func (l *Log) writeIndexHeader(s *segment, flags uint16) error {
	if s.compacted {
		flags |= indexCompacted
	}
	file, err := l.env.Handles.Acquire(l.indexPath(s), true)
	if err != nil {
		return err
	}
	defer file.Release()
	header := l.indexHeader(s, flags)
	if err := file.Truncate(indexHeaderSize + int64(s.count)*entrySize); err != nil {
		return err
	}
	_, err = file.WriteAt(header.encode(), 0)
	return err
}

func (l *Log) indexHeader(s *segment, flags uint16) indexHeader {
	return indexHeader{
		flags: flags, boot: l.env.Boot, logSize: s.size, next: s.next,
		maxTimestamp: s.maxTimestamp, entries: uint32(s.count),
	}
}

// indexContent is the whole index file of a segment that was compacted.
func (l *Log) indexContent(s *segment) []byte {
	content := l.indexHeader(s, indexClosed|indexSynced|indexCompacted).encode()
	for _, e := range s.entries {
		content = appendEntry(content, e)
	}
	return content
}

// syncSegment has a closed segment survive the end of the machine.
func (l *Log) syncSegment(s *segment) error {
	sync := func(path string) error {
		file, err := l.env.Handles.Acquire(path, false)
		if err != nil {
			return err
		}
		defer file.Release()
		return file.Sync()
	}
	if err := sync(l.logPath(s)); err != nil {
		return err
	}
	if err := l.writeIndexHeader(s, indexClosed|indexSynced); err != nil {
		return err
	}
	return errors.Join(sync(l.indexPath(s)), l.env.FS.SyncDir(l.dir))
}

// removeSegment removes a segment's files; those who read them go on. When the batches
// can't be removed, they can still be read.
func (l *Log) removeSegment(s *segment) error {
	l.env.Handles.Drop(l.indexPath(s))
	if err := l.env.FS.Remove(l.indexPath(s)); err != nil {
		return err
	}
	s.entries, s.count, s.saved = nil, 0, 0
	l.env.Handles.Drop(l.logPath(s))
	return l.env.FS.Remove(l.logPath(s))
}

// view is what a reader needs of a segment, without the log's lock.
type view struct {
	base  int64
	path  string
	size  int64
	limit int64 // offsets are below
	dense bool  // none is missing
	file  *disk.Handle
	index index
}

// look opens a segment for reading; close ends it.
func (l *Log) look(s *segment) (view, error) {
	v := view{base: s.base, path: l.logPath(s), size: s.size, limit: s.next, dense: !s.closed}
	var err error
	if v.file, err = l.env.Handles.Acquire(v.path, s.size == 0); err != nil {
		return view{}, err
	}
	v.index = index{entries: s.entries, count: s.count}
	if s.closed && s.entries == nil && s.count > 0 {
		if v.index.file, err = l.env.Handles.Acquire(l.indexPath(s), false); err != nil {
			v.file.Release()
			return view{}, err
		}
	}
	return v, nil
}

func (v view) close() {
	v.file.Release()
	if v.index.file != nil {
		v.index.file.Release()
	}
}

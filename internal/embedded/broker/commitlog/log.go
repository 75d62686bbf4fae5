package commitlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/orderflow/orderflow/internal/embedded/broker/batch"
	"github.com/orderflow/orderflow/internal/embedded/broker/disk"
)

const (
	// LeaderEpoch is that of every partition: there is one broker, and it never
	// takes back what it showed.
	LeaderEpoch = 0

	// indexInterval is how many bytes of batches an index entry stands for, as
	// Kafka's index.interval.bytes.
	indexInterval = 4096
	// checkpointInterval is how many bytes are appended between two checkpoints:
	// what a start after a kill -9 has to read per partition, at most.
	checkpointInterval = 8 << 20
	// trimRoll is how many trimmed bytes in the segment that is appended to make
	// a new one, so that the old one's space can be freed.
	trimRoll = 1 << 20
	// recentBatches is how many of the newest batches are found without a look at
	// the index.
	recentBatches = 64
)

// Env is what all logs of a broker share.
type Env struct {
	FS      disk.FS
	Handles *disk.Handles
	// Boot names the machine's run, 0 when that isn't known: what an earlier run
	// left unsynced is read anew.
	Boot uint32
	// Sync has nothing shown or acknowledged before it is on the disk.
	Sync bool
	// Root is a directory that the machine's end doesn't take away. With Sync, the
	// names of those between it and a log's are written to the disk, too; "" for none.
	Root   string
	Now    func() time.Time
	Logger *slog.Logger
}

// Settings are those of a log's topic.
type Settings struct {
	// SegmentBytes is the size at which a new segment begins.
	SegmentBytes int64
	// SegmentAge is the age at which a new segment begins.
	SegmentAge time.Duration
	// MaxBatchBytes is the size of the largest batch that is taken.
	MaxBatchBytes int
	// AppendTime stamps records with the time of their arrival.
	AppendTime bool
	// Keys has every record need a key.
	Keys bool
	// MaxBehind and MaxAhead are how far a record's timestamp may be from now.
	MaxBehind, MaxAhead time.Duration
}

// Log is the log of one partition. Its methods may be called from any
// goroutine.
type Log struct {
	env  *Env
	dir  string
	name string // topic and partition, for messages

	mu        sync.Mutex // guards what follows
	made      bool       // dir exists
	segments  []*segment // by base; the last one is appended to
	start     int64      // the first offset that can be read
	visible   int64      // the high water mark: offsets below can be read
	producers producers
	recent    []place  // the newest batches, oldest first
	unsaved   int64    // bytes appended since the last checkpoint
	torn      bool     // there may be bytes behind the last segment's size
	cut       *segment // whose file was cut since it was synced; nil when none was
	failed    error    // not nil when nothing can be appended until a restart
	removed   bool
	damage    map[damageKey]bool // reported
	whole     map[int64]bool     // the first offsets of batches reported as left out of compaction
	watchers  map[chan<- struct{}]int

	anchored bool          // the names of the directories are on the disk; only for who syncs
	syncing  chan struct{} // not nil while a sync is under way; closed when it ends
	losses   []int64       // for each time that unsynced batches were dropped, from which offset on
}

// place is where a batch is in the last segment.
type place struct{ base, next, position int64 }

func (l *Log) active() *segment { return l.segments[len(l.segments)-1] }

// Bounds gives the first offset that can be read and the one behind the last.
func (l *Log) Bounds() (start, end int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.start, l.visible
}

// Size is how many bytes the log's segments have.
func (l *Log) Size() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	total := int64(0)
	for _, s := range l.segments {
		total += s.size
	}
	return total
}

// Appended says where a batch went.
type Appended struct {
	Base  int64 // offset of the first record
	Start int64 // the first offset of the log that can be read
	Time  int64 // the records' timestamp, in milliseconds; -1 when they kept theirs

	next   int64 // the offset behind the last record
	losses int   // how often batches had been dropped before
}

// Append stores one batch that a producer sent; raw is changed. Wait with
// Durable before it is acknowledged. Errors for the producer wrap one of kerr's.
func (l *Log) Append(raw []byte, set *Settings) (Appended, error) {
	b, err := checkSent(raw, set)
	if err != nil {
		return Appended{}, err
	}
	now := l.env.Now()
	if err := checkTime(b, set, now); err != nil {
		return Appended{}, err
	}
	stamp := int64(-1)
	if set.AppendTime {
		stamp = now.UnixMilli()
		b.SetAppendTime(stamp)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.removed {
		return Appended{}, fmt.Errorf("%s was deleted: %w", l.name, kerr.UnknownTopicOrPartition)
	}
	if l.failed != nil {
		// Also not what seems to be there already: the disk may not have it.
		return Appended{}, fmt.Errorf("writing to %s: %w: %w", l.name, l.failed, kerr.KafkaStorageError)
	}
	already, err := l.producers.check(b)
	if err != nil {
		return Appended{}, fmt.Errorf("%s: %w", l.name, err)
	}
	if already != nil {
		if stamp >= 0 {
			stamp = already.Timestamp
		}
		return Appended{Base: already.Base, Start: l.start, Time: stamp, next: already.Base + int64(b.NumRecords()), losses: len(l.losses)}, nil
	}
	if err := l.write(b, set, now.UnixMilli()); err != nil {
		return Appended{}, fmt.Errorf("writing to %s: %w: %w", l.name, err, kerr.KafkaStorageError)
	}
	l.producers.stored(b, now.UnixMilli())
	if l.unsaved >= checkpointInterval {
		l.saveOrWarn() // with what is known of the batch's producer
	}
	if !l.env.Sync {
		l.show(b.LastOffset() + 1)
	}
	return Appended{Base: b.BaseOffset(), Start: l.start, Time: stamp, next: b.LastOffset() + 1, losses: len(l.losses)}, nil
}

func checkSent(raw []byte, set *Settings) (batch.Batch, error) {
	b, rest, err := batch.Cut(raw)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", err, kerr.CorruptMessage)
	case len(rest) > 0:
		return nil, fmt.Errorf("more than one batch for a partition: %w", kerr.InvalidRecord)
	case len(b) > set.MaxBatchBytes:
		return nil, fmt.Errorf("a batch of %d bytes; the topic takes up to %d (max.message.bytes): %w", len(b), set.MaxBatchBytes, kerr.MessageTooLarge)
	case b.Control() || b.Transactional():
		return nil, fmt.Errorf("a transactional batch; the embedded broker has no transactions: %w", kerr.InvalidRecord)
	}
	if err := b.CheckCRC(); err != nil {
		return nil, fmt.Errorf("%w: %w", err, kerr.CorruptMessage)
	}
	if err := b.CheckSent(); err != nil {
		return nil, fmt.Errorf("%w: %w", err, kerr.InvalidRecord)
	}
	if err := b.CheckRecords(set.Keys); err != nil {
		return nil, fmt.Errorf("%w: %w", err, kerr.InvalidRecord)
	}
	return b, nil
}

func checkTime(b batch.Batch, set *Settings, now time.Time) error {
	if set.AppendTime || b.MaxTimestamp() < 0 {
		return nil
	}
	at := time.UnixMilli(b.MaxTimestamp())
	if at.Sub(now) > set.MaxAhead || now.Sub(at) > set.MaxBehind {
		return fmt.Errorf("a record of %s, outside of what message.timestamp.before.max.ms and message.timestamp.after.max.ms allow: %w", at.UTC().Format(time.RFC3339), kerr.InvalidTimestamp)
	}
	return nil
}

// write puts a batch at the log's end.
func (l *Log) write(b batch.Batch, set *Settings, now int64) error {
	if !l.made {
		if err := l.env.FS.MkdirAll(l.dir); err != nil {
			return err
		}
		l.made = true
	}
	s := l.active()
	if s.size > 0 && (s.size+int64(len(b)) > set.SegmentBytes || now-s.created >= set.SegmentAge.Milliseconds() || s.next-s.base >= maxGap-int64(b.NumRecords())) {
		if err := l.roll(); err != nil {
			return err
		}
		s = l.active()
	}
	file, err := l.env.Handles.Acquire(l.logPath(s), true)
	if err != nil {
		return err
	}
	defer file.Release()
	if err := l.cutTorn(file); err != nil {
		return err
	}
	b.SetBase(s.next, LeaderEpoch)
	if _, err := file.WriteAt(b, s.size); err != nil {
		l.torn = true
		return errors.Join(err, l.cutTorn(file))
	}
	l.note(place{b.BaseOffset(), b.LastOffset() + 1, s.size})
	s.add(b, indexInterval, now)
	l.unsaved += int64(len(b))
	return nil
}

// cutTorn removes what a failed write left behind the last batch.
func (l *Log) cutTorn(file disk.File) error {
	if !l.torn {
		return nil
	}
	if err := file.Truncate(l.active().size); err != nil {
		return fmt.Errorf("removing what a failed write left: %w", err)
	}
	l.torn, l.cut = false, l.active()
	return nil
}

func (l *Log) note(p place) {
	if len(l.recent) == recentBatches {
		l.recent = l.recent[:copy(l.recent, l.recent[recentBatches/2:])]
	}
	l.recent = append(l.recent, p)
}

// roll begins a new segment.
func (l *Log) roll() error {
	if l.failed != nil {
		return l.failed
	}
	s := l.active()
	if l.torn {
		// Nobody would look there again, but a start that reads the whole segment.
		last, err := l.env.Handles.Acquire(l.logPath(s), true)
		if err != nil {
			return err
		}
		err = l.cutTorn(last)
		last.Release()
		if err != nil {
			return err
		}
	}
	if err := l.completeIndex(s); err != nil {
		return err
	}
	fresh := newSegment(s.next)
	file, err := l.env.Handles.Acquire(l.logPath(fresh), true)
	if err != nil {
		return err
	}
	file.Release()
	s.closed, s.entries = true, nil
	l.segments = append(l.segments, fresh)
	l.recent = l.recent[:0]
	l.saveOrWarn()
	return nil
}

// show lets offsets below next be read.
func (l *Log) show(next int64) {
	if next <= l.visible {
		return
	}
	l.visible = next
	for wake := range l.watchers {
		select {
		case wake <- struct{}{}:
		default: // it is to be woken already
		}
	}
}

// Watch has something sent to wake, which needs room for one, whenever there is
// more to read, until Unwatch. Watching n times needs as many Unwatch.
func (l *Log) Watch(wake chan<- struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watchers[wake]++
}

// Unwatch ends one Watch.
func (l *Log) Unwatch(wake chan<- struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.watchers[wake]--; l.watchers[wake] <= 0 {
		delete(l.watchers, wake)
	}
}

// Durable waits until an appended batch may be acknowledged. Those who wait at
// the same time share one sync.
func (l *Log) Durable(ctx context.Context, a Appended) error {
	if !l.env.Sync {
		return nil
	}
	for {
		l.mu.Lock()
		switch {
		case len(l.losses) > a.losses && a.next > l.losses[a.losses]:
			l.mu.Unlock()
			return fmt.Errorf("%s could not be written to the disk: %w", l.name, kerr.KafkaStorageError)
		case l.visible >= a.next:
			l.mu.Unlock()
			return nil
		case l.failed != nil:
			defer l.mu.Unlock()
			return fmt.Errorf("%s: %w: %w", l.name, l.failed, kerr.KafkaStorageError)
		case l.syncing == nil:
			l.syncing = make(chan struct{})
			l.mu.Unlock()
			l.sync()
			continue
		}
		done := l.syncing
		l.mu.Unlock()
		select {
		case <-done:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", l.name, kerr.RequestTimedOut)
		}
	}
}

// sync writes through what was appended and shows it. When that fails, the
// system may have forgotten what it couldn't write, so the log is read anew
// and goes on behind the last synced batch.
func (l *Log) sync() {
	l.mu.Lock()
	unsynced := l.segmentsFrom(l.visible)
	cut := l.cut
	end := l.active().next
	l.mu.Unlock()
	var err error
	if cut != nil && cut != unsynced[0] {
		// What was cut off must not come back: its offsets are given out again.
		if err = l.syncFile(l.logPath(cut)); errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	}
	for _, s := range unsynced {
		if err == nil {
			err = l.syncFile(l.logPath(s))
		}
	}
	if err == nil {
		err = l.syncNames()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.syncing)
	l.syncing = nil
	if err == nil {
		if l.cut == cut {
			l.cut = nil
		}
		l.show(end)
		return
	}
	l.env.Logger.Error("broker: writing a partition to the disk failed; what was not acknowledged is dropped", "partition", l.name, "error", err)
	l.losses = append(l.losses, l.visible)
	if err := l.dropFrom(l.visible); err != nil {
		l.failed = fmt.Errorf("an earlier write failed and could not be taken back; free the disk or look after it, then restart: %w", err)
	}
}

// syncNames has the names of the log's files survive the end of the machine, and the
// first time those of the directories that it is in. One sync runs at a time.
func (l *Log) syncNames() error {
	for dir := l.dir; ; dir = filepath.Dir(dir) {
		if err := l.env.FS.SyncDir(dir); err != nil {
			return err
		}
		if l.anchored || l.env.Root == "" || dir == l.env.Root || dir == filepath.Dir(dir) {
			l.anchored = true
			return nil
		}
	}
}

func (l *Log) syncFile(path string) error {
	file, err := l.env.Handles.Acquire(path, false)
	if err != nil {
		return err
	}
	defer file.Release()
	return file.Sync()
}

// segmentsFrom gives the segments that have offsets from some on.
func (l *Log) segmentsFrom(offset int64) []*segment {
	for i, s := range l.segments {
		if s.next > offset || i == len(l.segments)-1 {
			return append([]*segment(nil), l.segments[i:]...)
		}
	}
	return nil
}

// Housekeep does what need not be done while records come: it writes closed
// segments to the disk, saves a checkpoint when one is due, and forgets
// producers that were silent for longer than producerAge.
func (l *Log) Housekeep(producerAge time.Duration) error {
	l.mu.Lock()
	if l.failed != nil {
		// What couldn't be synced may be lost: nothing that says otherwise is written.
		l.mu.Unlock()
		return nil
	}
	unsynced, err := l.unsynced()
	if err != nil {
		l.mu.Unlock()
		return err
	}
	l.producers.expire(l.env.Now(), producerAge)
	if l.unsaved > 0 && !l.removed {
		l.saveOrWarn()
	}
	l.mu.Unlock()
	return l.syncClosed(unsynced)
}

// unsynced completes the indexes of all closed segments, and gives those that may not be
// on the disk.
func (l *Log) unsynced() ([]*segment, error) {
	var unsynced []*segment
	for _, s := range l.segments {
		if s.closed && s.entries != nil {
			if err := l.completeIndex(s); err != nil {
				return nil, err
			}
			s.entries = nil
		}
		if s.closed && !s.synced {
			unsynced = append(unsynced, s)
		}
	}
	return unsynced, nil
}

// syncClosed writes closed segments to the disk.
func (l *Log) syncClosed(unsynced []*segment) error {
	for _, s := range unsynced {
		err := l.syncSegment(s)
		l.mu.Lock()
		gone := l.removed || l.find(s.base) != s
		s.synced = err == nil
		l.mu.Unlock()
		if err != nil && !gone {
			return fmt.Errorf("writing a segment of %s to the disk: %w", l.name, err)
		}
	}
	return nil
}

// Close saves a checkpoint. The log isn't used afterwards.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.removed || !l.made || l.failed != nil {
		return nil
	}
	// Where the machine's run has no name, the next start has to be told in
	// another way that what is before the checkpoint need not be read.
	synced := l.env.Boot == 0 && l.active().size > 0
	if synced {
		if err := l.syncFile(l.logPath(l.active())); err != nil {
			return err
		}
	}
	return l.save(synced)
}

// Remove marks the log as deleted and wakes who waits for it; the directory is
// the caller's to remove.
func (l *Log) Remove() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.removed = true
	for _, s := range l.segments {
		l.env.Handles.Drop(l.logPath(s))
		l.env.Handles.Drop(l.indexPath(s))
	}
	for wake := range l.watchers {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

package commitlog_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/orderflow/orderflow/internal/embedded/broker/batch"
	"github.com/orderflow/orderflow/internal/embedded/broker/batch/batchtest"
	"github.com/orderflow/orderflow/internal/embedded/broker/commitlog"
	"github.com/orderflow/orderflow/internal/embedded/broker/disk"
	"github.com/orderflow/orderflow/internal/embedded/broker/disk/disktest"
)

// The batch that makes a checkpoint due is part of it, and so is what it says of its
// producer: after a kill its producer can send it again, or go on.
func TestTheBatchThatMakesACheckpointDueIsRecognised(t *testing.T) {
	for _, again := range []bool{true, false} {
		f := newFixture(t, disk.NewMemory())
		f.set.SegmentBytes = 1 << 30
		f.append(1, 10)
		send := func(seq int32) (commitlog.Appended, error) {
			value := make([]byte, 900<<10)
			return f.log.Append(batchtest.Make(batchtest.Producer{ID: 9, Sequence: seq}, batchtest.Record{Value: value, Timestamp: f.now.UnixMilli()}), &f.set)
		}
		var last commitlog.Appended
		for seq := range int32(10) { // the tenth batch is behind 8 MiB
			var err error
			last, err = send(seq)
			require.NoError(t, err)
		}
		f.open(1) // killed right then
		if again {
			a, err := send(9)
			require.NoError(t, err)
			assert.Equal(t, last.Base, a.Base, "the batch is stored twice")
		} else {
			_, err := send(10)
			assert.NoError(t, err, "the next batch")
		}
	}
}

// A lost index doesn't change what is known of producers.
func TestALostIndexDoesNotBringBackAnOldEpoch(t *testing.T) {
	f := newFixture(t, disk.NewMemory())
	send := func(epoch int16, seq int32) (commitlog.Appended, error) {
		return f.log.Append(batchtest.Make(batchtest.Producer{ID: 9, Epoch: epoch, Sequence: seq}, batchtest.Record{Value: make([]byte, 100), Timestamp: f.now.UnixMilli()}), &f.set)
	}
	_, err := send(0, 0)
	require.NoError(t, err)
	f.want = append(f.want, "")
	f.fill()
	a, err := send(1, 0)
	require.NoError(t, err)
	require.NoError(t, f.log.Close())
	require.NoError(t, f.fs.Remove(dir+"/00000000000000000000.index"))
	f.open(1)
	again, err := send(1, 0)
	require.NoError(t, err)
	assert.Equal(t, a.Base, again.Base, "stored twice")
	_, err = send(1, 1)
	assert.NoError(t, err)
}

// Values of the same length under the same keys: each pass leaves as much as the first
// segment had.
func TestCompactionOfRecordsOfOneSize(t *testing.T) {
	f := newFixture(t, disk.NewMemory())
	f.set.Keys = true
	n := 0
	write := func() {
		for range 400 {
			b := batchtest.Make(batchtest.None, batchtest.Record{Key: fmt.Appendf(nil, "key%02d", n%20), Value: fmt.Appendf(nil, "%08d", n), Timestamp: f.now.UnixMilli()})
			_, err := f.log.Append(b, &f.set)
			require.NoError(t, err)
			f.now = f.now.Add(time.Second)
			n++
		}
	}
	for range 20 {
		write()
		_, err := f.log.Compact(compaction)
		require.NoError(t, err)
	}
	assert.Less(t, f.log.Size(), int64(40<<10), "of %d records, 20 keys", n)
}

// A pass over segments of which only the first one's records are left: the others'
// records have to go all the same, or they come back once what deleted them is gone.
func TestCompactionDoesNotBringBackDeletedRecords(t *testing.T) {
	f := newFixture(t, disk.NewMemory())
	f.set.Keys = true
	put := func(key string, size int) {
		r := batchtest.Record{Key: []byte(key), Timestamp: f.now.UnixMilli()}
		if size > 0 {
			r.Value = make([]byte, size)
		}
		_, err := f.log.Append(batchtest.Make(batchtest.None, r), &f.set)
		require.NoError(t, err)
	}
	opts := commitlog.Compaction{DeleteRetention: time.Hour, SegmentBytes: 8 << 10}
	compact := func() {
		_, err := f.log.Compact(opts)
		require.NoError(t, err)
	}
	put("stays", 5000)   // segment 1
	put("deleted", 5000) // segment 2
	put("filler", 6000)  // segment 3
	compact()
	// Now 1 and 2 were compacted, and don't fit into one. The pass that deletes what is
	// in 2 would leave just what 1 has.
	opts.SegmentBytes = 10_500
	put("deleted", 0)
	put("other", 7000)
	put("end", 7000)
	compact()
	f.now = f.now.Add(2 * time.Hour)
	put("end", 7000)
	put("end", 7000)
	compact()
	found := map[string]bool{}
	_, end := f.log.Bounds()
	for from := int64(0); from < end; {
		raw, err := f.log.Read(from, 1<<20, true)
		require.NoError(t, err)
		for b, rest, err := batch.Cut(raw); err == nil; b, rest, err = batch.Cut(rest) {
			for r, err := range b.Records() {
				require.NoError(t, err)
				found[string(r.Key)] = r.Value != nil
			}
			from = b.LastOffset() + 1
		}
	}
	assert.Contains(t, found, "stays")
	assert.False(t, found["deleted"], "%v: it was deleted", found)
}

// What a checkpoint covers was taken back, and the disk is too full for another one:
// the next start must not believe it.
func TestACheckpointOfWhatWasTakenBackIsNotBelieved(t *testing.T) {
	faulty := &disktest.Faulty{FS: disk.NewMemory()}
	f := newFixture(t, faulty)
	f.env.Sync = true
	require.NoError(t, f.log.Durable(t.Context(), f.append(2, 50)))
	acked := len(f.want)
	lost := f.append(1, 10)
	require.NoError(t, f.log.Housekeep(time.Hour))
	faulty.FailSync(syscall.ENOSPC)
	faulty.Limit(0)
	require.ErrorIs(t, f.log.Durable(t.Context(), lost), kerr.KafkaStorageError)
	f.want, f.seq = f.want[:acked], f.seq-1
	faulty.FailSync(nil)
	faulty.Limit(-1)
	require.NoError(t, f.log.Durable(t.Context(), f.append(1, 500)))
	f.open(1)
	f.check(len(f.want))
}

// flaky fails to read one time.
type flaky struct {
	disk.FS
	fail bool
}

func (f *flaky) Open(name string, create bool) (disk.File, error) {
	file, err := f.FS.Open(name, create)
	return flakyFile{file, f, name}, err
}

type flakyFile struct {
	disk.File
	fs   *flaky
	name string
}

func (f flakyFile) ReadAt(p []byte, off int64) (int, error) {
	if f.fs.fail && strings.HasSuffix(f.name, ".log") {
		f.fs.fail = false
		return 0, syscall.EIO
	}
	return f.File.ReadAt(p, off)
}

// A read that fails while a log is opened fails the start, or is done again: it doesn't
// take what it was for as not there.
func TestAReadThatFailsTakesNoRecords(t *testing.T) {
	files := &flaky{FS: disk.NewMemory()}
	f := newFixture(t, files)
	f.append(3, 10)
	require.NoError(t, f.log.Housekeep(time.Hour))
	f.append(3, 10)
	files.fail = true
	log, err := f.env.Open(dir, "orders-0", 0)
	if err == nil {
		f.log = log
		f.check(len(f.want))
	}
}

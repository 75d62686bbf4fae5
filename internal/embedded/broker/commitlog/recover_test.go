package commitlog_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"

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

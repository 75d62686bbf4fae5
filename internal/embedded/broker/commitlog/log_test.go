package commitlog_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
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

const dir = "data/orders/0"

// fixture is a log and what belongs in it.
type fixture struct {
	t    testing.TB
	fs   disk.FS
	env  *commitlog.Env
	log  *commitlog.Log
	set  commitlog.Settings
	logs *bytes.Buffer
	now  time.Time
	want []string // values, by offset
	seq  int32
}

func newFixture(t testing.TB, fs disk.FS) *fixture {
	f := &fixture{
		t: t, fs: fs, logs: &bytes.Buffer{}, now: time.UnixMilli(1_700_000_000_000),
		set: commitlog.Settings{SegmentBytes: 8 << 10, SegmentAge: 24 * time.Hour, MaxBatchBytes: 1 << 20, MaxAhead: time.Hour, MaxBehind: 1000 * time.Hour},
	}
	f.open(1)
	return f
}

// open opens the log as after a crash, in a run of the machine.
func (f *fixture) open(boot uint32) {
	f.t.Helper()
	f.env = &commitlog.Env{
		FS: f.fs, Handles: disk.NewHandles(f.fs, 4), Boot: boot, Now: func() time.Time { return f.now },
		Logger: slog.New(slog.NewTextHandler(f.logs, nil)),
	}
	var err error
	f.log, err = f.env.Open(dir, "orders-0", 0)
	require.NoError(f.t, err)
}

// append appends a batch of n records of one producer.
func (f *fixture) append(n, size int) commitlog.Appended {
	f.t.Helper()
	var records []batchtest.Record
	for i := range n {
		value := fmt.Sprintf("%d-%s", len(f.want)+i, strings.Repeat("x", size))
		records = append(records, batchtest.Record{Key: []byte("k"), Value: []byte(value), Timestamp: f.now.UnixMilli()})
	}
	b := batchtest.Make(batchtest.Producer{ID: 7, Sequence: f.seq}, records...)
	a, err := f.log.Append(b, &f.set)
	require.NoError(f.t, err)
	require.EqualValues(f.t, len(f.want), a.Base)
	for _, r := range records {
		f.want = append(f.want, string(r.Value))
	}
	f.seq += int32(n)
	return a
}

// fill appends some hundred batches in several segments.
func (f *fixture) fill() {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		f.append(1+random.IntN(4), random.IntN(200))
		f.now = f.now.Add(time.Second)
	}
}

// read reads all values from an offset on, by offset.
func (f *fixture) read(from int64, maxBytes int) map[int64]string {
	f.t.Helper()
	got := map[int64]string{}
	_, end := f.log.Bounds()
	for from < end {
		raw, err := f.log.Read(from, maxBytes, true)
		require.NoError(f.t, err)
		if len(raw) == 0 {
			return got
		}
		for len(raw) > 0 {
			var b batch.Batch
			b, raw, err = batch.Cut(raw)
			require.NoError(f.t, err)
			require.NoError(f.t, b.CheckCRC())
			require.Greater(f.t, b.LastOffset(), from-1, "batches before the offset asked for")
			for r, err := range b.Records() {
				require.NoError(f.t, err)
				got[b.BaseOffset()+int64(r.OffsetDelta)] = string(r.Value)
			}
			from = b.LastOffset() + 1
		}
	}
	return got
}

// check compares everything with what belongs in the log, up to n records.
func (f *fixture) check(n int) {
	f.t.Helper()
	start, end := f.log.Bounds()
	require.EqualValues(f.t, n, end)
	got := f.read(start, 1<<20)
	for o := start; o < end; o++ {
		require.Equal(f.t, f.want[o], got[o], "offset %d", o)
	}
}

func (f *fixture) files(suffix string) []string {
	f.t.Helper()
	entries, err := f.fs.List(dir)
	require.NoError(f.t, err)
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name, suffix) {
			names = append(names, filepath.Join(dir, e.Name))
		}
	}
	return names
}

func TestReadGivesWhatWasAppended(t *testing.T) {
	f := newFixture(t, disk.NewMemory())
	f.fill()
	require.Greater(t, len(f.files(".log")), 5)
	for _, maxBytes := range []int{1, 100, 1000, 1 << 20} {
		require.Len(t, f.read(0, maxBytes), len(f.want), "%d bytes at a time", maxBytes)
	}
	for from := range int64(len(f.want)) {
		raw, err := f.log.Read(from, 1, true)
		require.NoError(t, err)
		b, rest, err := batch.Cut(raw)
		require.NoError(t, err)
		require.Empty(t, rest)
		require.LessOrEqual(t, b.BaseOffset(), from)
		require.GreaterOrEqual(t, b.LastOffset(), from)
	}
	raw, err := f.log.Read(5, 1, false)
	require.NoError(t, err)
	assert.Empty(t, raw, "a batch larger than asked for")
	_, err = f.log.Read(int64(len(f.want))+1, 1, true)
	require.ErrorIs(t, err, kerr.OffsetOutOfRange)
	raw, err = f.log.Read(int64(len(f.want)), 1, true)
	require.NoError(t, err)
	assert.Empty(t, raw)
}

func TestOpenAfterStopAndCrash(t *testing.T) {
	for name, lose := range map[string]func(*fixture){
		"a clean stop": func(f *fixture) { require.NoError(t, f.log.Close()) },
		"a crash":      func(*fixture) {},
		"a crash after a checkpoint": func(f *fixture) {
			require.NoError(t, f.log.Housekeep(time.Hour))
			f.append(3, 50)
		},
		"a crash without the indexes": func(f *fixture) {
			require.NoError(t, f.log.Housekeep(time.Hour))
			for _, name := range f.files(".index") {
				require.NoError(t, f.fs.Remove(name))
			}
		},
		"a crash without the checkpoint": func(f *fixture) {
			require.NoError(t, f.fs.Remove(filepath.Join(dir, "checkpoint")))
		},
		"a crash with half a checkpoint": func(f *fixture) {
			file, err := f.fs.Open(filepath.Join(dir, "checkpoint"), false)
			require.NoError(t, err)
			require.NoError(t, file.Truncate(40))
		},
	} {
		for run, boot := range map[string]uint32{"the same": 1, "another": 2, "an unknown": 0} {
			t.Run(name+" in "+run+" run of the machine", func(t *testing.T) {
				f := newFixture(t, disk.NewMemory())
				f.fill()
				lose(f)
				f.open(boot)
				f.check(len(f.want))
				f.append(2, 10) // the producer goes on with its numbers
				f.check(len(f.want))
				b := batchtest.Make(batchtest.Producer{ID: 7, Sequence: f.seq + 1}, batchtest.Record{Value: []byte("v"), Timestamp: f.now.UnixMilli()})
				_, err := f.log.Append(b, &f.set)
				require.ErrorIs(t, err, kerr.OutOfOrderSequenceNumber, "what a producer has sent is known")
				assert.Empty(t, f.logs.String())
			})
		}
	}
}

func TestTornTail(t *testing.T) {
	f := newFixture(t, disk.NewMemory())
	f.set.SegmentBytes = 1 << 30
	for range 20 {
		f.append(2, 20)
	}
	require.NoError(t, f.log.Housekeep(time.Hour))
	acked := len(f.want)
	f.append(1, 300)
	name := f.files(".log")[0]
	whole, err := disk.ReadFile(f.fs, name)
	require.NoError(t, err)
	f.want = f.want[:acked]
	batchSize := int(f.log.Size()) - len(whole) + 61 + 300
	for _, boot := range []uint32{1, 2} {
		for cut := 1; cut < batchSize; cut += 7 {
			require.NoError(t, disk.WriteFile(f.fs, name, whole[:len(whole)-cut], false))
			f.logs.Reset()
			f.open(boot)
			f.check(acked)
			require.Equal(t, 1, strings.Count(f.logs.String(), "\n"), "one line says what was dropped:\n%s", f.logs)
			require.Contains(t, f.logs.String(), "crash cut off")
			require.Contains(t, f.logs.String(), fmt.Sprintf("from_offset=%d", acked))
		}
	}
}

// A flipped byte costs the batch it is in, is reported with file and offsets, and
// hides nothing behind it.
func TestFlippedByte(t *testing.T) {
	f := newFixture(t, disk.NewMemory())
	f.fill()
	require.NoError(t, f.log.Close())
	random := rand.New(rand.NewPCG(3, 4))
	for range 150 {
		names := f.files(".log")
		name := names[random.IntN(len(names))]
		sound, err := disk.ReadFile(f.fs, name)
		require.NoError(t, err)
		if len(sound) == 0 {
			continue
		}
		at := random.IntN(len(sound))
		var damaged batch.Batch
		for rest := sound; ; {
			var b batch.Batch
			b, rest, err = batch.Cut(rest)
			require.NoError(t, err)
			if at < len(sound)-len(rest) {
				damaged = b
				break
			}
		}
		inBatch := at - bytes.Index(sound, damaged[:batch.HeaderSize])
		checked := inBatch < 12 || inBatch >= 16 // the leader epoch is the one field that nothing covers
		broken := bytes.Clone(sound)
		broken[at] ^= byte(1 + random.IntN(255))
		require.NoError(t, disk.WriteFile(f.fs, name, broken, false))
		for _, boot := range []uint32{1, 2} {
			f.logs.Reset()
			f.open(boot)
			start, end := f.log.Bounds()
			got := f.read(start, 1<<20)
			for o := start; o < int64(len(f.want)); o++ {
				if o >= damaged.BaseOffset() && o <= damaged.LastOffset() {
					continue
				}
				require.Equal(t, f.want[o], got[o], "offset %d, byte %d of %s flipped, batch %d to %d, end %d", o, at, name, damaged.BaseOffset(), damaged.LastOffset(), end)
			}
			if checked {
				require.Contains(t, f.logs.String(), name, "byte %d of a batch flipped", inBatch)
			}
			require.NoError(t, disk.WriteFile(f.fs, name, broken, false), "undo what opening it changed")
		}
		require.NoError(t, disk.WriteFile(f.fs, name, sound, false))
	}
}

func TestProducers(t *testing.T) {
	f := newFixture(t, disk.NewMemory())
	send := func(id int64, epoch int16, seq int32, n int) (int64, error) {
		records := make([]batchtest.Record, n)
		for i := range records {
			records[i] = batchtest.Record{Value: []byte("v"), Timestamp: f.now.UnixMilli()}
		}
		a, err := f.log.Append(batchtest.Make(batchtest.Producer{ID: id, Epoch: epoch, Sequence: seq}, records...), &f.set)
		return a.Base, err
	}
	ok := func(want int64, id int64, epoch int16, seq int32, n int) {
		t.Helper()
		got, err := send(id, epoch, seq, n)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, boot := range []uint32{1, 1, 2, 0} {
		_, end := f.log.Bounds()
		id := 10 + end
		ok(end, id, 0, 5, 2) // nobody knows what it sent before
		ok(end+2, id, 0, 7, 1)
		f.open(boot)
		ok(end, id, 0, 5, 2) // again
		ok(end+2, id, 0, 7, 1)
		_, err := send(id, 0, 9, 1)
		require.ErrorIs(t, err, kerr.OutOfOrderSequenceNumber)
		_, err = send(id, 0, 7, 2)
		require.ErrorIs(t, err, kerr.OutOfOrderSequenceNumber, "another batch under the same number")
		_, err = send(id, 1, 3, 1)
		require.ErrorIs(t, err, kerr.OutOfOrderSequenceNumber, "a new epoch begins at 0")
		ok(end+3, id, 1, 0, 1)
		_, err = send(id, 0, 8, 1)
		require.ErrorIs(t, err, kerr.InvalidProducerEpoch)
		ok(end+4, id+1, 0, 0x7fffffff, 1)
		ok(end+5, id+1, 0, 0, 1) // numbers go round
	}
}

func TestRefusedBatches(t *testing.T) {
	f := newFixture(t, disk.NewMemory())
	f.set.MaxBatchBytes = 1000
	good := func() batch.Batch {
		return batchtest.Make(batchtest.None, batchtest.Record{Value: []byte("value"), Timestamp: f.now.UnixMilli()})
	}
	changed := func(change func(batch.Batch)) batch.Batch {
		b := good()
		change(b)
		batchtest.Seal(b)
		return b
	}
	flipped := good()
	flipped[len(flipped)-1] ^= 1
	for name, c := range map[string]struct {
		raw  []byte
		want *kerr.Error
	}{
		"nothing":              {nil, kerr.CorruptMessage},
		"cut off":              {good()[:70], kerr.CorruptMessage},
		"a flipped bit":        {flipped, kerr.CorruptMessage},
		"an old format":        {changed(func(b batch.Batch) { b[16] = 1 }), kerr.CorruptMessage},
		"two batches":          {append(good(), good()...), kerr.InvalidRecord},
		"too large":            {batchtest.Make(batchtest.None, batchtest.Record{Value: make([]byte, 1000)}), kerr.MessageTooLarge},
		"a wrong count":        {changed(func(b batch.Batch) { b[60] = 2 }), kerr.InvalidRecord},
		"a count without data": {changed(func(b batch.Batch) { b[60], b[26] = 2, 1 }), kerr.InvalidRecord},
		"a control batch":      {changed(func(b batch.Batch) { b[22] |= 0x20 }), kerr.InvalidRecord},
		"a transaction":        {changed(func(b batch.Batch) { b[22] |= 0x10 }), kerr.InvalidRecord},
		"no records":           {changed(func(b batch.Batch) { b[60] = 0; binary.BigEndian.PutUint32(b[23:], 0xffffffff) }), kerr.InvalidRecord},
		"the far future":       {batchtest.Make(batchtest.None, batchtest.Record{Timestamp: f.now.Add(2 * time.Hour).UnixMilli()}), kerr.InvalidTimestamp},
		"long ago":             {batchtest.Make(batchtest.None, batchtest.Record{Timestamp: f.now.Add(-2000 * time.Hour).UnixMilli()}), kerr.InvalidTimestamp},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.log.Append(c.raw, &f.set)
			require.ErrorIs(t, err, c.want)
		})
	}
	f.set.Keys = true
	_, err := f.log.Append(good(), &f.set)
	require.ErrorIs(t, err, kerr.InvalidRecord)
	_, end := f.log.Bounds()
	assert.Zero(t, end)
}

func TestAppendTime(t *testing.T) {
	f := newFixture(t, disk.NewMemory())
	f.set.AppendTime = true
	b := batchtest.Make(batchtest.None, batchtest.Record{Value: []byte("v"), Timestamp: 1})
	a, err := f.log.Append(b, &f.set)
	require.NoError(t, err)
	assert.Equal(t, f.now.UnixMilli(), a.Time)
	raw, err := f.log.Read(0, 1000, true)
	require.NoError(t, err)
	b, _, err = batch.Cut(raw)
	require.NoError(t, err)
	require.NoError(t, b.CheckCRC())
	for r := range b.Records() {
		assert.Equal(t, f.now.UnixMilli(), b.Timestamp(r))
	}
}

func TestDiskFull(t *testing.T) {
	faulty := &disktest.Faulty{FS: disk.NewMemory()}
	f := newFixture(t, faulty)
	for range 60 {
		f.append(2, 100)
	}
	for left := range int64(400) {
		faulty.Limit(left)
		b := batchtest.Make(batchtest.Producer{ID: 7, Sequence: f.seq}, batchtest.Record{Key: []byte("k"), Value: make([]byte, 400), Timestamp: f.now.UnixMilli()})
		_, err := f.log.Append(b, &f.set)
		require.ErrorIs(t, err, kerr.KafkaStorageError)
		f.check(len(f.want))
		if left%20 == 0 {
			f.open(1) // a crash in between loses nothing
			f.check(len(f.want))
		}
	}
	faulty.Limit(-1)
	f.append(2, 100)
	f.check(len(f.want))
	f.open(2)
	f.check(len(f.want))
}

func TestSyncedRecordsSurviveAPowerFailure(t *testing.T) {
	powered := disktest.NewPowered()
	faulty := &disktest.Faulty{FS: powered}
	f := newFixture(t, faulty)
	f.env.Sync = true
	for range 200 {
		a := f.append(2, 50)
		_, end := f.log.Bounds()
		require.Equal(t, a.Base, end, "nobody sees what isn't on the disk")
		require.NoError(t, f.log.Durable(t.Context(), a))
	}
	acked := len(f.want)
	faulty.FailSync(errors.New("no more"))
	lost := f.append(1, 10)
	require.ErrorIs(t, f.log.Durable(t.Context(), lost), kerr.KafkaStorageError)
	f.want, f.seq = f.want[:acked], f.seq-1
	f.check(acked)
	faulty.FailSync(nil)
	again := f.append(1, 20)
	require.NoError(t, f.log.Durable(t.Context(), again))
	require.ErrorIs(t, f.log.Durable(t.Context(), lost), kerr.KafkaStorageError, "another batch has its place now")
	f.check(len(f.want))

	var err error
	f.fs, err = powered.Cut(dir)
	require.NoError(t, err)
	f.open(2)
	f.check(len(f.want))
}

// A sync that fails may have lost what it was for, and the next one succeeds all the
// same: when what was written can't be taken back, it isn't acknowledged any more,
// however often it is sent.
func TestABatchIsNotAcknowledgedAfterASyncThatCouldNotBeTakenBack(t *testing.T) {
	faulty := &disktest.Faulty{FS: disk.NewMemory()}
	f := newFixture(t, faulty)
	f.env.Sync = true
	first := f.append(2, 50)
	require.NoError(t, f.log.Durable(t.Context(), first))
	b := batchtest.Make(batchtest.Producer{ID: 7, Sequence: f.seq}, batchtest.Record{Value: []byte("lost"), Timestamp: f.now.UnixMilli()})
	lost, err := f.log.Append(bytes.Clone(b), &f.set)
	require.NoError(t, err)
	faulty.FailSync(errors.New("no more"))
	faulty.DieAfter(0)
	require.ErrorIs(t, f.log.Durable(t.Context(), lost), kerr.KafkaStorageError)
	faulty.FailSync(nil)
	faulty.DieAfter(1 << 30)
	_, err = f.log.Append(bytes.Clone(b), &f.set)
	require.ErrorIs(t, err, kerr.KafkaStorageError)
	require.NoError(t, f.log.Housekeep(time.Hour), "nothing is noted of what may be lost")
	f.check(len(f.want))
	f.open(1)
	_, err = f.log.Append(bytes.Clone(b), &f.set)
	require.NoError(t, err)
}

func TestTimes(t *testing.T) {
	f := newFixture(t, disk.NewMemory())
	began := f.now
	var at []int64
	for i := range 400 {
		n := 1 + i%3
		f.append(n, 40)
		for range n {
			at = append(at, f.now.UnixMilli())
		}
		f.now = f.now.Add(time.Minute)
	}
	look := func() {
		t.Helper()
		for ms := began.UnixMilli() - 1000; ms < f.now.UnixMilli(); ms += 47_000 {
			want := int64(len(at))
			for o, timestamp := range at {
				if timestamp >= ms {
					want = int64(o)
					break
				}
			}
			found, ok, err := f.log.AtTime(ms)
			require.NoError(t, err)
			require.Equal(t, want < int64(len(at)), ok)
			if ok {
				require.Equal(t, want, found.Offset)
				require.Equal(t, at[want], found.Timestamp)
			}
		}
		newest, ok, err := f.log.Newest()
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, at[len(at)-1], newest.Timestamp)
	}
	look()
	f.open(1)
	look()
}

func TestRetention(t *testing.T) {
	f := newFixture(t, disk.NewMemory())
	f.fill() // one batch a second
	retain := func(r commitlog.Retention) int64 {
		t.Helper()
		_, err := f.log.Retain(r, f.now)
		require.NoError(t, err)
		start, end := f.log.Bounds()
		require.EqualValues(t, len(f.want), end)
		f.check(len(f.want))
		return start
	}
	all := int64(len(f.want))
	assert.Zero(t, retain(commitlog.Retention{Age: -1, Bytes: -1, Keep: all}))
	assert.Zero(t, retain(commitlog.Retention{Age: 0, Bytes: 0, Keep: 0}), "somebody has read nothing yet")
	aged := retain(commitlog.Retention{Age: 100 * time.Second, Bytes: -1, Keep: all})
	assert.Greater(t, aged, int64(0))
	sized := retain(commitlog.Retention{Age: -1, Bytes: 20 << 10, Keep: all})
	assert.Greater(t, sized, aged)
	assert.GreaterOrEqual(t, f.log.Size(), int64(20<<10))
	assert.Less(t, f.log.Size(), int64(30<<10))
	assert.LessOrEqual(t, retain(commitlog.Retention{Age: 0, Bytes: -1, Keep: sized + 20}), sized+20)
	f.now = f.now.Add(time.Hour)
	assert.Equal(t, all, retain(commitlog.Retention{Age: time.Minute, Bytes: -1, Keep: all}), "also the segment that is appended to")
	f.open(1)
	start, end := f.log.Bounds()
	assert.Equal(t, all, start)
	assert.Equal(t, all, end)
	f.append(1, 1)
	f.check(len(f.want))
}

func TestTrim(t *testing.T) {
	f := newFixture(t, disk.NewMemory())
	f.fill()
	_, err := f.log.Trimmed(int64(len(f.want)) + 1)
	require.ErrorIs(t, err, kerr.OffsetOutOfRange)
	before := f.log.Size()
	to, err := f.log.Trimmed(100)
	require.NoError(t, err)
	require.NoError(t, f.log.TrimTo(to))
	start, _ := f.log.Bounds()
	assert.EqualValues(t, 100, start)
	assert.Less(t, f.log.Size(), before)
	_, err = f.log.Read(99, 100, true)
	require.ErrorIs(t, err, kerr.OffsetOutOfRange)
	f.check(len(f.want))
	to, err = f.log.Trimmed(-1)
	require.NoError(t, err)
	require.EqualValues(t, len(f.want), to)
	require.NoError(t, f.log.TrimTo(to))
	f.append(1, 1)
	f.check(len(f.want))
}

func TestTrimmedSpaceIsFreed(t *testing.T) {
	f := newFixture(t, disk.NewMemory())
	f.set.SegmentBytes = 1 << 30
	for range 30 {
		for range 100 {
			f.append(1, 10_000)
		}
		to, err := f.log.Trimmed(int64(len(f.want)) - 1) // as the reader of a repartition topic does
		require.NoError(t, err)
		require.NoError(t, f.log.TrimTo(to))
		require.Less(t, f.log.Size(), int64(5<<20))
	}
	f.open(1)
	f.check(len(f.want))
}

func TestWatch(t *testing.T) {
	f := newFixture(t, disk.NewMemory())
	wake := make(chan struct{}, 1)
	f.log.Watch(wake)
	f.append(1, 1)
	f.append(1, 1)
	<-wake
	assert.Empty(t, wake)
	f.log.Unwatch(wake)
	f.append(1, 1)
	assert.Empty(t, wake)
	f.log.Watch(wake)
	f.log.Remove()
	<-wake
	_, err := f.log.Read(0, 1, true)
	require.ErrorIs(t, err, kerr.UnknownTopicOrPartition)
}

// Whatever happens to the files, opening them gives a log that can be read and
// appended to.
func FuzzOpen(f *testing.F) {
	f.Add(uint8(0), uint32(10), []byte{1, 2, 3}, uint32(100))
	f.Add(uint8(1), uint32(0), []byte{}, uint32(3))
	f.Add(uint8(5), uint32(16), []byte{0xff}, uint32(1<<20))
	f.Fuzz(func(t *testing.T, which uint8, at uint32, junk []byte, keep uint32) {
		x := newFixture(t, disk.NewMemory())
		for range 100 {
			x.append(2, 100)
		}
		require.NoError(t, x.log.Housekeep(time.Hour))
		x.append(2, 100)
		names := x.files("")
		name := names[int(which)%len(names)]
		file, err := x.fs.Open(name, false)
		require.NoError(t, err)
		size, err := file.Size()
		require.NoError(t, err)
		_, err = file.WriteAt(junk, int64(at)%(size+1))
		require.NoError(t, err)
		if int64(keep) < size {
			require.NoError(t, file.Truncate(int64(keep)))
		}
		for _, boot := range []uint32{1, 2} {
			x.open(boot)
			start, end := x.log.Bounds()
			x.read(start, 1000)
			b := batchtest.Make(batchtest.None, batchtest.Record{Key: []byte("k"), Value: []byte("v"), Timestamp: x.now.UnixMilli()})
			a, err := x.log.Append(b, &x.set)
			require.NoError(t, err)
			require.Equal(t, end, a.Base)
			got := x.read(end, 1000)
			require.Equal(t, "v", got[end])
		}
	})
}

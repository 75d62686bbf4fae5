package commitlog_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/broker/batch"
	"github.com/orderflow/orderflow/internal/embedded/broker/batch/batchtest"
	"github.com/orderflow/orderflow/internal/embedded/broker/commitlog"
	"github.com/orderflow/orderflow/internal/embedded/broker/disk"
	"github.com/orderflow/orderflow/internal/embedded/broker/disk/disktest"
)

var compaction = commitlog.Compaction{DirtyRatio: 0.5, DeleteRetention: time.Hour, SegmentBytes: 8 << 10}

// keyed is a fixture whose records have keys.
type keyed struct {
	*fixture
	random *rand.Rand
	values map[string]string // the newest of each key
	newest map[string]int64  // its offset
	n      int64
}

func newKeyed(t testing.TB, fs disk.FS) *keyed {
	k := &keyed{fixture: newFixture(t, fs), random: rand.New(rand.NewPCG(5, 6)), values: map[string]string{}, newest: map[string]int64{}}
	k.set.Keys = true
	return k
}

// write writes batches of a few records with one of keys keys each, some of them
// without a value.
func (k *keyed) write(batches, keys int) {
	k.t.Helper()
	for range batches {
		var records []batchtest.Record
		for range 1 + k.random.IntN(4) {
			key := fmt.Sprint("key", k.random.IntN(keys))
			r := batchtest.Record{Key: []byte(key), Timestamp: k.now.UnixMilli()}
			delete(k.values, key)
			if k.random.IntN(10) > 0 {
				r.Value = fmt.Appendf(nil, "value %d", k.n)
				k.values[key] = string(r.Value)
			}
			k.newest[key] = k.n
			k.n++
			records = append(records, r)
		}
		b := batchtest.Make(batchtest.None, records...)
		_, err := k.log.Append(b, &k.set)
		require.NoError(k.t, err)
		k.now = k.now.Add(time.Second)
	}
}

// verify reads everything: each key's newest value is there, at its offset, and
// offsets go up.
func (k *keyed) verify() (records int) {
	k.t.Helper()
	start, end := k.log.Bounds()
	require.Equal(k.t, k.n, end)
	values := map[string]string{}
	offset := start
	for offset < end {
		raw, err := k.log.Read(offset, 3000, true)
		require.NoError(k.t, err)
		if len(raw) == 0 {
			break
		}
		for len(raw) > 0 {
			var b batch.Batch
			b, raw, err = batch.Cut(raw)
			require.NoError(k.t, err)
			require.NoError(k.t, b.CheckCRC())
			require.GreaterOrEqual(k.t, b.LastOffset(), offset)
			for r, err := range b.Records() {
				require.NoError(k.t, err)
				records++
				at := b.BaseOffset() + int64(r.OffsetDelta)
				if r.Value == nil {
					delete(values, string(r.Key))
					continue
				}
				values[string(r.Key)] = string(r.Value)
				if string(r.Value) == k.values[string(r.Key)] {
					require.Equal(k.t, k.newest[string(r.Key)], at)
				}
			}
			offset = b.LastOffset() + 1
		}
	}
	require.True(k.t, maps.Equal(k.values, values), "the newest values of all keys")
	return records
}

func TestCompaction(t *testing.T) {
	k := newKeyed(t, disk.NewMemory())
	k.write(500, 40)
	before := k.verify()
	segments := len(k.files(".log"))
	freed, err := k.log.Compact(compaction)
	require.NoError(t, err)
	assert.Greater(t, freed, int64(20<<10))
	after := k.verify()
	assert.Less(t, after, before/3)
	assert.LessOrEqual(t, len(k.files(".log")), segments/2, "what is left shares a segment")
	for from := range k.n { // every offset can be read from
		raw, err := k.log.Read(from, 1, true)
		require.NoError(t, err)
		require.NotEmpty(t, raw)
	}
	freed, err = k.log.Compact(compaction)
	require.NoError(t, err)
	assert.Zero(t, freed, "nothing is new")
	for range 5 {
		k.write(300, 40)
		_, err = k.log.Compact(compaction)
		require.NoError(t, err)
		k.verify()
		k.open(1)
		k.verify()
	}
	assert.Empty(t, k.logs.String())
}

func TestCompactionForgetsDeletedKeysLater(t *testing.T) {
	k := newKeyed(t, disk.NewMemory())
	k.write(300, 40)
	deleted := func(below int64) int {
		n := 0
		for start := int64(0); start < below; {
			raw, err := k.log.Read(start, 1, true)
			require.NoError(t, err)
			b, _, err := batch.Cut(raw)
			require.NoError(t, err)
			for r := range b.Records() {
				if r.Value == nil && b.BaseOffset()+int64(r.OffsetDelta) < below {
					n++
				}
			}
			start = b.LastOffset() + 1
		}
		return n
	}
	_, err := k.log.Compact(compaction)
	require.NoError(t, err)
	var compacted int64 // the base of the segment that was appended to
	_, err = fmt.Sscanf(filepath.Base(slices.Max(k.files(".log"))), "%d.log", &compacted)
	require.NoError(t, err)
	require.Positive(t, deleted(compacted))
	k.now = k.now.Add(2 * time.Hour)
	k.write(300, 40)
	_, err = k.log.Compact(compaction)
	require.NoError(t, err)
	k.verify()
	require.Zero(t, deleted(compacted))
}

func TestCompactionWaitsForItsLag(t *testing.T) {
	k := newKeyed(t, disk.NewMemory())
	k.write(300, 40)
	lagging := compaction
	lagging.MinLag = time.Hour
	freed, err := k.log.Compact(lagging)
	require.NoError(t, err)
	assert.Zero(t, freed)
	k.now = k.now.Add(2 * time.Hour)
	freed, err = k.log.Compact(lagging)
	require.NoError(t, err)
	assert.Positive(t, freed)
}

// Whenever the process dies during a compaction, nothing is lost and nothing is
// there twice.
func TestCrashDuringCompaction(t *testing.T) {
	for step := 0; ; step++ {
		faulty := &disktest.Faulty{FS: disk.NewMemory()}
		k := newKeyed(t, faulty)
		k.write(120, 20)
		_, err := k.log.Compact(compaction)
		require.NoError(t, err)
		k.write(120, 20)
		require.NoError(t, k.log.Housekeep(time.Hour))
		faulty.DieAfter(step)
		_, err = k.log.Compact(compaction)
		survived := err == nil
		k.fs = faulty.FS
		for _, boot := range []uint32{1, 2} {
			k.open(boot)
			k.verify()
		}
		require.Empty(t, k.logs.String(), "step %d", step)
		_, err = k.log.Compact(compaction)
		require.NoError(t, err)
		k.verify()
		if survived {
			require.Greater(t, step, 10)
			return
		}
	}
}

// The newest segment can vanish, with the machine or by a sync that fails. Those before it
// may be compacted meanwhile, and their offsets have gaps: what comes next begins a segment.
func TestNothingIsAppendedToACompactedSegment(t *testing.T) {
	for name, vanish := range map[string]func(*keyed, *disktest.Faulty, commitlog.Appended){
		"with the machine": func(k *keyed, _ *disktest.Faulty, _ commitlog.Appended) {
			require.NoError(t, k.fs.Remove(slices.Max(k.files(".log"))))
			require.NoError(t, k.fs.Remove(filepath.Join(dir, "checkpoint")))
			k.open(1)
			require.Empty(t, k.logs.String())
		},
		"by a sync": func(k *keyed, faulty *disktest.Faulty, newest commitlog.Appended) {
			faulty.FailSync(errors.New("no more"))
			require.ErrorIs(t, k.log.Durable(t.Context(), newest), kerr.KafkaStorageError)
			faulty.FailSync(nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			faulty := &disktest.Faulty{FS: disk.NewMemory()}
			k := newKeyed(t, faulty)
			k.write(300, 40)
			require.NoError(t, k.log.Housekeep(time.Hour))
			k.env.Sync = true
			k.now = k.now.Add(k.set.SegmentAge)
			newest, err := k.log.Append(batchtest.Make(batchtest.None, batchtest.Record{Key: []byte("key0"), Timestamp: k.now.UnixMilli()}), &k.set)
			require.NoError(t, err)
			freed, err := k.log.Compact(compaction)
			require.NoError(t, err)
			require.Positive(t, freed)
			segments := slices.Sorted(slices.Values(k.files(".log")))
			last := segments[len(segments)-2]
			compacted, err := disk.ReadFile(k.fs, last)
			require.NoError(t, err)
			vanish(k, faulty, newest)
			require.NotEmpty(t, compacted)

			k.env.Sync = false
			k.verify()
			for range 3 {
				k.write(300, 40)
				k.verify()
				k.open(2)
				k.verify()
			}
			still, err := disk.ReadFile(k.fs, last)
			require.NoError(t, err)
			require.True(t, bytes.Equal(compacted, still))
			_, err = k.log.Compact(compaction)
			require.NoError(t, err)
			k.verify()
		})
	}
}

// What a batch inflates to is bounded: one that is larger is no longer looked into.
func TestCompactionLeavesInflatedBatchesAsTheyAre(t *testing.T) {
	k := newKeyed(t, disk.NewMemory())
	k.set.Keys = false // the topic wasn't compacted when the batch came
	small := batchtest.Make(batchtest.None, batchtest.Record{Key: []byte("key0"), Value: []byte("inflated"), Timestamp: k.now.UnixMilli()})
	raw := append(slices.Clone(small), make([]byte, batch.MaxContent)...)
	inflated := batchtest.Compress(t, raw, kgo.ZstdCompression())
	require.Less(t, len(inflated), 100<<10)
	for _, err := range inflated.Records() {
		require.ErrorIs(t, err, batch.ErrTooLarge)
	}
	want := slices.Clone(inflated)
	_, err := k.log.Append(inflated, &k.set)
	require.NoError(t, err)
	k.n++
	k.set.Keys = true
	_, err = k.log.Append(slices.Clone(want), &k.set)
	require.ErrorIs(t, err, kerr.InvalidRecord, "a compacted topic takes none")
	// The key is deleted; that it is has to stay known, since its value is kept.
	_, err = k.log.Append(batchtest.Make(batchtest.None, batchtest.Record{Key: []byte("key0"), Timestamp: k.now.UnixMilli()}), &k.set)
	require.NoError(t, err)
	k.n++
	deleted := k.n - 1
	for range 3 {
		for range 200 {
			k.now = k.now.Add(time.Second)
			_, err := k.log.Append(batchtest.Make(batchtest.None, batchtest.Record{Key: []byte("other"), Value: make([]byte, 100), Timestamp: k.now.UnixMilli()}), &k.set)
			require.NoError(t, err)
		}
		k.now = k.now.Add(3 * time.Hour)
		_, err = k.log.Compact(compaction)
		require.NoError(t, err)
	}
	got, err := k.log.Read(0, 1, true)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want[batch.HeaderSize:], got[batch.HeaderSize:]), "it is kept byte by byte")
	got, err = k.log.Read(deleted, 1, true)
	require.NoError(t, err)
	require.Equal(t, deleted, batch.Batch(got).BaseOffset(), "what deleted its key is kept")
	require.Equal(t, 1, strings.Count(k.logs.String(), "left out of compaction"), k.logs.String())
	require.Contains(t, k.logs.String(), batch.ErrTooLarge.Error())
}

func TestContentIsBoundedInEveryCompression(t *testing.T) {
	b := batchtest.Make(batchtest.None, batchtest.Record{Value: []byte("v"), Timestamp: 1})
	raw := append(slices.Clone(b), make([]byte, batch.MaxContent)...)
	for _, codec := range []kgo.CompressionCodec{kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
		inflated := batchtest.Compress(t, raw, codec)
		var got error
		for _, err := range inflated.Records() {
			got = err
		}
		require.ErrorIs(t, got, batch.ErrTooLarge, "codec %d", inflated.Codec())
	}
}

func TestFilterKeepsCompression(t *testing.T) {
	for _, codec := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
		var records []batchtest.Record
		for i := range 50 {
			records = append(records, batchtest.Record{Key: fmt.Appendf(nil, "key%d", i), Value: []byte("value"), Timestamp: 1000 + int64(i)})
		}
		b := batchtest.Compress(t, batchtest.Make(batchtest.None, records...), codec)
		left, err := b.Filter(func(r batch.Record) bool { return r.OffsetDelta%2 == 0 })
		require.NoError(t, err)
		require.NoError(t, left.CheckCRC())
		assert.Equal(t, b.Codec(), left.Codec())
		assert.Equal(t, b.LastOffset(), left.LastOffset())
		assert.EqualValues(t, 1048, left.MaxTimestamp())
		n := int32(0)
		for r, err := range left.Records() {
			require.NoError(t, err)
			require.Equal(t, 2*n, r.OffsetDelta)
			n++
		}
		assert.EqualValues(t, 25, n)
		same, err := b.Filter(func(batch.Record) bool { return true })
		require.NoError(t, err)
		assert.Equal(t, b, same)
		none, err := b.Filter(func(batch.Record) bool { return false })
		require.NoError(t, err)
		assert.Nil(t, none)
	}
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

package broker_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/embedded/broker"
	"github.com/orderflow/orderflow/internal/embedded/broker/batch/batchtest"
)

// Those who only say that a large frame comes don't hold up the others' requests.
func TestAnnouncedFramesHoldUpNobody(t *testing.T) {
	b := start(t, broker.Config{FrameTimeout: 5 * time.Second})
	for range 2 {
		_, err := dial(t, b.Addr()).Write(head(100<<20, int16(kmsg.Produce), 9))
		require.NoError(t, err)
	}
	time.Sleep(100 * time.Millisecond)
	p := newPeer(t, b.Addr())
	begun := time.Now()
	_, err := p.ask(kmsg.NewPtrListGroupsRequest(), time.Second)
	assert.NoError(t, err, "after %s", time.Since(begun))
}

// What a session's last answer had is not kept until the next request.
func TestFetchSessionsKeepNoRecords(t *testing.T) {
	b := start(t, broker.Config{DataDir: t.TempDir()})
	p := newPeer(t, b.Addr())
	p.create(t, "orders", 1)
	for range 16 {
		_, err := p.produce("orders", batchtest.Make(batchtest.None, batchtest.Record{Value: make([]byte, 1<<20-200), Timestamp: time.Now().UnixMilli()}))
		require.NoError(t, err)
	}
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for range 20 {
		req := kmsg.NewPtrFetchRequest()
		req.Version, req.MaxBytes, req.SessionEpoch = 11, 1<<30, 0
		rt := kmsg.NewFetchRequestTopic()
		rt.Topic = "orders"
		rp := kmsg.NewFetchRequestTopicPartition()
		rp.PartitionMaxBytes = 1 << 30
		rt.Partitions = append(rt.Partitions, rp)
		req.Topics = append(req.Topics, rt)
		_, err := p.ask(req, 10*time.Second)
		require.NoError(t, err)
	}
	require.NoError(t, p.conn.Close())
	time.Sleep(100 * time.Millisecond)
	after := heap()
	assert.Less(t, int64(after)-int64(before), int64(64<<20), "bytes that 20 fetches by a client that is gone hold")
}

// A group that reads a topic has not read the records of a partition that it has
// committed nothing for, as there was nothing before.
func TestRetentionKeepsAPartitionThatAGroupHasNotBegunToRead(t *testing.T) {
	now := time.Now()
	b := start(t, broker.Config{DataDir: t.TempDir(), Now: func() time.Time { return now }})
	cl := client(t, b.Addr(), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	createTopic(t, cl, "orders", 2, map[string]string{"retention.ms": "1000", "segment.bytes": "1000"})
	put := func(p int32) {
		require.NoError(t, cl.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Partition: p, Value: make([]byte, 500)}).FirstErr())
	}
	put(0)
	reader := client(t, b.Addr(), kgo.ConsumerGroup("reader"), kgo.ConsumeTopics("orders"), kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NotZero(t, reader.PollFetches(t.Context()).NumRecords())
	require.NoError(t, reader.CommitUncommittedOffsets(t.Context()))
	reader.Close()
	for range 10 {
		put(0)
		put(1)
	}
	now = now.Add(time.Hour)
	b.Housekeep()
	offsets, err := kadm.NewClient(cl).ListStartOffsets(t.Context(), "orders")
	require.NoError(t, err)
	for p, want := range []int64{1, 0} {
		at, _ := offsets.Lookup("orders", int32(p))
		assert.LessOrEqual(t, at.Offset, want, "partition %d", p)
	}
}

// One request can't make so many partitions that the memory ends, now and with each start.
func TestPartitionsInAllAreLimited(t *testing.T) {
	b := start(t, broker.Config{DataDir: t.TempDir()})
	p := newPeer(t, b.Addr())
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version = 4
	for i := range 12 {
		rt := kmsg.NewCreateTopicsRequestTopic()
		rt.Topic, rt.NumPartitions, rt.ReplicationFactor = fmt.Sprint("t", i), 10_000, 1
		req.Topics = append(req.Topics, rt)
	}
	resp, err := p.ask(req, time.Minute)
	require.NoError(t, err)
	for i, rt := range resp.(*kmsg.CreateTopicsResponse).Topics {
		assert.Equal(t, i < 10, rt.ErrorCode == 0, rt.Topic)
	}
}

// When the machine's end took records that a group had read, it reads those that came in
// their place.
func TestAGroupReadsWhatTakesThePlaceOfLostRecords(t *testing.T) {
	dir := t.TempDir()
	b := start(t, broker.Config{DataDir: dir})
	cl := client(t, b.Addr())
	createTopic(t, cl, "orders", 1, nil)
	for i := range 20 {
		produce(t, cl, "orders", i, 1)
	}
	var offsets kadm.Offsets
	offsets.AddOffset("orders", 0, 20, -1)
	require.NoError(t, kadm.NewClient(cl).CommitAllOffsets(t.Context(), "reader", offsets))
	cl.Close()
	require.NoError(t, b.Stop())
	// The file of records did not get to the disk to its end; that of offsets did.
	logs, err := filepath.Glob(filepath.Join(dir, "topics", "orders.*", "0", "*.log"))
	require.NoError(t, err)
	require.Len(t, logs, 1)
	info, err := os.Stat(logs[0])
	require.NoError(t, err)
	require.NoError(t, os.Truncate(logs[0], info.Size()/2))
	require.NoError(t, b.Start(t.Context()))
	cl = client(t, b.Addr())
	produce(t, cl, "orders", 100, 20) // acknowledged
	reader := client(t, b.Addr(), kgo.ConsumerGroup("reader"), kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	got := map[string]bool{}
	for len(got) < 20 && ctx.Err() == nil {
		reader.PollFetches(ctx).EachRecord(func(r *kgo.Record) { got[string(r.Value)] = true })
	}
	assert.Len(t, got, 20)
}

// A byte that flipped in the list of topics does not take a topic's records along.
func TestADamagedCatalogTakesNoRecords(t *testing.T) {
	dir := t.TempDir()
	b := start(t, broker.Config{DataDir: dir})
	cl := client(t, b.Addr())
	createTopic(t, cl, "orders", 1, nil)
	createTopic(t, cl, "other", 1, nil)
	produce(t, cl, "orders", 0, 100)
	require.NoError(t, b.Stop())
	logs := func() []string {
		files, err := filepath.Glob(filepath.Join(dir, "topics", "orders.*", "0", "*.log"))
		require.NoError(t, err)
		return files
	}
	require.NotEmpty(t, logs())
	name := filepath.Join(dir, "catalog")
	raw, err := os.ReadFile(name)
	require.NoError(t, err)
	at := bytes.Index(raw, []byte("topic/orders"))
	require.Positive(t, at)
	raw[at+2] ^= 1
	require.NoError(t, os.WriteFile(name, raw, 0o600))
	require.NoError(t, b.Start(t.Context()))
	assert.NotEmpty(t, logs(), "the records are deleted")
}

// Batches of which little becomes much are not all unpacked at the same time.
func TestUnpackingTakesBoundedMemory(t *testing.T) {
	b := start(t, broker.Config{DataDir: t.TempDir()})
	cl := client(t, b.Addr())
	createTopic(t, cl, "compacted", 1, map[string]string{"cleanup.policy": "compact"})
	bomb := batchtest.Compress(t, batchtest.Make(batchtest.None, batchtest.Record{Key: []byte("k"), Value: make([]byte, 60<<20), Timestamp: time.Now().UnixMilli()}), kgo.ZstdCompression())
	require.Less(t, len(bomb), 64<<10)
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before := m.HeapInuse
	var all sync.WaitGroup
	for range 80 {
		p := newPeer(t, b.Addr())
		all.Go(func() {
			_, err := p.produce("compacted", bytes.Clone(bomb))
			assert.NoError(t, err)
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	peak := uint64(0)
	for running := true; running; {
		select {
		case <-done:
			running = false
		case <-time.After(10 * time.Millisecond):
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
		}
	}
	t.Log("bytes of a batch:", len(bomb), "peak:", (peak-before)>>20, "MB")
	assert.Less(t, peak-before, uint64(800<<20))
}

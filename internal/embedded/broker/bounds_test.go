package broker_test

import (
	"bytes"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
	p := newPeer(t, b.Addr())
	for range 500 { // the broker has come to the others meanwhile
		_, err := p.ask(kmsg.NewPtrListGroupsRequest(), time.Second)
		require.NoError(t, err)
	}
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
	assert.Eventually(t, func() bool { return int64(heap())-int64(before) < 64<<20 }, 10*time.Second, 10*time.Millisecond,
		"20 fetches by a client that is gone hold their records")
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
	for range 32 {
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

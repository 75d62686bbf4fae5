package broker_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/broker"
)

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

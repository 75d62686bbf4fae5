package broker_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/embedded/broker"
	"github.com/orderflow/orderflow/internal/embedded/broker/disk"
	"github.com/orderflow/orderflow/internal/embedded/broker/disk/disktest"
)

// fillUp produces until the disk is full and gives how many records were
// acknowledged.
func fillUp(t *testing.T, cl *kgo.Client) int {
	t.Helper()
	acked := 0
	for range 100_000 {
		err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Value: fmt.Appendf(make([]byte, 1000), "v%d", acked)}).FirstErr()
		if err != nil {
			require.ErrorIs(t, err, kerr.KafkaStorageError)
			return acked
		}
		acked++
	}
	require.Fail(t, "the disk never got full")
	return 0
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	faulty := &disktest.Faulty{FS: disk.OS{}}
	dir := t.TempDir()
	b := start(t, broker.Config{DataDir: dir, Files: faulty, FreeSpaceMargin: -1})
	cl := client(t, b.Addr(), kgo.RecordRetries(0), kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(1), kgo.ProducerBatchCompression(kgo.NoCompression()))
	adm := kadm.NewClient(cl)
	createTopic(t, cl, "orders", 1, nil)
	var offsets kadm.Offsets
	offsets.AddOffset("orders", 0, 1, -1)
	require.NoError(t, adm.CommitAllOffsets(t.Context(), "group", offsets))

	faulty.Limit(200_000)
	acked := fillUp(t, cl)
	require.Greater(t, acked, 50)
	faulty.Limit(0)
	var later kadm.Offsets
	later.AddOffset("orders", 0, 2, -1)
	refused := kmsg.NewPtrOffsetCommitRequest()
	refused.Group, refused.Generation = "group", -1
	refused.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "orders", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: 2, LeaderEpoch: -1}}}}
	answer, err := cl.Broker(1).Request(t.Context(), refused) // as it is, without another try
	require.NoError(t, err)
	require.Equal(t, kerr.CoordinatorNotAvailable.Code, answer.(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode, "a commit that can't be kept is refused")
	resp, err := adm.CreateTopic(t.Context(), 1, 1, nil, "more")
	require.ErrorIs(t, errors.Join(err, resp.Err), kerr.KafkaStorageError)

	faulty.Limit(-1)
	require.NoError(t, cl.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Value: []byte("last")}).FirstErr())
	require.NoError(t, adm.CommitAllOffsets(t.Context(), "group", later))
	require.Len(t, consume(t, b.Addr(), "orders", acked+1), acked+1)

	crashed := t.TempDir()
	require.NoError(t, os.CopyFS(crashed, os.DirFS(dir)))
	again := start(t, broker.Config{DataDir: crashed})
	require.Len(t, consume(t, again.Addr(), "orders", acked+1), acked+1)
	committed, err := kadm.NewClient(client(t, again.Addr())).FetchOffsets(t.Context(), "group")
	require.NoError(t, err)
	at, _ := committed.Lookup("orders", 0)
	assert.EqualValues(t, 2, at.At)
}

// The same on a file system of the operating system's that really is full.
func TestFullFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("a small file system can't be mounted here: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, 0)) })
	ballast := filepath.Join(dir, "ballast")
	require.NoError(t, os.WriteFile(ballast, make([]byte, 1<<20), 0o600))
	data := filepath.Join(dir, "data")
	b, err := broker.New(broker.Config{Addr: "127.0.0.1:0", DataDir: data, FreeSpaceMargin: -1, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, b.Start(t.Context()))
	cl := client(t, b.Addr(), kgo.RecordRetries(0), kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(1), kgo.ProducerBatchCompression(kgo.NoCompression()))
	createTopic(t, cl, "orders", 1, nil)
	acked := fillUp(t, cl)
	require.NoError(t, os.Remove(ballast))
	require.NoError(t, cl.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Value: []byte("last")}).FirstErr())
	require.Len(t, consume(t, b.Addr(), "orders", acked+1), acked+1)
	require.NoError(t, b.Stop())
	require.NoError(t, b.Start(t.Context()))
	require.Len(t, consume(t, b.Addr(), "orders", acked+1), acked+1)
	require.NoError(t, b.Stop())
}

func TestSyncedWritesSurviveAPowerFailure(t *testing.T) {
	t.Parallel()
	powered := disktest.NewPowered()
	dir := t.TempDir()
	b := start(t, broker.Config{DataDir: dir, Files: powered, SyncWrites: true, FreeSpaceMargin: -1})
	cl := client(t, b.Addr())
	createTopic(t, cl, "orders", 4, nil)
	produce(t, cl, "orders", 0, 500)
	var offsets kadm.Offsets
	offsets.AddOffset("orders", 0, 77, -1)
	require.NoError(t, kadm.NewClient(cl).CommitAllOffsets(t.Context(), "group", offsets))
	var dirs []string
	for p := range 4 {
		topics, err := powered.List(filepath.Join(dir, "topics"))
		require.NoError(t, err)
		dirs = append(dirs, filepath.Join(dir, "topics", topics[0].Name, fmt.Sprint(p)))
	}
	left, err := powered.Cut(append(dirs, dir)...)
	require.NoError(t, err)
	require.NoError(t, b.Stop())
	again := start(t, broker.Config{DataDir: dir, Files: left, FreeSpaceMargin: -1})
	consume(t, again.Addr(), "orders", 500)
	committed, err := kadm.NewClient(client(t, again.Addr())).FetchOffsets(t.Context(), "group")
	require.NoError(t, err)
	at, _ := committed.Lookup("orders", 0)
	assert.EqualValues(t, 77, at.At)
}

func TestDataOfAnotherBroker(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "topics.json"), []byte("{}"), 0o600))
	b, err := broker.New(broker.Config{Addr: "127.0.0.1:0", DataDir: dir})
	require.NoError(t, err)
	err = b.Start(t.Context())
	require.ErrorContains(t, err, "another broker")
	require.ErrorContains(t, err, dir)
	require.ErrorContains(t, err, "choose another data directory")
}

func TestRetentionKeepsWhatGroupsHaveNotRead(t *testing.T) {
	t.Parallel()
	now := time.Now()
	clock := func() time.Time { return now }
	b, err := broker.New(broker.Config{Addr: "127.0.0.1:0", DataDir: t.TempDir(), Now: clock, Logger: slog.New(slog.DiscardHandler),
		ProtectGroup: func(group string) bool { return group != "old" }})
	require.NoError(t, err)
	require.NoError(t, b.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, b.Stop()) })
	cl := client(t, b.Addr())
	adm := kadm.NewClient(cl)
	createTopic(t, cl, "orders", 1, map[string]string{"retention.ms": "1000", "segment.bytes": "1000"})
	createTopic(t, cl, "kept", 1, map[string]string{"retention.ms": "-1", "segment.bytes": "1000"})
	commit := func(group string, at int64) {
		var offsets kadm.Offsets
		offsets.AddOffset("orders", 0, at, -1)
		require.NoError(t, adm.CommitAllOffsets(t.Context(), group, offsets))
	}
	for i := range 100 {
		produce(t, cl, "orders", i, 1)
		produce(t, cl, "kept", i, 1)
	}
	commit("reader", 40)
	commit("old", 3)
	now = now.Add(time.Hour)
	startOf := func(topic string) int64 {
		offsets, err := adm.ListStartOffsets(t.Context(), topic)
		require.NoError(t, err)
		at, _ := offsets.Lookup(topic, 0)
		return at.Offset
	}
	b.Housekeep()
	assert.Greater(t, startOf("orders"), int64(20))
	assert.LessOrEqual(t, startOf("orders"), int64(40))
	commit("reader", 100)
	b.Housekeep()
	assert.EqualValues(t, 100, startOf("orders"))
	assert.EqualValues(t, 0, startOf("kept"))
	produce(t, cl, "orders", 100, 1)
	assert.EqualValues(t, 100, startOf("orders"))
}

package broker_test

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/embedded/broker"
)

func TestAcknowledgedRecordsAndOffsetsSurviveKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const perRound = 500
	acked := 0
	for range 3 {
		c := startChild(t, dir)
		cl := client(t, c.addr)
		adm := kadm.NewClient(cl)
		if acked == 0 {
			createTopic(t, cl, "orders", 1, map[string]string{"cleanup.policy": "compact"})
		}
		produce(t, cl, "orders", acked, perRound)
		acked += perRound
		var offsets kadm.Offsets
		offsets.AddOffset("orders", 0, int64(acked), -1)
		require.NoError(t, adm.CommitAllOffsets(t.Context(), "group", offsets))
		c.kill(t)
		cl.Close()
	}
	b := start(t, broker.Config{DataDir: dir})
	consume(t, b.Addr(), "orders", acked)
	adm := kadm.NewClient(client(t, b.Addr()))
	committed, err := adm.FetchOffsets(t.Context(), "group")
	require.NoError(t, err)
	at, ok := committed.Lookup("orders", 0)
	require.True(t, ok)
	assert.EqualValues(t, acked, at.At)
}

func TestProducerGoesOnAcrossStopsAndKills(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// One address for all runs, as a user's broker has.
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := ln.Addr().String()
	require.NoError(t, ln.Close())

	b := start(t, broker.Config{Addr: addr, DataDir: dir})
	cl := client(t, addr, kgo.UnknownTopicRetries(-1))
	createTopic(t, cl, "orders", 1, nil)
	produce(t, cl, "orders", 0, 10)
	require.NoError(t, b.Stop())
	require.NoError(t, b.Start(t.Context()))
	produce(t, cl, "orders", 10, 10)
	// What a kill -9 leaves: the files as they are now, and none of Stop's.
	crashed := t.TempDir()
	require.NoError(t, os.CopyFS(crashed, os.DirFS(dir)))
	produce(t, cl, "orders", 20, 10)
	require.NoError(t, b.Stop())

	start(t, broker.Config{Addr: addr, DataDir: crashed})
	produce(t, cl, "orders", 30, 10)
	assert.Len(t, consume(t, addr, "orders", 30), 30)
}

func TestStopAndStartKeepEverything(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := start(t, broker.Config{DataDir: dir})
	cl := client(t, b.Addr())
	createTopic(t, cl, "log", 2, map[string]string{"cleanup.policy": "delete", "retention.ms": "-1"})
	produce(t, cl, "log", 0, 20)
	require.NoError(t, b.Stop())
	require.NoError(t, b.Stop())
	assert.Empty(t, b.Addr())
	require.NoError(t, b.Start(t.Context()))
	require.NoError(t, b.Start(t.Context()))

	consume(t, b.Addr(), "log", 20)
	adm := kadm.NewClient(client(t, b.Addr()))
	configs, err := adm.DescribeTopicConfigs(t.Context(), "log")
	require.NoError(t, err)
	got := map[string]string{}
	for _, c := range configs[0].Configs {
		got[c.Key] = c.MaybeValue()
	}
	assert.Equal(t, "delete", got["cleanup.policy"])
	assert.Equal(t, "-1", got["retention.ms"])
}

func TestMembersOfTheLastRunDoNotHoldUpAGroup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := start(t, broker.Config{DataDir: dir})
	produceClient := client(t, b.Addr())
	createTopic(t, produceClient, "orders", 1, nil)
	produce(t, produceClient, "orders", 0, 1)
	member := func() {
		cl := client(t, b.Addr(), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("orders"), kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		fetches := cl.PollFetches(t.Context())
		require.NoError(t, fetches.Err())
		require.Equal(t, 1, fetches.NumRecords())
	}
	member() // and doesn't leave before the broker stops
	require.NoError(t, b.Stop())
	require.NoError(t, b.Start(t.Context()))
	member()
}

func TestSecondBrokerOnADataDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	startChild(t, dir)
	b, err := broker.New(broker.Config{Addr: "127.0.0.1:0", DataDir: dir})
	require.NoError(t, err)
	err = b.Start(t.Context())
	require.ErrorIs(t, err, broker.ErrLocked)
	assert.ErrorContains(t, err, dir)
	assert.NotContains(t, err.Error(), "\n")
	assert.Empty(t, b.Addr())
}

func TestPortInUse(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	dir := t.TempDir()
	b, err := broker.New(broker.Config{Addr: ln.Addr().String(), AddrSetting: "--kafka-listen", DataDir: dir})
	require.NoError(t, err)
	err = b.Start(t.Context())
	require.ErrorContains(t, err, "in use")
	assert.ErrorContains(t, err, "--kafka-listen")
	assert.ErrorContains(t, err, ln.Addr().String())
	assert.NotContains(t, err.Error(), "\n")

	lock, err := broker.LockDir(dir)
	require.NoError(t, err, "a failed start leaves the data directory free")
	require.NoError(t, lock.Unlock())
}

func TestDataDirectoryThatCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	b, err := broker.New(broker.Config{Addr: "127.0.0.1:0", DataDir: filepath.Join(file, "data")})
	require.NoError(t, err)
	require.ErrorContains(t, b.Start(t.Context()), file)
}

func TestValidate(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  broker.Config
		want string
	}{
		"no port":           {broker.Config{Addr: "localhost"}, "host:port"},
		"a port too high":   {broker.Config{Addr: "localhost:99999"}, "65535"},
		"bad advertisement": {broker.Config{Addr: ":0", Advertise: "here"}, "advertised"},
		"few partitions":    {broker.Config{Addr: ":0", Partitions: -1}, "partitions"},
		"small frames":      {broker.Config{Addr: ":0", MaxFrameBytes: -1}, "frame"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := broker.New(c.cfg)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestAdvertisedAddress(t *testing.T) {
	b := start(t, broker.Config{Addr: ":0"})
	host, port, err := net.SplitHostPort(b.Addr())
	require.NoError(t, err)
	assert.Equal(t, "127.0.0.1", host)
	meta, err := kadm.NewClient(client(t, "127.0.0.1:"+port)).BrokerMetadata(t.Context())
	require.NoError(t, err)
	require.Len(t, meta.Brokers, 1)
	assert.Equal(t, "127.0.0.1", meta.Brokers[0].Host)

	b = start(t, broker.Config{Addr: "127.0.0.1:0", Advertise: "kafka.example:1234"})
	assert.Equal(t, "kafka.example:1234", b.Addr())
}

func TestTopicsAreCreatedOnDemand(t *testing.T) {
	b := start(t, broker.Config{Partitions: 3})
	cl := client(t, b.Addr(), kgo.AllowAutoTopicCreation())
	produce(t, cl, "new", 0, 1)
	topics, err := kadm.NewClient(cl).ListTopics(t.Context(), "new")
	require.NoError(t, err)
	assert.Len(t, topics["new"].Partitions, 3)
}

func TestDeleteRecords(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := start(t, broker.Config{DataDir: dir})
	cl := client(t, b.Addr())
	adm := kadm.NewClient(cl)
	createTopic(t, cl, "log", 1, map[string]string{"cleanup.policy": "delete"})
	createTopic(t, cl, "table", 1, map[string]string{"cleanup.policy": "compact"})
	produce(t, cl, "log", 0, 10)
	produce(t, cl, "table", 0, 10)
	trim := func(topic string, to int64) error {
		var offsets kadm.Offsets
		offsets.AddOffset(topic, 0, to, -1)
		responses, err := adm.DeleteRecords(t.Context(), offsets)
		require.NoError(t, err)
		return responses.Error()
	}
	startOf := func(topic string) int64 {
		offsets, err := kadm.NewClient(client(t, b.Addr())).ListStartOffsets(t.Context(), topic)
		require.NoError(t, err)
		at, ok := offsets.Lookup(topic, 0)
		require.True(t, ok)
		return at.Offset
	}
	require.NoError(t, trim("log", 4))
	assert.EqualValues(t, 4, startOf("log"))
	require.NoError(t, trim("log", -1))
	assert.EqualValues(t, 10, startOf("log"))
	require.NoError(t, trim("log", 4), "what is gone already")
	assert.EqualValues(t, 10, startOf("log"))
	require.ErrorIs(t, trim("log", 11), kerr.OffsetOutOfRange)
	require.ErrorIs(t, trim("table", 4), kerr.PolicyViolation)
	assert.EqualValues(t, 0, startOf("table"))

	policy := "delete"
	_, err := adm.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "cleanup.policy", Value: &policy}}, "table")
	require.NoError(t, err)
	require.NoError(t, trim("table", 4))

	crashed := t.TempDir()
	require.NoError(t, os.CopyFS(crashed, os.DirFS(dir)))
	again := start(t, broker.Config{DataDir: crashed})
	ends, err := kadm.NewClient(client(t, again.Addr())).ListEndOffsets(t.Context(), "log")
	require.NoError(t, err)
	end, _ := ends.Lookup("log", 0)
	assert.EqualValues(t, 10, end.Offset, "offsets go on where they were")
	starts, err := kadm.NewClient(client(t, again.Addr())).ListStartOffsets(t.Context(), "log", "table")
	require.NoError(t, err)
	at, _ := starts.Lookup("log", 0)
	assert.EqualValues(t, 10, at.Offset, "what was deleted stays deleted")
	at, _ = starts.Lookup("table", 0)
	assert.EqualValues(t, 4, at.Offset)
}

func TestTransactionsAreRefused(t *testing.T) {
	var logged strings.Builder
	b := start(t, broker.Config{Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	cl := client(t, b.Addr(), kgo.TransactionalID("tx"))
	_, _, err := cl.ProducerID(t.Context())
	require.ErrorIs(t, err, kerr.TransactionalIDAuthorizationFailed)
	require.NoError(t, b.Stop())
	assert.Contains(t, logged.String(), "no transactions")
}

func TestBrokerSettingsStay(t *testing.T) {
	b := start(t, broker.Config{})
	adm := kadm.NewClient(client(t, b.Addr()))
	hour := "1000"
	responses, err := adm.AlterBrokerConfigs(t.Context(), []kadm.AlterConfig{{Name: "log.cleaner.backoff.ms", Value: &hour}})
	require.NoError(t, err)
	require.Len(t, responses, 1)
	require.ErrorIs(t, responses[0].Err, kerr.PolicyViolation)
}

func TestLittleDiskSpace(t *testing.T) {
	// What is free is asked once at the start: little then means refusal at once.
	b := start(t, broker.Config{DataDir: t.TempDir(), FreeSpaceMargin: 1000, FreeSpace: func(string) (int64, error) { return 999, nil }})
	cl := client(t, b.Addr())
	req := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "orders", 1, 1
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(context.Background(), cl)
	require.NoError(t, err)
	assert.Equal(t, kerr.KafkaStorageError.Code, resp.Topics[0].ErrorCode)
}

package tail

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"
)

type world struct {
	t       *testing.T
	cluster *kfake.Cluster
	client  *kgo.Client
}

func newWorld(t *testing.T, brokers int) *world {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(brokers), kfake.SeedTopics(2, "a", "b"))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return &world{t: t, cluster: cluster, client: client}
}

func (w *world) reader(cfg Config) *Reader {
	w.t.Helper()
	cfg.Brokers = w.cluster.ListenAddrs()
	r, err := New(cfg)
	require.NoError(w.t, err)
	w.t.Cleanup(r.Close)
	return r
}

// write gives a partition so many records more.
func (w *world) write(topic string, partition int32, from, n int) {
	w.t.Helper()
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = &kgo.Record{Topic: topic, Partition: partition, Value: fmt.Appendf(nil, "%d", from+i)}
	}
	require.NoError(w.t, w.client.ProduceSync(w.t.Context(), records...).FirstErr())
}

// follower reads one partition into values.
type follower struct {
	*Cursor
	woken  chan struct{}
	values []string
}

func (w *world) follow(r *Reader, p Partition, offset, end int64) *follower {
	w.t.Helper()
	f := &follower{woken: make(chan struct{}, 1)}
	wake := func() {
		select {
		case f.woken <- struct{}{}:
		default:
		}
	}
	cursors, err := r.Follow(w.t.Context(), []Start{{p, offset, end}}, wake)
	require.NoError(w.t, err)
	f.Cursor = cursors[0]
	return f
}

// read reads until there are n values.
func (f *follower) read(ctx context.Context, n int) error {
	for len(f.values) < n {
		b, err := f.Read(ctx)
		if err != nil {
			return err
		}
		for _, rec := range b.Records {
			f.values = append(f.values, string(rec.Value))
		}
		if len(b.Records) > 0 || b.Next < b.End {
			continue
		}
		select {
		case <-f.woken:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func numbers(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint(i)
	}
	return out
}

func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestEveryFollowerGetsEveryRecordOnceFromWhereItBegan(t *testing.T) {
	w := newWorld(t, 2)
	r := w.reader(Config{})
	p := Partition{"a", 1}
	w.write("a", 1, 0, 100)
	starts := []int64{0, 40, 100, 0, 99}
	var group sync.WaitGroup
	for _, from := range starts {
		f := w.follow(r, p, from, 100)
		group.Go(func() {
			defer f.Close()
			if assert.NoError(t, f.read(deadline(t), 400-int(from))) {
				assert.Equal(t, numbers(400)[from:], f.values)
			}
		})
	}
	for i := range 30 {
		w.write("a", 1, 100+10*i, 10)
	}
	group.Wait()
	require.Empty(t, r.logs, "nothing is read for nobody")
}

func TestAPartitionThatIsAddedIsReadAtOnce(t *testing.T) {
	w := newWorld(t, 1)
	r := w.reader(Config{MaxWait: time.Hour})
	first := w.follow(r, Partition{"a", 0}, 0, 0)
	w.write("a", 0, 0, 1)
	require.NoError(t, first.read(deadline(t), 1))
	second := w.follow(r, Partition{"b", 0}, 0, 0)
	w.write("b", 0, 0, 1)
	require.NoError(t, second.read(deadline(t), 1))
	w.write("a", 0, 1, 1)
	require.NoError(t, first.read(deadline(t), 2))
	second.Close()
	w.write("b", 0, 1, 3)
	w.write("a", 0, 2, 1)
	require.NoError(t, first.read(deadline(t), 3))
	again := w.follow(r, Partition{"b", 0}, 1, 1)
	require.NoError(t, again.read(deadline(t), 3), "its end had moved on when it was added again")
	require.Equal(t, []string{"1", "2", "3"}, again.values)
}

// bulk is a value that a few of fill the buffer of the following tests.
var bulk = strings.Repeat("x", 1000)

func (w *world) writeBulk(p Partition, n int) {
	w.t.Helper()
	for range n {
		require.NoError(w.t, w.client.ProduceSync(w.t.Context(), &kgo.Record{Topic: p.Topic, Partition: p.Partition, Value: []byte(bulk)}).FirstErr())
	}
}

func TestWhoFallsBehindHoldsUpNobody(t *testing.T) {
	w := newWorld(t, 1)
	r := w.reader(Config{Buffer: 5000})
	p := Partition{"a", 0}
	fast, slow, late := w.follow(r, p, 0, 0), w.follow(r, p, 0, 0), w.follow(r, p, 0, 0)
	w.writeBulk(p, 1)
	for _, f := range []*follower{fast, slow} {
		require.NoError(t, f.read(deadline(t), 1))
	}
	for i := range 50 {
		w.writeBulk(p, 1)
		require.NoError(t, fast.read(deadline(t), i+2), "the fast one gets everything")
	}
	require.True(t, slow.Behind())
	require.False(t, fast.Behind())
	require.False(t, late.Behind(), "it had never been at the tail")
	require.NoError(t, slow.read(deadline(t), 51), "the slow one reads on its own")
	require.NoError(t, late.read(deadline(t), 51))
	w.writeBulk(p, 1)
	require.NoError(t, slow.read(deadline(t), 52))
	require.False(t, slow.Behind(), "it has caught up")

	var kept int64
	for c := fast.log.last; c != nil; c = c.next {
		kept += size(c.records)
	}
	require.Less(t, kept, int64(5000))
}

func TestAPartitionIsFollowedToItsNewLeader(t *testing.T) {
	w := newWorld(t, 2)
	r := w.reader(Config{})
	p := Partition{"a", 0}
	f := w.follow(r, p, 0, 0)
	for i := range 6 {
		require.NoError(t, w.cluster.MoveTopicPartition("a", 0, int32(i%2)))
		w.write("a", 0, i, 1)
		require.NoError(t, f.read(deadline(t), i+1))
		b, err := r.ReadAt(deadline(t), p, 0)
		require.NoError(t, err)
		require.Len(t, b.Records, i+1)
	}
	require.Equal(t, numbers(6), f.values)
}

func TestErrorsSayWhatHappenedToTheTopic(t *testing.T) {
	w := newWorld(t, 1)
	r := w.reader(Config{})
	p := Partition{"a", 0}
	w.write("a", 0, 0, 5)
	f := w.follow(r, p, 0, 5)
	require.NoError(t, f.read(deadline(t), 5))
	admin := kadm.NewClient(w.client)
	_, err := admin.DeleteTopics(t.Context(), "a")
	require.NoError(t, err)
	require.ErrorContains(t, f.read(deadline(t), 6), "topic a does not exist or has no partition 0 any more: it was deleted while it was being read")

	_, err = r.ReadAt(t.Context(), p, 0)
	require.ErrorContains(t, err, "topic a does not exist")
	_, err = r.Follow(t.Context(), []Start{{p, 0, 0}}, func() {})
	require.ErrorIs(t, err, errMissing)

	_, err = admin.CreateTopic(t.Context(), 1, 1, nil, "a")
	require.NoError(t, err)
	f = w.follow(r, p, 5, 5)
	require.ErrorContains(t, f.read(deadline(t), 1), "partition 0 of topic a has no offset 5 any more")
}

func TestAbortedRecordsAreLeftOut(t *testing.T) {
	w := newWorld(t, 1)
	r := w.reader(Config{})
	p := Partition{"a", 0}
	f := w.follow(r, p, 0, 0)
	writer, err := kgo.NewClient(kgo.SeedBrokers(w.cluster.ListenAddrs()...), kgo.TransactionalID("t"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	defer writer.Close()
	for i, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
		require.NoError(t, writer.BeginTransaction())
		require.NoError(t, writer.ProduceSync(t.Context(), &kgo.Record{Topic: "a", Value: fmt.Append(nil, i)}).FirstErr())
		require.NoError(t, writer.EndTransaction(t.Context(), end))
	}
	require.NoError(t, f.read(deadline(t), 5))
	require.Equal(t, "0", f.values[0])
	require.NotContains(t, f.values, "1")
	require.Contains(t, f.values, "2")
}

func TestAClosedReaderSaysSo(t *testing.T) {
	w := newWorld(t, 1)
	r := w.reader(Config{})
	f := w.follow(r, Partition{"a", 0}, 0, 0)
	r.Close()
	r.Close()
	_, err := f.Read(t.Context())
	require.ErrorIs(t, err, ErrClosed)
	f.Close()
	_, err = r.Follow(t.Context(), nil, func() {})
	require.ErrorIs(t, err, ErrClosed)
}

func TestConfigSaysWhatIsMissing(t *testing.T) {
	require.ErrorContains(t, (&Config{}).Validate(), "address of a Kafka broker")
	require.ErrorContains(t, (&Config{Brokers: []string{"x:1"}, Buffer: -1}).Validate(), "must not be negative")
}

func TestATopicThatIsMadeAnewIsAnother(t *testing.T) {
	for _, maxVersion := range []int16{12, 18} { // by names, and by ids
		t.Run(fmt.Sprint("fetch version ", maxVersion), func(t *testing.T) {
			w := newWorld(t, 2)
			versions := kversion.Stable()
			versions.SetMaxKeyVersion(1, maxVersion)
			r := w.reader(Config{KafkaOptions: []kgo.Opt{kgo.MaxVersions(versions)}})
			p, other := Partition{"a", 0}, w.follow(r, Partition{"b", 0}, 0, 0)
			admin := kadm.NewClient(w.client)
			before := w.follow(r, p, 0, 0)
			for round := range 4 {
				w.write("a", 0, 0, 3)
				require.NoError(t, before.read(deadline(t), 3))
				require.Equal(t, numbers(3), before.values)
				b, err := r.ReadAt(t.Context(), p, 1)
				require.NoError(t, err)
				require.Len(t, b.Records, 2)

				_, err = admin.DeleteTopics(t.Context(), "a")
				require.NoError(t, err)
				_, err = admin.CreateTopic(t.Context(), 2, 1, nil, "a")
				require.NoError(t, err)
				w.client.PurgeTopicsFromProducing("a")
				after := w.follow(r, p, 0, 0)
				require.ErrorIs(t, before.read(deadline(t), 4), errAnew, "whoever reads the old one is told")
				before.Close()
				before = after

				w.write("b", 0, round, 1)
				require.NoError(t, other.read(deadline(t), round+1), "nobody else notices")
			}
			require.NoError(t, w.cluster.MoveTopicPartition("a", 0, 1))
			w.write("a", 0, 0, 1)
			require.NoError(t, before.read(deadline(t), 1))
			require.Equal(t, numbers(4), other.values)
		})
	}
}

func TestAFollowerOfADeletedTopicIsToldWithoutAnotherOne(t *testing.T) {
	w := newWorld(t, 1)
	r := w.reader(Config{})
	p := Partition{"a", 0}
	w.write("a", 0, 0, 3)
	f := w.follow(r, p, 0, 3)
	require.NoError(t, f.read(deadline(t), 3))
	admin := kadm.NewClient(w.client)
	_, err := admin.DeleteTopics(t.Context(), "a")
	require.NoError(t, err)
	_, err = admin.CreateTopic(t.Context(), 2, 1, nil, "a")
	require.NoError(t, err)
	w.client.PurgeTopicsFromProducing("a")
	w.write("a", 0, 0, 9)
	require.ErrorIs(t, f.read(deadline(t), 4), errAnew)
	require.Equal(t, numbers(3), f.values, "nothing is read from the middle of the new one")
	behind := w.follow(r, p, 0, 9)
	require.NoError(t, behind.read(deadline(t), 9))
}

package runtime

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
	"golang.org/x/sync/errgroup"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/tail"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/task"
)

// OutputMode is how the outputs of a task happen once.
type OutputMode string

const (
	// Sequence gives each output its number in a header; after a crash the output
	// partitions are read for what was sent. It needs no transactions.
	Sequence OutputMode = "sequence"
	// Transaction writes the outputs of a commit in one transaction, together with
	// the number of the next as part of a consumer group's offset. The transactional id fences a
	// predecessor that is not quite dead.
	Transaction OutputMode = "transaction"
)

// errFenced ends a query whose transactional id was taken over.
var errFenced = errors.New("another engine of the same service id has taken over the query: stop one of the two, then PAUSE and RESUME the query to run it here")

// transaction is the task.Log of one task whose outputs are written in
// transactions. The number of the next output lies in the metadata of the offset
// that the group of the task's sub-topology has for the task's first source, so
// what was written is known from the group alone.
type transaction struct {
	outputs
	id     string // the transactional id
	group  string
	source tail.Partition
	tag    string
	task   *task.Task
	client *kgo.Client
}

// openTransactions gives the tasks of a session their transactional ids, which
// fences whoever had them before and ends what that had begun.
func (s *session) openTransactions(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for _, t := range s.tasks {
		if t.transaction != nil {
			group.Go(func() error { return t.transaction.open(ctx) })
		}
	}
	return group.Wait()
}

// newTransaction makes the log of a task; nil when outputs carry their numbers.
func (s *session) newTransaction(id state.TaskID, sub *exec.SubTopology) *transaction {
	rt := s.q.rt
	if rt.cfg.Outputs != Transaction {
		return nil
	}
	x := &transaction{outputs: outputs{rt}, tag: task.Tag(rt.cfg.ServiceID, id), group: rt.groupOf(id.Query, id.Sub)}
	x.id = x.group + "-" + strconv.Itoa(int(id.Partition))
	for _, src := range sub.Sources {
		if id.Partition < s.partitions[src.Topic] {
			x.source = tail.Partition{Topic: src.Topic, Partition: id.Partition}
			break
		}
	}
	return x
}

// groupOf is the consumer group that the tasks of a sub-topology keep their numbers
// in.
func (r *Runtime) groupOf(query string, sub int) string {
	return "_confluent-ksql-" + r.cfg.ServiceID + "query_" + query + "-" + strconv.Itoa(sub)
}

func (x *transaction) open(ctx context.Context) error {
	// Version 5 is the last one that names topics; later ones know their ids only.
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(kmsg.NewPtrTxnOffsetCommitRequest().Key(), 5)
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(x.rt.cfg.Brokers...),
		kgo.ClientID(x.id),
		kgo.TransactionalID(x.id),
		kgo.MaxVersions(versions),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(0),
		kgo.ProducerBatchMaxBytesFn(x.rt.limits.of),
		kgo.MetadataMinAge(100 * time.Millisecond),
	}, x.rt.cfg.KafkaOptions...)...)
	if err != nil {
		return fmt.Errorf("making the Kafka client of transactional id %s: %w", x.id, err)
	}
	x.client = client
	if _, _, err := client.ProducerID(ctx); err != nil {
		return fmt.Errorf("taking transactional id %s: %w", x.id, err)
	}
	return nil
}

func (x *transaction) close() {
	if x.client != nil {
		x.client.Close()
	}
}

// Write implements task.Log.
func (x *transaction) Write(ctx context.Context, _ string, pending []state.Pending) error {
	if len(pending) == 0 {
		return nil
	}
	ctx, cancel := finishing(ctx)
	defer cancel()
	// What was sent and not answered is given up only with the client. The next one
	// takes the id anew, and asks the group what was written.
	defer context.AfterFunc(ctx, x.client.Close)()
	if err := x.client.BeginTransaction(); err != nil {
		return fmt.Errorf("beginning a transaction: %w", fenced(err))
	}
	err := x.produce(ctx, pending)
	if err == nil {
		err = x.addNumbers(ctx, pending)
	}
	if err == nil {
		if err = x.client.EndTransaction(ctx, kgo.TryCommit); err != nil {
			return fmt.Errorf("committing a transaction: %w", fenced(err))
		}
		return nil
	}
	if aborted := x.client.EndTransaction(ctx, kgo.TryAbort); aborted != nil {
		err = errors.Join(err, fmt.Errorf("aborting a transaction: %w", aborted))
	}
	return fenced(err)
}

func (x *transaction) produce(ctx context.Context, pending []state.Pending) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	wg.Add(len(pending))
	for i := range pending {
		p := &pending[i]
		rec := &kgo.Record{Topic: p.Topic, Partition: p.Partition, Key: p.Key, Value: p.Value, Timestamp: time.UnixMilli(p.Time)}
		for _, h := range p.Headers {
			rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		x.client.Produce(ctx, rec, func(rec *kgo.Record, err error) {
			defer wg.Done()
			if err == nil {
				x.rt.ends.atLeast(topicPartition{Topic: rec.Topic, Partition: rec.Partition}, rec.Offset+1)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if failed == nil {
				failed = fmt.Errorf("writing to partition %d of topic %s: %w", rec.Partition, rec.Topic, err)
			}
		})
	}
	wg.Wait()
	return failed
}

// addNumbers makes the number behind the last output part of the transaction: what
// has a lower one is written.
func (x *transaction) addNumbers(ctx context.Context, pending []state.Pending) error {
	id, epoch, err := x.client.ProducerID(ctx)
	if err != nil {
		return err
	}
	add := kmsg.NewPtrAddOffsetsToTxnRequest()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = x.id, id, epoch, x.group
	added, err := add.RequestWith(ctx, x.client)
	if err == nil {
		err = kerr.ErrorForCode(added.ErrorCode)
	}
	if err != nil {
		return fmt.Errorf("adding group %s to a transaction: %w", x.group, err)
	}
	next := strconv.FormatUint(pending[len(pending)-1].Seq+1, 10)
	commit := kmsg.NewPtrTxnOffsetCommitRequest()
	commit.TransactionalID, commit.ProducerID, commit.ProducerEpoch, commit.Group = x.id, id, epoch, x.group
	partition := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	partition.Partition, partition.Offset, partition.Metadata = x.source.Partition, x.position(), &next
	topic := kmsg.NewTxnOffsetCommitRequestTopic()
	topic.Topic, topic.Partitions = x.source.Topic, append(topic.Partitions, partition)
	commit.Topics = append(commit.Topics, topic)
	committed, err := commit.RequestWith(ctx, x.client)
	if err == nil && (len(committed.Topics) != 1 || len(committed.Topics[0].Partitions) != 1) {
		err = errors.New("the broker's answer lacks the partition")
	}
	if err == nil {
		err = kerr.ErrorForCode(committed.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		return fmt.Errorf("committing the offset of group %s in a transaction: %w", x.group, err)
	}
	return nil
}

// position is how far the task's first source has been read.
func (x *transaction) position() int64 {
	for i := range x.task.Sources {
		if x.task.Sources[i].Topic == x.source.Topic {
			return x.task.Sources[i].Position
		}
	}
	return 0
}

// Written implements task.Log: of what the task was about to write, it gives what
// the group says was written.
func (x *transaction) Written(ctx context.Context, _ map[tail.Partition]int64) (map[string]map[uint64]bool, error) {
	// The transaction that the last owner of the id was about to commit has ended, but
	// its offset may be on its way to the group: a stable one is waited for.
	offsets, err := kadm.NewClient(x.client).FetchOffsets(kadm.RequireStable(ctx), x.group)
	if err != nil {
		return nil, fmt.Errorf("reading the offsets of group %s: %w", x.group, err)
	}
	found, ok := offsets.Lookup(x.source.Topic, x.source.Partition)
	if ok && found.Err != nil {
		return nil, fmt.Errorf("reading the offset of group %s for %s: %w", x.group, x.source, found.Err)
	}
	if !ok || found.Metadata == "" {
		return nil, nil
	}
	next, err := strconv.ParseUint(found.Metadata, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("the offset of group %s for %s says %q, which this engine has not written: give the engine another ksql.service.id", x.group, x.source, found.Metadata)
	}
	numbers := map[uint64]bool{}
	for _, p := range x.task.Last().Outbox {
		if p.Seq < next {
			numbers[p.Seq] = true
		}
	}
	return map[string]map[uint64]bool{x.tag: numbers}, nil
}

// forget takes the numbers of an earlier query of the same name from the group.
func (x *transaction) forget(ctx context.Context) error {
	var offsets kadm.Offsets
	offsets.Add(kadm.Offset{Topic: x.source.Topic, Partition: x.source.Partition, At: x.position(), LeaderEpoch: -1})
	if err := kadm.NewClient(x.client).CommitAllOffsets(ctx, x.group, offsets); err != nil {
		return fmt.Errorf("committing the offset of group %s: %w", x.group, err)
	}
	return nil
}

// fenced says what the errors mean that come from another owner of the
// transactional id.
func fenced(err error) error {
	if errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch) || errors.Is(err, kerr.InvalidProducerIDMapping) {
		return fmt.Errorf("%w (%w)", errFenced, err)
	}
	return err
}

package task_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/sqltest"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/tail"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/task"
)

// broker is a log in memory whose answers may be lost, of partition 0 of each topic.
type broker struct {
	records map[string][]*kgo.Record
	// takes is how many more outputs are taken before the answer is lost; -1 for all.
	takes int
}

var errLost = errors.New("no answer")

func (b *broker) End(p tail.Partition) (int64, bool) {
	return int64(len(b.records[p.Topic])), p.Partition == 0
}

func (b *broker) Write(_ context.Context, tag string, outputs []state.Pending) error {
	for _, o := range outputs {
		if b.takes == 0 {
			return errLost
		}
		b.takes--
		b.add(o.Topic, string(o.Value), task.Headers(o.Headers, tag, o.Seq))
	}
	if b.takes == 0 {
		return errLost
	}
	return nil
}

func (b *broker) Written(_ context.Context, from map[tail.Partition]int64) (map[string]map[uint64]bool, error) {
	found := map[string]map[uint64]bool{}
	for p, offset := range from {
		for _, rec := range b.records[p.Topic][offset:] {
			if tag, seq, ok := task.Number(rec.Headers); ok {
				if found[tag] == nil {
					found[tag] = map[uint64]bool{}
				}
				found[tag][seq] = true
			}
		}
	}
	return found, nil
}

func (b *broker) add(topic, value string, headers []kgo.RecordHeader) {
	b.records[topic] = append(b.records[topic], &kgo.Record{
		Topic: topic, Offset: int64(len(b.records[topic])), Value: []byte(value), Headers: headers, Timestamp: time.UnixMilli(1),
	})
}

func (b *broker) values(topic string) []string {
	var values []string
	for _, rec := range b.records[topic] {
		values = append(values, string(rec.Value))
	}
	return values
}

// source reads a topic of the broker.
type source struct {
	b     *broker
	topic string
	next  int64
}

func (s *source) Read(context.Context) (tail.Batch, error) {
	all := s.b.records[s.topic]
	batch := tail.Batch{Records: all[s.next:], Next: int64(len(all)), End: int64(len(all))}
	s.next = batch.Next
	return batch, nil
}

// durable is a state that outlives its task.
type durable struct {
	*state.Memory
	saved *state.Memory
	last  *state.Commit
}

func (d *durable) Commit(c *state.Commit) error {
	d.saved, d.last = d.Snapshot(), c
	return nil
}

func (d *durable) Last() (*state.Commit, error) { return d.last, nil }

func (d *durable) Close() error { return nil }

func (d *durable) reopen() *durable { return &durable{d.saved.Snapshot(), d.saved, d.last} }

func topology(t *testing.T, id, where string) *exec.SubTopology {
	t.Helper()
	engine, err := sqltest.New(sqltest.Options{MissingPartitions: 1})
	require.NoError(t, err)
	_, err = engine.Execute(t.Context(), fmt.Sprintf(`CREATE STREAM s (n INT) WITH (KAFKA_TOPIC='in', VALUE_FORMAT='JSON');
CREATE STREAM %s WITH (KAFKA_TOPIC='out') AS SELECT n, n * 10 AS m FROM s WHERE %s;`, id, where))
	require.NoError(t, err)
	return engine.Queries[0].Topology.Subs[0]
}

// open makes a task of a query as a start does, with what a crash left unsent sent.
func open(t *testing.T, b *broker, d *durable, query string, sub *exec.SubTopology) *task.Task {
	t.Helper()
	core, err := task.New(task.Config{
		ID: state.TaskID{Query: query}, ServiceID: "default_", Sub: sub, Partitions: map[string]int32{"in": 1, "out": 1},
		State: d, Log: b, Batch: 3,
	})
	require.NoError(t, err)
	require.NoError(t, core.Load())
	if last := core.Last(); last != nil {
		core.Sources[0].Position = last.Positions["in"]
	}
	core.Sources[0].Reader = &source{b: b, topic: "in", next: core.Sources[0].Position}
	require.NoError(t, task.Recover(t.Context(), b, slog.New(slog.DiscardHandler), []*task.Task{core}))
	return core
}

// Whatever the broker took before an answer was lost, and whatever another query
// wrote in between: after a new start each output is there once, in order.
func TestALostAnswerNeitherLosesNorRepeatsAnOutput(t *testing.T) {
	const inputs = 8
	all, other := topology(t, "a", "n >= 0"), topology(t, "b", "n % 2 = 0")
	for taken := range inputs + 1 {
		t.Run(fmt.Sprint(taken, " taken"), func(t *testing.T) {
			b := &broker{records: map[string][]*kgo.Record{}, takes: taken}
			for n := range inputs {
				b.add("in", fmt.Sprintf(`{"N":%d}`, n), nil)
			}
			d := &durable{Memory: state.NewMemory()}
			core := open(t, b, d, "A", all)
			var err error
			for n := 1; err == nil && n > 0; {
				n, err = core.Step(t.Context())
			}
			if taken <= inputs {
				require.ErrorIs(t, err, errLost)
			}
			b.takes = -1
			beside := open(t, b, &durable{Memory: state.NewMemory()}, "B", other)
			_, err = beside.Step(t.Context())
			require.NoError(t, err)

			core = open(t, b, d.reopen(), "A", all)
			for n := 1; n > 0; {
				n, err = core.Step(t.Context())
				require.NoError(t, err)
			}
			require.NoError(t, core.Settle())
			var got, want []string
			for i, rec := range b.records["out"] {
				if tag, _, ok := task.Number(rec.Headers); ok && tag == task.Tag("default_", state.TaskID{Query: "A"}) {
					got = append(got, b.values("out")[i])
				}
			}
			for n := range inputs {
				want = append(want, fmt.Sprintf(`{"N":%d,"M":%d}`, n, n*10))
			}
			require.Equal(t, want, got)
		})
	}
}
